package anthropic

import (
	"strconv"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
)

// beginAnnotation appends a citation as Chat Completions' url_citation, but
// for its end. It is false for citations of documents, which have no URL.
func beginAnnotation(dst []byte, citation jsonbytes.Value) ([]byte, bool) {
	url := citation.Get("url")
	if !citation.Get("type").Is("web_search_result_location") || !isLiteral(url) {
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

// endAnnotation appends the rest. The format does not say where in the text a
// citation belongs, only to which block; start and end are that block's, in
// characters of the whole text.
func endAnnotation(dst []byte, start, end int) []byte {
	dst = append(dst, `,"start_index":`...)
	dst = strconv.AppendInt(dst, int64(start), 10)
	dst = append(dst, `,"end_index":`...)
	dst = strconv.AppendInt(dst, int64(end), 10)
	return append(dst, `}}`...)
}

// isLiteral tells whether value is a string that may be spliced as it is.
func isLiteral(value jsonbytes.Value) bool {
	return value.Kind() == jsonbytes.String && jsonbytes.Check(value, 1) == nil
}

// appendCitation appends Chat Completions' url_citation as a citation of a
// search result. What was cited, and the index that Anthropic gives its own
// results, is not known. It is false for annotations of other kinds.
func appendCitation(dst []byte, annotation jsonbytes.Value) ([]byte, bool) {
	source := annotation.Get("url_citation")
	if source.Kind() != jsonbytes.Object {
		source = annotation // Responses does not nest it
	}
	url := source.Get("url")
	if !annotation.Get("type").Is("url_citation") || !isLiteral(url) {
		return dst, false
	}
	dst = append(dst, `{"type":"web_search_result_location","cited_text":"","url":`...)
	dst = append(dst, url...)
	dst = append(dst, `,"title":`...)
	if title := source.Get("title"); isLiteral(title) {
		dst = append(dst, title...)
	} else {
		dst = append(dst, "null"...)
	}
	return append(dst, `,"encrypted_index":""}`...), true
}
