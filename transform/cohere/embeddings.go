package cohere

import (
	"errors"
	"strconv"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// AppendEmbeddingRequest writes the body of /v2/embed.
// https://docs.cohere.com/reference/embed
func (Codec) AppendEmbeddingRequest(dst []byte, r *transform.EmbeddingRequest, to transform.Target, lost *transform.Losses) ([]byte, error) {
	if len(r.Inputs) == 0 {
		return dst, &transform.Error{
			Kind: transform.ErrBadRequest, Param: "input", Message: "the input is empty: send at least one text",
		}
	}
	var kind, truncate, most, priority jsonbytes.Value
	purpose := r.Purpose
	for _, m := range r.Rest {
		switch {
		case m.Value.Empty():
		case m.Name == "input_type" && m.Fill(&kind, jsonbytes.String):
		case m.Name == "truncate" && m.Fill(&truncate, jsonbytes.String):
		case m.Name == "max_tokens" && m.Fill(&most, jsonbytes.Number):
		case m.Name == "priority" && m.Fill(&priority, jsonbytes.Number):
		case (m.Name == "task_type" || m.Name == "taskType") && purpose == "" && m.Value.Kind() == jsonbytes.String:
			purpose, _ = m.Value.Text()
		default:
			lost.Drop(r.At(m.Name))
		}
	}
	if kind == nil {
		kind = transform.Quote(inputType(purpose))
	}
	dst = jsonbytes.AppendString(append(dst, `{"model":`...), to.Model)
	dst = append(dst, `,"texts":[`...)
	for i, input := range r.Inputs {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, input...)
	}
	dst = append(append(dst, `],"input_type":`...), kind...)
	dst = append(dst, `,"embedding_types":["float"]`...)
	if r.Dimensions > 0 {
		dst = strconv.AppendInt(append(dst, `,"output_dimension":`...), r.Dimensions, 10)
	}
	for _, m := range [...]transform.Member{
		{Name: `,"truncate":`, Value: truncate}, {Name: `,"max_tokens":`, Value: most}, {Name: `,"priority":`, Value: priority},
	} {
		if m.Value != nil {
			dst = append(append(dst, m.Name...), m.Value...)
		}
	}
	return append(dst, '}'), nil
}

// inputType is Cohere's word for what the vectors are for, which it wants to know.
func inputType(purpose string) string {
	switch purpose {
	case "RETRIEVAL_QUERY", "QUESTION_ANSWERING", "FACT_VERIFICATION", "CODE_RETRIEVAL_QUERY":
		return "search_query"
	case "CLASSIFICATION":
		return "classification"
	case "CLUSTERING":
		return "clustering"
	}
	return "search_document"
}

// DecodeEmbeddingResponse reads {embeddings: {float: [[…]]}}, or {embeddings:
// [[…]]} as of older servers. Input is what is billed; nothing else is told.
func (Codec) DecodeEmbeddingResponse(body []byte) (*transform.EmbeddingResponse, error) {
	text, err := open(body)
	if err != nil {
		return nil, err
	}
	list := text.Get("embeddings")
	if list.Kind() == jsonbytes.Object {
		list = list.Get("float")
	}
	if list.Kind() != jsonbytes.Array {
		if isError(text) {
			return nil, decodeError(0, text)
		}
		return nil, errors.New("cohere: the answer has no embeddings")
	}
	a := new(transform.EmbeddingResponse)
	for _, vector := range list.Elements() {
		if vector.Kind() != jsonbytes.Array {
			return nil, errors.New("cohere: an embedding is not a list of numbers")
		}
		a.Vectors = append(a.Vectors, vector)
	}
	a.Usage = billedUsage(text.Get("meta"))
	return a, nil
}
