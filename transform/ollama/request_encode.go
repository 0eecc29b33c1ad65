package ollama

import (
	"strconv"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// encoder writes one request. The same request gives the same bytes: the server
// caches prompts by their beginning.
type encoder struct {
	dst   []byte
	r     *transform.Request
	to    transform.Target
	lost  *transform.Losses
	extra extra
}

// AppendRequest writes r as the body of /api/chat.
// https://github.com/ollama/ollama/blob/main/docs/api.md
func (Codec) AppendRequest(dst []byte, r *transform.Request, to transform.Target, lost *transform.Losses) ([]byte, error) {
	e := encoder{dst: dst, r: r, to: to, lost: lost}
	e.planRest()
	e.raw(`{"model":`)
	e.string(to.Model)
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
	e.key("stream") // a stream is what the server gives unless told otherwise
	e.dst = strconv.AppendBool(e.dst, to.Stream)
	e.raw("}")
	return e.dst, nil
}

func (e *encoder) raw(s string)       { e.dst = append(e.dst, s...) }
func (e *encoder) value(v []byte)     { e.dst = append(e.dst, v...) }
func (e *encoder) string(s string)    { e.dst = jsonbytes.AppendString(e.dst, s) }
func (e *encoder) int(n int64)        { e.dst = strconv.AppendInt(e.dst, n, 10) }
func (e *encoder) drop(name string)   { e.lost.Drop(e.r.At(name)) }
func (e *encoder) refuse(name string) { e.lost.Refuse(e.r.At(name)) }

// comma separates from what stands before, if anything does: no value ends
// with an opening bracket.
func (e *encoder) comma() {
	if c := e.dst[len(e.dst)-1]; c != '{' && c != '[' {
		e.raw(",")
	}
}

// key begins a member of the object being written. name needs no escapes.
func (e *encoder) key(name string) {
	e.comma()
	e.raw(`"`)
	e.raw(name)
	e.raw(`":`)
}

// format writes the form that the text must have.
func (e *encoder) format() {
	out := &e.r.Output
	switch {
	case out.Kind == transform.OutputSchema && out.Schema.Kind() == jsonbytes.Object:
		e.key("format")
		e.value(out.Schema)
		if !empty(out.Description) {
			e.lost.Drop(out.DescriptionAt)
		}
	case out.Kind == transform.OutputSchema, out.Kind == transform.OutputJSON:
		e.key("format")
		e.raw(`"json"`)
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
			if e.extra.think != nil {
				e.key("think")
				e.value(e.extra.think)
			}
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
	e.key("think")
	if level == "" {
		e.raw("false")
	} else {
		e.string(level)
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
		e.key("logprobs")
		e.raw("true")
	}
	if e.r.TopLogprobs > 0 {
		e.key("top_logprobs")
		e.int(int64(min(e.r.TopLogprobs, maxTop)))
	}
}
