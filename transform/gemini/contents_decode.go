package gemini

import (
	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// contents reads the conversation.
func (d *requestDecoder) contents(f *field) error {
	err := f.each(d.content)
	if err == nil && (len(d.r.Turns) == 0 || d.r.Turns[len(d.r.Turns)-1].Role == transform.RoleSystem) {
		err = badRequest(f.at, "is empty: send at least one content with a part")
	}
	return err
}

// content is a Content, taken apart: parts are what each walks.
type content struct {
	field
	role field
}

// takeContent takes a content apart. A text, or a part that stands in place of
// a content, is the only part of one.
func (d *requestDecoder) takeContent(v jsonbytes.Value, at *transform.Path) (c content, err error) {
	if v.Kind() == jsonbytes.String || v.Get("parts") == nil && v.Get("role") == nil {
		c.value, c.at = v, *at
		return c, nil
	}
	err = members(v, at, func(f *field) error {
		switch f.name {
		case "role":
			c.role = *f
		case "parts":
			c.field = *f
		default:
			d.lost.Drop(f.at)
		}
		return nil
	})
	if c.value == nil {
		c.value = jsonbytes.Value("[]")
	}
	return c, err
}

// speaker reads who speaks. Results of calls may come from function, the older
// word for what is the user's now.
func (c *content) speaker() (transform.Role, error) {
	switch role, err := c.role.value, error(nil); {
	case role == nil:
		return c.silent(), nil
	case role.Is(roleUser), role.Is("function"), role.Is(""):
		return transform.RoleUser, nil
	case role.Is(roleModel):
		return transform.RoleAssistant, nil
	default:
		if _, err = c.role.text(); err == nil {
			err = badRequest(c.role.at, "must be user or model")
		}
		return 0, err
	}
}

// silent is who speaks in a content that does not say: only models call.
func (c *content) silent() transform.Role {
	for _, v := range c.value.Elements() {
		if v.Get("functionCall") != nil || v.Get("function_call") != nil {
			return transform.RoleAssistant
		}
	}
	return transform.RoleUser
}

// content reads content number i. Results become turns of their own, before
// what else the user said: formats want them directly behind the calls.
func (d *requestDecoder) content(i int, v jsonbytes.Value, at *transform.Path) error {
	c, err := d.takeContent(v, at)
	if err != nil {
		return err
	}
	role, err := c.speaker()
	if err != nil {
		return err
	}
	s := speech{requestDecoder: d, role: role, number: i}
	last := len(d.r.Turns) - 1
	goesOn := role == transform.RoleAssistant && d.open
	switch {
	case goesOn:
		s.parts = d.r.Turns[last].Parts
	case role == transform.RoleAssistant:
		d.batch = batch{}
	}
	if err := c.each(s.part); err != nil {
		return err
	}
	switch turn := (transform.Turn{Role: role, Parts: s.parts, At: *at}); {
	case goesOn:
		d.r.Turns[last].Parts = s.parts
	case role == transform.RoleAssistant && len(s.parts) > 0:
		d.r.Turns = append(d.r.Turns, turn)
		d.open = true
	case role == transform.RoleUser:
		d.open = d.open && len(s.parts)+len(s.results) == 0
		d.r.Turns = append(d.r.Turns, s.results...)
		if len(s.parts) > 0 {
			d.r.Turns = append(d.r.Turns, turn)
		}
		return nil
	}
	if len(s.results) > 0 { // of a model that answers itself
		d.open = false
		d.r.Turns = append(d.r.Turns, s.results...)
	}
	return nil
}

// speech is what one content says.
type speech struct {
	*requestDecoder
	role   transform.Role
	number int // of the content
	calls  int // in the content
	parts  []transform.Part
	first  bool // the part being read is the first of the content
	// results are the turns that its functionResponses become.
	results []transform.Turn
}

func (s *speech) add(p transform.Part) { s.parts = append(s.parts, p) }

// last is the part before, nil if there is none.
func (s *speech) last() *transform.Part {
	if len(s.parts) == 0 {
		return nil
	}
	return &s.parts[len(s.parts)-1]
}

// text adds a text. What the model said in pieces is joined again, pieces being
// contents of their own.
func (s *speech) text(text transform.Literal, signature transform.Opaque, at transform.Path) {
	signed := signature.Kind != transform.OpaqueNone
	if !text.HasText() {
		if signed { // alone, at the end of an answer
			s.add(transform.Part{Kind: transform.PartReasoning, Opaque: signature, At: at})
		}
		return
	}
	before := s.last()
	if s.role == transform.RoleAssistant && s.first && before != nil && !signed &&
		before.Kind == transform.PartText && before.Opaque.Kind == transform.OpaqueNone {
		before.Text = jsonbytes.Concat(before.Text, text)
		return
	}
	s.add(transform.Part{Kind: transform.PartText, Text: text, Opaque: signature, At: at})
}

// thought adds reasoning. Pieces of it are joined up to the one with the
// signature, which vouches for all of them. Google's own is for its part alone.
func (s *speech) thought(text transform.Literal, signature transform.Opaque, at transform.Path) {
	if !text.HasText() {
		text = nil
	}
	before := s.last()
	joins := before != nil && before.Kind == transform.PartReasoning && before.Opaque.Kind == transform.OpaqueNone &&
		(signature.Kind == transform.OpaqueNone || signature.Kind == transform.OpaqueSignature && signature.Vendor != home)
	switch {
	case joins:
		before.Text = jsonbytes.Concat(before.Text, text)
		before.Opaque = signature
	case text != nil || signature.Kind != transform.OpaqueNone:
		s.add(transform.Part{Kind: transform.PartReasoning, Text: text, Opaque: signature, At: at})
	}
}
