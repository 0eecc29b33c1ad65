package gemini

import (
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
	e.Key("contents")
	e.Raw("[")
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
		e.Raw(`{"text":" "}`)
	}
	e.Raw("]}]")
}

// begin makes ready for a part of that role: parts are what contents consist
// of, so that there are no empty ones. The first content must be the user's.
func (e *encoder) begin(role string) {
	switch {
	case e.role == role:
		e.Comma()
		return
	case e.role != "":
		e.Raw("]},")
	case role == roleModel:
		e.Raw(`{"role":"user","parts":[{"text":" "}]},`)
	}
	e.role = role
	e.Raw(`{"role":"`)
	e.Raw(role)
	e.Raw(`","parts":[`)
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
		e.to.Vendor != transform.VendorGoogle || !o.Data.HasText() {
		return nil
	}
	return o.Data
}

func (e *encoder) text(role string, p *transform.Part) {
	signature := e.signature(p)
	if !p.Text.HasText() && signature == nil || role == roleUser && !p.Text.HasText() {
		return
	}
	e.begin(role)
	e.Raw(`{"text":`)
	if !p.Text.HasText() {
		e.Raw(`""`)
	} else {
		e.Value(p.Text)
	}
	if role == roleModel && signature != nil {
		e.sign(signature)
	}
	e.Raw("}")
}

func (e *encoder) sign(signature transform.Literal) {
	e.Key("thoughtSignature")
	e.Value(signature)
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
	if !p.Text.HasText() {
		e.Raw(`{"text":""`)
	} else {
		e.Raw(`{"text":`)
		e.Value(p.Text)
		e.Raw(`,"thought":true`)
	}
	e.sign(signature)
	e.Raw("}")
}

// call writes a call; first tells that it is the first one of its batch.
func (e *encoder) call(p *transform.Part, first bool) {
	e.begin(roleModel)
	e.Raw(`{"functionCall":{`)
	e.callHead(p)
	e.Key("args")
	e.Compact(p.Call.ArgumentsObject())
	e.Raw("}")
	if signature := e.signature(p); signature != nil {
		e.sign(signature)
	} else if first && e.model.Generation >= 3 {
		e.Raw(`,"thoughtSignature":"` + unsigned + `"`)
	}
	e.Raw("}")
}

// callHead names a call, in the call and in its result. Ids are optional, and
// Vertex refuses them for most models.
func (e *encoder) callHead(p *transform.Part) {
	if p.Call.ID != "" && !e.vertex {
		e.Raw(`"id":`)
		e.String(p.Call.ID)
		e.Raw(",")
	}
	e.Raw(`"name":`)
	e.String(p.Call.Name)
}
