package cohere

import (
	"bytes"
	"strconv"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
)

// maxCitations bounds what one answer may cite: every citation can name every source.
const maxCitations = 1024

// citer turns citations into Chat Completions' annotations. Only sources with a
// URL can be told: documents that the client sent itself mostly have none.
type citer struct{ count int }

func (c *citer) cite(v jsonbytes.Value, sink func(jsonbytes.Value)) {
	// Those of plans and thoughts count their places in another text.
	if kind := v.Get("type"); kind.Kind() == jsonbytes.String && !kind.Is("TEXT_CONTENT") {
		return
	}
	from, _ := v.Get("start").Int()
	to, _ := v.Get("end").Int()
	for _, source := range v.Get("sources").Elements() {
		document := source.Get("document")
		if document == nil {
			document = source.Get("tool_output")
		}
		url := document.Get("url")
		if !isWeb(url) || c.count == maxCitations {
			continue
		}
		c.count++
		title := document.Get("title").NonEmpty()
		if title == nil {
			title = url
		}
		dst := append([]byte(nil), `{"type":"url_citation","url_citation":{"start_index":`...)
		dst = strconv.AppendInt(dst, max(from, 0), 10)
		dst = append(dst, `,"end_index":`...)
		dst = strconv.AppendInt(dst, max(to, from, 0), 10)
		dst = append(append(dst, `,"url":`...), url...)
		dst = append(append(dst, `,"title":`...), title...)
		sink(append(dst, "}}"...))
	}
}

func isWeb(url jsonbytes.Value) bool {
	return url.Kind() == jsonbytes.String && (bytes.HasPrefix(url, []byte(`"https:`)) || bytes.HasPrefix(url, []byte(`"http:`)))
}
