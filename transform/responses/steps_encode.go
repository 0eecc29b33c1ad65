package responses

import (
	"crypto/sha256"
	"encoding/hex"

	"github.com/caddyllm/llmproxy/transform"
)

// callOutput writes the result of a call.
func (e *requestEncoder) callOutput(turn *transform.Turn) {
	var parts []transform.Part
	for i := range turn.Parts {
		part := turn.Parts[i]
		if e.sayable(&part, true) {
			parts = append(parts, part)
		}
	}
	if turn.IsError {
		parts = failedResult(parts)
	}
	kind := "function_call_output"
	if e.custom[turn.CallID] {
		kind = "custom_tool_call_output"
	}
	e.open(kind)
	e.Text("call_id", callID(turn.CallID))
	e.Key("output")
	if len(parts) == 0 {
		e.Raw(`""`)
	} else {
		e.content(parts)
	}
	e.Raw(`}`)
}

// failedResult says in words what this format has no member for.
func failedResult(parts []transform.Part) []transform.Part {
	const prefix = `"Error: `
	if len(parts) == 0 || parts[0].Kind != transform.PartText {
		return append([]transform.Part{{Kind: transform.PartText, Text: transform.Literal(prefix + `"`)}}, parts...)
	}
	parts[0].Text = append(transform.Literal(prefix), parts[0].Text[1:]...)
	return parts
}

// callID shortens ids that are longer than OpenAI allows, always in the same way.
func callID(id string) string {
	const most = 64
	if len(id) <= most {
		return id
	}
	sum := sha256.Sum256([]byte(id))
	return "call_" + hex.EncodeToString(sum[:20])
}

// modelTurn writes what the model thought, said and called, in that order in
// which it did.
func (e *requestEncoder) modelTurn(turn *transform.Turn) {
	parts := turn.Parts
	for i := 0; i < len(parts); {
		part, next := &parts[i], i+1
		switch part.Kind {
		case transform.PartReasoning:
			if next < len(parts) && vouchesFor(part, &parts[next]) {
				signed := parts[next]
				signed.Text = part.Text
				part, next = &signed, next+1
			}
			e.thought(part)
		case transform.PartText, transform.PartRefusal:
			for next < len(parts) && inMessage(parts[next].Kind) {
				next++
			}
			e.said(parts[i:next])
		case transform.PartToolCall:
			e.call(part)
		case transform.PartCitation:
			e.lost.Drop(part.At)
		default:
			e.lost.Refuse(part.At)
		}
		i = next
	}
}

// vouchesFor tells whether a part is the encrypted form of the text before it:
// some clients keep the two apart, and OpenAI wants them in one item.
func vouchesFor(said, part *transform.Part) bool {
	return said.Opaque.Kind == transform.OpaqueNone && said.Text.HasText() &&
		part.Kind == transform.PartReasoning && part.Opaque.Kind != transform.OpaqueNone && !part.Text.HasText()
}

// thought keeps the reasoning that OpenAI can read until what it led to comes.
func (e *requestEncoder) thought(part *transform.Part) {
	e.unmarked(part)
	o := &part.Opaque
	if o.Kind == transform.OpaqueNone || o.Vendor != transform.VendorOpenAI || e.to.Vendor != transform.VendorOpenAI {
		e.lost.Drop(part.At)
		return
	}
	e.thoughts = append(e.thoughts, part)
}

// dropThoughts reports reasoning that led to nothing.
func (e *requestEncoder) dropThoughts() {
	for _, part := range e.thoughts {
		e.lost.Drop(part.At)
	}
	e.thoughts = e.thoughts[:0]
}

func (e *requestEncoder) writeThoughts() {
	for _, part := range e.thoughts {
		e.open("reasoning")
		if part.Opaque.ID != "" {
			e.Text("id", part.Opaque.ID)
		}
		e.Raw(`,"summary":[`)
		if text := part.Text.NonEmpty(); text != nil {
			e.Out = appendSummary(e.Out, text[1:len(text)-1])
		}
		e.Raw(`],"encrypted_content":`)
		e.Value(part.Opaque.Data)
		e.Raw(`}`)
	}
	e.thoughts = e.thoughts[:0]
}

// said writes a message of the model's.
func (e *requestEncoder) said(parts []transform.Part) {
	var content []byte
	for i := range parts {
		part := &parts[i]
		if part.Kind == transform.PartCitation {
			if !part.Citation.Get("url_citation").Get("url").HasText() {
				e.lost.Drop(part.At)
			}
			continue
		}
		e.unmarked(part)
		if part.Opaque.Kind != transform.OpaqueNone {
			e.lost.Drop(part.Opaque.At)
		}
		text := part.Text.NonEmpty()
		if text == nil {
			continue
		}
		if len(content) > 0 {
			content = append(content, ',')
		}
		if part.Kind == transform.PartRefusal {
			content = appendRefusal(content, text[1:len(text)-1])
			continue
		}
		content = append(content, `{"type":"output_text","text":`...)
		content = append(content, text...)
		content = append(content, `,"annotations":[`...)
		content = append(content, citationsAfter(nil, parts[i+1:])...)
		content = append(content, `]}`...)
	}
	if len(content) == 0 {
		return
	}
	e.writeThoughts()
	e.open("message")
	e.Raw(`,"role":"assistant","content":[`)
	e.Value(content)
	e.Raw(`]}`)
}

func (e *requestEncoder) call(part *transform.Part) {
	call := &part.Call
	e.writeThoughts()
	e.unmarked(part)
	if part.Opaque.Kind != transform.OpaqueNone {
		e.lost.Drop(part.Opaque.At)
	}
	if call.Custom {
		e.custom[call.ID] = true
		e.open("custom_tool_call")
	} else {
		e.open("function_call")
	}
	e.Text("call_id", callID(call.ID))
	e.Text("name", call.Name)
	arguments := call.Arguments
	switch {
	case call.Custom:
		e.Key("input")
	case len(arguments) == 0:
		arguments = []byte("{}")
		fallthrough
	default:
		e.Key("arguments")
	}
	e.Bytes(arguments)
	e.Raw(`}`)
}
