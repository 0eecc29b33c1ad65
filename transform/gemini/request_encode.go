package gemini

import (
	"strconv"

	"github.com/caddyllm/llmproxy/catalog"
	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

func noTurns() error {
	return &transform.Error{
		Kind: transform.ErrBadRequest, Param: "messages",
		Message: "the conversation is empty: send at least one message",
	}
}

// AppendRequest writes r as the body of :generateContent or
// :streamGenerateContent; the model and the wish for a stream are in the path.
func (c Codec) AppendRequest(dst []byte, r *transform.Request, to transform.Target, lost *transform.Losses) ([]byte, error) {
	if len(r.Turns) == 0 {
		return dst, noTurns()
	}
	e := encoder{dst: dst, r: r, to: to, lost: lost, vertex: c.Vertex, model: catalog.LookupGemini(to.Model)}
	e.extras()
	e.raw("{")
	// What stays the same from turn to turn comes first.
	turns := e.system(transform.WithoutBilling(r.Turns, lost))
	e.tools()
	e.contents(turns)
	e.config()
	e.settings()
	e.raw("}")
	return e.dst, nil
}

// encoder writes one request.
type encoder struct {
	dst    []byte
	r      *transform.Request
	to     transform.Target
	lost   *transform.Losses
	vertex bool
	model  catalog.Gemini
	extra  extra
	// role is that of the content being written, empty before the first.
	role string
}

func (e *encoder) raw(s string)    { e.dst = append(e.dst, s...) }
func (e *encoder) value(v []byte)  { e.dst = append(e.dst, v...) }
func (e *encoder) string(s string) { e.dst = jsonbytes.AppendString(e.dst, s) }
func (e *encoder) int(n int64)     { e.dst = strconv.AppendInt(e.dst, n, 10) }

func (e *encoder) drop(name string)   { e.lost.Drop(e.r.At(name)) }
func (e *encoder) refuse(name string) { e.lost.Refuse(e.r.At(name)) }

// comma separates from what stands before, if anything does: no value ends
// with an opening bracket.
func (e *encoder) comma() {
	if c := e.dst[len(e.dst)-1]; c != '{' && c != '[' {
		e.raw(",")
	}
}

// key begins a member of the object being written. name needs no escapes.
func (e *encoder) key(name string) {
	e.comma()
	e.raw(`"`)
	e.raw(name)
	e.raw(`":`)
}

// nested writes an object or array as a member, and leaves it out if fill
// writes nothing into it.
func (e *encoder) nested(name, brackets string, fill func()) {
	before := len(e.dst)
	e.key(name)
	e.raw(brackets[:1])
	inside := len(e.dst)
	fill()
	if len(e.dst) == inside {
		e.dst = e.dst[:before]
		return
	}
	e.raw(brackets[1:])
}

// system writes the leading system turns and returns the turns behind them.
func (e *encoder) system(turns []transform.Turn) []transform.Turn {
	n := 0
	for n < len(turns) && isSystem(turns[n].Role) {
		n++
	}
	if e.model.NoSystem {
		return turns // they become the first user's text
	}
	e.nested("systemInstruction", "{}", func() {
		e.nested("parts", "[]", func() {
			for i := range turns[:n] {
				e.reportName(&turns[i])
				for j := range turns[i].Parts {
					e.systemPart(&turns[i].Parts[j])
				}
			}
		})
	})
	return turns[n:]
}

func (e *encoder) systemPart(p *transform.Part) {
	e.reportCache(p)
	switch {
	case p.Kind != transform.PartText && p.Kind != transform.PartRefusal:
		e.lost.Refuse(p.At) // an instruction is text
	case !empty(p.Text):
		e.comma()
		e.raw(`{"text":`)
		e.value(p.Text)
		e.raw(`}`)
	}
}

func isSystem(role transform.Role) bool {
	return role == transform.RoleSystem || role == transform.RoleDeveloper
}

func empty(text transform.Literal) bool { return len(text) <= len(`""`) }

// reportName reports a speaker's name: the format has no place for it.
func (e *encoder) reportName(t *transform.Turn) {
	if t.Name != "" {
		e.lost.Drop(t.At.Key("name"))
	}
}

// reportCache reports a cache mark. Gemini caches prefixes by itself.
func (e *encoder) reportCache(p *transform.Part) {
	if p.Cache != nil {
		e.lost.Drop(p.Cache.At)
	}
}
