package gemini

import (
	"strconv"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// AppendEmbeddingRequest writes the body of :batchEmbedContents, that of
// :embedContent for a client of this format which asked so, or on Vertex that of
// :predict.
func (c Codec) AppendEmbeddingRequest(dst []byte, r *transform.EmbeddingRequest, to transform.Target, lost *transform.Losses) ([]byte, error) {
	if len(r.Inputs) == 0 {
		return dst, &transform.Error{
			Kind: transform.ErrBadRequest, Param: "input", Message: "the input is empty: send at least one text",
		}
	}
	var task, title jsonbytes.Value
	if r.Purpose != "" {
		task = transform.Quote(r.Purpose)
	}
	for _, m := range r.Rest {
		switch {
		case m.Value.Empty():
		case (m.Name == "task_type" || m.Name == "taskType") && m.Fill(&task, jsonbytes.String):
		case m.Name == "title" && m.Fill(&title, jsonbytes.String):
		default:
			lost.Drop(r.At(m.Name))
		}
	}
	if c.Vertex {
		return appendPrediction(dst, r, task, title), nil
	}
	one := func(dst []byte, input transform.Literal) []byte {
		dst = jsonbytes.AppendString(append(dst, `{"model":`...), modelName(to.Model))
		dst = append(dst, `,"content":{"parts":[{"text":`...)
		dst = append(append(dst, input...), `}]}`...)
		dst = appendMember(dst, `,"taskType":`, task)
		dst = appendMember(dst, `,"title":`, title)
		if r.Dimensions > 0 {
			dst = append(dst, `,"outputDimensionality":`...)
			dst = strconv.AppendInt(dst, r.Dimensions, 10)
		}
		return append(dst, '}')
	}
	if r.Single && len(r.Inputs) == 1 {
		return one(dst, r.Inputs[0]), nil
	}
	dst = append(dst, `{"requests":[`...)
	for _, input := range r.Inputs {
		dst = one(commaAfter(dst), input)
	}
	return append(dst, "]}"...), nil
}

func appendPrediction(dst []byte, r *transform.EmbeddingRequest, task, title jsonbytes.Value) []byte {
	dst = append(dst, `{"instances":[`...)
	for i, input := range r.Inputs {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(append(dst, `{"content":`...), input...)
		dst = appendMember(dst, `,"task_type":`, task)
		dst = appendMember(dst, `,"title":`, title)
		dst = append(dst, '}')
	}
	dst = append(dst, ']')
	if r.Dimensions > 0 {
		dst = append(dst, `,"parameters":{"outputDimensionality":`...)
		dst = append(strconv.AppendInt(dst, r.Dimensions, 10), '}')
	}
	return append(dst, '}')
}

func appendMember(dst []byte, key string, v jsonbytes.Value) []byte {
	if v == nil {
		return dst
	}
	return append(append(dst, key...), v...)
}

// DecodeEmbeddingResponse reads {embeddings:[{values}]}, {embedding:{values}}
// and Vertex's {predictions:[{embeddings:{values, statistics}}]}. The Gemini
// API mostly tells no usage; it then stays unknown.
func (Codec) DecodeEmbeddingResponse(body []byte) (*transform.EmbeddingResponse, error) {
	text := jsonbytes.Parse(body)
	if jsonbytes.Check(text, 0) != nil {
		return nil, errNoAnswer
	}
	a := new(transform.EmbeddingResponse)
	ok := true
	add := func(embedding jsonbytes.Value) {
		values := embedding.Get("values")
		if values.Kind() != jsonbytes.Array {
			ok = false
			return
		}
		a.Vectors = append(a.Vectors, jsonbytes.AppendCompact(nil, values))
		tokens, known := embedding.Get("statistics").Get("token_count").Int()
		a.Usage.Input += tokens
		a.Usage.Known = a.Usage.Known || known
	}
	for key, value := range text.Members() {
		switch string(key) {
		case "error":
			if !value.Empty() {
				return nil, decodeError(0, value)
			}
		case "embedding":
			add(value)
		case "embeddings":
			for _, embedding := range value.Elements() {
				add(embedding)
			}
		case "predictions":
			for _, prediction := range value.Elements() {
				add(prediction.Get("embeddings"))
			}
		case "usageMetadata":
			if tokens, known := value.Get("promptTokenCount").Int(); known {
				a.Usage.Input, a.Usage.Known = tokens, true
			}
		}
	}
	if !ok || len(a.Vectors) == 0 {
		return nil, errNoAnswer
	}
	a.Usage = a.Usage.Clamp()
	return a, nil
}
