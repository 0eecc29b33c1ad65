package responses

import (
	"strings"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/transform/openai"
)

// conversation writes the instructions and the input.
func (e *requestEncoder) conversation() {
	turns := transform.WithoutBilling(e.r.Turns, e.lost)
	system := 0
	for system < len(turns) && turns[system].Role.IsSystem() && e.plain(&turns[system]) {
		system++
	}
	if system == len(turns) {
		system = 0 // there must be some input
	}
	e.instructions(turns[:system])
	e.Raw(`,"input":[`)
	for i := system; i < len(turns); i++ {
		turn := &turns[i]
		if turn.Role != transform.RoleAssistant {
			e.dropThoughts()
		}
		e.lost.DropName(turn)
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
	e.Raw(`]`)
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
		e.lost.DropName(&turns[i])
		for j := range turns[i].Parts {
			part := &turns[i].Parts[j]
			if part.Text.HasText() {
				e.unmarked(part)
				texts = append(texts, part.Text)
			}
		}
	}
	if text := jsonbytes.Join(`\n\n`, texts...); text != nil {
		e.Key("instructions")
		e.Value(text)
	}
}

func (e *requestEncoder) open(kind string) {
	e.Comma()
	e.Raw(`{"type":"` + kind + `"`)
}

// message writes what a user or the system said.
func (e *requestEncoder) message(turn *transform.Turn) {
	role, system := "user", turn.Role.IsSystem()
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
	e.Text("role", role)
	e.Key("content")
	e.content(parts)
	e.Raw(`}`)
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
		e.Value(parts[0].Text)
		return
	}
	e.Raw(`[`)
	for i := range parts {
		e.Comma()
		e.part(&parts[i])
	}
	e.Raw(`]`)
}

func (e *requestEncoder) part(part *transform.Part) {
	m := &part.Media
	switch part.Kind {
	case transform.PartText:
		e.Raw(`{"type":"input_text","text":`)
		e.Value(part.Text)
	case transform.PartImage:
		e.Raw(`{"type":"input_image"`)
		if m.Data == nil && m.URL == "" {
			e.Text("file_id", m.FileID)
		} else {
			e.Key("image_url")
			e.Out = openai.AppendSource(e.Out, m)
		}
		if m.Detail != "" {
			e.Text("detail", m.Detail)
		}
	case transform.PartFile:
		e.file(m)
	}
	if e.marks(part) {
		e.Raw(`,"prompt_cache_breakpoint":{"mode":"explicit"}`)
	} else {
		e.unmarked(part)
	}
	e.Raw(`}`)
}

func (e *requestEncoder) file(m *transform.Media) {
	e.Raw(`{"type":"input_file"`)
	switch {
	case m.Data != nil:
		name := m.Name
		if name == "" {
			name = "document.pdf" // OpenAI asks for one
		}
		e.Text("filename", name)
		e.Key("file_data")
		e.Out = openai.AppendSource(e.Out, m)
	case m.URL != "":
		e.Text("file_url", m.URL)
	default:
		e.Text("file_id", m.FileID)
	}
}

func (e *requestEncoder) marks(part *transform.Part) bool {
	return part.Cache != nil && e.family.Breakpoints()
}

// unmarked reports the mark of a part that was written without it.
func (e *requestEncoder) unmarked(part *transform.Part) {
	e.lost.DropMark(part.Cache)
}
