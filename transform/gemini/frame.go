package gemini

import (
	"errors"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
)

// Bounds of what one event may make us remember; the API gives at most 8
// candidates.
const (
	maxCandidates = 64
	maxParts      = 1 << 14
)

// errNoAnswer means that a text is no answer of this format at all.
var errNoAnswer = errors.New("gemini: not a generateContent answer")

// frame is one GenerateContentResponse: a whole answer or an event of a stream.
// Its values point into the text that it was read from.
type frame struct {
	id, model, created jsonbytes.Value
	// usage keeps what earlier frames told: later ones count on, and may leave
	// out what has not changed.
	usage counts
	// blocked is why the prompt was refused; there are no candidates then.
	blocked    jsonbytes.Value
	err        jsonbytes.Value
	candidates []candidate
	parts      []part // of all candidates, one after the other
}

// candidate is one of the answers.
type candidate struct {
	index     int
	from, to  int // its parts
	finish    jsonbytes.Value
	grounding jsonbytes.Value
	cited     jsonbytes.Value
	logprobs  jsonbytes.Value
}

// part is one Part. The text and the signature are checked literals, nil if
// there are none; the rest is checked where it is used.
type part struct {
	text, signature jsonbytes.Value
	thought         bool
	call            jsonbytes.Value
	inline, file    jsonbytes.Value
	code, result    jsonbytes.Value
}

// read reads one object and makes sure of the texts that will be spliced into others.
func (f *frame) read(text []byte) error {
	if err := f.walk(text); err != nil {
		return err
	}
	for i := range f.parts {
		p := &f.parts[i]
		if !checked(&p.text) || !checked(&p.signature) {
			return errNoAnswer
		}
		if p.thought {
			// Thoughts are told as text; images among them are drafts.
			p.inline, p.file, p.code, p.result = nil, nil, nil, nil
		}
	}
	return nil
}

// walk finds the members of one object. Some errors come as an array that holds
// the object.
func (f *frame) walk(text []byte) error {
	*f = frame{usage: f.usage, candidates: f.candidates[:0], parts: f.parts[:0]}
	w := walker{text: text}
	if w.peek() == '[' {
		w.enter('[')
		for w.element() {
			f.object(&w)
		}
	} else {
		f.object(&w)
	}
	if w.peek() != 0 || w.bad || w.at < len(text) {
		return errNoAnswer
	}
	return nil
}

// checked tells whether a string may stand in another text, and takes values of
// other kinds for absent.
func checked(v *jsonbytes.Value) bool {
	if v.Kind() != jsonbytes.String {
		*v = nil
		return true
	}
	return len(*v) == len(`""`) || jsonbytes.Check(*v, 1) == nil
}

func (f *frame) object(w *walker) {
	if w.peek() != '{' {
		w.bad = true
		return
	}
	w.enter('{')
	for key, ok := w.key(); ok; key, ok = w.key() {
		switch string(key) {
		case "candidates":
			if w.enter('[') {
				for w.element() {
					f.candidate(w)
				}
			}
		case "usageMetadata":
			f.usage.read(w)
		case "responseId":
			f.id = w.value()
		case "modelVersion":
			f.model = w.value()
		case "createTime":
			f.created = w.value()
		case "promptFeedback":
			f.blocked = w.value().Get("blockReason")
		case "error":
			f.err = w.value()
		default:
			w.skip()
		}
	}
}

func (f *frame) candidate(w *walker) {
	if !w.enter('{') {
		return
	}
	if len(f.candidates) == maxCandidates {
		w.bad = true
		return
	}
	// Where there is no index, as in all answers of Vertex, the order counts.
	c := candidate{index: len(f.candidates), from: len(f.parts)}
	for key, ok := w.key(); ok; key, ok = w.key() {
		switch string(key) {
		case "content":
			f.content(w)
		case "index":
			if i, ok := w.value().Int(); ok && i >= 0 && i < maxCandidates {
				c.index = int(i)
			}
		case "finishReason":
			c.finish = w.value()
		case "groundingMetadata":
			c.grounding = w.value()
		case "citationMetadata":
			c.cited = w.value()
		case "logprobsResult":
			c.logprobs = w.value()
		default:
			w.skip()
		}
	}
	c.to = len(f.parts)
	f.candidates = append(f.candidates, c)
}

func (f *frame) content(w *walker) {
	if !w.enter('{') {
		return
	}
	for key, ok := w.key(); ok; key, ok = w.key() {
		if string(key) != "parts" {
			w.skip()
			continue
		}
		if w.enter('[') {
			for w.element() {
				f.part(w)
			}
		}
	}
}

func (f *frame) part(w *walker) {
	if !w.enter('{') {
		return
	}
	if len(f.parts) == maxParts {
		w.bad = true
		return
	}
	f.parts = append(f.parts, part{})
	p := &f.parts[len(f.parts)-1]
	for key, ok := w.key(); ok; key, ok = w.key() {
		switch string(key) {
		case "text":
			p.text = w.value()
		case "thought":
			p.thought = string(w.value()) == "true"
		case "thoughtSignature":
			p.signature = w.value()
		case "functionCall":
			p.call = w.value()
		case "inlineData":
			p.inline = w.value()
		case "fileData":
			p.file = w.value()
		case "executableCode":
			p.code = w.value()
		case "codeExecutionResult":
			p.result = w.value()
		default:
			w.skip()
		}
	}
}
