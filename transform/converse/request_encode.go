package converse

import (
	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/transform/blocks"
)

// AppendRequest writes r as the body of POST /model/{id}/converse or
// converse-stream. Both the model and the wish for a stream are in the path.
func (c Codec) AppendRequest(dst []byte, r *transform.Request, to transform.Target, lost *transform.Losses) ([]byte, error) {
	e := encoder{Writer: jsonbytes.Writer{Out: dst}, r: r, to: to, lost: lost}
	if err := e.plan(); err != nil {
		return dst, err
	}
	e.Raw("{")
	e.writePrompt()
	e.writeParameters()
	e.Raw("}")
	return e.Out, nil
}

// encoder writes one request.
type encoder struct {
	jsonbytes.Writer
	r      *transform.Request
	to     transform.Target
	lost   *transform.Losses
	family family

	blocks.Conversation[media]
	names documentNames

	parameters parameters
	extras     extras
}

// plan decides what goes into the body and reports what does not.
func (e *encoder) plan() error {
	e.family = familyOf(e.to.Model)
	if err := e.layOut(); err != nil {
		return err
	}
	if err := e.planParameters(); err != nil {
		return err
	}
	if err := e.finish(); err != nil {
		return err
	}
	e.limitCacheMarks()
	return nil
}

// writePrompt writes what the model reads, which is also what counts as tokens.
// What is the same from turn to turn of a conversation comes first.
func (e *encoder) writePrompt() {
	e.writeTools()
	if len(e.System) > 0 {
		e.Key("system")
		e.writeBlocks(e.System)
	}
	e.Key("messages")
	e.Raw("[")
	for i := range e.Messages {
		e.Comma()
		e.Raw(`{"role":"`)
		e.Raw(e.Messages[i].Role)
		e.Raw(`","content":`)
		e.writeBlocks(e.Messages[i].Blocks)
		e.Raw("}")
	}
	e.Raw("]")
	e.writeAdditional()
}

// badRequest is an error that the client can mend.
func badRequest(param, message string) error {
	return &transform.Error{Kind: transform.ErrBadRequest, Param: param, Message: message}
}
