package anthropic

import (
	"slices"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// blockStart opens a content block. Its first content, if it comes with some,
// is treated like a delta.
func (d *streamDecoder) blockStart(dst []transform.Delta, index int, content jsonbytes.Value) ([]transform.Delta, error) {
	if content.Kind() != jsonbytes.Object || len(d.blocks) == maxOpenBlocks {
		return dst, errBadEvent
	}
	open := openBlock{index: index, start: d.characters}
	typ, _ := content.Get("type").Text()
	switch typ {
	case "tool_use":
		return d.callStart(dst, open, content)
	case "text", "thinking", "redacted_thinking":
		d.blocks = append(d.blocks, open)
	default:
		open.kind = openIgnored
		d.blocks = append(d.blocks, open)
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
				d.cite(index, citation)
			}
		}
		if err != nil {
			return dst, err
		}
	}
	return dst, nil
}

// callStart opens a tool call.
func (d *streamDecoder) callStart(dst []transform.Delta, open openBlock, content jsonbytes.Value) ([]transform.Delta, error) {
	var call transform.ToolCall
	call.ID, _ = content.Get("id").Text()
	call.Name, _ = content.Get("name").Text()
	if call.Name == answerTool {
		open.kind = openAnswer
	} else {
		open.kind, open.tool = openCall, d.calls
		d.calls++
		dst = append(dst, transform.Delta{Kind: transform.DeltaToolStart, Part: open.index, Tool: open.tool, Call: call})
	}
	// Usually the input is empty here and comes in deltas.
	if input := content.Get("input"); input.Kind() == jsonbytes.Object {
		if jsonbytes.Check(input, 0) != nil {
			return dst, errBadEvent
		}
		if input.Len() > 0 {
			dst = open.arguments(dst, jsonbytes.AppendBytes(nil, input))
		}
	}
	d.blocks = append(d.blocks, open)
	return dst, nil
}

// arguments adds a piece of the input of a call.
func (b *openBlock) arguments(dst []transform.Delta, piece transform.Literal) []transform.Delta {
	b.filled = true
	if b.kind == openAnswer {
		return append(dst, transform.Delta{Kind: transform.DeltaText, Part: b.index, Text: piece})
	}
	return append(dst, transform.Delta{Kind: transform.DeltaToolArguments, Part: b.index, Tool: b.tool, Text: piece})
}

var emptyArguments = transform.Literal(`"{}"`)

// blockStop closes a content block.
func (d *streamDecoder) blockStop(dst []transform.Delta, index int) []transform.Delta {
	at := d.find(index)
	if at < 0 {
		return dst
	}
	b := &d.blocks[at]
	if b.kind != openIgnored {
		if (b.kind == openCall || b.kind == openAnswer) && !b.filled {
			dst = b.arguments(dst, emptyArguments)
		}
		for _, annotation := range b.citations {
			annotation = endAnnotation(annotation, b.start, d.characters)
			dst = append(dst, transform.Delta{Kind: transform.DeltaCitation, Part: index, Citation: annotation})
		}
		dst = append(dst, transform.Delta{Kind: transform.DeltaPartEnd, Part: index, Tool: b.tool})
	}
	d.blocks = slices.Delete(d.blocks, at, at+1)
	return dst
}

// find is the place of an open block, -1 if there is none. The one sought is
// nearly always the only one.
func (d *streamDecoder) find(index int) int {
	for at := len(d.blocks) - 1; at >= 0; at-- {
		if d.blocks[at].index == index {
			return at
		}
	}
	return -1
}
