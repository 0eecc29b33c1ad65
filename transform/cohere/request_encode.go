package cohere

import (
	"strconv"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

var errNoMessages = transform.Error{
	Kind: transform.ErrBadRequest, Param: "messages", Message: "the conversation is empty: send at least one message",
}

// encoder writes one request. The same request gives the same bytes: the
// provider caches prompts by their beginning.
type encoder struct {
	dst    []byte
	r      *transform.Request
	to     transform.Target
	lost   *transform.Losses
	thinks bool
	extra  extra

	tools []*transform.Tool // those that the model may call
	// files are text files, which go beside the conversation.
	files []transform.Part
	// shown are images that came as tool results: the user shows them afterwards.
	shown []transform.Part
}

// AppendRequest writes r as the body of /v2/chat.
// https://docs.cohere.com/reference/chat
func (Codec) AppendRequest(dst []byte, r *transform.Request, to transform.Target, lost *transform.Losses) ([]byte, error) {
	e := encoder{dst: dst, r: r, to: to, lost: lost, thinks: thinks(to.Model)}
	e.planRest()
	e.planTools()
	e.raw(`{"model":`)
	e.string(to.Model)
	if !e.messages() {
		err := errNoMessages
		return dst, &err
	}
	e.writeTools()
	e.documents()
	e.output()
	e.thinking()
	e.sampling()
	e.account()
	e.key("stream")
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
