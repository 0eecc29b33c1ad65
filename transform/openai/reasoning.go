package openai

import (
	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// reasoning is the members in which providers of this format write what a
// model thought. Several may hold the same text.
type reasoning struct {
	content jsonbytes.Value // reasoning_content: DeepSeek and most others
	plain   jsonbytes.Value // reasoning: Groq, Cerebras, Ollama, OpenRouter
	details jsonbytes.Value // reasoning_details: OpenRouter, ours
	blocks  jsonbytes.Value // thinking_blocks: LiteLLM
}

func (r *reasoning) take(name string, v jsonbytes.Value) bool {
	switch name {
	case "reasoning_content":
		r.content = v
	case "reasoning":
		r.plain = v
	case "reasoning_details":
		r.details = v
	case "thinking_blocks":
		r.blocks = v
	default:
		return false
	}
	return true
}

// text is the reasoning as one string, nil if there is none.
func (r *reasoning) text() transform.Literal {
	for _, v := range [...]jsonbytes.Value{r.content, r.plain} {
		if v.Kind() == jsonbytes.String && len(v) > len(`""`) {
			return v
		}
	}
	return nil
}

// The values of format, with which OpenRouter says whose a detail is.
const (
	formatAnthropic = "anthropic-claude-v1"
	formatGoogle    = "google-gemini-v1"
	formatOpenAI    = "openai-responses-v1"
	formatAmazon    = "amazon-converse-v1" // ours: OpenRouter has none
)

func formatOf(v transform.Vendor) string {
	switch v {
	case transform.VendorAnthropic:
		return formatAnthropic
	case transform.VendorGoogle:
		return formatGoogle
	case transform.VendorOpenAI:
		return formatOpenAI
	case transform.VendorAmazon:
		return formatAmazon
	}
	return "unknown"
}

func vendorOf(format jsonbytes.Value) transform.Vendor {
	switch {
	case format.Is(formatAnthropic), format == nil: // who gave none was Anthropic
		return transform.VendorAnthropic
	case format.Is(formatGoogle):
		return transform.VendorGoogle
	case format.Is(formatOpenAI):
		return transform.VendorOpenAI
	case format.Is(formatAmazon):
		return transform.VendorAmazon
	}
	return ""
}

// detail is one element of reasoning_details.
type detail struct {
	text   transform.Literal // nil: none
	opaque transform.Opaque
	index  int64 // of the block that it belongs to; -1: not said
	callID string
	known  bool
}

// readDetail takes an element apart. An opaque piece whose maker is unknown is
// of use to nobody and leaves known false, unless there is text too.
func readDetail(v jsonbytes.Value) detail {
	d := detail{index: -1, known: true}
	if n, ok := v.Get("index").Int(); ok {
		d.index = n
	}
	vendor := vendorOf(v.Get("format"))
	switch kind := v.Get("type"); {
	case kind.Is("reasoning.text"):
		d.text = v.Get("text").NonEmpty()
		if signature := v.Get("signature").NonEmpty(); signature != nil {
			d.opaque = transform.Opaque{Vendor: vendor, Kind: transform.OpaqueSignature, Data: signature}
		}
	case kind.Is("reasoning.summary"):
		d.text = v.Get("summary").NonEmpty()
	case kind.Is("reasoning.encrypted"):
		if data := v.Get("data").NonEmpty(); data != nil {
			d.opaque = transform.Opaque{Vendor: vendor, Kind: transform.OpaqueRedacted, Data: data}
		}
		if vendor == transform.VendorGoogle {
			// Google encrypts nothing: these are its thought signatures, with
			// the id of the call that they belong to.
			d.opaque.Kind = transform.OpaqueSignature
			d.callID, _ = v.Get("id").Text()
		}
	default:
		d.known = false
	}
	if d.opaque.Kind != transform.OpaqueNone && d.opaque.Vendor == "" {
		d.opaque = transform.Opaque{}
		d.known = d.text != nil
	}
	return d
}

// parts appends the reasoning as parts, each text once. Clients that gather a
// stream return its details piece by piece: those of one block are joined.
func (r *reasoning) parts(dst []transform.Part, at *transform.Path, lost *transform.Losses) []transform.Part {
	first, hasText := len(dst), false
	add := func(p transform.Part) {
		p.Kind = transform.PartReasoning
		hasText = hasText || p.Text != nil
		dst = append(dst, p)
	}
	details, last := at.Key("reasoning_details"), int64(-1)
	for i, v := range r.details.Elements() {
		d, here := readDetail(v), details.Index(i)
		d.opaque.At = here
		switch {
		case d.callID != "": // of a call: see signCalls
		case !d.known:
			lost.Drop(here)
		case len(dst) > first && continues(&dst[len(dst)-1], last, &d):
			joined := &dst[len(dst)-1]
			joined.Text = jsonbytes.Concat(joined.Text, d.text)
			joined.Opaque = d.opaque
			hasText = hasText || joined.Text != nil
		case d.text != nil || d.opaque.Kind != transform.OpaqueNone:
			add(transform.Part{Text: d.text, Opaque: d.opaque, At: here})
		}
		last = d.index
	}
	if len(dst) == first {
		blocks := at.Key("thinking_blocks")
		for i, v := range r.blocks.Elements() {
			part, ok := thinkingPart(v)
			part.At = blocks.Index(i)
			part.Opaque.At = part.At
			if !ok {
				lost.Drop(part.At)
				continue
			}
			add(part)
		}
	}
	if said := r.text(); said != nil && !hasText {
		dst = withText(dst, first, said, at.Key("reasoning_content"))
	}
	return dst
}

// signCalls gives calls the signatures that came as details with a call's id.
func (r *reasoning) signCalls(parts []transform.Part, at *transform.Path, lost *transform.Losses) {
	if r.details == nil {
		return
	}
	details := at.Key("reasoning_details")
	var calls map[string]int
	for i, v := range r.details.Elements() {
		d := readDetail(v)
		if d.callID == "" {
			continue
		}
		if calls == nil {
			calls = callsByID(parts)
		}
		of, ok := calls[d.callID]
		if !ok {
			lost.Drop(details.Index(i))
		} else if parts[of].Opaque.Kind == transform.OpaqueNone {
			parts[of].Opaque = d.opaque
			parts[of].Opaque.At = details.Index(i)
		}
	}
}

func callsByID(parts []transform.Part) map[string]int {
	calls := make(map[string]int)
	for i := range parts {
		if parts[i].Kind == transform.PartToolCall {
			calls[parts[i].Call.ID] = i
		}
	}
	return calls
}

// continues tells whether a detail is a further piece of the part before it.
func continues(part *transform.Part, last int64, d *detail) bool {
	return part.Opaque.Kind == transform.OpaqueNone && d.opaque.Kind != transform.OpaqueRedacted && d.index == last
}

// withText adds text that came apart from the pieces that vouch for it: to the
// one signature there is, else as a part before them.
func withText(dst []transform.Part, first int, said transform.Literal, at transform.Path) []transform.Part {
	if len(dst) == first+1 && dst[first].Opaque.Kind == transform.OpaqueSignature {
		dst[first].Text = said
		return dst
	}
	dst = append(dst, transform.Part{})
	copy(dst[first+1:], dst[first:])
	dst[first] = transform.Part{Kind: transform.PartReasoning, Text: said, At: at}
	return dst
}

// thinkingPart reads a block in Anthropic's form, {type, thinking, signature}
// or {type, data}, or in Mistral's, whose thinking is a list of texts.
func thinkingPart(v jsonbytes.Value) (part transform.Part, ok bool) {
	part.Kind = transform.PartReasoning
	thinking := v.Get("thinking")
	switch {
	case v.Get("type").Is("redacted_thinking"):
		data := v.Get("data").NonEmpty()
		part.Opaque = transform.Opaque{Vendor: transform.VendorAnthropic, Kind: transform.OpaqueRedacted, Data: data}
		return part, data != nil
	case thinking.Kind() == jsonbytes.String:
		part.Text = thinking.NonEmpty()
		if signature := v.Get("signature").NonEmpty(); signature != nil {
			part.Opaque = transform.Opaque{Vendor: transform.VendorAnthropic, Kind: transform.OpaqueSignature, Data: signature}
		}
		return part, true
	case thinking.Kind() == jsonbytes.Array:
		for _, e := range thinking.Elements() {
			part.Text = jsonbytes.Concat(part.Text, e.Get("text").NonEmpty())
		}
		return part, true
	}
	return part, false
}

// reasoned reads what an assistant message says that the model thought.
func (d *requestDecoder) reasoned(turn *transform.Turn, m *message) error {
	if m.reasoning.details == nil && m.reasoning.blocks == nil && m.reasoning.content == nil && m.reasoning.plain == nil {
		return nil // as nearly always
	}
	lists := [...]struct {
		name string
		v    jsonbytes.Value
	}{{"reasoning_details", m.reasoning.details}, {"thinking_blocks", m.reasoning.blocks}}
	for _, list := range lists {
		at := turn.At.Key(list.name)
		if list.v != nil && list.v.Kind() != jsonbytes.Array {
			return WrongType(at, "an array", list.v)
		}
		for i, e := range list.v.Elements() {
			if err := Object(e, at.Index(i)); err != nil {
				return err
			}
		}
	}
	if v := m.reasoning.content; v != nil && v.Kind() != jsonbytes.String {
		return WrongType(turn.At.Key("reasoning_content"), "a string", v)
	}
	if v := m.reasoning.plain; v != nil && v.Kind() != jsonbytes.String {
		return WrongType(turn.At.Key("reasoning"), "a string", v)
	}
	turn.Parts = m.reasoning.parts(turn.Parts, &turn.At, d.lost)
	return nil
}
