package gemini

import (
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
	e := encoder{Writer: jsonbytes.Writer{Out: dst}, r: r, to: to, lost: lost, vertex: c.Vertex, model: catalog.LookupGemini(to.Model)}
	e.extras()
	e.Raw("{")
	// What stays the same from turn to turn comes first.
	turns := e.system(transform.WithoutBilling(r.Turns, lost))
	e.tools()
	e.contents(turns)
	e.config()
	e.settings()
	e.Raw("}")
	return e.Out, nil
}

// encoder writes one request.
type encoder struct {
	jsonbytes.Writer
	r      *transform.Request
	to     transform.Target
	lost   *transform.Losses
	vertex bool
	model  catalog.Gemini
	extra  extra
	// role is that of the content being written, empty before the first.
	role string
}

func (e *encoder) drop(name string)   { e.lost.Drop(e.r.At(name)) }
func (e *encoder) refuse(name string) { e.lost.Refuse(e.r.At(name)) }

// nested writes an object or array as a member, and leaves it out if fill
// writes nothing into it.
func (e *encoder) nested(name, brackets string, fill func()) {
	before := len(e.Out)
	e.Key(name)
	e.Raw(brackets[:1])
	inside := len(e.Out)
	fill()
	if len(e.Out) == inside {
		e.Out = e.Out[:before]
		return
	}
	e.Raw(brackets[1:])
}

// system writes the leading system turns and returns the turns behind them.
func (e *encoder) system(turns []transform.Turn) []transform.Turn {
	n := 0
	for n < len(turns) && turns[n].Role.IsSystem() {
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
	case p.Text.HasText():
		e.Comma()
		e.Raw(`{"text":`)
		e.Value(p.Text)
		e.Raw(`}`)
	}
}

// reportName reports a speaker's name: the format has no place for it.
func (e *encoder) reportName(t *transform.Turn) {
	e.lost.DropName(t)
}

// reportCache reports a cache mark. Gemini caches prefixes by itself.
func (e *encoder) reportCache(p *transform.Part) {
	e.lost.DropMark(p.Cache)
}
