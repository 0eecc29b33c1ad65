package ollama

import (
	"errors"
	"fmt"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// AppendEmbeddingRequest writes the body of /api/embed.
func (Codec) AppendEmbeddingRequest(dst []byte, r *transform.EmbeddingRequest, to transform.Target, lost *transform.Losses) ([]byte, error) {
	if len(r.Inputs) == 0 {
		return dst, &transform.Error{
			Kind: transform.ErrBadRequest, Param: "input", Message: "the input is empty: send at least one text",
		}
	}
	e := encoder{Writer: jsonbytes.Writer{Out: dst}, r: new(transform.Request), to: to, lost: lost}
	for _, m := range r.Rest {
		switch m.Name {
		case "think", "thinking", "shift": // of conversations only
			e.drop(m.Name)
		default:
			e.r.Rest = append(e.r.Rest, m)
		}
	}
	e.planRest()
	e.Raw(`{"model":`)
	e.String(to.Model)
	e.Key("input")
	e.Raw("[")
	for _, input := range r.Inputs {
		e.Comma()
		e.Value(input)
	}
	e.Raw("]")
	if r.Dimensions > 0 {
		e.Key("dimensions")
		e.Int(r.Dimensions)
	}
	e.options()
	e.account()
	e.Raw("}")
	return e.Out, nil
}

// DecodeEmbeddingResponse reads {model, embeddings: [[…]], prompt_eval_count}.
func (Codec) DecodeEmbeddingResponse(body []byte) (*transform.EmbeddingResponse, error) {
	if err := jsonbytes.Check(body, 0); err != nil {
		return nil, fmt.Errorf("ollama: the answer is %w", err)
	}
	text := jsonbytes.Parse(body)
	list := text.Get("embeddings")
	if list.Kind() != jsonbytes.Array {
		if !text.Get("error").Empty() {
			return nil, decodeError(0, text)
		}
		return nil, errors.New("ollama: the answer has no embeddings")
	}
	a := new(transform.EmbeddingResponse)
	a.Model, _ = text.Get("model").Text()
	for _, vector := range list.Elements() {
		if vector.Kind() != jsonbytes.Array {
			return nil, errors.New("ollama: an embedding is not a list of numbers")
		}
		a.Vectors = append(a.Vectors, vector)
	}
	a.Usage.Input, a.Usage.Known = text.Get("prompt_eval_count").Int()
	a.Usage = a.Usage.Clamp()
	return a, nil
}
