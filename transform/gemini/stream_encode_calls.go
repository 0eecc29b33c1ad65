package gemini

import (
	"bytes"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// maxHeld bounds the arguments that a stream makes us hold: a call goes out
// whole, as an object.
const maxHeld = 16 << 20

// callEncoder is a call whose arguments come.
type callEncoder struct {
	tool, part int // as the deltas call it
	id, name   string
	custom     bool
	signature  transform.Literal
	written    bool
	// arguments is a literal without its closing quote: pieces are joined as
	// they come, for one may end inside of a character. Of these bytes so many
	// were looked at and are no object yet.
	arguments []byte
	looked    int
}

// waiting is the call of that number, nil if it does not wait for anything.
func (c *choiceEncoder) waiting(tool int) *callEncoder {
	for i := len(c.calls) - 1; i >= 0 && c.open > 0; i-- {
		if c.calls[i].tool == tool {
			if c.calls[i].written {
				return nil
			}
			return &c.calls[i]
		}
	}
	return nil
}

func (c *choiceEncoder) waitingPart(part int) *callEncoder {
	for i := len(c.calls) - 1; i >= 0 && c.open > 0; i-- {
		if c.calls[i].part == part && !c.calls[i].written {
			return &c.calls[i]
		}
	}
	return nil
}

// began tells whether a call of that number has begun. Numbers mostly rise.
func (c *choiceEncoder) began(tool int) bool {
	if n := len(c.calls); n == 0 || tool > c.calls[n-1].tool {
		return false
	}
	for i := range c.calls {
		if c.calls[i].tool == tool {
			return true
		}
	}
	return false
}

func (e *streamEncoder) toolStart(dst []byte, c *choiceEncoder, d *transform.Delta) []byte {
	dst = e.settle(dst, c)
	if c.began(d.Tool) {
		return dst // calls begin once
	}
	call := callEncoder{tool: d.Tool, part: d.Part, id: d.Call.ID, name: d.Call.Name, custom: d.Call.Custom, arguments: []byte{'"'}}
	if call.signature = bytes.Clone(seal(&d.Opaque)); call.signature == nil {
		call.signature = c.takeLoose()
	}
	if len(d.Call.Arguments) > 0 {
		whole := jsonbytes.AppendBytes(nil, d.Call.Arguments)
		call.arguments = whole[:len(whole)-1]
	}
	c.calls = append(c.calls, call)
	c.open++
	return e.hold(e.writeLoose(dst, c), len(call.arguments))
}

func (e *streamEncoder) toolArguments(dst []byte, c *choiceEncoder, d *transform.Delta) []byte {
	call := c.waiting(d.Tool)
	if call == nil || !d.Text.HasText() {
		return dst
	}
	call.arguments = append(call.arguments, d.Text[1:len(d.Text)-1]...)
	return e.hold(dst, len(d.Text))
}

// hold counts what is held and gives up where it is too much.
func (e *streamEncoder) hold(dst []byte, n int) []byte {
	if e.held += n; e.held <= maxHeld {
		return dst
	}
	return e.AppendError(dst, &transform.Error{
		Kind: transform.ErrUpstream, Message: "the model's tool calls are too long to be passed on in this format",
	}, "")
}

// callEnd writes a call that is whole by what its provider says.
func (e *streamEncoder) callEnd(dst []byte, c *choiceEncoder, part int) []byte {
	call := c.waitingPart(part)
	if call == nil {
		return dst
	}
	if _, ok := e.object(call); !ok {
		return dst // at the end it is known why
	}
	return e.close(e.call(e.parts(dst), c, call), c)
}

// finishedCalls writes the calls whose arguments are an object by now: no piece
// can make another one of that. They stay in order.
func (e *streamEncoder) finishedCalls(dst []byte, c *choiceEncoder) []byte {
	for ; c.settled < len(c.calls); c.settled++ {
		call := &c.calls[c.settled]
		if call.written {
			continue
		}
		if len(call.arguments) == max(call.looked, 1) {
			break
		}
		if arguments, ok := e.object(call); !ok || arguments == nil {
			call.looked = len(call.arguments)
			break
		}
		dst = e.close(e.call(e.parts(dst), c, call), c)
	}
	return dst
}

// object is the call's arguments so far. It is valid until the next call of it.
func (e *streamEncoder) object(call *callEncoder) (jsonbytes.Value, bool) {
	call.arguments = append(call.arguments, '"')
	text := jsonbytes.Value(call.arguments).AppendText(e.scratch[:0])
	call.arguments = call.arguments[:len(call.arguments)-1]
	e.scratch = text
	if call.custom {
		return append(jsonbytes.AppendBytes([]byte(`{"input":`), text), '}'), true
	}
	return callArguments(text)
}

// call writes a call as a part. One that cannot be read has no arguments, and
// the candidate's reason to end tells of it.
func (e *streamEncoder) call(dst []byte, c *choiceEncoder, call *callEncoder) []byte {
	arguments, ok := e.object(call)
	c.broken = c.broken || !ok
	dst = appendCallPart(dst, call.id, call.name, arguments, call.signature)
	call.written = true
	e.held -= len(call.arguments)
	c.open--
	call.arguments, call.signature = nil, nil
	return dst
}
