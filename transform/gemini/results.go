package gemini

import (
	"bytes"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// answers writes the turns between two of the model's. Gemini counts: a batch
// of calls must be followed by as many results, in one content and in the order
// of the calls. Whatever else was said comes behind them.
func (e *encoder) answers(calls []*transform.Part, turns []transform.Turn) {
	results := sortResults(turns)
	var shown []media
	for _, call := range calls {
		result := results.take(call.Call.ID)
		shown = e.result(shown, call, result)
	}
	for _, m := range shown {
		e.begin(roleUser)
		e.media(m)
	}
	for i := range turns {
		switch t := &turns[i]; {
		case t.Role != transform.RoleTool:
			e.userTurn(t)
		case !results.taken[t]:
			e.orphan(t)
		}
	}
}

// results finds the result of a call. Both are counted by the client, so it
// must not take the longer the more there are.
type results struct {
	byCall map[string][]*transform.Turn
	taken  map[*transform.Turn]bool
}

func sortResults(turns []transform.Turn) (r results) {
	for i := range turns {
		if t := &turns[i]; t.Role == transform.RoleTool {
			if r.byCall == nil {
				r.byCall, r.taken = make(map[string][]*transform.Turn), make(map[*transform.Turn]bool)
			}
			r.byCall[t.CallID] = append(r.byCall[t.CallID], t)
		}
	}
	return r
}

// take returns the result of the call of that id, else the next of no call in
// particular, else nil.
func (r *results) take(id string) *transform.Turn {
	for _, id := range [...]string{id, ""} {
		if list := r.byCall[id]; len(list) > 0 {
			r.byCall[id] = list[1:]
			r.taken[list[0]] = true
			return list[0]
		}
	}
	return nil
}

// result writes the result of a call. A call without one gets one that says so.
// Media that cannot be inside are appended to shown.
func (e *encoder) result(shown []media, call *transform.Part, t *transform.Turn) []media {
	e.begin(roleUser)
	e.Raw(`{"functionResponse":{`)
	e.callHead(call)
	e.Key("response")
	if t == nil {
		e.Raw(`{"error":"the tool gave no result"}}}`)
		return shown
	}
	e.response(t)
	inside := false
	for i := range t.Parts {
		p := &t.Parts[i]
		e.reportCache(p)
		switch p.Kind {
		case transform.PartText, transform.PartRefusal:
		case transform.PartImage, transform.PartFile, transform.PartAudio:
			m, ok := e.place(p)
			switch {
			case !ok:
			case e.model.Generation < 3 || m.data == nil:
				shown = append(shown, m)
			default:
				if !inside {
					e.Raw(`,"parts":[`)
				}
				inside, m.resolution = true, ""
				e.Comma()
				e.media(m)
			}
		default:
			e.lost.Drop(p.At)
		}
	}
	if inside {
		e.Raw("]")
	}
	e.Raw("}}")
	return shown
}

// response writes what a tool said: an object as it is, a text as the output.
func (e *encoder) response(t *transform.Turn) {
	if t.IsError {
		e.Raw(`{"error":`)
	} else {
		if object := resultObject(t); object != nil {
			// These two names have a meaning of their own.
			if object.Get("output") == nil && object.Get("error") == nil {
				e.Compact(object)
				return
			}
			e.Raw(`{"output":`)
			e.Compact(object)
			e.Raw("}")
			return
		}
		e.Raw(`{"output":`)
	}
	e.joined("", t)
	e.Raw("}")
}

// resultObject is the JSON object that a tool's text is, nil if it is none.
func resultObject(t *transform.Turn) jsonbytes.Value {
	var text transform.Literal
	for i := range t.Parts {
		p := &t.Parts[i]
		if p.Kind != transform.PartText || !p.Text.HasText() {
			continue
		}
		if text != nil {
			return nil
		}
		text = p.Text
	}
	if text == nil || bytes.IndexByte(text, '{') < 0 {
		return nil
	}
	object := jsonbytes.Parse(text.AppendText(nil))
	if object.Kind() != jsonbytes.Object || jsonbytes.Check(object, 0) != nil || object.Unique("") != nil {
		return nil
	}
	return object
}

// joined writes the texts of a turn as one string that begins with prefix, a
// text without escapes.
func (e *encoder) joined(prefix string, t *transform.Turn) {
	e.Raw(`"`)
	e.Raw(prefix)
	first := true
	for i := range t.Parts {
		p := &t.Parts[i]
		if p.Kind != transform.PartText && p.Kind != transform.PartRefusal || !p.Text.HasText() {
			continue
		}
		if !first {
			e.Raw(`\n`)
		}
		first = false
		e.Value(p.Text[1 : len(p.Text)-1])
	}
	e.Raw(`"`)
}

// orphan writes a result whose call is not there as text: Gemini would refuse it.
func (e *encoder) orphan(t *transform.Turn) {
	e.lost.Drop(t.CallAt)
	e.begin(roleUser)
	e.Raw(`{"text":`)
	e.joined(`Result of an earlier tool call: `, t)
	e.Raw("}")
	for i := range t.Parts {
		p := &t.Parts[i]
		e.reportCache(p)
		if p.Kind != transform.PartText && p.Kind != transform.PartRefusal {
			e.other(roleUser, p)
		}
	}
}
