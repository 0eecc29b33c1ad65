package responses

import (
	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// speak adds to the text or the refusal of a message.
func (e *streamEncoder) speak(dst []byte, kind partKind, d *transform.Delta) []byte {
	if len(d.Text) <= len(`""`) {
		return dst
	}
	if e.current < 0 || e.items[e.current].kind != itemMessage {
		dst = e.closeCurrent(dst)
		e.current = len(e.items)
		dst = e.openItem(dst, item{kind: itemMessage, part: d.Part, tool: -1}, prefixMessage)
	}
	at := e.current
	it := &e.items[at]
	if it.open != noPart && (it.open != kind || it.part != d.Part) {
		dst = e.closePart(dst, at)
	}
	if it.open == noPart {
		it.open, it.part = kind, d.Part
		dst = e.partEvent(dst, "response.content_part.added", at)
		dst = append(dst, `,"part":`...)
		if kind == textPart {
			dst = appendOutputText(dst, nil, nil, nil)
		} else {
			dst = appendRefusal(dst, nil)
		}
		dst = append(dst, eventEnd...)
	}
	if kind == textPart {
		dst = e.partEvent(dst, "response.output_text.delta", at)
	} else {
		dst = e.partEvent(dst, "response.refusal.delta", at)
	}
	return e.addText(dst, at, d.Text)
}

// cite adds an annotation to the text that is open. One without a text is of
// nothing.
func (e *streamEncoder) cite(dst []byte, citation jsonbytes.Value) []byte {
	if e.current < 0 || e.items[e.current].open != textPart || e.items[e.current].noted >= maxNotes {
		return dst
	}
	it := &e.items[e.current]
	before := len(it.notes)
	if before > 0 {
		it.notes = append(it.notes, ',')
	}
	from := len(it.notes)
	var ok bool
	if it.notes, ok = appendAnnotation(it.notes, citation); !ok {
		it.notes = it.notes[:before]
		return dst
	}
	e.size += len(it.notes) - before
	dst = e.partEvent(dst, "response.output_text.annotation.added", e.current)
	dst = append(dst, `,"annotation_index":`...)
	dst = appendInt(dst, int64(it.noted))
	dst = append(dst, `,"annotation":`...)
	dst = append(dst, it.notes[from:]...)
	it.noted++
	return append(dst, eventEnd...)
}

// logprobs adds those of the text that is open.
func (e *streamEncoder) logprobs(dst []byte, v jsonbytes.Value) []byte {
	list := logprobsOf(v)
	if list == nil || e.current < 0 || e.items[e.current].open != textPart {
		return dst
	}
	it := &e.items[e.current]
	if len(it.logs) > 0 {
		it.logs = append(it.logs, ',')
	}
	it.logs = append(it.logs, list...)
	e.size += len(list)
	// They come after their text, whose delta is gone: with an empty one.
	dst = e.partEvent(dst, "response.output_text.delta", e.current)
	dst = append(dst, `,"delta":"","logprobs":[`...)
	dst = append(dst, list...)
	dst = append(dst, ']')
	return append(dst, eventEnd...)
}

// closePart ends the part of an item that is open.
func (e *streamEncoder) closePart(dst []byte, at int) []byte {
	it := &e.items[at]
	switch it.open {
	case noPart:
		return dst
	case textPart:
		dst = e.partEvent(dst, "response.output_text.done", at)
		dst = append(dst, `,"text":"`...)
		dst = append(dst, it.text...)
		dst = append(dst, `","logprobs":[`...)
		dst = append(dst, it.logs...)
		dst = append(dst, ']')
	case refusalPart:
		dst = e.partEvent(dst, "response.refusal.done", at)
		dst = append(dst, `,"refusal":"`...)
		dst = append(dst, it.text...)
		dst = append(dst, '"')
	case summaryPart:
		dst = e.partEvent(dst, "response.reasoning_summary_text.done", at)
		dst = append(dst, `,"text":"`...)
		dst = append(dst, it.text...)
		dst = append(dst, '"')
	}
	dst = append(dst, eventEnd...)
	if it.open == summaryPart {
		dst = e.partEvent(dst, "response.reasoning_summary_part.done", at)
	} else {
		dst = e.partEvent(dst, "response.content_part.done", at)
	}
	dst = append(dst, `,"part":`...)
	from := e.keepPart(at)
	dst = append(dst, it.parts[from:]...)
	return append(dst, eventEnd...)
}

// keepPart moves the part that is open to those that are done, and tells where
// it begins there.
func (e *streamEncoder) keepPart(at int) (from int) {
	it := &e.items[at]
	if it.open == noPart {
		return len(it.parts)
	}
	if len(it.parts) > 0 {
		it.parts = append(it.parts, ',')
	}
	from = len(it.parts)
	switch it.open {
	case textPart:
		it.parts = appendOutputText(it.parts, it.text, it.notes, it.logs)
	case refusalPart:
		it.parts = appendRefusal(it.parts, it.text)
	case summaryPart:
		it.parts = appendSummary(it.parts, it.text)
	}
	it.text, it.notes, it.logs, it.noted = it.text[:0], nil, nil, 0
	it.open = noPart
	it.index++
	return from
}
