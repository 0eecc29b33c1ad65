package anthropic

import (
	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform/blocks"
)

// citationOf is a citation as blocks.Citation; nil for those of documents.
func citationOf(v jsonbytes.Value) []byte {
	if !v.Get("type").Is("web_search_result_location") {
		return nil
	}
	return blocks.Citation(v.Get("url"), v.Get("title"))
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
	if !annotation.Get("type").Is("url_citation") || !url.Spliceable() {
		return dst, false
	}
	dst = append(dst, `{"type":"web_search_result_location","cited_text":"","url":`...)
	dst = append(dst, url...)
	dst = append(dst, `,"title":`...)
	if title := source.Get("title"); title.Spliceable() {
		dst = append(dst, title...)
	} else {
		dst = append(dst, "null"...)
	}
	return append(dst, `,"encrypted_index":""}`...), true
}
