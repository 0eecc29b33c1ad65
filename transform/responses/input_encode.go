package responses

import (
	"strings"

	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/transform/openai"
)

// conversation writes the instructions and the input.
func (e *requestEncoder) conversation() {
	turns := transform.WithoutBilling(e.r.Turns, e.lost)
	system := 0
	for system < len(turns) && isSystem(&turns[system]) && e.plain(&turns[system]) {
		system++
	}
	if system == len(turns) {
		system = 0 // there must be some input
	}
	e.instructions(turns[:system])
	e.raw(`,"input":[`)
	for i := system; i < len(turns); i++ {
		turn := &turns[i]
		if turn.Role != transform.RoleAssistant {
			e.dropThoughts()
		}
		if turn.Name != "" {
			e.lost.Drop(turn.At.Key("name"))
		}
		switch turn.Role {
		case transform.RoleTool:
			e.callOutput(turn)
		case transform.RoleAssistant:
			e.modelTurn(turn)
		default:
			e.message(turn)
		}
	}
	e.dropThoughts()
	e.raw(`]`)
}

func isSystem(turn *transform.Turn) bool {
	return turn.Role == transform.RoleSystem || turn.Role == transform.RoleDeveloper
}

// plain tells whether a turn is text without marks, so that it can be a part of
// the instructions.
func (e *requestEncoder) plain(turn *transform.Turn) bool {
	for i := range turn.Parts {
		if turn.Parts[i].Kind != transform.PartText || e.marks(&turn.Parts[i]) {
			return false
		}
	}
	return true
}

func (e *requestEncoder) instructions(turns []transform.Turn) {
	var texts []transform.Literal
	for i := range turns {
		if turns[i].Name != "" {
			e.lost.Drop(turns[i].At.Key("name"))
		}
		for j := range turns[i].Parts {
			part := &turns[i].Parts[j]
			if nonEmpty(part.Text) != nil {
				e.unmarked(part)
				texts = append(texts, part.Text)
			}
		}
	}
	if text := joined(texts, `\n\n`); text != nil {
		e.raw(`,"instructions":`)
		e.value(text)
	}
}

func (e *requestEncoder) open(kind string) {
	if e.items++; e.items > 1 {
		e.raw(`,`)
	}
	e.raw(`{"type":"` + kind + `"`)
}

// message writes what a user or the system said.
func (e *requestEncoder) message(turn *transform.Turn) {
	role, system := "user", isSystem(turn)
	switch {
	case system && e.family.OpenAI() && (e.family.Reasons() || turn.Role == transform.RoleDeveloper):
		role = "developer"
	case system:
		role = "system"
	}
	var parts []transform.Part
	for j := range turn.Parts {
		part := turn.Parts[j]
		if e.sayable(&part, !system) {
			parts = append(parts, part)
		}
	}
	if len(parts) == 0 {
		return
	}
	e.open("message")
	e.member(`,"role":`, role)
	e.raw(`,"content":`)
	e.content(parts)
	e.raw(`}`)
}

// sayable prepares a part for what the client's side says, or reports it.
func (e *requestEncoder) sayable(part *transform.Part, media bool) bool {
	switch part.Kind {
	case transform.PartText, transform.PartRefusal:
		part.Kind = transform.PartText
		return len(part.Text) >= len(`""`)
	case transform.PartFile:
		// Only OpenAI reads files of all kinds.
		if (!media || !e.family.OpenAI()) && openai.TextOfFile(part) {
			return true
		}
		if media && e.sendable(&part.Media) {
			return true
		}
		e.lost.Refuse(part.At)
	case transform.PartImage:
		if media && e.sendable(&part.Media) {
			return true
		}
		e.lost.Refuse(part.At)
	case transform.PartAudio: // this format takes none
		e.lost.Refuse(part.At)
	default:
		e.lost.Drop(part.At)
	}
	return false
}

// sendable tells whether media can be sent. An id is of use only to who gave it:
// OpenAI's begin so.
func (e *requestEncoder) sendable(m *transform.Media) bool {
	return m.Data != nil || m.URL != "" || strings.HasPrefix(m.FileID, "file-") || strings.HasPrefix(m.FileID, "assistant-")
}

// content writes parts as a string where that is all they are, else as an array.
func (e *requestEncoder) content(parts []transform.Part) {
	if len(parts) == 1 && parts[0].Kind == transform.PartText && !e.marks(&parts[0]) {
		e.unmarked(&parts[0])
		e.value(parts[0].Text)
		return
	}
	e.raw(`[`)
	for i := range parts {
		if i > 0 {
			e.raw(`,`)
		}
		e.part(&parts[i])
	}
	e.raw(`]`)
}

func (e *requestEncoder) part(part *transform.Part) {
	m := &part.Media
	switch part.Kind {
	case transform.PartText:
		e.raw(`{"type":"input_text","text":`)
		e.value(part.Text)
	case transform.PartImage:
		e.raw(`{"type":"input_image"`)
		if m.Data == nil && m.URL == "" {
			e.member(`,"file_id":`, m.FileID)
		} else {
			e.raw(`,"image_url":`)
			e.dst = openai.AppendSource(e.dst, m)
		}
		if m.Detail != "" {
			e.member(`,"detail":`, m.Detail)
		}
	case transform.PartFile:
		e.file(m)
	}
	if e.marks(part) {
		e.raw(`,"prompt_cache_breakpoint":{"mode":"explicit"}`)
	} else {
		e.unmarked(part)
	}
	e.raw(`}`)
}

func (e *requestEncoder) file(m *transform.Media) {
	e.raw(`{"type":"input_file"`)
	switch {
	case m.Data != nil:
		name := m.Name
		if name == "" {
			name = "document.pdf" // OpenAI asks for one
		}
		e.member(`,"filename":`, name)
		e.raw(`,"file_data":`)
		e.dst = openai.AppendSource(e.dst, m)
	case m.URL != "":
		e.member(`,"file_url":`, m.URL)
	default:
		e.member(`,"file_id":`, m.FileID)
	}
}

func (e *requestEncoder) marks(part *transform.Part) bool {
	return part.Cache != nil && e.family.Breakpoints()
}

// unmarked reports the mark of a part that was written without it.
func (e *requestEncoder) unmarked(part *transform.Part) {
	if part.Cache != nil {
		e.lost.Drop(part.Cache.At)
	}
}
