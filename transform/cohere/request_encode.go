package cohere

import (
	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

var errNoMessages = transform.Error{
	Kind: transform.ErrBadRequest, Param: "messages", Message: "the conversation is empty: send at least one message",
}

// encoder writes one request. The same request gives the same bytes: the
// provider caches prompts by their beginning.
type encoder struct {
	jsonbytes.Writer
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
	e := encoder{Writer: jsonbytes.Writer{Out: dst}, r: r, to: to, lost: lost, thinks: thinks(to.Model)}
	e.planRest()
	e.planTools()
	e.Raw(`{"model":`)
	e.String(to.Model)
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
	e.Key("stream")
	e.Bool(to.Stream)
	e.Raw("}")
	return e.Out, nil
}

func (e *encoder) drop(name string)   { e.lost.Drop(e.r.At(name)) }
func (e *encoder) refuse(name string) { e.lost.Refuse(e.r.At(name)) }
