package converse

import (
	"strconv"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
)

// beginAnnotation appends a citation as Chat Completions' url_citation, but
// for its end. It is false for citations of documents, which have no URL.
func beginAnnotation(dst []byte, citation jsonbytes.Value) ([]byte, bool) {
	url := citation.Get("location").Get("web").Get("url")
	if !isLiteral(url) {
		return dst, false
	}
	dst = append(dst, `{"type":"url_citation","url_citation":{"url":`...)
	dst = append(dst, url...)
	dst = append(dst, `,"title":`...)
	if title := citation.Get("title"); isLiteral(title) {
		dst = append(dst, title...)
	} else {
		dst = append(dst, `""`...)
	}
	return dst, true
}

// endAnnotation appends the rest. The format says to which block a citation
// belongs; start and end are that block's, in characters of the whole text.
func endAnnotation(dst []byte, start, end int) []byte {
	dst = append(dst, `,"start_index":`...)
	dst = strconv.AppendInt(dst, int64(start), 10)
	dst = append(dst, `,"end_index":`...)
	dst = strconv.AppendInt(dst, int64(end), 10)
	return append(dst, `}}`...)
}
