package converse

import (
	"strconv"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// AppendRequest writes r as the body of POST /model/{id}/converse or
// converse-stream. Both the model and the wish for a stream are in the path.
func (c Codec) AppendRequest(dst []byte, r *transform.Request, to transform.Target, lost *transform.Losses) ([]byte, error) {
	e := encoder{dst: dst, r: r, to: to, lost: lost}
	if err := e.plan(); err != nil {
		return dst, err
	}
	e.dst = append(e.dst, '{')
	e.writePrompt()
	e.writeParameters()
	e.dst = append(e.dst, '}')
	return e.dst, nil
}

// encoder writes one request.
type encoder struct {
	dst    []byte
	r      *transform.Request
	to     transform.Target
	lost   *transform.Losses
	family family

	system   []block
	messages []message
	history  history
	names    documentNames

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
	if err := e.finishMessages(); err != nil {
		return err
	}
	e.limitCacheMarks()
	return nil
}

// writePrompt writes what the model reads, which is also what counts as tokens.
// What is the same from turn to turn of a conversation comes first.
func (e *encoder) writePrompt() {
	e.writeTools()
	if len(e.system) > 0 {
		e.key("system")
		e.writeBlocks(e.system)
	}
	e.key("messages")
	e.dst = append(e.dst, '[')
	for i := range e.messages {
		e.dst = appendComma(e.dst)
		e.dst = append(e.dst, `{"role":"`...)
		e.dst = append(e.dst, e.messages[i].role...)
		e.dst = append(e.dst, `","content":`...)
		e.writeBlocks(e.messages[i].blocks)
		e.dst = append(e.dst, '}')
	}
	e.dst = append(e.dst, ']')
	e.writeAdditional()
}

// key begins a member of the object that is being written.
func (e *encoder) key(name string) { e.dst = appendKey(e.dst, name) }

// member writes a member, nothing if there is no value.
func (e *encoder) member(name string, value jsonbytes.Value) {
	if !value.Empty() {
		e.key(name)
		e.dst = append(e.dst, value...)
	}
}

// string writes a member whose text needs no escapes, nothing if there is none.
func (e *encoder) string(name, text string) {
	if text != "" {
		e.key(name)
		e.dst = append(e.dst, '"')
		e.dst = append(e.dst, text...)
		e.dst = append(e.dst, '"')
	}
}

// appendKey begins a member of an object. name needs no escapes.
func appendKey(dst []byte, name string) []byte {
	dst = appendComma(dst)
	dst = append(dst, '"')
	dst = append(dst, name...)
	return append(dst, '"', ':')
}

// appendComma separates from what stands before, if anything does: no value
// ends with an opening bracket.
func appendComma(dst []byte) []byte {
	if c := dst[len(dst)-1]; c == '{' || c == '[' {
		return dst
	}
	return append(dst, ',')
}

func appendInt(dst []byte, n int64) []byte { return strconv.AppendInt(dst, n, 10) }

// badRequest is an error that the client can mend.
func badRequest(param, message string) error {
	return &transform.Error{Kind: transform.ErrBadRequest, Param: param, Message: message}
}
