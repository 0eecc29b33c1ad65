package gemini

import (
	"bytes"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// clientPart is a Part of a request, taken apart.
type clientPart struct {
	// data is what it holds, the member that gives it its kind; absent if it
	// holds nothing that another format has.
	data      field
	thought   bool
	signature transform.Opaque
	detail    string // OpenAI's word for the resolution
	detailAt  transform.Path
}

// readPart takes a part apart. A string stands for a part with that text.
func (d *requestDecoder) readPart(v jsonbytes.Value, at *transform.Path) (p clientPart, err error) {
	if v.Kind() == jsonbytes.String {
		p.data = field{name: "text", value: v, at: *at}
		return p, nil
	}
	err = members(v, at, func(f *field) (err error) {
		switch f.name {
		case "text", "inlineData", "fileData", "functionCall", "functionResponse", "executableCode", "codeExecutionResult":
			if p.data.value != nil {
				return badRequest(*at, "holds two kinds of data: send each in a part of its own")
			}
			p.data = *f
			if f.name == "text" && f.value.Kind() != jsonbytes.String {
				return wrongType(f.at, "a string")
			}
		case "thought":
			p.thought, err = f.boolean()
		case "thoughtSignature":
			var data transform.Literal
			if data, err = f.literal(); err == nil && data.HasText() {
				p.signature = unseal(data)
				p.signature.At = f.at
			}
		case "mediaResolution":
			p.detailAt = f.at
			p.detail, err = d.resolution(f)
		default: // videoMetadata, partMetadata, toolCall, toolResponse and the like
			d.lost.Drop(f.at)
		}
		return err
	})
	return p, err
}

// unseal reads a signature. Google's Python SDK keeps bytes and writes them in
// the alphabet for URLs.
func unseal(data transform.Literal) transform.Opaque {
	if bytes.IndexByte(data, '\\') >= 0 {
		data = jsonbytes.AppendBytes(nil, data.AppendText(nil))
	}
	if bytes.ContainsAny(data, "-_") {
		usual := transform.Literal(usualAlphabet(data))
		if piece := transform.Unseal(usual, home); !bytes.Equal(piece.Data, usual) {
			return piece
		}
	}
	return transform.Unseal(data, home)
}

// usualAlphabet turns base64 for URLs into that of everybody else.
func usualAlphabet(data []byte) []byte {
	out := bytes.ReplaceAll(data, []byte("-"), []byte("+"))
	for i, c := range out {
		if c == '_' {
			out[i] = '/'
		}
	}
	return out
}

// resolution reads {level}, or the level alone, as OpenAI's detail.
func (d *requestDecoder) resolution(f *field) (detail string, err error) {
	level := func(f *field) error {
		switch word, err := f.enum(resolutions); {
		case err != nil:
			return err
		case word == "MEDIA_RESOLUTION_LOW":
			detail = "low"
		case word == "MEDIA_RESOLUTION_HIGH":
			detail = "high"
		case word == "MEDIA_RESOLUTION_UNSPECIFIED":
		default:
			d.lost.Drop(f.at)
		}
		return nil
	}
	if f.value.Kind() == jsonbytes.String {
		return detail, level(f)
	}
	err = members(f.value, &f.at, func(f *field) error {
		if f.name == "level" {
			return level(f)
		}
		d.lost.Drop(f.at)
		return nil
	})
	return detail, err
}

// part reads a part. A piece of another vendor belongs to reasoning, wherever
// it travelled: only Google signs anything else.
func (s *speech) part(i int, v jsonbytes.Value, at *transform.Path) error {
	s.first = i == 0
	p, err := s.readPart(v, at)
	if err != nil {
		return err
	}
	out := transform.Part{Opaque: p.signature, At: *at}
	thought := p.thought && s.role == transform.RoleAssistant && p.data.name == "text"
	if p.signature.Kind != transform.OpaqueNone && p.signature.Vendor != home && !thought {
		s.thought(nil, p.signature, *at)
		out.Opaque = transform.Opaque{}
	}
	switch p.data.name {
	case "text":
		if thought {
			s.thought(p.data.value, out.Opaque, *at)
		} else {
			s.text(p.data.value, out.Opaque, *at)
		}
		return nil
	case "inlineData", "fileData":
		err = s.media(&out, &p)
	case "functionCall":
		if s.role != transform.RoleAssistant {
			s.lost.Refuse(p.data.at) // only a model calls
			return nil
		}
		out.Kind = transform.PartToolCall
		err = s.functionCall(&out.Call, &p.data)
	case "functionResponse":
		return s.functionResponse(&p.data)
	case "executableCode", "codeExecutionResult":
		return s.code(&p.data, out.Opaque)
	default:
		// Nothing, or a signature alone: Google's Go SDK leaves out empty texts.
		s.text(nil, out.Opaque, *at)
		return nil
	}
	s.add(out)
	return err
}

// code reads code that the model ran, or its output, as the text as which it
// was shown. No other provider would know it for what it was.
func (s *speech) code(f *field, signature transform.Opaque) error {
	s.lost.Drop(f.at)
	p := part{code: f.value}
	if f.name == "codeExecutionResult" {
		p = part{result: f.value}
	}
	text, err := p.codeText()
	if err != nil {
		return badRequest(f.at, "cannot be read")
	}
	s.text(text, signature, f.at)
	return nil
}

// media reads {mimeType, data, displayName} or {mimeType, fileUri, displayName}.
func (s *speech) media(out *transform.Part, p *clientPart) error {
	m := &out.Media
	at := p.data.at
	err := members(p.data.value, &at, func(f *field) (err error) {
		switch {
		case f.name == "mimeType":
			m.Type, err = f.text()
		case f.name == "displayName":
			m.NameAt = f.at
			m.Name, err = f.text()
		case f.name == "data" && p.data.name == "inlineData":
			m.Data, err = f.data()
		case f.name == "fileUri" && p.data.name == "fileData":
			m.URL, err = f.text()
		default:
			s.lost.Drop(f.at)
		}
		return err
	})
	switch {
	case err != nil:
		return err
	case p.data.name == "fileData" && m.URL == "":
		return missing(at.Key("fileUri"))
	case p.data.name == "inlineData" && len(m.Data) == 0:
		return missing(at.Key("data"))
	}
	if mime := mimeOf(m); m.Type == "" {
		m.Type = mime
	}
	if m.Type == "" && m.Data != nil {
		if m.Type = sniff(m.Data); m.Type == "" {
			return missing(at.Key("mimeType"))
		}
	}
	out.Kind = kindOfMedia(m.Type)
	m.Detail, m.DetailAt = p.detail, p.detailAt
	return nil
}

// data reads base64, in either alphabet.
func (f *field) data() ([]byte, error) {
	if f.value.Kind() != jsonbytes.String {
		return nil, wrongType(f.at, "a string of base64")
	}
	data := f.value[1 : len(f.value)-1]
	if bytes.IndexByte(data, '\\') >= 0 {
		// Escapes may hide what cannot stand between quotes.
		data = f.value.AppendText(nil)
		for _, c := range data {
			if c < ' ' || c == '"' || c == '\\' {
				return nil, badRequest(f.at, "must be base64")
			}
		}
	}
	if bytes.IndexByte(data, '-') >= 0 || bytes.IndexByte(data, '_') >= 0 {
		return usualAlphabet(data), nil
	}
	return data, nil
}
