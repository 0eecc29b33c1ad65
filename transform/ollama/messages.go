package ollama

import (
	"strings"

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
			e.open("user")
			e.content(e.sayable(turn.Parts, true))
			e.Raw("}")
		default:
			if parts := e.sayable(turn.Parts, false); len(parts) > 0 {
				e.open("system")
				e.content(parts)
				e.Raw("}")
			}
		}
		for ; i < next; i++ {
			e.lost.DropName(&turns[i])
		}
	}
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

// sayable are the parts that can be told: texts, files as far as they are text,
// and data of images and sounds. What cannot is reported.
func (e *encoder) sayable(parts []transform.Part, media bool) []transform.Part {
	var list []transform.Part
	for i := range parts {
		part := parts[i]
		e.lost.DropMark(part.Cache)
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

// place prepares media: data becomes an image, for models that hear take sounds
// as such too, and a file of text that text. The server fetches nothing.
func (e *encoder) place(part *transform.Part) bool {
	m := &part.Media
	mime := m.Type
	switch {
	case len(m.Data) == 0:
		return false
	case part.Kind == transform.PartImage, part.Kind == transform.PartAudio,
		part.Kind == transform.PartFile && strings.HasPrefix(mime, "image/"):
		part.Kind = transform.PartImage
		if m.Detail != "" && m.Detail != "auto" {
			e.lost.Drop(part.Media.DetailAt)
		}
		return true
	case part.Kind != transform.PartFile:
		return false
	}
	part.Kind, part.Text = transform.PartText, m.PlainText()
	return part.Text != nil
}

// content writes the texts of a message as one, and its images.
func (e *encoder) content(parts []transform.Part) {
	e.texts("content", parts)
	images := false
	for i := range parts {
		if parts[i].Kind != transform.PartImage {
			continue
		}
		if !images {
			e.Key("images")
			e.Raw("[")
		}
		images = true
		e.Comma()
		e.Bytes(parts[i].Media.Data)
	}
	if images {
		e.Raw("]")
	}
}

func (e *encoder) texts(name string, parts []transform.Part) {
	e.Key(name)
	e.Raw(`"`)
	first := true
	for i := range parts {
		if parts[i].Kind == transform.PartImage {
			continue
		}
		if !first {
			e.Raw(`\n\n`)
		}
		first = false
		e.Value(parts[i].Text[1 : len(parts[i].Text)-1])
	}
	e.Raw(`"`)
}

// assistant writes what the model said in one message.
func (e *encoder) assistant(turns []transform.Turn) {
	var thoughts, texts, calls []transform.Part
	for i := range turns {
		for j := range turns[i].Parts {
			part := &turns[i].Parts[j]
			switch part.Kind {
			case transform.PartToolCall:
				e.lost.DropMark(part.Cache)
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
	if len(thoughts)+len(texts)+len(calls) == 0 {
		return
	}
	e.open("assistant")
	e.content(texts)
	if len(thoughts) > 0 {
		e.texts("thinking", thoughts)
	}
	if len(calls) > 0 {
		e.calls(calls)
	}
	e.Raw("}")
}

func (e *encoder) calls(calls []transform.Part) {
	e.Key("tool_calls")
	e.Raw("[")
	for i := range calls {
		call := &calls[i].Call
		e.Comma()
		e.Raw("{")
		if call.ID != "" {
			e.Text("id", call.ID)
		}
		e.Key("function")
		e.Raw(`{"index":`)
		e.Int(int64(i))
		e.Text("name", call.Name)
		e.Key("arguments")
		e.Compact(call.ArgumentsObject())
		e.Raw("}}")
	}
	e.Raw("]")
}

// result writes the result of a call, which the server finds by the tool's name.
func (e *encoder) result(turn *transform.Turn) {
	parts := e.sayable(turn.Parts, true)
	if turn.IsError {
		parts = append([]transform.Part{{Text: transform.Literal(`"Error:"`)}}, parts...)
	}
	e.open("tool")
	e.content(parts)
	if turn.ToolName != "" {
		e.Text("tool_name", turn.ToolName)
	}
	if turn.CallID != "" {
		e.Text("tool_call_id", turn.CallID)
	}
	e.Raw("}")
}
