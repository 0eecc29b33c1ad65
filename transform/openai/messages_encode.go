package openai

import (
	"bytes"
	"encoding/base64"
	"slices"
	"strings"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// turns writes the messages.
func (e *requestEncoder) turns() {
	turns := e.r.Turns
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
			e.assistantMessage(turns[i:next])
		default:
			e.plainMessage(turn, i)
		}
		i = next
	}
	e.showPending()
}

func hasPart(parts []transform.Part, kind transform.PartKind) bool {
	return slices.ContainsFunc(parts, func(p transform.Part) bool { return p.Kind == kind })
}

func (e *requestEncoder) open(role string) {
	if e.messages++; e.messages > 1 {
		e.raw(`,`)
	}
	e.raw(`{"role":"` + role + `"`)
}

// plainMessage writes what a user or the system said.
func (e *requestEncoder) plainMessage(turn *transform.Turn, i int) {
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
		if i == 0 && system && e.foreignHeader(&part) {
			e.lost.Drop(part.At)
			continue
		}
		if e.sayable(&part, !system) {
			parts = append(parts, part)
		}
	}
	if system && len(parts) == 0 {
		return
	}
	e.open(role)
	if turn.Name != "" {
		e.member(`,"name":`, turn.Name)
	}
	e.raw(`,"content":`)
	e.content(parts, system)
	e.raw(`}`)
}

// foreignHeader tells whether a part of the system prompt is the line with
// which Claude Code bills itself. It changes with each session, so that
// another provider's prompt cache would never hit.
func (e *requestEncoder) foreignHeader(part *transform.Part) bool {
	return e.to.Vendor != transform.VendorAnthropic && bytes.HasPrefix(part.Text, []byte(`"x-anthropic-billing-header`))
}

// sayable prepares a part for a message's content, or reports it.
func (e *requestEncoder) sayable(part *transform.Part, media bool) bool {
	switch part.Kind {
	case transform.PartText, transform.PartRefusal:
		part.Kind = transform.PartText
		return len(part.Text) >= len(`""`)
	case transform.PartFile:
		if textOfFile(part) {
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

// textOfFile turns a file of text into the text itself.
func textOfFile(part *transform.Part) bool {
	if !strings.HasPrefix(part.Media.Type, "text/") || part.Media.Data == nil {
		return false
	}
	plain, err := base64.StdEncoding.AppendDecode(nil, part.Media.Data)
	if err != nil {
		return false
	}
	part.Kind, part.Text = transform.PartText, jsonbytes.AppendBytes(nil, plain)
	return true
}

// sendable tells whether this format has a form for the media.
func (e *requestEncoder) sendable(part *transform.Part) bool {
	m := &part.Media
	switch part.Kind {
	case transform.PartImage:
		return m.Data != nil || m.URL != ""
	case transform.PartAudio:
		return m.Data != nil && audioFormat(m.Type) != ""
	}
	// An id is of use only to who gave it: OpenAI's begin so.
	return m.Data != nil || strings.HasPrefix(m.FileID, "file-")
}

func audioFormat(mediaType string) string {
	switch strings.TrimPrefix(strings.TrimPrefix(mediaType, "audio/"), "x-") {
	case "wav", "wave":
		return "wav"
	case "mp3", "mpeg":
		return "mp3"
	}
	return ""
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
	e.raw(`[`)
	for i := range parts {
		if i > 0 {
			e.raw(`,`)
		}
		e.part(&parts[i])
	}
	e.raw(`]`)
}

// joined writes texts as one string with glue, which is escaped, between them.
func (e *requestEncoder) joined(parts []transform.Part, glue string) {
	e.raw(`"`)
	for i := range parts {
		if text := parts[i].Text; len(text) >= len(`""`) {
			if i > 0 {
				e.raw(glue)
			}
			e.value(text[1 : len(text)-1])
		}
		e.unmarked(&parts[i])
	}
	e.raw(`"`)
}

func (e *requestEncoder) marks(part *transform.Part) bool {
	return part.Cache != nil && (e.family.breakpoints || e.to.Vendor == transform.VendorAnthropic)
}

// unmarked reports the mark of a part that was written without it.
func (e *requestEncoder) unmarked(part *transform.Part) {
	if part.Cache != nil {
		e.lost.Drop(part.At.Key("cache_control"))
	}
}

// part writes one element of a content array.
func (e *requestEncoder) part(part *transform.Part) {
	m := &part.Media
	switch part.Kind {
	case transform.PartText:
		e.raw(`{"type":"text","text":`)
		e.value(part.Text)
	case transform.PartImage:
		e.raw(`{"type":"image_url","image_url":{"url":`)
		e.source(m)
		if m.Detail != "" {
			e.member(`,"detail":`, m.Detail)
		}
		e.raw(`}`)
	case transform.PartAudio:
		e.raw(`{"type":"input_audio","input_audio":{"data":"`)
		e.value(m.Data)
		e.member(`","format":`, audioFormat(m.Type))
		e.raw(`}`)
	case transform.PartFile:
		e.file(m)
	}
	switch {
	case part.Cache == nil:
	case e.family.breakpoints:
		e.raw(`,"prompt_cache_breakpoint":{"mode":"explicit"}`)
	case e.marks(part):
		e.cacheControl(part.Cache)
	default:
		e.unmarked(part)
	}
	e.raw(`}`)
}

func (e *requestEncoder) source(m *transform.Media) { e.dst = appendSource(e.dst, m) }

// appendSource writes data as a data URI, or the URL.
func appendSource(dst []byte, m *transform.Media) []byte {
	if m.Data == nil {
		return jsonbytes.AppendString(dst, m.URL)
	}
	dst = append(dst, `"data:`...)
	kind := jsonbytes.AppendString(nil, m.Type)
	dst = append(dst, kind[1:len(kind)-1]...)
	dst = append(dst, `;base64,`...)
	dst = append(dst, m.Data...)
	return append(dst, '"')
}

func (e *requestEncoder) file(m *transform.Media) {
	e.raw(`{"type":"file","file":{`)
	if m.Data == nil {
		e.member(`"file_id":`, m.FileID)
		e.raw(`}`)
		return
	}
	name := m.Name
	if name == "" {
		name = "document.pdf" // OpenAI asks for one
	}
	e.member(`"filename":`, name)
	e.raw(`,"file_data":`)
	e.source(m)
	e.raw(`}`)
}
