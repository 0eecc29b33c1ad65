package converse

import (
	"errors"
	"strconv"
	"strings"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// Converse has no embeddings: they are asked for with InvokeModel, in a format of
// the model's own. Those of Amazon and of Cohere are known.

var errOneText = &transform.Error{
	Kind: transform.ErrBadRequest, Param: "input", Message: "this model takes one text a request: send each text in a request of its own",
}

// AppendEmbeddingRequest writes the body of POST /model/{id}/invoke.
func (Codec) AppendEmbeddingRequest(dst []byte, r *transform.EmbeddingRequest, to transform.Target, lost *transform.Losses) ([]byte, error) {
	if len(r.Inputs) == 0 {
		return dst, badRequest("input", "the input is empty: send at least one text")
	}
	var rest embeddingOptions
	for _, m := range r.Rest {
		if !m.Value.Empty() && !rest.take(m) {
			lost.Drop(r.At(m.Name))
		}
	}
	if strings.Contains(to.Model, "cohere.") {
		return appendCohere(dst, r, &rest, lost), nil
	}
	if len(r.Inputs) > 1 {
		return dst, errOneText
	}
	return appendTitan(dst, r, &rest, to.Model, lost), nil
}

// embeddingOptions are the members that only the models know.
type embeddingOptions struct {
	normalize, truncate, purpose jsonbytes.Value
}

func (o *embeddingOptions) take(m transform.Member) bool {
	switch m.Name {
	case "normalize":
		return m.Fill(&o.normalize, jsonbytes.Bool)
	case "truncate":
		return m.Fill(&o.truncate, jsonbytes.String)
	case "input_type":
		return m.Fill(&o.purpose, jsonbytes.String)
	}
	return false
}

// appendTitan writes a request of Amazon's. The first Titan has no options.
func appendTitan(dst []byte, r *transform.EmbeddingRequest, o *embeddingOptions, model string, lost *transform.Losses) []byte {
	dst = append(dst, `{"inputText":`...)
	dst = append(dst, r.Inputs[0]...)
	first := strings.Contains(model, "titan-embed-text-v1") || strings.Contains(model, "titan-embed-g1")
	switch {
	case r.Dimensions > 0 && first:
		lost.Refuse(r.At("dimensions"))
	case r.Dimensions > 0:
		dst = strconv.AppendInt(jsonbytes.AppendKey(dst, "dimensions"), r.Dimensions, 10)
	}
	switch {
	case o.normalize != nil && first:
		lost.Drop(r.At("normalize"))
	case o.normalize != nil:
		dst = append(jsonbytes.AppendKey(dst, "normalize"), o.normalize...)
	}
	if o.truncate != nil {
		lost.Drop(r.At("truncate"))
	}
	if o.purpose != nil {
		lost.Drop(r.At("input_type"))
	}
	return append(dst, '}')
}

// purposes are Cohere's words for what vectors are for.
var purposes = map[string]string{
	"RETRIEVAL_QUERY": "search_query", "QUESTION_ANSWERING": "search_query", "FACT_VERIFICATION": "search_query", "CODE_RETRIEVAL_QUERY": "search_query",
	"CLASSIFICATION": "classification", "CLUSTERING": "clustering", "SEMANTIC_SIMILARITY": "clustering",
}

// appendCohere writes a request of Cohere's, which must say what it is for.
func appendCohere(dst []byte, r *transform.EmbeddingRequest, o *embeddingOptions, lost *transform.Losses) []byte {
	dst = append(dst, `{"texts":[`...)
	for _, input := range r.Inputs {
		dst = append(jsonbytes.AppendComma(dst), input...)
	}
	dst = append(dst, `],"input_type":`...)
	switch purpose := purposes[r.Purpose]; {
	case o.purpose != nil:
		dst = append(dst, o.purpose...)
	case purpose != "":
		dst = jsonbytes.AppendString(dst, purpose)
	default:
		dst = append(dst, `"search_document"`...)
	}
	dst = append(dst, `,"embedding_types":["float"]`...)
	if r.Dimensions > 0 {
		dst = strconv.AppendInt(jsonbytes.AppendKey(dst, "output_dimension"), r.Dimensions, 10)
	}
	if o.truncate != nil {
		dst = append(jsonbytes.AppendKey(dst, "truncate"), o.truncate...)
	}
	if o.normalize != nil {
		lost.Drop(r.At("normalize"))
	}
	return append(dst, '}')
}

var errNoVectors = errors.New("the answer has no embeddings")

// DecodeEmbeddingResponse reads {"embedding":[…],"inputTextTokenCount":n} of
// Amazon, or {"embeddings":…} of Cohere, which counts no tokens.
func (Codec) DecodeEmbeddingResponse(body []byte) (*transform.EmbeddingResponse, error) {
	if err := jsonbytes.Check(body, 0); err != nil {
		return nil, err
	}
	a := &transform.EmbeddingResponse{}
	var message jsonbytes.Value
	for name, value := range jsonbytes.Parse(body).Members() {
		switch string(name) {
		case "embedding":
			a.Vectors = []jsonbytes.Value{value}
		case "embeddings":
			if value.Kind() == jsonbytes.Object {
				value = value.Get("float")
			}
			for _, vector := range value.Elements() {
				a.Vectors = append(a.Vectors, vector)
			}
		case "inputTextTokenCount":
			if n, ok := value.Int(); ok && n >= 0 {
				a.Usage.Input, a.Usage.Known = min(n, most), true
			}
		case "message":
			message = value
		}
	}
	if a.Vectors == nil && message.HasText() {
		return nil, decodeError(0, message)
	}
	for _, vector := range a.Vectors {
		if vector.Kind() != jsonbytes.Array {
			return nil, errNoVectors
		}
	}
	if a.Vectors == nil {
		return nil, errNoVectors
	}
	return a, nil
}
