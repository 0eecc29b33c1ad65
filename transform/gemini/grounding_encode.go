package gemini

import (
	"bytes"
	"strconv"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
)

// grounding gathers Chat Completions' annotations, which become the
// groundingMetadata of a candidate: sources, and the stretches of the text that
// they support.
type grounding struct {
	sources  []source
	supports []support
}

type source struct{ url, title jsonbytes.Value }

type support struct {
	source   int
	from, to int // in characters of the whole text
}

// add takes a citation, unless it is not of the web. It may be changed afterwards.
func (g *grounding) add(v jsonbytes.Value) {
	if len(g.supports) >= maxCitations || len(g.sources) >= maxCitations || jsonbytes.Check(v, 0) != nil {
		return
	}
	if inner := v.Get("url_citation"); inner.Kind() == jsonbytes.Object {
		v = inner
	}
	url := v.Get("url")
	if url.Kind() != jsonbytes.String || !url.HasText() {
		return
	}
	at := g.find(url)
	if at < 0 {
		at = len(g.sources)
		title := v.Get("title")
		if title.Kind() != jsonbytes.String {
			title = url
		}
		g.sources = append(g.sources, source{bytes.Clone(url), bytes.Clone(title)})
	}
	from, _ := v.Get("start_index").Int()
	to, _ := v.Get("end_index").Int()
	if from >= 0 && to > from && to < maxText {
		g.supports = append(g.supports, support{source: at, from: int(from), to: int(to)})
	}
}

// maxText is more characters than any answer has.
const maxText = 1 << 31

func (g *grounding) find(url jsonbytes.Value) int {
	for i := range g.sources {
		if bytes.Equal(g.sources[i].url, url) {
			return i
		}
	}
	return -1
}

// piece is a part with text: its number among the parts, and where it begins in
// the whole text.
type piece struct{ part, from int }

// append writes the groundingMetadata as a member of a candidate, nothing if
// there were no citations. Google places them by bytes, in the part that pieces
// say; without pieces, as in streams, in the whole text.
func (g *grounding) append(dst []byte, text *ruler, pieces []piece) []byte {
	if len(g.sources) == 0 {
		return dst
	}
	dst = append(dst, `,"groundingMetadata":{"groundingChunks":[`...)
	for i := range g.sources {
		dst = commaAfter(dst)
		dst = append(append(dst, `{"web":{"uri":`...), g.sources[i].url...)
		dst = append(append(dst, `,"title":`...), g.sources[i].title...)
		dst = append(dst, "}}"...)
	}
	dst = append(dst, `],"groundingSupports":[`...)
	for _, s := range g.supports {
		var in piece
		from, to := text.offset(s.from), text.offset(s.to)
		for _, p := range pieces {
			if p.from <= from {
				in = p
			}
		}
		dst = commaAfter(dst)
		dst = append(dst, `{"segment":{"startIndex":`...)
		dst = strconv.AppendInt(dst, int64(from-in.from), 10)
		dst = append(dst, `,"endIndex":`...)
		dst = strconv.AppendInt(dst, int64(to-in.from), 10)
		if in.part > 0 {
			dst = append(dst, `,"partIndex":`...)
			dst = strconv.AppendInt(dst, int64(in.part), 10)
		}
		dst = append(dst, `},"groundingChunkIndices":[`...)
		dst = strconv.AppendInt(dst, int64(s.source), 10)
		dst = append(dst, "]}"...)
	}
	return append(dst, "]}"...)
}
