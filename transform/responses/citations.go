package responses

import (
	"github.com/caddyllm/llmproxy/internal/jsonbytes"
)

// The neutral form of a citation is Chat Completions', in which what is cited
// is nested: {"type":"url_citation","url_citation":{…}}. Here it is flat.

// nestCitation is the neutral form of an annotation, nil if that is none of a page.
func nestCitation(v jsonbytes.Value) jsonbytes.Value {
	if !v.Get("type").Is("url_citation") || !v.Get("url").HasText() {
		return nil
	}
	dst := appendCitation([]byte(`{"type":"url_citation","url_citation":{`), v)
	return append(dst, `}}`...)
}

// appendAnnotation writes a citation in this format's form. It writes nothing,
// and says so, if the citation is none of a page.
func appendAnnotation(dst []byte, citation jsonbytes.Value) ([]byte, bool) {
	if inner := citation.Get("url_citation"); inner.Kind() == jsonbytes.Object {
		citation = inner
	}
	if !citation.Get("url").HasText() {
		return dst, false
	}
	dst = append(dst, `{"type":"url_citation",`...)
	dst = appendCitation(dst, citation)
	return append(dst, '}'), true
}

// appendCitation writes the members that both forms have. Clients count on all
// of them.
func appendCitation(dst []byte, v jsonbytes.Value) []byte {
	dst = append(dst, `"start_index":`...)
	dst = appendIndex(dst, v.Get("start_index"))
	dst = append(dst, `,"end_index":`...)
	dst = appendIndex(dst, v.Get("end_index"))
	dst = append(dst, `,"url":`...)
	dst = appendLiteral(dst, v.Get("url"))
	dst = append(dst, `,"title":`...)
	return appendLiteral(dst, v.Get("title"))
}

func appendIndex(dst []byte, v jsonbytes.Value) []byte {
	n, _ := v.Int()
	return appendInt(dst, max(n, 0))
}

// appendLiteral splices a string, or an empty one in its place.
func appendLiteral(dst []byte, v jsonbytes.Value) []byte {
	if v.Kind() != jsonbytes.String || jsonbytes.Check(v, 1) != nil {
		return append(dst, `""`...)
	}
	return append(dst, v...)
}
