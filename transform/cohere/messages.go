package cohere

import (
	"github.com/caddyllm/llmproxy/transform"
)

// messages writes the conversation, and tells whether there was anything to write.
func (e *encoder) messages() bool {
	e.Key("messages")
	e.Raw("[")
	begin := len(e.Out)
	turns := transform.WithoutBilling(e.r.Turns, e.lost)
	for i := 0; i < len(turns); {
		turn, next := &turns[i], i+1
		if turn.Role != transform.RoleTool {
			e.showPending()
		}
		switch turn.Role {
		case transform.RoleTool:
			e.result(turn)
		case transform.RoleAssistant:
			// Results must follow the message with their calls.
			for next < len(turns) && turns[next].Role == transform.RoleAssistant {
				next++
			}
			e.assistant(turns[i:next])
		case transform.RoleUser:
			e.plain("user", turn)
		default:
			e.plain("system", turn)
		}
		for ; i < next; i++ {
			e.lost.DropName(&turns[i])
		}
	}
	e.showPending()
	written := len(e.Out) > begin
	e.Raw("]")
	return written
}

func (e *encoder) open(role string) {
	e.Comma()
	e.Raw(`{"role":"`)
	e.Raw(role)
	e.Raw(`"`)
}

// plain writes what a user or the system said. The text of a file goes beside
// the conversation, as a document, unless that is JSON, which excludes documents.
func (e *encoder) plain(role string, turn *transform.Turn) {
	var parts []transform.Part
	for _, part := range e.sayable(turn.Parts, role == "user") {
		if part.Kind == transform.PartFile && !e.wantsJSON() {
			e.files = append(e.files, part)
		} else {
			parts = append(parts, part)
		}
	}
	if len(parts) == 0 && role == "system" {
		return
	}
	e.open(role)
	e.Key("content")
	e.content(parts)
	e.Raw("}")
}

// sayable are the parts that can be told: texts, images, and files as far as
// they are text. What cannot is reported.
func (e *encoder) sayable(parts []transform.Part, media bool) []transform.Part {
	var list []transform.Part
	for i := range parts {
		part := parts[i]
		e.reportCache(&part)
		switch part.Kind {
		case transform.PartText, transform.PartRefusal:
			part.Kind = transform.PartText
			if part.Text.HasText() {
				list = append(list, part)
			}
		case transform.PartReasoning, transform.PartCitation:
			e.lost.Drop(part.At)
		default:
			if !media || !e.place(&part) {
				e.lost.Refuse(part.At)
				continue
			}
			list = append(list, part)
		}
	}
	return list
}

func (e *encoder) reportCache(part *transform.Part) {
	e.lost.DropMark(part.Cache)
}

// content writes one text as a string and anything else as an array.
func (e *encoder) content(parts []transform.Part) {
	switch {
	case len(parts) == 0:
		e.Raw(`""`)
		return
	case len(parts) == 1 && parts[0].Kind != transform.PartImage:
		e.Value(parts[0].Text)
		return
	}
	e.Raw("[")
	for i := range parts {
		e.Comma()
		if part := &parts[i]; part.Kind == transform.PartImage {
			e.image(&part.Media)
		} else {
			e.Raw(`{"type":"text","text":`)
			e.Value(part.Text)
			e.Raw("}")
		}
	}
	e.Raw("]")
}

// joined writes texts as one string.
func (e *encoder) joined(parts []transform.Part) {
	e.Raw(`"`)
	for i := range parts {
		if i > 0 {
			e.Raw(`\n\n`)
		}
		e.Value(parts[i].Text[1 : len(parts[i].Text)-1])
	}
	e.Raw(`"`)
}

// assistant writes what the model said in one message. What it said beside its
// calls is their plan. A model that does not think says its thoughts there too:
// that is where ours come from.
func (e *encoder) assistant(turns []transform.Turn) {
	thoughts, texts, calls := e.answer(turns)
	switch {
	case len(calls) > 0 && e.thinks:
		e.calls(texts, calls)
		if len(thoughts) > 0 {
			e.Key("content")
			e.said(thoughts, nil)
		}
		e.Raw("}")
		return
	case len(calls) > 0:
		e.calls(append(thoughts, texts...), calls)
		e.Raw("}")
		return
	case !e.thinks:
		for i := range thoughts {
			e.lost.Drop(thoughts[i].At)
		}
		thoughts = nil
	}
	if len(thoughts)+len(texts) > 0 {
		e.open("assistant")
		e.Key("content")
		e.said(thoughts, texts)
		e.Raw("}")
	}
}

// answer sorts the parts of the model's turns.
func (e *encoder) answer(turns []transform.Turn) (thoughts, texts, calls []transform.Part) {
	for i := range turns {
		for j := range turns[i].Parts {
			part := &turns[i].Parts[j]
			switch part.Kind {
			case transform.PartToolCall:
				e.reportCache(part)
				calls = append(calls, *part)
			case transform.PartReasoning:
				// What another vendor vouches for is that vendor's.
				if !part.Text.HasText() || part.Opaque.Kind != transform.OpaqueNone {
					e.lost.Drop(part.At)
				} else {
					thoughts = append(thoughts, *part)
				}
			default:
				texts = append(texts, e.sayable(turns[i].Parts[j:j+1], false)...)
			}
		}
	}
	return thoughts, texts, calls
}

// said writes the content of a message of the model.
func (e *encoder) said(thoughts, texts []transform.Part) {
	if len(thoughts) == 0 {
		e.content(texts)
		return
	}
	e.Raw("[")
	for i := range thoughts {
		e.Comma()
		e.Raw(`{"type":"thinking","thinking":`)
		e.Value(thoughts[i].Text)
		e.Raw("}")
	}
	for i := range texts {
		e.Comma()
		e.Raw(`{"type":"text","text":`)
		e.Value(texts[i].Text)
		e.Raw("}")
	}
	e.Raw("]")
}

// calls begins a message with calls.
func (e *encoder) calls(plan, calls []transform.Part) {
	e.open("assistant")
	if len(plan) > 0 {
		e.Key("tool_plan")
		e.joined(plan)
	}
	e.Key("tool_calls")
	e.Raw("[")
	for i := range calls {
		call := &calls[i].Call
		e.Comma()
		e.Raw(`{"id":`)
		e.String(call.ID)
		e.Raw(`,"type":"function","function":{"name":`)
		e.String(call.Name)
		e.Key("arguments")
		e.Bytes(call.ArgumentsObject())
		e.Raw("}}")
	}
	e.Raw("]")
}

// result writes the result of a call. It is text; images that came with it are
// shown by the user afterwards.
func (e *encoder) result(turn *transform.Turn) {
	var texts []transform.Part
	if turn.IsError {
		texts = append(texts, transform.Part{Text: transform.Literal(`"Error:"`)})
	}
	for _, part := range e.sayable(turn.Parts, true) {
		if part.Kind == transform.PartImage {
			e.shown = append(e.shown, part)
			part = transform.Part{Text: transform.Literal(`"[image]"`)}
		}
		texts = append(texts, part)
	}
	e.open("tool")
	e.Text("tool_call_id", turn.CallID)
	e.Key("content")
	e.joined(texts)
	e.Raw("}")
}

func (e *encoder) showPending() {
	if len(e.shown) == 0 {
		return
	}
	e.open("user")
	e.Key("content")
	e.content(e.shown)
	e.Raw("}")
	e.shown = nil
}
