package gemini

import (
	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// AppendModels writes the answer of GET /v1beta/models, one page of all.
func (c Codec) AppendModels(dst []byte, list []transform.Model) []byte {
	dst = append(dst, `{"models":[`...)
	for _, m := range list {
		dst = c.AppendModel(commaAfter(dst), m)
	}
	return append(dst, "]}"...)
}

// AppendModel writes the answer of GET /v1beta/models/{id}. Which model can do
// what is not known: all that the gateway serves can be asked in this format.
func (Codec) AppendModel(dst []byte, m transform.Model) []byte {
	dst = append(dst, `{"name":`...)
	dst = jsonbytes.AppendString(dst, "models/"+m.ID)
	dst = append(dst, `,"displayName":`...)
	dst = jsonbytes.AppendString(dst, m.ID)
	if m.Owner != "" {
		dst = append(dst, `,"description":`...)
		dst = jsonbytes.AppendString(dst, "served by "+m.Owner)
	}
	return append(dst, `,"supportedGenerationMethods":["generateContent","streamGenerateContent","countTokens"]}`...)
}
