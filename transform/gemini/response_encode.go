package gemini

import (
	"strconv"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// AppendResponse writes a GenerateContentResponse.
func (Codec) AppendResponse(dst []byte, a *transform.Response, r *transform.Request) []byte {
	dst = append(dst, `{"candidates":[`...)
	choices := a.Choices
	if len(choices) == 0 {
		choices = []transform.Choice{{}} // clients read the first without asking
	}
	for i := range choices {
		dst = appendChoice(commaAfter(dst), &choices[i])
	}
	dst = append(dst, `],"usageMetadata":`...)
	dst = appendUsage(dst, a.Usage, a.ServiceTier)
	return appendNames(dst, orModel(a.Model, r), a.ID)
}

// appendNames ends an answer or an event of a stream.
func appendNames(dst []byte, model, id string) []byte {
	dst = append(dst, `,"modelVersion":`...)
	dst = jsonbytes.AppendString(dst, model)
	dst = append(dst, `,"responseId":`...)
	if id == "" {
		id = newResponseID()
	}
	return append(jsonbytes.AppendString(dst, id), '}')
}

func appendChoice(dst []byte, c *transform.Choice) []byte {
	w := choiceWriter{dst: append(dst, `{"content":{"parts":[`...)}
	for i := range c.Parts {
		w.part(&c.Parts[i])
	}
	w.end()
	dst = append(w.dst, `],"role":"model"},"finishReason":"`...)
	dst = append(dst, finishWord(c.Finish, w.refused, w.broken)...)
	dst = append(dst, `","index":`...)
	dst = strconv.AppendInt(dst, int64(c.Index), 10)
	dst = w.cited.append(dst, &w.ruler, w.pieces)
	dst = appendLogprobsResult(dst, c.Logprobs)
	return append(dst, '}')
}

// choiceWriter writes the parts of a whole answer.
type choiceWriter struct {
	dst     []byte
	parts   int // written
	refused bool
	broken  bool // a call cannot be read

	// text is what was said and is not written yet: what citations cut into
	// pieces is one part again.
	text []byte
	// loose is a piece of another vendor without a text: it travels on the part
	// that follows, for clients do not keep parts with nothing to show.
	loose transform.Literal

	ruler  ruler
	pieces []piece
	cited  grounding
}

func (w *choiceWriter) part(p *transform.Part) {
	switch p.Kind {
	case transform.PartCitation:
		w.cited.add(p.Citation)
	case transform.PartText, transform.PartRefusal:
		w.refused = w.refused || p.Kind == transform.PartRefusal
		w.say(p)
	case transform.PartReasoning:
		w.flush()
		w.think(p)
	case transform.PartToolCall:
		w.flush()
		w.call(p)
	default:
		w.flush()
		w.media(p)
	}
}

func (w *choiceWriter) say(p *transform.Part) {
	signature := seal(&p.Opaque)
	if !p.Text.HasText() && signature == nil {
		return
	}
	if signature != nil {
		w.flush()
		w.spoken(p.Text, signature)
		return
	}
	if w.text == nil {
		w.text = append(w.text, '"')
	}
	w.text = append(w.text, p.Text[1:len(p.Text)-1]...)
}

// flush writes the text that was gathered.
func (w *choiceWriter) flush() {
	if w.text == nil {
		return
	}
	w.spoken(append(w.text, '"'), w.takeLoose())
	w.text = nil
}

func (w *choiceWriter) spoken(text, signature transform.Literal) {
	w.writeLoose()
	w.pieces = append(w.pieces, piece{part: w.parts, from: w.ruler.bytes})
	if text.HasText() {
		w.ruler.add(text)
	}
	w.dst = appendTextPart(w.dst, text, false, signature)
	w.parts++
}

// think writes reasoning. Google's signature without a text is that of nothing
// in particular.
func (w *choiceWriter) think(p *transform.Part) {
	signature := seal(&p.Opaque)
	switch {
	case !p.Text.HasText() && signature == nil:
		return
	case !p.Text.HasText() && p.Opaque.Vendor != home:
		w.writeLoose()
		w.loose = signature
		return
	}
	w.writeLoose()
	w.dst = appendTextPart(w.dst, p.Text, p.Text.HasText(), signature)
	w.parts++
}

func (w *choiceWriter) call(p *transform.Part) {
	text := p.Call.Arguments
	if p.Call.Custom {
		text = append(jsonbytes.AppendBytes([]byte(`{"input":`), text), '}')
	}
	arguments, ok := callArguments(text)
	w.broken = w.broken || !ok
	signature := seal(&p.Opaque)
	if signature == nil {
		signature = w.takeLoose()
	}
	w.writeLoose()
	w.dst = appendCallPart(w.dst, p.Call.ID, p.Call.Name, arguments, signature)
	w.parts++
}

func (w *choiceWriter) media(p *transform.Part) {
	if p.Media.Data == nil && p.Media.URL == "" {
		return
	}
	w.writeLoose()
	w.dst = appendMediaPart(w.dst, p)
	w.parts++
}

// appendMediaPart writes a picture, a file or a sound, of which there is one.
func appendMediaPart(dst []byte, p *transform.Part) []byte {
	m := &p.Media
	dst = commaAfter(dst)
	if m.Data != nil {
		mime := m.Type
		if mime == "" {
			mime = sniff(m.Data)
		}
		dst = append(dst, `{"inlineData":{"mimeType":`...)
		dst = jsonbytes.AppendString(dst, mime)
		dst = append(dst, `,"data":`...)
		dst = jsonbytes.AppendBytes(dst, m.Data)
	} else {
		dst = append(dst, `{"fileData":{"fileUri":`...)
		dst = jsonbytes.AppendString(dst, m.URL)
		if m.Type != "" {
			dst = append(dst, `,"mimeType":`...)
			dst = jsonbytes.AppendString(dst, m.Type)
		}
	}
	dst = append(dst, '}')
	return append(appendSignature(dst, seal(&p.Opaque)), '}')
}

func (w *choiceWriter) takeLoose() transform.Literal {
	piece := w.loose
	w.loose = nil
	return piece
}

func (w *choiceWriter) writeLoose() {
	if w.loose != nil {
		w.dst = appendTextPart(w.dst, nil, true, w.takeLoose())
		w.parts++
	}
}

// end writes what waits. There is always a part: many clients read the first
// one without asking.
func (w *choiceWriter) end() {
	w.flush()
	w.writeLoose()
	if w.parts == 0 {
		w.dst = appendTextPart(w.dst, nil, false, nil)
	}
}
