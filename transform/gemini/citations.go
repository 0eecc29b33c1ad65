package gemini

import (
	"strconv"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
)

// maxCitations bounds what one event may blow up to: every support can name
// every source.
const maxCitations = 1024

// citer turns the citations of a candidate into Chat Completions' annotations.
type citer struct {
	text *ruler
	// starts are the bytes at which the candidate's parts begin; nil in streams,
	// where places count from the beginning of the whole text.
	starts []int
	sink   func(jsonbytes.Value)
	count  int
}

// cite reports the citations of a candidate to its sink, in their order.
func (c *citer) cite(of *candidate) {
	if jsonbytes.Check(of.grounding, 0) == nil {
		c.grounding(of.grounding)
	}
	if jsonbytes.Check(of.cited, 0) == nil {
		for _, list := range [...]string{"citationSources", "citations"} { // the Gemini API, Vertex
			for _, source := range of.cited.Get(list).Elements() {
				c.add(source, source)
			}
		}
	}
}

// grounding reads groundingMetadata: sources (chunks), and the stretches of the
// text that they support.
func (c *citer) grounding(meta jsonbytes.Value) {
	var sources []jsonbytes.Value
	for _, chunk := range meta.Get("groundingChunks").Elements() {
		var source jsonbytes.Value
		for key, value := range chunk.Members() {
			switch string(key) {
			case "web", "retrievedContext", "maps":
				source = value
			}
		}
		sources = append(sources, source)
	}
	used := make([]bool, len(sources))
	for _, support := range meta.Get("groundingSupports").Elements() {
		segment := support.Get("segment")
		for _, index := range support.Get("groundingChunkIndices").Elements() {
			if i, ok := index.Int(); ok && i >= 0 && i < int64(len(sources)) {
				used[i] = true
				c.add(sources[i], segment)
			}
		}
	}
	// A source that supports nothing in particular stands at the beginning.
	for i, source := range sources {
		if !used[i] {
			c.add(source, nil)
		}
	}
}

func (c *citer) add(source, segment jsonbytes.Value) {
	uri := source.Get("uri")
	if len(uri) <= len(`""`) || uri.Kind() != jsonbytes.String || c.count == maxCitations {
		return
	}
	c.count++
	title := source.Get("title")
	if title.Kind() != jsonbytes.String {
		title = uri
	}
	from, to := c.span(segment)
	dst := append([]byte(nil), `{"type":"url_citation","url_citation":{"start_index":`...)
	dst = strconv.AppendInt(dst, int64(from), 10)
	dst = append(dst, `,"end_index":`...)
	dst = strconv.AppendInt(dst, int64(to), 10)
	dst = append(append(dst, `,"url":`...), uri...)
	dst = append(append(dst, `,"title":`...), title...)
	c.sink(append(dst, "}}"...))
}

// span is where a segment stands, in characters of the whole text.
func (c *citer) span(segment jsonbytes.Value) (from, to int) {
	start, _ := segment.Get("startIndex").Int()
	end, _ := segment.Get("endIndex").Int()
	part, _ := segment.Get("partIndex").Int()
	start = min(max(start, 0), int64(c.text.bytes))
	end = min(max(end, start), int64(c.text.bytes))
	if part > 0 && part < int64(len(c.starts)) {
		// Places count within the part, as far as they fit into it.
		next := c.text.bytes
		if part+1 < int64(len(c.starts)) {
			next = c.starts[part+1]
		}
		if base := c.starts[part]; int(end) <= next-base {
			return c.text.chars(base + int(start)), c.text.chars(base + int(end))
		}
	}
	return c.text.chars(int(start)), c.text.chars(int(end))
}
