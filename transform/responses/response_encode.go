package responses

import (
	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// AppendResponse writes a whole response. Reasoning goes out as summaries, what
// vouches for it as encrypted_content, which clients return unread.
func (Codec) AppendResponse(dst []byte, a *transform.Response, r *transform.Request) []byte {
	v := newEnvelope(a.ID, a.Model, a.ServiceTier, a.Created, r)
	var c transform.Choice
	if len(a.Choices) > 0 {
		c = a.Choices[0] // the format has no others
	}
	end := endingOf(c.Finish)
	w := answerWriter{dst: v.open(dst, end), tail: v.tail, r: r, choice: &c, last: end.status}
	w.items()
	return v.close(w.dst, &a.Usage)
}

// answerWriter writes the output of one answer.
type answerWriter struct {
	dst    []byte
	tail   string
	r      *transform.Request
	choice *transform.Choice
	last   string // the status of the last item
	count  int    // of items
	used   map[string]bool
	logged bool // the logprobs are written, with the first text
}

func (w *answerWriter) items() {
	parts := w.choice.Parts
	for i := 0; i < len(parts); {
		p, next := &parts[i], i+1
		switch p.Kind {
		case transform.PartText, transform.PartRefusal:
			for next < len(parts) && inMessage(parts[next].Kind) {
				next++
			}
			w.message(parts[i:next], parts[next:])
		case transform.PartReasoning:
			w.reasoning(p)
		case transform.PartToolCall:
			w.call(p, i == len(parts)-1)
		case transform.PartImage:
			w.image(&p.Media)
		}
		i = next
	}
}

func inMessage(kind transform.PartKind) bool {
	return kind == transform.PartText || kind == transform.PartRefusal || kind == transform.PartCitation
}

// begin separates items and names the next one.
func (w *answerWriter) begin(prefix string) (id []byte) {
	if w.count > 0 {
		w.dst = append(w.dst, ',')
	}
	id = appendItemID(nil, prefix, w.tail, w.count)
	w.count++
	return id
}

// message writes parts as one message. Citations that come later, after calls
// as in Chat Completions, are of its last text if no other text follows.
func (w *answerWriter) message(parts, rest []transform.Part) {
	var late []transform.Part
	for i := range rest {
		if rest[i].Kind == transform.PartText {
			late = nil
			break
		}
		if rest[i].Kind == transform.PartCitation {
			late = append(late, rest[i])
		}
	}
	lastText := -1
	for i := range parts {
		if parts[i].Kind == transform.PartText {
			lastText = i
		}
	}
	var content []byte
	for i := range parts {
		p := &parts[i]
		if p.Kind == transform.PartCitation || len(p.Text) < len(`""`) {
			continue
		}
		if len(content) > 0 {
			content = append(content, ',')
		}
		text := p.Text[1 : len(p.Text)-1]
		if p.Kind == transform.PartRefusal {
			content = appendRefusal(content, text)
			continue
		}
		notes := citationsAfter(nil, parts[i+1:])
		if i == lastText {
			notes = appendCitations(notes, late)
		}
		var logprobs []byte
		if !w.logged {
			logprobs, w.logged = logprobsOf(w.choice.Logprobs), true
		}
		content = appendOutputText(content, text, notes, logprobs)
	}
	// What vouches for a text comes before it, where calls have it too.
	for i := range parts {
		if parts[i].Kind == transform.PartText && parts[i].Opaque.Kind != transform.OpaqueNone {
			w.signature(&parts[i].Opaque, "")
		}
	}
	if len(content) == 0 {
		return
	}
	status := completed
	if len(rest) == 0 {
		status = w.last
	}
	w.dst = appendMessage(w.dst, w.begin(prefixMessage), status, content)
}

// citationsAfter writes the citations up to the next text.
func citationsAfter(dst []byte, parts []transform.Part) []byte {
	for i := range parts {
		if parts[i].Kind == transform.PartText {
			return appendCitations(dst, parts[:i])
		}
	}
	return appendCitations(dst, parts)
}

func appendCitations(dst []byte, parts []transform.Part) []byte {
	for i := range parts {
		if parts[i].Kind != transform.PartCitation {
			continue
		}
		before := len(dst)
		if before > 0 {
			dst = append(dst, ',')
		}
		var ok bool
		if dst, ok = appendAnnotation(dst, parts[i].Citation); !ok {
			dst = dst[:before]
		}
	}
	return dst
}

func (w *answerWriter) reasoning(p *transform.Part) {
	var summary []byte
	if p.Text.HasText() {
		summary = appendSummary(nil, p.Text[1:len(p.Text)-1])
	}
	id := w.begin(prefixOwnReasoning)
	if o := &p.Opaque; o.Vendor == transform.VendorOpenAI && o.ID != "" && !w.used[o.ID] {
		if w.used == nil {
			w.used = make(map[string]bool)
		}
		w.used[o.ID] = true
		id = jsonbytes.AppendString(nil, o.ID)
	}
	w.dst = appendReasoning(w.dst, id, summary, &p.Opaque)
}

// signature writes what vouches for a call or a text as an item of its own.
func (w *answerWriter) signature(o *transform.Opaque, callID string) {
	signed := *o
	signed.ID = callID
	w.dst = appendReasoning(w.dst, w.begin(prefixOwnReasoning), nil, &signed)
}

func (w *answerWriter) call(p *transform.Part, last bool) {
	call := p.Call
	if call.ID == "" {
		call.ID = "call_" + w.tail + "_" + string(appendInt(nil, int64(w.count)))
	}
	if p.Opaque.Kind != transform.OpaqueNone {
		w.signature(&p.Opaque, call.ID)
	}
	if !call.Custom && w.r.IsCustomTool(call.Name) {
		call.Custom, call.Arguments = true, transform.FreeText(call.Arguments)
	}
	if len(call.Arguments) == 0 && !call.Custom {
		call.Arguments = []byte("{}")
	}
	prefix, status := prefixCall, completed
	if call.Custom {
		prefix = prefixCustom
	}
	if last {
		status = w.last
	}
	arguments := jsonbytes.AppendBytes(nil, call.Arguments)
	namespace := rename(w.r, &call)
	w.dst = appendCall(w.dst, w.begin(prefix), status, namespace, &call, arguments[1:len(arguments)-1])
}

// image writes a picture as OpenAI's own tool gives it.
func (w *answerWriter) image(m *transform.Media) {
	if m.Data == nil {
		return
	}
	w.dst = appendImage(w.dst, w.begin(prefixImage), completed, m.Data)
}

// appendImage writes an item with a picture, in base64.
func appendImage(dst, id []byte, status string, data []byte) []byte {
	dst = append(dst, `{"id":`...)
	dst = append(dst, id...)
	dst = append(dst, `,"type":"image_generation_call","status":"`...)
	dst = append(dst, status...)
	if len(data) == 0 {
		return append(dst, `","result":null}`...)
	}
	dst = append(dst, `","result":"`...)
	dst = append(dst, data...)
	return append(dst, `"}`...)
}
