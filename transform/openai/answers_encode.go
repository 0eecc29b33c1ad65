package openai

import (
	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// toolMessage writes the result of a call. It can hold text only; media are
// shown by the user afterwards.
func (e *requestEncoder) toolMessage(turn *transform.Turn) {
	var parts []transform.Part
	for i := range turn.Parts {
		part := turn.Parts[i]
		placeholder := ""
		switch part.Kind {
		case transform.PartImage:
			placeholder = `"[image]"`
		case transform.PartAudio:
			placeholder = `"[audio]"`
		case transform.PartFile:
			placeholder = `"[file]"`
		}
		if !e.sayable(&part, true) {
			continue
		}
		if part.Kind != transform.PartText {
			e.shown = append(e.shown, part)
			part = transform.Part{Kind: transform.PartText, Text: transform.Literal(placeholder)}
		}
		parts = append(parts, part)
	}
	if turn.IsError {
		parts = failedResult(parts)
	}
	e.open("tool")
	e.Text("tool_call_id", e.callID(turn.CallID))
	e.Key("content")
	e.content(parts, true)
	e.Raw(`}`)
}

// failedResult says in words what this format has no member for.
func failedResult(parts []transform.Part) []transform.Part {
	const prefix = `"Error: `
	if len(parts) == 0 {
		return []transform.Part{{Kind: transform.PartText, Text: transform.Literal(prefix + `"`)}}
	}
	parts[0].Text = append(transform.Literal(prefix), parts[0].Text[1:]...)
	return parts
}

// showPending writes the media that tools returned.
func (e *requestEncoder) showPending() {
	if len(e.shown) == 0 {
		return
	}
	e.open("user")
	e.Key("content")
	e.content(e.shown, false)
	e.Raw(`}`)
	e.shown = e.shown[:0]
}

// assistantMessage writes what the model said in one message: its text, what
// it thought as far as the target takes that back, and its calls. The last
// message of a request is one to go on with.
func (e *requestEncoder) assistantMessage(turns []transform.Turn, last bool) {
	var texts, refusals, thoughts, toolCalls []transform.Part
	for i := range turns {
		for j := range turns[i].Parts {
			part := turns[i].Parts[j]
			switch part.Kind {
			case transform.PartToolCall:
				toolCalls = append(toolCalls, part)
			case transform.PartReasoning:
				thoughts = append(thoughts, part)
			case transform.PartRefusal:
				if e.family.openAI {
					refusals = append(refusals, part)
					continue
				}
				fallthrough
			default:
				if e.sayable(&part, false) {
					texts = append(texts, part)
				}
			}
		}
	}
	e.open("assistant")
	e.name(&turns[0])
	e.Key("content")
	if len(texts) == 0 && len(toolCalls)+len(refusals) > 0 && !e.p.EmptyContent {
		e.Raw(`null`)
	} else {
		e.assistantContent(texts)
	}
	if len(refusals) > 0 {
		e.Key("refusal")
		e.joined(refusals, ``)
	}
	e.thoughts(thoughts, toolCalls)
	e.toolCalls(toolCalls)
	if last && e.p.Prefill != "" && len(toolCalls) == 0 {
		e.Raw(`,`)
		e.String(e.p.Prefill)
		e.Raw(`:true`)
	}
	e.Raw(`}`)
}

// assistantContent joins what was one text before it was cut into parts, unless
// a mark stands between them.
func (e *requestEncoder) assistantContent(texts []transform.Part) {
	for i := range texts {
		if e.marks(&texts[i]) {
			e.content(texts, false)
			return
		}
	}
	e.joined(texts, ``)
}

func (e *requestEncoder) toolCalls(parts []transform.Part) {
	if len(parts) == 0 {
		return
	}
	e.Raw(`,"tool_calls":[`)
	for i := range parts {
		part := &parts[i]
		e.Comma()
		call := part.Call
		if call.Custom && !e.family.openAI {
			// Free text has no place here: it becomes the only argument.
			e.lost.Drop(part.At)
			input := jsonbytes.AppendBytes([]byte(`{"input":`), call.Arguments)
			call.Custom, call.Arguments = false, append(input, '}')
		}
		call.ID = e.callID(call.ID)
		e.Out = appendToolCall(e.Out, &call, -1)
		switch {
		case part.Opaque.Kind == transform.OpaqueNone:
		case !e.signsCalls(&part.Opaque):
			e.lost.Drop(part.Opaque.At)
		case e.p.Reasoning != reasoningDetails:
			e.Out = appendThoughtSignature(e.Out, part.Opaque.Data)
		}
		e.unmarked(part)
		e.Raw(`}`)
	}
	e.Raw(`]`)
}

// appendToolCall writes a call up to its closing brace, with its number if that
// is not negative, as streams have it.
func appendToolCall(dst []byte, call *transform.ToolCall, index int) []byte {
	dst = append(dst, '{')
	if index >= 0 {
		dst = append(dst, `"index":`...)
		dst = appendInt(dst, int64(index))
		dst = append(dst, ',')
	}
	dst = append(dst, `"id":`...)
	dst = jsonbytes.AppendString(dst, call.ID)
	if call.Custom {
		dst = append(dst, `,"type":"custom","custom":{"name":`...)
		dst = jsonbytes.AppendString(dst, call.Name)
		dst = append(dst, `,"input":`...)
	} else {
		dst = append(dst, `,"type":"function","function":{"name":`...)
		dst = jsonbytes.AppendString(dst, call.Name)
		dst = append(dst, `,"arguments":`...)
	}
	if len(call.Arguments) == 0 && !call.Custom && index < 0 {
		dst = append(dst, `"{}"`...)
	} else {
		dst = jsonbytes.AppendBytes(dst, call.Arguments)
	}
	return append(dst, '}')
}

// appendThoughtSignature writes Google's signature of a call where Google's own
// endpoint of this format has it.
func appendThoughtSignature(dst []byte, signature transform.Literal) []byte {
	dst = append(dst, `,"extra_content":{"google":{"thought_signature":`...)
	dst = append(dst, signature...)
	return append(dst, `}}`...)
}
