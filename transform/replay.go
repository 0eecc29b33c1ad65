package transform

import (
	"unicode/utf8"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
)

// pieceBytes is about how much of a text one delta of a replay carries: readers
// of event streams bound their lines.
const pieceBytes = 8 << 10

// Replay appends the deltas of a stream that says the answer. [Collect] makes the
// same answer of them, but for citations that stand apart from a text: in a
// stream those of the text before them follow it at once.
func Replay(dst []Delta, a *Response) []Delta {
	dst = append(dst, Delta{
		Kind: DeltaStart, ID: a.ID, Model: a.Model, Created: a.Created, ServiceTier: a.ServiceTier, Usage: a.Usage,
	})
	for i := range a.Choices {
		dst = replayChoice(dst, &a.Choices[i])
	}
	return append(dst, Delta{Kind: DeltaUsage, Usage: a.Usage})
}

func replayChoice(dst []Delta, c *Choice) []Delta {
	tools, logged, said := 0, len(c.Logprobs) == 0, false
	for i := range c.Parts {
		p := &c.Parts[i]
		at := Delta{Choice: c.Index, Part: i, Tool: tools}
		switch p.Kind {
		case PartText:
			dst = appendSaid(dst, at, DeltaText, p)
			if !logged && p.Text.HasText() {
				logged = true
				dst = append(dst, at.logprobs(c.Logprobs))
			}
			dst = appendCitations(dst, at, c.Parts[i+1:])
			said = true
		case PartReasoning:
			dst = appendSaid(dst, at, DeltaReasoning, p)
		case PartRefusal:
			dst = appendSaid(dst, at, DeltaRefusal, p)
		case PartToolCall:
			dst = appendCall(dst, at, p)
			tools++
		case PartCitation:
			if said {
				continue // it came with its text
			}
			at.Kind, at.Citation = DeltaCitation, p.Citation
			dst = append(dst, at)
			continue
		case PartImage, PartFile, PartAudio:
			at.Kind, at.Media = DeltaMedia, p
			dst = append(dst, at)
		}
		dst = append(dst, Delta{Kind: DeltaPartEnd, Choice: c.Index, Part: i, Tool: at.Tool})
	}
	if !logged {
		at := Delta{Choice: c.Index, Part: max(len(c.Parts)-1, 0)}
		dst = append(dst, at.logprobs(c.Logprobs))
	}
	return append(dst, Delta{Kind: DeltaFinish, Choice: c.Index, Finish: c.Finish, StopSequence: c.StopSequence})
}

func (d Delta) logprobs(v jsonbytes.Value) Delta {
	d.Kind, d.Logprobs = DeltaLogprobs, v
	return d
}

// appendSaid says what a part does, and then what vouches for it.
func appendSaid(dst []Delta, at Delta, kind DeltaKind, p *Part) []Delta {
	at.Kind = kind
	for rest := p.Text; rest.HasText(); {
		at.Text, rest = cutLiteral(rest, pieceBytes)
		dst = append(dst, at)
	}
	if p.Opaque.Kind != OpaqueNone {
		dst = append(dst, Delta{Kind: DeltaOpaque, Choice: at.Choice, Part: at.Part, Tool: at.Tool, Opaque: p.Opaque})
	}
	return dst
}

func appendCall(dst []Delta, at Delta, p *Part) []Delta {
	start := at
	start.Kind, start.Call, start.Opaque = DeltaToolStart, p.Call, p.Opaque
	start.Call.Arguments = nil
	dst = append(dst, start)
	at.Kind = DeltaToolArguments
	for rest := Literal(jsonbytes.AppendBytes(nil, p.Call.Arguments)); rest.HasText(); {
		at.Text, rest = cutLiteral(rest, pieceBytes)
		dst = append(dst, at)
	}
	return dst
}

// appendCitations says the citations up to the next text.
func appendCitations(dst []Delta, at Delta, parts []Part) []Delta {
	at.Kind = DeltaCitation
	for i := range parts {
		switch parts[i].Kind {
		case PartText:
			return dst
		case PartCitation:
			at.Citation = parts[i].Citation
			dst = append(dst, at)
		}
	}
	return dst
}

// cutLiteral cuts a literal in two of which the first has about so many bytes. It
// cuts no character: not every client puts the halves together again.
func cutLiteral(v Literal, size int) (first, rest Literal) {
	if len(v) <= size+len(`""`) {
		return v, nil
	}
	inside := v[1 : len(v)-1]
	at := 0
	for at < size && at < len(inside) {
		if inside[at] != '\\' {
			_, n := utf8.DecodeRune(inside[at:])
			at += n
			continue
		}
		n := escapeBytes(inside[at:])
		if n == len(`\u0000`) && isHighSurrogate(inside[at:]) {
			n += escapeBytes(inside[at+n:])
		}
		at += n
	}
	if at >= len(inside) {
		return v, nil
	}
	return quoted(inside[:at]), quoted(inside[at:])
}

// escapeBytes is the length of the escape that text begins with, 0 if there is none.
func escapeBytes(text []byte) int {
	switch {
	case len(text) < 2 || text[0] != '\\':
		return 0
	case text[1] == 'u':
		return min(len(`\u0000`), len(text))
	}
	return 2
}

func isHighSurrogate(escape []byte) bool {
	return len(escape) >= len(`\u0000`) && (escape[2] == 'd' || escape[2] == 'D') &&
		('8' <= escape[3] && escape[3] <= '9' || 'a' <= escape[3]|0x20 && escape[3]|0x20 <= 'b')
}
