package openai

import (
	"github.com/caddyllm/llmproxy/transform"
)

// reasoningDetails is the member of messages that holds details.
const reasoningDetails = "reasoning_details"

// thoughts writes reasoning as text where the target asks for it, and with what
// vouches for it where the target is its maker's.
func (e *requestEncoder) thoughts(parts, calls []transform.Part) {
	var texts, details []transform.Part
	for i := range parts {
		part := &parts[i]
		ours := part.Opaque.Kind != transform.OpaqueNone && part.Opaque.Vendor == e.to.Vendor
		wanted := e.p.Reasoning != "" && part.Text != nil
		switch {
		case ours:
			details = append(details, *part)
		case !wanted:
			e.lost.Drop(part.At)
			continue
		case part.Opaque.Kind != transform.OpaqueNone:
			e.lost.Drop(part.Opaque.At)
		}
		switch {
		case !wanted:
		case e.p.Reasoning != reasoningDetails:
			texts = append(texts, transform.Part{Text: part.Text})
		case !ours:
			details = append(details, transform.Part{Text: part.Text})
		}
		e.unmarked(part)
	}
	if e.p.Reasoning != "" && e.p.Reasoning != reasoningDetails && (len(texts) > 0 || e.p.ReasoningRequired) {
		e.Raw(`,`)
		e.String(e.p.Reasoning)
		e.Raw(`:`)
		e.joined(texts, `\n\n`)
	}
	e.details(details, calls)
}

// details writes reasoning_details: those of the reasoning, and where the
// provider has them there those of the calls.
func (e *requestEncoder) details(list, calls []transform.Part) {
	written := 0
	next := func() {
		if written++; written == 1 {
			e.Raw(`,"reasoning_details":[`)
		} else {
			e.Raw(`,`)
		}
	}
	for i := range list {
		next()
		e.Out = appendDetail(e.Out, list[i].Text, &list[i].Opaque, i)
	}
	for i := range calls {
		if e.p.Reasoning == reasoningDetails && e.signsCalls(&calls[i].Opaque) {
			next()
			e.Raw(`{"type":"reasoning.encrypted","data":`)
			e.Value(calls[i].Opaque.Data)
			e.Text("id", calls[i].Call.ID)
			e.Raw(`,"format":"` + formatGoogle + `"}`)
		}
	}
	if written > 0 {
		e.Raw(`]`)
	}
}

// signsCalls tells whether what vouches for a call is the target's own. Google
// alone has such.
func (e *requestEncoder) signsCalls(o *transform.Opaque) bool {
	return o.Kind == transform.OpaqueSignature && o.Vendor == e.to.Vendor && o.Vendor == transform.VendorGoogle
}

// appendDetail writes an element of reasoning_details: text, what vouches for
// it, or what stands in its place.
func appendDetail(dst []byte, text transform.Literal, opaque *transform.Opaque, index int) []byte {
	switch {
	case opaque.Kind == transform.OpaqueRedacted:
		dst = append(dst, `{"type":"reasoning.encrypted","data":`...)
		dst = append(dst, opaque.Data...)
	default:
		dst = append(dst, `{"type":"reasoning.text"`...)
		if text != nil {
			dst = append(dst, `,"text":`...)
			dst = append(dst, text...)
		}
		if opaque.Kind == transform.OpaqueSignature {
			dst = append(dst, `,"signature":`...)
			dst = append(dst, opaque.Data...)
		}
	}
	if opaque.Kind != transform.OpaqueNone {
		dst = append(dst, `,"format":"`...)
		dst = append(dst, formatOf(opaque.Vendor)...)
		dst = append(dst, '"')
	}
	dst = append(dst, `,"index":`...)
	dst = appendInt(dst, int64(index))
	return append(dst, '}')
}
