package ollama

import (
	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// encoder writes one request. The same request gives the same bytes: the server
// caches prompts by their beginning.
type encoder struct {
	jsonbytes.Writer
	r     *transform.Request
	to    transform.Target
	lost  *transform.Losses
	extra extra
}

// AppendRequest writes r as the body of /api/chat.
// https://github.com/ollama/ollama/blob/main/docs/api.md
func (Codec) AppendRequest(dst []byte, r *transform.Request, to transform.Target, lost *transform.Losses) ([]byte, error) {
	e := encoder{Writer: jsonbytes.Writer{Out: dst}, r: r, to: to, lost: lost}
	e.planRest()
	e.Raw(`{"model":`)
	e.String(to.Model)
	if !e.messages() {
		return dst, &transform.Error{
			Kind: transform.ErrBadRequest, Param: "messages", Message: "the conversation is empty: send at least one message",
		}
	}
	e.tools()
	e.format()
	e.think()
	e.options()
	e.logprobs()
	e.account()
	e.Key("stream") // a stream is what the server gives unless told otherwise
	e.Bool(to.Stream)
	e.Raw("}")
	return e.Out, nil
}

func (e *encoder) drop(name string)   { e.lost.Drop(e.r.At(name)) }
func (e *encoder) refuse(name string) { e.lost.Refuse(e.r.At(name)) }

// format writes the form that the text must have.
func (e *encoder) format() {
	out := &e.r.Output
	switch {
	case out.Kind == transform.OutputSchema && out.Schema.Kind() == jsonbytes.Object:
		e.Key("format")
		e.Value(out.Schema)
		if out.Description.HasText() {
			e.lost.Drop(out.DescriptionAt)
		}
	case out.Kind == transform.OutputSchema, out.Kind == transform.OutputJSON:
		e.Key("format")
		e.Raw(`"json"`)
	}
}

// think writes how much the model should think. Models that can only do it or
// not take every word for yes.
func (e *encoder) think() {
	wish := e.r.Reasoning
	level := ""
	switch wish.Effort {
	case "":
		if wish.Budget <= 0 {
			e.Member("think", e.extra.think)
			return
		}
		level = levelOfBudget(wish.Budget)
	case "none":
	case "minimal", "low":
		level = "low"
	case "medium", "high", "max":
		level = wish.Effort
	case "xhigh":
		level = "high"
	default:
		e.drop("reasoning_effort")
		return
	}
	e.Key("think")
	if level == "" {
		e.Raw("false")
	} else {
		e.String(level)
	}
}

func levelOfBudget(budget int64) string {
	switch {
	case budget <= 1024:
		return "low"
	case budget <= 8192:
		return "medium"
	}
	return "high"
}

// maxTop is how many alternatives of a token the server tells.
const maxTop = 20

func (e *encoder) logprobs() {
	if e.r.Logprobs {
		e.Key("logprobs")
		e.Raw("true")
	}
	if e.r.TopLogprobs > 0 {
		e.Key("top_logprobs")
		e.Int(int64(min(e.r.TopLogprobs, maxTop)))
	}
}
