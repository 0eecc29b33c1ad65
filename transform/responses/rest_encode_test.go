package responses

import (
	"slices"
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/transform"
)

func TestMembersOfOtherFormatsAreNotMistakenForOwn(t *testing.T) {
	for _, test := range []struct {
		name, value string
		own         bool
	}{
		{"context_management", `[{"type":"compaction","compact_threshold":1000}]`, true},
		{"context_management", `{"edits":[{"type":"clear_thinking_20251015","keep":"all"}]}`, false},
		{"truncation", `"auto"`, true},
		{"truncation", `{"type":"auto"}`, false},
		{"metadata", `{"a":"b"}`, true},
		{"metadata", `["a"]`, false},
		{"store", `true`, true},
		{"store", `"yes"`, false},
		{"max_tool_calls", `3`, true},
		{"max_tool_calls", `{"web_search":3}`, false},
		{"prompt_cache_key", `"k"`, true},
		{"prompt_cache_key", `7`, false},
		{"conversation", `{"id":"conv_1"}`, true},
		{"conversation", `7`, false},
		{"prompt", `{"id":"pmpt_1"}`, true},
		{"prompt", `"Once upon"`, false},
		{"verbosity", `"low"`, true},
		{"verbosity", `3`, false},
		{"web_search_options", `true`, false},
		{"container", `{"skills":[]}`, false},
		{"speed", `"fast"`, false},
	} {
		r := &transform.Request{Rest: []transform.Member{{Name: test.name, Value: []byte(test.value)}}}
		lost := new(transform.Losses)
		out, _ := Codec{}.AppendRequest(nil, r, toThinker, lost)
		body := string(out)
		if sent := strings.Contains(body, `"`+test.name+`":`+test.value); sent != test.own {
			t.Errorf("%s %s: %s", test.name, test.value, body)
		}
		if told := slices.Contains(lost.Dropped, "/"+test.name); told == test.own {
			t.Errorf("%s %s: dropped %v", test.name, test.value, lost.Dropped)
		}
	}
}
