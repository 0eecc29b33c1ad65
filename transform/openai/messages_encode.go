package openai

import (
	"slices"

	"github.com/caddyllm/llmproxy/transform"
)

// turns writes the messages.
func (e *requestEncoder) turns() {
	turns := e.prepared()
	for i := 0; i < len(turns); {
		turn, next := &turns[i], i+1
		if turn.Role != transform.RoleTool {
			e.showPending()
		}
		switch turn.Role {
		case transform.RoleTool:
			e.toolMessage(turn)
		case transform.RoleAssistant:
			// The results of calls must follow the message that holds them all.
			for next < len(turns) && turns[next].Role == transform.RoleAssistant && hasPart(turns[next-1].Parts, transform.PartToolCall) {
				next++
			}
			e.assistantMessage(turns[i:next], next == len(turns))
		default:
			e.plainMessage(turn)
		}
		i = next
	}
	e.showPending()
}

// prepared is the turns as the provider must have them: with an instruction in
// the system's, and none twice in a row where that is not allowed.
func (e *requestEncoder) prepared() []transform.Turn {
	turns := e.r.Turns
	if e.to.Vendor != transform.VendorAnthropic {
		turns = transform.WithoutBilling(turns, e.lost)
	}
	if say := e.instruction(); say != nil {
		turns = instructed(turns, transform.Part{Kind: transform.PartText, Text: say})
	}
	if !e.p.Alternate {
		return turns
	}
	var merged []transform.Turn
	for _, turn := range turns {
		last := len(merged) - 1
		if last >= 0 && merged[last].Role == turn.Role && turn.Role != transform.RoleTool {
			merged[last].Parts = slices.Concat(merged[last].Parts, turn.Parts)
			continue
		}
		merged = append(merged, turn)
	}
	return merged
}

// instructed adds to the last turn with which the system begins: some servers
// take one message of the system only.
func instructed(turns []transform.Turn, say transform.Part) []transform.Turn {
	n := 0
	for n < len(turns) && turns[n].Role.IsSystem() {
		n++
	}
	if n == 0 {
		return slices.Concat([]transform.Turn{{Role: transform.RoleSystem, Parts: []transform.Part{say}}}, turns)
	}
	turns = slices.Clone(turns)
	turns[n-1].Parts = slices.Concat(turns[n-1].Parts, []transform.Part{say})
	return turns
}

// name writes who speaks.
func (e *requestEncoder) name(turn *transform.Turn) {
	switch {
	case turn.Name == "":
	case e.p.NoNames:
		e.lost.Drop(turn.At.Key("name"))
	default:
		e.Text("name", turn.Name)
	}
}

func hasPart(parts []transform.Part, kind transform.PartKind) bool {
	return slices.ContainsFunc(parts, func(p transform.Part) bool { return p.Kind == kind })
}

func (e *requestEncoder) open(role string) {
	e.Comma()
	e.Raw(`{"role":"` + role + `"`)
}

// plainMessage writes what a user or the system said.
func (e *requestEncoder) plainMessage(turn *transform.Turn) {
	role, system := "user", turn.Role != transform.RoleUser
	switch {
	case turn.Role == transform.RoleDeveloper && e.family.openAI:
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
	if system && len(parts) == 0 {
		return
	}
	e.open(role)
	e.name(turn)
	e.Key("content")
	e.content(parts, system)
	e.Raw(`}`)
}

// sayable prepares a part for a message's content, or reports it.
func (e *requestEncoder) sayable(part *transform.Part, media bool) bool {
	switch part.Kind {
	case transform.PartText, transform.PartRefusal:
		part.Kind = transform.PartText
		return len(part.Text) >= len(`""`)
	case transform.PartFile:
		if TextOfFile(part) {
			return true
		}
		fallthrough
	case transform.PartImage, transform.PartAudio:
		if media && e.sendable(part) {
			return true
		}
		e.lost.Refuse(part.At)
	default:
		e.lost.Drop(part.At)
	}
	return false
}

// content writes parts as one string where they are text without marks, for
// many providers take nothing else, and as an array otherwise. Several texts
// are joined only where that is asked for.
func (e *requestEncoder) content(parts []transform.Part, join bool) {
	if len(parts) > 1 {
		parts = slices.DeleteFunc(parts, func(p transform.Part) bool {
			return p.Kind == transform.PartText && len(p.Text) <= len(`""`)
		})
	}
	plain := len(parts) <= 1 || join
	for i := range parts {
		plain = plain && parts[i].Kind == transform.PartText && !e.marks(&parts[i])
	}
	if plain {
		e.joined(parts, `\n\n`)
		return
	}
	e.Raw(`[`)
	for i := range parts {
		e.Comma()
		e.part(&parts[i])
	}
	e.Raw(`]`)
}

// joined writes texts as one string with glue, which is escaped, between them.
func (e *requestEncoder) joined(parts []transform.Part, glue string) {
	e.Raw(`"`)
	for i := range parts {
		if text := parts[i].Text; len(text) >= len(`""`) {
			if i > 0 {
				e.Raw(glue)
			}
			e.Value(text[1 : len(text)-1])
		}
		e.unmarked(&parts[i])
	}
	e.Raw(`"`)
}

func (e *requestEncoder) marks(part *transform.Part) bool {
	return part.Cache != nil && (e.family.breakpoints || e.to.Vendor == transform.VendorAnthropic)
}

// unmarked reports the mark of a part that was written without it.
func (e *requestEncoder) unmarked(part *transform.Part) {
	e.lost.DropMark(part.Cache)
}
