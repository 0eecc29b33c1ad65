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
	c.calls = append(c.calls, callEncoder{tool: d.Tool, part: d.Part, custom: d.Call.Custom})
	at := len(c.calls) - 1
	call := d.Call
	if call.ID == "" {
		call.ID = newID("call_")
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
		if d.Opaque.Kind == transform.OpaqueSignature && d.Opaque.Vendor == transform.VendorGoogle {
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

func (e *streamEncoder) toolArguments(dst []byte, c *choiceEncoder, d *transform.Delta) []byte {
	at := c.callOfTool(d.Tool)
	if at < 0 || len(d.Text) <= len(`""`) {
		return dst
	}
	return e.argument(dst, c, at, d.Text)
}

func (e *streamEncoder) argument(dst []byte, c *choiceEncoder, at int, text transform.Literal) []byte {
	call := &c.calls[at]
	call.arguments = true
	dst = e.open(dst, c)
	if e.isFunctionCall(at) {
		dst = append(dst, `"function_call":{"arguments":`...)
		dst = append(dst, text...)
		return e.close(append(dst, '}'))
	}
	dst = append(dst, `"tool_calls":[{"index":`...)
	dst = appendInt(dst, e.number(at))
	if call.custom {
		dst = append(dst, `,"custom":{"input":`...)
	} else {
		dst = append(dst, `,"function":{"arguments":`...)
	}
	dst = append(dst, text...)
	return e.close(append(dst, `}}]`...))
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
