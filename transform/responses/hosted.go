package responses

import (
	"strings"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/transform/openai"
)

// Tools that OpenAI runs are offers: beside tools of the client's a model can do
// without them. See [transform.Request.Spares].

// clientRuns tells whether a tool that OpenAI's models know by themselves is run
// by the client, which counts on it.
func clientRuns(kind string) bool {
	switch kind {
	case "local_shell", "shell", "apply_patch":
		return true
	}
	return strings.HasPrefix(kind, "computer")
}

// webSearch is what formats with names for such tools call the search.
const webSearch = "web_search"

// hostedChoice reads the choice of a tool of OpenAI's: {type}. The search can be
// chosen in other formats too if there is nothing else to choose.
func (d *requestDecoder) hostedChoice(v jsonbytes.Value, at transform.Path) error {
	word, _ := v.Get("type").Text()
	if d.options == 0 || len(d.r.Tools) > 0 || !strings.HasPrefix(word, webSearch) {
		d.lost.Refuse(at)
		return openai.Object(v, at)
	}
	d.r.ToolChoice = transform.ToolChoice{Mode: transform.ToolsNamed, Name: webSearch}
	return d.eachMember(v, at, func(name string, _ jsonbytes.Value, here transform.Path) error {
		if name != "type" {
			d.lost.Drop(here)
		}
		return nil
	})
}

// searches tells whether a choice is that of the search, by its name in formats
// that have one.
func searches(r *transform.Request, choice *transform.ToolChoice) bool {
	if choice.Mode != transform.ToolsNamed || choice.Name != webSearch || r.Leftover("web_search_options").Kind() != jsonbytes.Object {
		return false
	}
	for i := range r.Tools {
		if r.Tools[i].Name == webSearch {
			return false
		}
	}
	return true
}
