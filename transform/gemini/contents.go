package gemini

import (
	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

const (
	roleUser  = "user"
	roleModel = "model"
)

// unsigned stands in for the signature of a call that has none: Gemini 3
// refuses a batch of calls whose first one is not signed, and Google gives this
// word for histories that come from elsewhere.
// https://ai.google.dev/gemini-api/docs/thought-signatures
const unsigned = "skip_thought_signature_validator"

// contents writes the conversation. Turns of one role are merged, and every
// batch of calls is answered at once, directly behind it.
func (e *encoder) contents(turns []transform.Turn) {
	e.key("contents")
	e.raw("[")
	for len(turns) > 0 {
		n := 0
		var calls []*transform.Part
		for n < len(turns) && turns[n].Role == transform.RoleAssistant {
			calls = e.modelTurn(calls, &turns[n])
			n++
		}
		answers := turns[n:]
		m := 0
		for m < len(answers) && answers[m].Role != transform.RoleAssistant {
			m++
		}
		e.answers(calls, answers[:m])
		turns = answers[m:]
	}
	if e.role == "" {
		e.begin(roleUser) // there must be one
		e.raw(`{"text":" "}`)
	}
	e.raw("]}]")
}

// begin makes ready for a part of that role: parts are what contents consist
// of, so that there are no empty ones. The first content must be the user's.
func (e *encoder) begin(role string) {
	switch {
	case e.role == role:
		e.comma()
		return
	case e.role != "":
		e.raw("]},")
	case role == roleModel:
		e.raw(`{"role":"user","parts":[{"text":" "}]},`)
	}
	e.role = role
	e.raw(`{"role":"`)
	e.raw(role)
	e.raw(`","parts":[`)
}

// modelTurn writes a turn of the model and appends its calls to those before it.
func (e *encoder) modelTurn(calls []*transform.Part, t *transform.Turn) []*transform.Part {
	e.reportName(t)
	for i := range t.Parts {
		p := &t.Parts[i]
		e.reportCache(p)
		switch p.Kind {
		case transform.PartText, transform.PartRefusal:
			e.text(roleModel, p)
		case transform.PartReasoning:
			e.reasoning(p)
		case transform.PartToolCall:
			e.call(p, len(calls) == 0)
			calls = append(calls, p)
		default:
			e.other(roleModel, p)
		}
	}
	return calls
}

// userTurn writes a turn of the user's, or of the system's in the middle of a
// conversation, where the user tells the model.
func (e *encoder) userTurn(t *transform.Turn) {
	e.reportName(t)
	for i := range t.Parts {
		p := &t.Parts[i]
		e.reportCache(p)
		switch p.Kind {
		case transform.PartText, transform.PartRefusal:
			e.text(roleUser, p)
		case transform.PartToolCall:
			e.lost.Refuse(p.At)
		case transform.PartReasoning:
			e.lost.Drop(p.At)
		default:
			e.other(roleUser, p)
		}
	}
}

// other writes what may stand in turns of both.
func (e *encoder) other(role string, p *transform.Part) {
	switch p.Kind {
	case transform.PartImage, transform.PartFile, transform.PartAudio:
		if m, ok := e.place(p); ok {
			if role == roleModel {
				m.signature = e.signature(p)
			}
			e.begin(role)
			e.media(m)
		}
	default: // citations: notes on what was said
		e.lost.Drop(p.At)
	}
}

// signature is a part's thought signature if it is Google's and goes to Google.
func (e *encoder) signature(p *transform.Part) transform.Literal {
	o := &p.Opaque
	if o.Kind != transform.OpaqueSignature || o.Vendor != transform.VendorGoogle ||
		e.to.Vendor != transform.VendorGoogle || empty(o.Data) {
		return nil
	}
	return o.Data
}

func (e *encoder) text(role string, p *transform.Part) {
	signature := e.signature(p)
	if empty(p.Text) && signature == nil || role == roleUser && empty(p.Text) {
		return
	}
	e.begin(role)
	e.raw(`{"text":`)
	if empty(p.Text) {
		e.raw(`""`)
	} else {
		e.value(p.Text)
	}
	if role == roleModel && signature != nil {
		e.sign(signature)
	}
	e.raw("}")
}

func (e *encoder) sign(signature transform.Literal) {
	e.raw(`,"thoughtSignature":`)
	e.value(signature)
}

// reasoning writes what Google signed; without its signature a model does not
// want to hear what it thought. A signature alone belongs to an empty text.
func (e *encoder) reasoning(p *transform.Part) {
	signature := e.signature(p)
	if signature == nil {
		e.lost.Drop(p.At)
		return
	}
	e.begin(roleModel)
	if empty(p.Text) {
		e.raw(`{"text":""`)
	} else {
		e.raw(`{"text":`)
		e.value(p.Text)
		e.raw(`,"thought":true`)
	}
	e.sign(signature)
	e.raw("}")
}

// call writes a call; first tells that it is the first one of its batch.
func (e *encoder) call(p *transform.Part, first bool) {
	e.begin(roleModel)
	e.raw(`{"functionCall":{`)
	e.callHead(p)
	e.raw(`,"args":`)
	e.arguments(&p.Call)
	e.raw("}")
	if signature := e.signature(p); signature != nil {
		e.sign(signature)
	} else if first && e.model.Generation >= 3 {
		e.raw(`,"thoughtSignature":"` + unsigned + `"`)
	}
	e.raw("}")
}

// callHead names a call, in the call and in its result. Ids are optional, and
// Vertex refuses them for most models.
func (e *encoder) callHead(p *transform.Part) {
	if p.Call.ID != "" && !e.vertex {
		e.raw(`"id":`)
		e.string(p.Call.ID)
		e.raw(",")
	}
	e.raw(`"name":`)
	e.string(p.Call.Name)
}

// arguments must be an object: free text and what a model that was cut short
// left are wrapped.
func (e *encoder) arguments(call *transform.ToolCall) {
	arguments := jsonbytes.Parse(call.Arguments)
	switch {
	case call.Custom:
		e.raw(`{"input":`)
	case arguments == nil:
		e.raw("{}")
		return
	case arguments.Kind() == jsonbytes.Object && jsonbytes.Check(arguments, 0) == nil:
		e.dst = jsonbytes.AppendCompact(e.dst, arguments)
		return
	default:
		e.raw(`{"arguments":`)
	}
	e.dst = jsonbytes.AppendBytes(e.dst, call.Arguments)
	e.raw("}")
}
