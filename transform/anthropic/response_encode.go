package anthropic

import (
	"strings"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// AppendResponse writes a message. The format has one answer: the first.
func (Codec) AppendResponse(dst []byte, a *transform.Response, r *transform.Request) []byte {
	var choice transform.Choice
	if len(a.Choices) > 0 {
		choice = a.Choices[0]
	}
	dst = append(dst, `{"id":`...)
	dst = jsonbytes.AppendString(dst, messageID(a.ID))
	dst = append(dst, `,"type":"message","role":"assistant","model":`...)
	dst = jsonbytes.AppendString(dst, modelOf(a.Model, r))
	dst = append(dst, `,"content":[`...)
	dst = appendContent(dst, choice.Parts)
	dst = append(dst, `],"stop_reason":"`...)
	reason := stopReason(choice.Finish, choice.StopSequence, hasPart(choice.Parts, transform.PartToolCall), hasPart(choice.Parts, transform.PartRefusal))
	dst = append(dst, reason...)
	dst = append(dst, `","stop_sequence":`...)
	dst = appendOrNull(dst, sequenceOf(reason, choice.StopSequence))
	// Typed clients count on members that have nothing to say, too.
	dst = append(dst, `,"stop_details":null,"container":null,"usage":`...)
	dst = appendUsage(dst, a.Usage, a.ServiceTier)
	return append(dst, '}')
}

// messageID is the provider's id in the form of the format.
func messageID(id string) string {
	const prefix = "msg_"
	switch {
	case id == "":
		return transform.NewID(prefix)
	case strings.HasPrefix(id, prefix):
		return id
	}
	return prefix + id
}

func modelOf(model string, r *transform.Request) string {
	if model == "" && r != nil {
		return r.Model
	}
	return model
}

func hasPart(parts []transform.Part, kind transform.PartKind) bool {
	for i := range parts {
		if parts[i].Kind == kind {
			return true
		}
	}
	return false
}

// appendContent writes the blocks of an answer in the order of its parts.
func appendContent(dst []byte, parts []transform.Part) []byte {
	for i := range parts {
		p := &parts[i]
		switch p.Kind {
		case transform.PartText, transform.PartRefusal:
			// Google signs texts too; the piece finds back by itself.
			dst = appendSignature(dst, &p.Opaque, "")
			if p.Text.HasText() {
				dst = jsonbytes.AppendComma(dst)
				dst = append(dst, `{"type":"text","text":`...)
				dst = append(dst, p.Text...)
				dst = appendCitations(dst, parts[i+1:])
				dst = append(dst, '}')
			}
		case transform.PartReasoning:
			dst = appendReasoning(dst, p)
		case transform.PartToolCall:
			dst = appendSignature(dst, &p.Opaque, "")
			dst = jsonbytes.AppendComma(dst)
			dst = appendCallStart(dst, &p.Call)
			dst = appendInput(dst, &p.Call)
			dst = append(dst, '}')
		case transform.PartImage:
			dst = appendImage(dst, &p.Media)
		}
	}
	return dst
}

// appendReasoning writes what the model thought, or what stands in its place.
func appendReasoning(dst []byte, p *transform.Part) []byte {
	o := &p.Opaque
	signed := o.Kind != transform.OpaqueNone && len(o.Data) >= len(`""`)
	redacted := signed && o.Kind == transform.OpaqueRedacted && o.Vendor == transform.VendorAnthropic
	if p.Text.HasText() || signed && !redacted {
		dst = jsonbytes.AppendComma(dst)
		dst = append(dst, `{"type":"thinking","thinking":`...)
		dst = appendLiteral(dst, p.Text)
		dst = append(dst, `,"signature":`...)
		if signed && !redacted {
			dst = append(dst, o.Seal(transform.VendorAnthropic)...)
		} else {
			dst = append(dst, `""`...)
		}
		dst = append(dst, '}')
	}
	if redacted {
		dst = jsonbytes.AppendComma(dst)
		dst = append(dst, `{"type":"redacted_thinking","data":`...)
		dst = append(dst, o.Data...)
		dst = append(dst, '}')
	}
	return dst
}

// appendSignature writes what vouches for a text or a call as thinking of its
// own, which clients return before it: see signCalls. id is that of a call
// which does not come next.
func appendSignature(dst []byte, o *transform.Opaque, id string) []byte {
	if o.Kind != transform.OpaqueSignature || len(o.Data) < len(`""`) {
		return dst
	}
	return appendReasoning(dst, &transform.Part{Opaque: withID(o, id)})
}

func withID(o *transform.Opaque, id string) transform.Opaque {
	piece := *o
	if id != "" {
		piece.ID = id
	}
	return piece
}

// appendCallStart writes a tool_use up to its input.
func appendCallStart(dst []byte, call *transform.ToolCall) []byte {
	id := call.ID
	if id == "" {
		id = transform.NewID("toolu_")
	}
	dst = append(dst, `{"type":"tool_use","id":`...)
	dst = jsonbytes.AppendString(dst, id)
	dst = append(dst, `,"name":`...)
	dst = jsonbytes.AppendString(dst, call.Name)
	return append(dst, `,"input":`...)
}

// appendInput writes arguments, which must be an object here: free text and
// what a model that was cut short left are wrapped.
func appendInput(dst []byte, call *transform.ToolCall) []byte {
	arguments := jsonbytes.Parse(call.Arguments)
	switch {
	case call.Custom:
		dst = append(dst, `{"input":`...)
	case arguments.Empty():
		return append(dst, `{}`...)
	case arguments.Kind() == jsonbytes.Object && jsonbytes.Check(arguments, 0) == nil:
		return jsonbytes.AppendCompact(dst, arguments)
	default:
		dst = append(dst, `{"arguments":`...)
	}
	dst = jsonbytes.AppendBytes(dst, call.Arguments)
	return append(dst, '}')
}

// appendImage writes a picture that a model drew as text, because the format
// has no other place for it.
func appendImage(dst []byte, m *transform.Media) []byte {
	link := imageLink(m)
	if link == nil {
		return dst
	}
	dst = jsonbytes.AppendComma(dst)
	dst = append(dst, `{"type":"text","text":`...)
	dst = append(dst, link...)
	return append(dst, '}')
}

// imageLink is a Markdown link to a picture, nil if there is none.
func imageLink(m *transform.Media) transform.Literal {
	url := m.URL
	if url == "" && len(m.Data) > 0 {
		url = "data:" + m.Type + ";base64," + string(m.Data)
	}
	if url == "" {
		return nil
	}
	return transform.Quote("![image](" + url + ")")
}

// appendCitations writes the citations up to the next text, which are those of
// the text before them.
func appendCitations(dst []byte, parts []transform.Part) []byte {
	n := 0
	for i := range parts {
		if parts[i].Kind == transform.PartText {
			break
		}
		if parts[i].Kind != transform.PartCitation {
			continue
		}
		before := len(dst)
		if n == 0 {
			dst = append(dst, `,"citations":[`...)
		} else {
			dst = append(dst, ',')
		}
		var ok bool
		if dst, ok = appendCitation(dst, parts[i].Citation); !ok {
			dst = dst[:before]
			continue
		}
		n++
	}
	if n > 0 {
		dst = append(dst, ']')
	}
	return dst
}
