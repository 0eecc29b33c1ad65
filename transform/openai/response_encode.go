package openai

import (
	"strings"
	"time"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// AppendResponse writes a chat.completion. Reasoning goes out as
// reasoning_content, which clients show, and as reasoning_details, which they
// can return with what vouches for it.
func (Codec) AppendResponse(dst []byte, a *transform.Response, r *transform.Request) []byte {
	dst = append(dst, `{"id":`...)
	dst = jsonbytes.AppendString(dst, orID(a.ID))
	dst = append(dst, `,"object":"chat.completion","created":`...)
	dst = appendInt(dst, orNow(a.Created))
	dst = append(dst, `,"model":`...)
	dst = jsonbytes.AppendString(dst, orModel(a.Model, r))
	dst = append(dst, `,"choices":[`...)
	choices := a.Choices
	if len(choices) == 0 {
		choices = []transform.Choice{{}} // clients read the first without asking
	}
	for i := range choices {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendChoice(dst, &choices[i], r)
	}
	dst = append(dst, `],"usage":`...)
	dst = appendUsage(dst, a.Usage)
	if a.ServiceTier != "" {
		dst = append(dst, `,"service_tier":`...)
		dst = jsonbytes.AppendString(dst, a.ServiceTier)
	}
	return append(dst, '}')
}

func orID(id string) string {
	if id == "" {
		return transform.NewID("chatcmpl-")
	}
	return id
}

func orNow(created int64) int64 {
	if created == 0 {
		return time.Now().Unix()
	}
	return created
}

func orModel(model string, r *transform.Request) string {
	if model == "" && r != nil {
		return r.Model
	}
	return model
}

// wantsFunctionCall tells whether the client declared its tools as functions:
// it comes from the time before tool_calls and looks for function_call.
func wantsFunctionCall(r *transform.Request) bool {
	return r != nil && len(r.Tools) > 0 && strings.HasPrefix(r.Tools[0].At.Pointer(), "/functions/")
}

func appendChoice(dst []byte, c *transform.Choice, r *transform.Request) []byte {
	legacy := wantsFunctionCall(r)
	dst = append(dst, `{"index":`...)
	dst = appendInt(dst, int64(c.Index))
	dst = append(dst, `,"message":{"role":"assistant","content":`...)
	dst = appendTexts(dst, c.Parts, transform.PartText, !hasPart(c.Parts, transform.PartToolCall) && !hasPart(c.Parts, transform.PartRefusal))
	dst = append(dst, `,"refusal":`...)
	dst = appendTexts(dst, c.Parts, transform.PartRefusal, false)
	dst = appendReasoning(dst, c.Parts)
	dst = appendImages(dst, c.Parts)
	dst = appendCallsOf(dst, c.Parts, r, legacy)
	dst = appendAnnotations(dst, c.Parts)
	dst = append(dst, `},"logprobs":`...)
	if c.Logprobs == nil {
		dst = append(dst, `null`...)
	} else {
		dst = jsonbytes.AppendCompact(dst, c.Logprobs)
	}
	dst = append(dst, `,"finish_reason":"`...)
	dst = append(dst, finishWord(finishOf(c.Finish, hasPart(c.Parts, transform.PartToolCall)), legacy)...)
	return append(dst, `"}`...)
}

// appendTexts joins the texts of a kind. Without any it writes null or, where a
// client counts on text, an empty string.
func appendTexts(dst []byte, parts []transform.Part, kind transform.PartKind, empty bool) []byte {
	found := false
	for i := range parts {
		text := parts[i].Text
		if parts[i].Kind != kind || len(text) < len(`""`) {
			continue
		}
		if !found {
			found = true
			dst = append(dst, '"')
		}
		dst = append(dst, text[1:len(text)-1]...)
	}
	switch {
	case found:
		return append(dst, '"')
	case empty:
		return append(dst, `""`...)
	}
	return append(dst, `null`...)
}

// appendReasoning writes both forms. A signature on plain text is told as a
// detail too, for it has no other place.
func appendReasoning(dst []byte, parts []transform.Part) []byte {
	said, details := false, 0
	for i := range parts {
		said = said || parts[i].Kind == transform.PartReasoning && len(parts[i].Text) > len(`""`)
	}
	if said {
		dst = append(dst, `,"reasoning_content":`...)
		dst = appendTexts(dst, parts, transform.PartReasoning, false)
	}
	for i := range parts {
		p := &parts[i]
		text := p.Text
		switch {
		case p.Kind == transform.PartReasoning && (text != nil || p.Opaque.Kind != transform.OpaqueNone):
		case p.Kind == transform.PartText && p.Opaque.Kind != transform.OpaqueNone:
			text = nil
		default:
			continue
		}
		if details == 0 {
			dst = append(dst, `,"reasoning_details":[`...)
		} else {
			dst = append(dst, ',')
		}
		dst = appendDetail(dst, text, &p.Opaque, details)
		details++
	}
	if details > 0 {
		dst = append(dst, ']')
	}
	return dst
}

// appendImages writes images where OpenRouter and others have them: OpenAI has
// no place for them.
func appendImages(dst []byte, parts []transform.Part) []byte {
	n := 0
	for i := range parts {
		if !hasImage(&parts[i]) {
			continue
		}
		if n++; n == 1 {
			dst = append(dst, `,"images":[`...)
		} else {
			dst = append(dst, ',')
		}
		dst = appendImage(dst, &parts[i].Media)
	}
	if n > 0 {
		dst = append(dst, ']')
	}
	return dst
}

func hasImage(p *transform.Part) bool {
	return p.Kind == transform.PartImage && (p.Media.Data != nil || p.Media.URL != "")
}

func appendImage(dst []byte, m *transform.Media) []byte {
	dst = append(dst, `{"type":"image_url","image_url":{"url":`...)
	dst = AppendSource(dst, m)
	return append(dst, `}}`...)
}

// appendCallsOf writes the calls; the first one as function_call for a client
// that looks there, which asked for no more than one.
func appendCallsOf(dst []byte, parts []transform.Part, r *transform.Request, legacy bool) []byte {
	n := 0
	for i := range parts {
		p := &parts[i]
		if p.Kind != transform.PartToolCall {
			continue
		}
		if legacy {
			legacy = false
			dst = appendFunctionCall(dst, &p.Call)
			continue
		}
		if n++; n == 1 {
			dst = append(dst, `,"tool_calls":[`...)
		} else {
			dst = append(dst, ',')
		}
		call := p.Call
		if call.ID == "" {
			call.ID = transform.NewID("call_")
		}
		if !call.Custom && r.IsCustomTool(call.Name) {
			call.Custom, call.Arguments = true, transform.FreeText(call.Arguments)
		}
		dst = appendToolCall(dst, &call, -1)
		if signsCall(&p.Opaque) {
			dst = appendThoughtSignature(dst, p.Opaque.Data)
		}
		dst = append(dst, '}')
	}
	if n > 0 {
		dst = append(dst, ']')
	}
	return dst
}

func appendFunctionCall(dst []byte, call *transform.ToolCall) []byte {
	dst = append(dst, `,"function_call":{"name":`...)
	dst = jsonbytes.AppendString(dst, call.Name)
	dst = append(dst, `,"arguments":`...)
	if len(call.Arguments) == 0 {
		dst = append(dst, `"{}"`...)
	} else {
		dst = jsonbytes.AppendBytes(dst, call.Arguments)
	}
	return append(dst, '}')
}

func appendAnnotations(dst []byte, parts []transform.Part) []byte {
	dst = append(dst, `,"annotations":[`...)
	n := 0
	for i := range parts {
		if parts[i].Kind != transform.PartCitation || len(parts[i].Citation) == 0 {
			continue
		}
		if n++; n > 1 {
			dst = append(dst, ',')
		}
		dst = jsonbytes.AppendCompact(dst, parts[i].Citation)
	}
	return append(dst, ']')
}
