package anthropic

import (
	"github.com/caddyllm/llmproxy/internal/jsonbytes"
)

// webSearch is the name that the API wants for its own search tool.
const webSearch = "web_search"

// addWebSearch turns Chat Completions' web_search_options into the tool that
// Anthropic runs itself.
func (e *encoder) addWebSearch() {
	options := e.r.Leftover("web_search_options")
	if options.Kind() != jsonbytes.Object {
		return
	}
	at := e.r.At("web_search_options")
	if e.cloud || e.declared(webSearch) {
		e.r.LeaveNamed("web_search_options", e.lost)
		return
	}
	tool := tool{name: webSearch, raw: []byte(`{"type":"web_search_20250305","name":"web_search"`)}
	for name, value := range options.Members() {
		switch string(name) {
		case "user_location":
			tool.raw = appendLocation(tool.raw, value)
		default:
			e.lost.Drop(at.Key(string(name)))
		}
	}
	tool.raw = append(tool.raw, '}')
	e.tools = append(e.tools, tool)
}

// appendLocation appends a place, which Chat Completions nests in a member
// called approximate.
func appendLocation(dst []byte, location jsonbytes.Value) []byte {
	if inner := location.Get("approximate"); inner.Kind() == jsonbytes.Object {
		location = inner
	}
	if location.Kind() != jsonbytes.Object {
		return dst
	}
	dst = append(dst, `,"user_location":{"type":"approximate"`...)
	for _, name := range [...]string{"city", "country", "region", "timezone"} {
		if value := location.Get(name); value.Kind() == jsonbytes.String {
			dst = jsonbytes.AppendKey(dst, name)
			dst = append(dst, value...)
		}
	}
	return append(dst, '}')
}
