package responses

import (
	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// isCustom tells whether a call that came as one of a function is one of a
// custom tool, which the provider's format has no word for.
func (e *streamEncoder) isCustom(call *transform.ToolCall) bool {
	return !call.Custom && e.r.IsCustomTool(call.Name)
}

// callOfPart finds a call by the part that it is, callOfTool by its number.
// Those at the end are the likeliest.
func (e *streamEncoder) callOfPart(part int) int {
	for at := len(e.items) - 1; at >= 0; at-- {
		if it := &e.items[at]; it.kind == itemCall && it.part == part {
			return at
		}
	}
	return -1
}

func (e *streamEncoder) callOfTool(tool int) int {
	for at := len(e.items) - 1; at >= 0; at-- {
		if it := &e.items[at]; it.kind == itemCall && it.tool == tool {
			return at
		}
	}
	return -1
}

// toolStart begins a call. What vouches for it comes before it.
func (e *streamEncoder) toolStart(dst []byte, d *transform.Delta) []byte {
	if e.callOfTool(d.Tool) >= 0 {
		return dst // calls begin once
	}
	dst = e.closeCurrent(dst)
	call := d.Call
	if call.ID == "" {
		call.ID = "call_" + e.tail + "_" + string(appendInt(nil, int64(len(e.items))))
	}
	if o := &d.Opaque; o.Kind != transform.OpaqueNone && len(o.Data) >= len(`""`) {
		dst = e.sign(dst, signature{*o, call.ID})
	}
	it := item{kind: itemCall, part: d.Part, tool: d.Tool, held: e.isCustom(&call)}
	whole := call.Arguments
	call.Arguments = nil
	call.Custom = call.Custom || it.held
	it.namespace = rename(e.r, &call)
	it.call = call
	prefix := prefixCall
	if call.Custom {
		prefix = prefixCustom
	}
	at := len(e.items)
	dst = e.openItem(dst, it, prefix)
	if len(whole) > 0 {
		dst = e.argument(dst, at, jsonbytes.AppendBytes(nil, whole))
	}
	return dst
}

func (e *streamEncoder) toolArguments(dst []byte, d *transform.Delta) []byte {
	at := e.callOfTool(d.Tool)
	if at < 0 || e.items[at].done || len(d.Text) <= len(`""`) {
		return dst
	}
	return e.argument(dst, at, d.Text)
}

// argument adds to the arguments of a call.
func (e *streamEncoder) argument(dst []byte, at int, text transform.Literal) []byte {
	it := &e.items[at]
	if it.held {
		it.text = append(it.text, text[1:len(text)-1]...)
		e.size += len(text)
		return dst
	}
	if it.call.Custom {
		dst = e.itemEvent(dst, "response.custom_tool_call_input.delta", at)
	} else {
		dst = e.itemEvent(dst, "response.function_call_arguments.delta", at)
	}
	return e.addText(dst, at, text)
}

// endArguments ends the arguments of a call; those of a function are never empty.
func (e *streamEncoder) endArguments(dst []byte, at int) []byte {
	it := &e.items[at]
	if it.held {
		dst = e.release(dst, at)
	}
	if it.call.Custom {
		dst = e.itemEvent(dst, "response.custom_tool_call_input.done", at)
		dst = append(dst, `,"input":"`...)
	} else {
		if len(it.text) == 0 {
			dst = e.argument(dst, at, transform.Literal(`"{}"`))
		}
		dst = e.itemEvent(dst, "response.function_call_arguments.done", at)
		dst = append(dst, `,"name":`...)
		dst = jsonbytes.AppendString(dst, it.call.Name)
		dst = append(dst, `,"arguments":"`...)
	}
	dst = append(dst, it.text...)
	dst = append(dst, '"')
	return append(dst, eventEnd...)
}

// release writes the text that the arguments of a custom tool wrap.
func (e *streamEncoder) release(dst []byte, at int) []byte {
	it := &e.items[at]
	it.held = false
	wrapped := make(transform.Literal, 0, len(it.text)+2)
	wrapped = append(append(append(wrapped, '"'), it.text...), '"')
	it.text = it.text[:0]
	text := transform.FreeText(wrapped.AppendText(nil))
	if len(text) == 0 {
		return dst
	}
	return e.argument(dst, at, jsonbytes.AppendBytes(nil, text))
}
