package openai

import (
	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// AppendModels writes a list of models.
func (c Codec) AppendModels(dst []byte, list []transform.Model) []byte {
	dst = append(dst, `{"object":"list","data":[`...)
	for i, m := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = c.AppendModel(dst, m)
	}
	return append(dst, `]}`...)
}

// AppendModel writes one entry. The time is the epoch: the gateway does not know
// when a model was made.
func (Codec) AppendModel(dst []byte, m transform.Model) []byte {
	dst = append(dst, `{"id":`...)
	dst = jsonbytes.AppendString(dst, m.ID)
	dst = append(dst, `,"object":"model","created":0,"owned_by":`...)
	dst = jsonbytes.AppendString(dst, m.Owner)
	return append(dst, '}')
}

var _ transform.ModelClient = Codec{}
