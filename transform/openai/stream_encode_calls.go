package openai

import (
	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

func (c *choiceEncoder) callOfPart(part int) int {
	for at := range c.calls {
		if c.calls[at].part == part {
			return at
		}
	}
	return -1
}

func (c *choiceEncoder) callOfTool(tool int) int {
	for at := range c.calls {
		if c.calls[at].tool == tool {
			return at
		}
	}
	return -1
}

// isFunctionCall tells whether a call goes out as function_call: the first one,
// for a client that looks there.
func (e *streamEncoder) isFunctionCall(at int) bool { return e.legacy && at == 0 }

// number is a call's index among the tool_calls.
func (e *streamEncoder) number(at int) int64 {
	if e.legacy {
		at--
	}
	return int64(at)
}

func (e *streamEncoder) toolStart(dst []byte, c *choiceEncoder, d *transform.Delta) []byte {
	if c.callOfTool(d.Tool) >= 0 {
		return dst // calls begin once
	}
	c.blockOpen = false
	at, call := len(c.calls), d.Call
	if !call.Custom && !e.isFunctionCall(at) && e.r.IsCustomTool(call.Name) {
		call.Custom = true
		c.held.begin(at, d)
	}
	c.calls = append(c.calls, callEncoder{tool: d.Tool, part: d.Part, custom: call.Custom})
	if call.ID == "" {
		call.ID = transform.NewID("call_")
	}
	dst = e.open(dst, c)
	if e.isFunctionCall(at) {
		dst = append(dst, `"function_call":{"name":`...)
		dst = jsonbytes.AppendString(dst, call.Name)
		dst = append(dst, `,"arguments":""}`...)
		dst = e.close(dst)
	} else {
		whole := call.Arguments
		call.Arguments = nil
		dst = append(dst, `"tool_calls":[`...)
		dst = appendToolCall(dst, &call, int(e.number(at)))
		if signsCall(&d.Opaque) {
			dst = appendThoughtSignature(dst, d.Opaque.Data)
		}
		dst = e.close(append(dst, `}]`...))
		call.Arguments = whole
	}
	if len(call.Arguments) > 0 {
		dst = e.argument(dst, c, at, jsonbytes.AppendBytes(nil, call.Arguments))
	}
	return dst
}

// signsCall tells whether o is what Google vouches for a call with.
func signsCall(o *transform.Opaque) bool {
	return o.Kind == transform.OpaqueSignature && o.Vendor == transform.VendorGoogle && len(o.Data) >= len(`""`)
}

func (e *streamEncoder) toolArguments(dst []byte, c *choiceEncoder, d *transform.Delta) []byte {
	at := c.callOfTool(d.Tool)
	if at < 0 || len(d.Text) <= len(`""`) {
		return dst
	}
	return e.argument(dst, c, at, d.Text)
}

func (e *streamEncoder) argument(dst []byte, c *choiceEncoder, at int, text transform.Literal) []byte {
	if c.held.open && c.held.at == at {
		return e.hold(dst, c, text)
	}
	c.calls[at].arguments = true
	if e.isFunctionCall(at) {
		dst = e.open(dst, c)
		dst = append(dst, `"function_call":{"arguments":`...)
		dst = append(dst, text...)
		return e.close(append(dst, '}'))
	}
	dst = e.openPiece(dst, c, at)
	dst = append(dst, text...)
	return e.close(append(dst, `}}]`...))
}

// openPiece writes a chunk up to the text of a piece of a call.
func (e *streamEncoder) openPiece(dst []byte, c *choiceEncoder, at int) []byte {
	dst = e.open(dst, c)
	dst = append(dst, `"tool_calls":[{"index":`...)
	dst = appendInt(dst, e.number(at))
	if c.calls[at].custom {
		return append(dst, `,"custom":{"input":`...)
	}
	return append(dst, `,"function":{"arguments":`...)
}

func (e *streamEncoder) partEnd(dst []byte, c *choiceEncoder, part int) []byte {
	if c.blockOpen && c.blockPart == part {
		c.blockOpen = false
	}
	if at := c.callOfPart(part); at >= 0 {
		dst = e.emptyArguments(dst, c, at)
	}
	return dst
}

// emptyArguments writes the arguments of a call that has none: clients parse them.
func (e *streamEncoder) emptyArguments(dst []byte, c *choiceEncoder, at int) []byte {
	if c.calls[at].arguments || c.calls[at].custom {
		return dst
	}
	return e.argument(dst, c, at, transform.Literal(`"{}"`))
}
