package anthropic

import (
	"bytes"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// contentKind is what a piece of content is.
type contentKind uint8

const (
	contentUnknown contentKind = iota
	contentText
	contentThinking
	contentSignature
	contentRedacted
	contentInput
	contentCitation
)

// delta reads a content_block_delta.
func (d *streamDecoder) delta(dst []transform.Delta, event jsonbytes.Value) ([]transform.Delta, error) {
	if index, kind, value, ok := usualDelta(event); ok {
		return d.checked(dst, kind, index, value), nil
	}
	index := 0
	var delta jsonbytes.Value
	for name, value := range event.Members() {
		switch string(name) {
		case "index":
			index = number(value)
		case "delta":
			delta = value
		}
	}
	if delta.Kind() != jsonbytes.Object {
		return dst, errBadEvent
	}
	var typ, value jsonbytes.Value
	for name, member := range delta.Members() {
		switch string(name) {
		case "type":
			typ = member
		case "text", "partial_json", "thinking", "signature", "citation":
			value = member
		}
	}
	switch kind := kindOfDelta(nameIn(typ)); kind {
	case contentUnknown:
		return dst, nil
	case contentCitation:
		d.blocks.Cite(index, citationOf(value))
		return dst, nil
	default:
		return d.content(dst, kind, index, value)
	}
}

func kindOfDelta(typ []byte) contentKind {
	switch string(typ) {
	case "text_delta":
		return contentText
	case "thinking_delta":
		return contentThinking
	case "signature_delta":
		return contentSignature
	case "input_json_delta":
		return contentInput
	case "citations_delta":
		return contentCitation
	}
	return contentUnknown
}

// usualDelta reads a delta that is spelled as Anthropic spells nearly all of
// them, {"type":…,"index":0,"delta":{"type":…,"text":"…"}  }, in a fraction of
// the time that walking its members takes. ok is false for any other spelling.
func usualDelta(event jsonbytes.Value) (index int, kind contentKind, value transform.Literal, ok bool) {
	const head, middle = `{"type":"content_block_delta","index":`, `,"delta":{"type":"`
	rest := []byte(event)
	if len(rest) < len(head) || string(rest[:len(head)]) != head {
		return 0, 0, nil, false
	}
	rest = rest[len(head):]
	digits := bytes.IndexByte(rest, ',')
	if digits <= 0 || digits > 4 || len(rest) < digits+len(middle) || string(rest[digits:digits+len(middle)]) != middle {
		return 0, 0, nil, false
	}
	index = number(jsonbytes.Value(rest[:digits]))
	rest = rest[digits+len(middle):]
	quote := bytes.IndexByte(rest, '"')
	if quote < 0 {
		return 0, 0, nil, false
	}
	kind = kindOfDelta(rest[:quote])
	rest = rest[quote+1:]
	name := `,"text":`
	switch kind {
	case contentText:
	case contentThinking:
		name = `,"thinking":`
	case contentInput:
		name = `,"partial_json":`
	default:
		return 0, 0, nil, false
	}
	if len(rest) < len(name) || string(rest[:len(name)]) != name {
		return 0, 0, nil, false
	}
	value = closed(rest[len(name):])
	return index, kind, value, value.Spliceable()
}

// closed takes the two brackets and the padding off the end of an event.
func closed(text []byte) []byte {
	text = bytes.TrimSuffix(text, []byte("}"))
	for len(text) > 0 && text[len(text)-1] == ' ' {
		text = text[:len(text)-1]
	}
	return bytes.TrimSuffix(text, []byte("}"))
}

// content adds a piece of content to a block.
func (d *streamDecoder) content(dst []transform.Delta, kind contentKind, index int, value jsonbytes.Value) ([]transform.Delta, error) {
	if !value.Spliceable() {
		return dst, errBadEvent
	}
	return d.checked(dst, kind, index, value), nil
}

// checked does so with a literal that is known to be one. Empty pieces, which
// the API likes to send first, say nothing.
func (d *streamDecoder) checked(dst []transform.Delta, kind contentKind, index int, value transform.Literal) []transform.Delta {
	if len(value) == len(`""`) {
		return dst
	}
	switch kind {
	case contentText:
		return d.blocks.Text(dst, index, value)
	case contentThinking:
		return append(dst, transform.Delta{Kind: transform.DeltaReasoning, Part: index, Text: value})
	case contentSignature:
		return append(dst, transform.Delta{Kind: transform.DeltaOpaque, Part: index, Opaque: opaque(transform.OpaqueSignature, value)})
	case contentRedacted:
		return append(dst, transform.Delta{Kind: transform.DeltaOpaque, Part: index, Opaque: opaque(transform.OpaqueRedacted, value)})
	case contentInput:
		return d.blocks.Arguments(dst, index, value)
	}
	return dst
}
