package anthropic

import (
	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// AppendModels writes the answer to GET /v1/models, which is never cut into pages.
func (c Codec) AppendModels(dst []byte, list []transform.Model) []byte {
	dst = append(dst, `{"data":[`...)
	first, last := "", ""
	for i := range list {
		dst = jsonbytes.AppendComma(dst)
		dst = c.AppendModel(dst, list[i])
		if i == 0 {
			first = list[i].ID
		}
		last = list[i].ID
	}
	dst = append(dst, `],"has_more":false,"first_id":`...)
	dst = appendOrNull(dst, first)
	dst = append(dst, `,"last_id":`...)
	dst = appendOrNull(dst, last)
	return append(dst, '}')
}

// AppendModel writes one model. When it came out is not known; the format wants
// a time, and says that the epoch stands for an unknown one.
// https://docs.claude.com/en/api/models-list
func (Codec) AppendModel(dst []byte, m transform.Model) []byte {
	dst = append(dst, `{"type":"model","id":`...)
	dst = jsonbytes.AppendString(dst, m.ID)
	dst = append(dst, `,"display_name":`...)
	dst = jsonbytes.AppendString(dst, m.ID)
	return append(dst, `,"created_at":"1970-01-01T00:00:00Z"}`...)
}
