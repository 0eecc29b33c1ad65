package anthropic

import (
	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// blockStart opens a content block. Its first content, if it comes with some,
// is treated like a delta.
func (d *streamDecoder) blockStart(dst []transform.Delta, index int, content jsonbytes.Value) ([]transform.Delta, error) {
	if content.Kind() != jsonbytes.Object {
		return dst, errBadEvent
	}
	typ, _ := content.Get("type").Text()
	switch typ {
	case "tool_use":
		return d.callStart(dst, index, content)
	case "text", "thinking", "redacted_thinking":
		if !d.blocks.Begin(index) {
			return dst, errBadEvent
		}
	default:
		if !d.blocks.Ignore(index) {
			return dst, errBadEvent
		}
		return dst, nil
	}
	var err error
	for name, value := range content.Members() {
		switch string(name) {
		case "text":
			dst, err = d.content(dst, contentText, index, value)
		case "thinking":
			dst, err = d.content(dst, contentThinking, index, value)
		case "signature":
			dst, err = d.content(dst, contentSignature, index, value)
		case "data":
			dst, err = d.content(dst, contentRedacted, index, value)
		case "citations":
			for _, citation := range value.Elements() {
				d.blocks.Cite(index, citationOf(citation))
			}
		}
		if err != nil {
			return dst, err
		}
	}
	return dst, nil
}

// callStart opens a tool call. Usually its input is empty here and comes in deltas.
func (d *streamDecoder) callStart(dst []transform.Delta, index int, content jsonbytes.Value) ([]transform.Delta, error) {
	dst, ok := d.blocks.BeginCall(dst, index, content.Get("id"), content.Get("name"))
	input := content.Get("input")
	switch {
	case !ok:
		return dst, errBadEvent
	case input.Kind() != jsonbytes.Object:
		return dst, nil
	case jsonbytes.Check(input, 0) != nil:
		return dst, errBadEvent
	case input.Len() > 0:
		dst = d.blocks.Arguments(dst, index, jsonbytes.AppendBytes(nil, input))
	}
	return dst, nil
}
