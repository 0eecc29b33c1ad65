package anthropic

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// rich is a request with everything in it that the decoder reads.
const rich = `{"model":"m","max_tokens":9000,"stream":true,"temperature":1,"stop_sequences":["x"],"metadata":{"user_id":"u"},"service_tier":"auto",
"thinking":{"type":"enabled","budget_tokens":2000,"display":"summarized"},"output_config":{"effort":"low","format":{"type":"json_schema","schema":{"type":"object"}}},
"output_format":null,"tool_choice":{"type":"auto","disable_parallel_tool_use":true},
"system":[{"type":"text","text":"S","cache_control":{"type":"ephemeral","ttl":"1h"}}],
"tools":[{"name":"f","input_schema":{"type":"object"},"cache_control":{"type":"ephemeral"}},{"type":"bash_20250124","name":"bash"},
 {"type":"web_search_20250305","name":"web_search","user_location":{"type":"approximate","city":"K"}},{"type":"web_fetch_20250910","name":"web_fetch"}],
"messages":[
 {"role":"user","content":[{"type":"text","text":"A","cache_control":{"type":"ephemeral"}},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AAAA"}},{"type":"image","source":{"type":"url","url":"https://a"}},
  {"type":"document","title":"T","context":"C","citations":{"enabled":false},"source":{"type":"text","media_type":"text/plain","data":"x"},"cache_control":{"type":"ephemeral"}},
  {"type":"document","source":{"type":"content","content":[{"type":"text","text":"x"}]}},{"type":"document","source":{"type":"file","file_id":"file_1"}},
  {"type":"search_result","title":"T","source":"S","content":[{"type":"text","text":"x"}],"citations":{"enabled":true}},{"type":"container_upload","file_id":"f"}]},
 {"role":"system","content":[{"type":"text","text":"S"}]},
 {"role":"assistant","content":[{"type":"thinking","thinking":"T","signature":"S"},{"type":"redacted_thinking","data":"R"},{"type":"text","text":"B","citations":[{"type":"char_location"}]},
  {"type":"server_tool_use","id":"s","name":"web_search","input":{}},{"type":"web_search_tool_result","tool_use_id":"s","content":[{"type":"web_search_result"}]},{"type":"compaction","content":"x"},
  {"type":"tool_use","id":"c","name":"f","input":{"a":{}},"caller":{"type":"direct"}}]},
 {"role":"user","content":[{"type":"tool_result","tool_use_id":"c","content":[{"type":"text","text":"1"},{"type":"image","source":{"type":"url","url":"https://a"}},{"type":"tool_reference","tool_name":"h"}],"cache_control":{"type":"ephemeral"}}]}]}`

// freeForm are members whose objects are the client's own, not the format's.
var freeForm = map[string]bool{"input": true, "input_schema": true, "schema": true}

// planted calls with every text in which one object has one member more, and
// with the place of that member.
func planted(v jsonbytes.Value, at string, put func(v []byte) []byte, test func(body []byte, at string)) {
	around := func(v, part jsonbytes.Value) func([]byte) []byte {
		before := offset(v, part)
		return func(text []byte) []byte {
			return put(slices.Concat(v[:before], text, v[before+len(part):]))
		}
	}
	switch v.Kind() {
	case jsonbytes.Object:
		const member = `{"of_tomorrow":{"a":1},`
		test(put(slices.Concat([]byte(member), v[1:])), at+"/of_tomorrow")
		for name, value := range v.Members() {
			if !freeForm[string(name)] {
				planted(value, at+"/"+string(name), around(v, value), test)
			}
		}
	case jsonbytes.Array:
		for i, element := range v.Elements() {
			planted(element, at+"/"+strconv.Itoa(i), around(v, element), test)
		}
	}
}

// offset is where a part of a text begins.
func offset(v, part jsonbytes.Value) int {
	for i := range v {
		if &v[i] == &part[0] {
			return i
		}
	}
	panic("not a part")
}

// checkPlanted fails the test unless every unknown member is reported, itself
// or as part of something that is, or kept for the encoders.
func checkPlanted(t *testing.T, body []byte) {
	t.Helper()
	n := 0
	planted(jsonbytes.Parse(body), "", slices.Clone[[]byte], func(body []byte, at string) {
		n++
		var lost transform.Losses
		r, err := Codec{}.DecodeCountRequest(body, &lost)
		if err != nil {
			t.Fatalf("%s: %v\n%s", at, err, body)
		}
		name, _, _ := strings.Cut(at[1:], "/")
		found := r.Leftover(name) != nil
		for _, pointer := range lost.Dropped {
			found = found || at == pointer || strings.HasPrefix(at, pointer+"/")
		}
		if !found {
			t.Errorf("%s is not reported: %v", at, lost.Dropped)
		}
	})
	if n < 2 {
		t.Errorf("planted %d members", n)
	}
}

func TestEveryUnknownMemberIsReported(t *testing.T) {
	decode(t, rich)
	checkPlanted(t, []byte(rich))
}
