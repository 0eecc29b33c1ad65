package responses

import (
	"bytes"

	"github.com/caddyllm/llmproxy/transform"
)

// think adds to the reasoning.
func (e *streamEncoder) think(dst []byte, d *transform.Delta) []byte {
	if len(d.Text) <= len(`""`) {
		return dst
	}
	dst = e.openReasoning(dst, d.Part)
	at := e.current
	if it := &e.items[at]; it.open == noPart {
		it.open = summaryPart
		dst = e.partEvent(dst, "response.reasoning_summary_part.added", at)
		dst = append(dst, `,"part":`...)
		dst = appendSummary(dst, nil)
		dst = append(dst, eventEnd...)
	}
	dst = e.partEvent(dst, "response.reasoning_summary_text.delta", at)
	return e.addText(dst, at, d.Text)
}

// openReasoning makes the current item the reasoning that the deltas call part.
func (e *streamEncoder) openReasoning(dst []byte, part int) []byte {
	if e.current >= 0 {
		if it := &e.items[e.current]; it.kind == itemReasoning && it.part == part {
			return dst
		}
		dst = e.closeCurrent(dst)
	}
	e.current = len(e.items)
	return e.openItem(dst, item{kind: itemReasoning, part: part, tool: -1}, prefixOwnReasoning)
}

// opaque keeps what vouches for reasoning or a call, or stands in its place.
func (e *streamEncoder) opaque(dst []byte, d *transform.Delta) []byte {
	if d.Opaque.Kind == transform.OpaqueNone || len(d.Opaque.Data) < len(`""`) {
		return dst
	}
	kept := d.Opaque
	kept.Data = bytes.Clone(kept.Data) // the event's memory is not ours
	e.size += len(kept.Data)
	if at := e.callOfPart(d.Part); at >= 0 {
		e.signatures = append(e.signatures, signature{kept, e.items[at].call.ID})
		return dst
	}
	if e.current >= 0 && e.items[e.current].kind == itemReasoning && e.items[e.current].opaque.Kind != transform.OpaqueNone {
		dst = e.closeCurrent(dst) // a piece of its own
	}
	dst = e.openReasoning(dst, d.Part)
	e.items[e.current].opaque = kept
	return dst
}

// sign writes a signature as an item of its own.
func (e *streamEncoder) sign(dst []byte, s signature) []byte {
	dst = e.closeCurrent(dst)
	s.opaque.ID = s.callID
	at := len(e.items)
	dst = e.openItem(dst, item{kind: itemReasoning, part: -1, tool: -1, opaque: s.opaque}, prefixOwnReasoning)
	return e.closeItem(dst, at, completed)
}
