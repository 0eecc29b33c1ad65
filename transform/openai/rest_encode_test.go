package openai

import (
	"slices"
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/transform"
)

func TestMembersAreSentToModelsThatKnowThem(t *testing.T) {
	search := `{"search_context_size":"low"}`
	other := transform.Target{Model: "gpt-6"}
	at := func(model string) transform.Target {
		return transform.Target{Model: model, Vendor: transform.VendorOpenAI}
	}
	for _, test := range []struct {
		name, value string
		to          transform.Target
		sent        bool
	}{
		{"web_search_options", search, at("gpt-6"), false},
		{"web_search_options", search, at("gpt-4o"), false},
		{"web_search_options", search, at("gpt-4o-search-preview"), true},
		{"web_search_options", search, at("gpt-5-search-api"), true},
		{"web_search_options", search, other, true},
		{"web_search_options", `true`, other, false},
		{"metadata", `{"a":"b"}`, at("gpt-6"), true},
		{"metadata", `"a"`, at("gpt-6"), false},
		{"prompt_cache_key", `"k"`, at("gpt-6"), true},
		{"prompt_cache_key", `{"k":1}`, at("gpt-6"), false},
		{"context_management", `{"edits":[]}`, at("gpt-6"), false},
		{"store", `"yes"`, at("gpt-6"), false},
	} {
		r := &transform.Request{
			Turns: []transform.Turn{{Parts: []transform.Part{said("hi")}}},
			Rest:  []transform.Member{{Name: test.name, Value: []byte(test.value)}},
		}
		body, lost := encode(t, r, test.to)
		if sent := strings.Contains(body, `"`+test.name+`":`+test.value); sent != test.sent {
			t.Errorf("%s %s to %s: %s", test.name, test.value, test.to.Model, body)
		}
		if told := slices.Contains(lost.Dropped, "/"+test.name); told == test.sent {
			t.Errorf("%s %s to %s: dropped %v", test.name, test.value, test.to.Model, lost.Dropped)
		}
	}
}
