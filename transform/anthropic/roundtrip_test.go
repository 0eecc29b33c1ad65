package anthropic

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// resend decodes a client's request and encodes it for a target of the same format.
func resend(t *testing.T, codec Codec, model string, body []byte) ([]byte, *transform.Losses) {
	t.Helper()
	var lost transform.Losses
	r, err := codec.DecodeRequest(body, &lost)
	if err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	out, err := codec.AppendRequest(nil, r, transform.Target{Model: model, Stream: r.Stream, Vendor: transform.VendorAnthropic}, &lost)
	if err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	checkBody(t, out)
	return out, &lost
}

// wantSame fails the test unless a request says the same as the client's, but
// for what was reported as lost.
func wantSame(t *testing.T, got, client []byte, lost *transform.Losses) {
	t.Helper()
	var have, want map[string]any
	if json.Unmarshal(got, &have) != nil || json.Unmarshal(client, &want) != nil {
		t.Fatalf("invalid: %s", got)
	}
	for _, pointer := range lost.Dropped {
		cut(want, strings.Split(pointer, "/")[1:])
	}
	prune(want)
	usual(have)
	usual(want)
	if !reflect.DeepEqual(have, want) {
		a, _ := json.Marshal(have)
		b, _ := json.Marshal(want)
		t.Errorf("not the same, losses %v\n got %s\nwant %s", lost.Dropped, a, b)
	}
}

type gone struct{}

// cut marks the value of a JSON pointer.
func cut(v any, tokens []string) {
	switch at := v.(type) {
	case map[string]any:
		if _, ok := at[tokens[0]]; ok && len(tokens) == 1 {
			at[tokens[0]] = gone{}
		} else if ok {
			cut(at[tokens[0]], tokens[1:])
		}
	case []any:
		if i, err := strconv.Atoi(tokens[0]); err == nil && i < len(at) {
			if len(tokens) == 1 {
				at[i] = gone{}
			} else {
				cut(at[i], tokens[1:])
			}
		}
	}
}

// prune takes out what is marked.
func prune(v any) any {
	switch at := v.(type) {
	case map[string]any:
		for name, member := range at {
			if _, ok := member.(gone); ok {
				delete(at, name)
			} else {
				at[name] = prune(member)
			}
		}
	case []any:
		kept := []any{}
		for _, element := range at {
			if _, ok := element.(gone); !ok {
				kept = append(kept, prune(element))
			}
		}
		return kept
	}
	return v
}

// usual spells what can be spelled in several ways in one.
func usual(body map[string]any) {
	delete(body, "model")
	delete(body, "anthropic_version")
	for name, without := range map[string]any{"stream": false, "temperature": 1.0, "top_p": 1.0, "disable_parallel_tool_use": false} {
		if body[name] == without {
			delete(body, name)
		}
	}
	for _, name := range []string{"system", "tools", "metadata", "output_config"} {
		if list, ok := body[name].([]any); ok && len(list) == 0 {
			delete(body, name)
		}
	}
	if choice, ok := body["tool_choice"].(map[string]any); ok && choice["disable_parallel_tool_use"] == false {
		delete(choice, "disable_parallel_tool_use")
	}
	asBlocks(body, "system")
	for _, m := range list(body["messages"]) {
		message := m.(map[string]any)
		asBlocks(message, "content")
		for _, b := range list(message["content"]) {
			block := b.(map[string]any)
			if block["type"] == "tool_result" {
				asBlocks(block, "content")
			}
			delete(block, "caller")
		}
	}
	for _, t := range list(body["tools"]) {
		tool := t.(map[string]any)
		if tool["type"] == "custom" {
			delete(tool, "type")
		}
		if tool["description"] == "" {
			delete(tool, "description")
		}
	}
}

func list(v any) []any {
	l, _ := v.([]any)
	return l
}

func asBlocks(of map[string]any, name string) {
	if text, ok := of[name].(string); ok {
		of[name] = []any{map[string]any{"type": "text", "text": text}}
	}
}

func TestRequestsSurviveTheRoundTrip(t *testing.T) {
	const call = `{"role":"user","content":"A"},{"role":"assistant","content":[{"type":"thinking","thinking":"T","signature":"S=="},{"type":"redacted_thinking","data":"R=="},{"type":"text","text":"B"},{"type":"tool_use","id":"toolu_1","name":"f","input":{"a":1.0}}]}`
	const tools = `"tools":[{"name":"f","description":"D","input_schema":{"type":"object","properties":{"a":{"type":"number"}},"required":["a"],"additionalProperties":false},"eager_input_streaming":true,"cache_control":{"type":"ephemeral","ttl":"1h"}}]`
	const format = `{"type":"json_schema","schema":{"type":"object","properties":{"a":{"type":"string"}},"required":["a"],"additionalProperties":false}}`
	messages := func(list, more string) string {
		return `{"model":"m","max_tokens":9000,"messages":[` + list + `]` + more + `}`
	}
	for _, test := range []struct{ name, model, body string }{
		{"a tool loop with thinking", newest, messages(call+`,{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1","is_error":true,"content":"no","cache_control":{"type":"ephemeral"}},{"type":"text","text":"And?"}]}`,
			`,"thinking":{"type":"adaptive"},"output_config":{"effort":"xhigh"},`+tools)},
		{"results with pictures", newest, messages(call+`,{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1","content":[{"type":"text","text":"x"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AAAA"}}]}]}`, `,`+tools)},
		{"system in place", newest, messages(`{"role":"user","content":"A"},{"role":"system","content":[{"type":"text","text":"S"}]},{"role":"assistant","content":"B"},{"role":"user","content":"C"}`, ``)},
		{"media", newest, messages(`{"role":"user","content":[{"type":"image","source":{"type":"url","url":"https://a"}},{"type":"document","title":"T","source":{"type":"base64","media_type":"application/pdf","data":"AAAA"}},`+
			`{"type":"document","source":{"type":"url","url":"https://a/b.pdf"}},{"type":"document","source":{"type":"file","file_id":"file_1"}},{"type":"document","title":"U","source":{"type":"text","media_type":"text/plain","data":"hé\n"},"cache_control":{"type":"ephemeral"}}]}`, ``)},
		{"settings", old, messages(`{"role":"user","content":"A"}`, `,"temperature":0.5,"top_p":0.9,"top_k":4,"stop_sequences":["a","b"],"metadata":{"user_id":"u"},"service_tier":"standard_only","stream":true,"system":"S"`)},
		{"one tool at a time", old, messages(`{"role":"user","content":"A"}`, `,"tool_choice":{"type":"tool","name":"f","disable_parallel_tool_use":true},`+tools)},
		{"no tools now", old, messages(`{"role":"user","content":"A"}`, `,"tool_choice":{"type":"none"},`+tools)},
		{"tools of Anthropic's", newest, messages(`{"role":"user","content":"A"}`, `,"tools":[{"type":"bash_20250124","name":"bash","cache_control":{"type":"ephemeral"}},{"type":"web_search_20250305","name":"web_search"}]`)},
		{"budget", budgeted, messages(`{"role":"user","content":"A"}`, `,"thinking":{"type":"enabled","budget_tokens":2048,"display":"omitted"}`)},
		{"budget and effort", mixed, messages(`{"role":"user","content":"A"}`, `,"thinking":{"type":"enabled","budget_tokens":2048},"output_config":{"effort":"low"}`)},
		{"adaptive, not shown", mixed, messages(`{"role":"user","content":"A"}`, `,"thinking":{"type":"adaptive","display":"omitted"}`)},
		{"effort without thinking", mixed, messages(`{"role":"user","content":"A"}`, `,"output_config":{"effort":"medium"}`)},
		{"effort, thinking off", mixed, messages(`{"role":"user","content":"A"}`, `,"thinking":{"type":"disabled"},"output_config":{"effort":"low"}`)},
		{"thinking between tools", unforced, messages(`{"role":"user","content":"A"}`, `,"thinking":{"type":"between_tools"}`)},
		{"format", newest, messages(`{"role":"user","content":"A"}`, `,"output_config":{"format":`+format+`}`)},
		{"prefill", old, messages(`{"role":"user","content":"A"},{"role":"assistant","content":"{"}`, ``)},
		{"members of the format's own", newest, messages(`{"role":"user","content":"A"}`, `,"cache_control":{"type":"ephemeral"},"context_management":{"edits":[]},"container":"c","speed":"fast"`)},
	} {
		t.Run(test.name, func(t *testing.T) {
			body, lost := resend(t, Codec{}, test.model, []byte(test.body))
			wantLosses(t, lost)
			wantSame(t, body, []byte(test.body), lost)
		})
	}
}

// An alias may fall back from one Claude to another that knows other words.
func TestThinkingOfOneModelFitsAnother(t *testing.T) {
	for _, test := range []struct {
		name, model, more string
		thinking, config  string
		losses            []string
	}{
		{"a budget where there is none", newest, `,"thinking":{"type":"enabled","budget_tokens":2048}`, `{"type":"adaptive"}`, `{"effort":"low"}`, nil},
		{"a budget and an effort where there is none", newest, `,"thinking":{"type":"enabled","budget_tokens":2048,"display":"summarized"},"output_config":{"effort":"max"}`, `{"type":"adaptive","display":"summarized"}`, `{"effort":"max"}`, nil},
		{"adaptive where there is a budget", budgeted, `,"thinking":{"type":"adaptive"}`, `{"type":"enabled","budget_tokens":7200}`, ``, nil},
		{"adaptive with effort where there is a budget", budgeted, `,"thinking":{"type":"adaptive"},"output_config":{"effort":"low"}`, `{"type":"enabled","budget_tokens":1350}`, ``, []string{"/output_config/effort"}},
		{"thinking where there is none", "claude-3-5-haiku", `,"thinking":{"type":"adaptive"}`, ``, ``, []string{"/thinking"}},
		{"off where that is refused", "claude-opus-5-5", `,"thinking":{"type":"disabled"},"output_config":{"effort":"max"}`, ``, `{"effort":"low"}`, []string{"/thinking"}},
		{"off where there is little", unforced, `,"thinking":{"type":"disabled"},"output_config":{"effort":"max"}`, `{"type":"between_tools"}`, `{"effort":"high"}`, nil},
		{"between tools where there is off", newest, `,"thinking":{"type":"between_tools"}`, `{"type":"disabled"}`, ``, nil},
		{"forced tools", newest, `,"thinking":{"type":"adaptive"},"tool_choice":{"type":"any"},"tools":[{"name":"f","input_schema":{"type":"object"}}]`, ``, ``, []string{"/thinking"}},
	} {
		body, lost := resend(t, Codec{}, test.model, []byte(`{"model":"m","max_tokens":9000,"messages":[{"role":"user","content":"A"}]`+test.more+`}`))
		var got struct {
			Thinking json.RawMessage
			Config   json.RawMessage `json:"output_config"`
		}
		json.Unmarshal(body, &got)
		wantText(t, test.name, got.Thinking, test.thinking)
		wantText(t, test.name, got.Config, test.config)
		wantLosses(t, lost, test.losses...)
	}
}

// A piece of another vendor does not go to Anthropic, and comes back to its own.
func TestSealedPiecesStayFromAnthropic(t *testing.T) {
	body, lost := resend(t, Codec{}, newest, []byte(talk(`{"role":"user","content":"A"},{"role":"assistant","content":[{"type":"thinking","thinking":"T","signature":"`+sealed(openAIs)+`"},`+
		`{"type":"thinking","thinking":"","signature":"`+sealed(google)+`"},{"type":"tool_use","id":"c","name":"f","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"c","content":"1"}]}`)))
	if strings.Contains(string(body), "thinking") || transform.HoldsSealed(body) {
		t.Errorf("got %s", body)
	}
	wantLosses(t, lost, "/messages/1/content/0")
}

func TestTheBillingLineStaysWithAnthropic(t *testing.T) {
	body := []byte(ask(`,"system":[{"type":"text","text":"x-anthropic-billing-header: a=b"},{"type":"text","text":"S"}]`))
	for vendor, want := range map[transform.Vendor]int{transform.VendorAnthropic: 2, "": 1} {
		var lost transform.Losses
		r, err := Codec{}.DecodeRequest(body, &lost)
		if err != nil {
			t.Fatal(err)
		}
		out, err := Codec{}.AppendRequest(nil, r, transform.Target{Model: foreign, Vendor: vendor}, &lost)
		if err != nil {
			t.Fatal(err)
		}
		if n := jsonbytes.Value(out).Get("system").Len(); n != want || len(lost.Dropped) != 2-want {
			t.Errorf("to %q: %d blocks, lost %v", vendor, n, lost.Dropped)
		}
	}
}

func TestRecordedRequestsSurviveTheRoundTrip(t *testing.T) {
	eachRequest(t, func(t *testing.T, codec Codec, model string, body []byte) {
		got, lost := resend(t, codec, model, body)
		wantSame(t, got, body, lost)
		t.Log("lost:", lost.Dropped)
		again, _ := resend(t, codec, model, body)
		wantText(t, "again", again, string(got))
	})
}

func TestUnknownMembersOfRecordedRequestsAreReported(t *testing.T) {
	eachRequest(t, func(t *testing.T, _ Codec, _ string, body []byte) { checkPlanted(t, body) })
}

// eachRequest runs a test over every recorded request. Those of the clouds do
// not name their model, and that of a count has no max_tokens.
func eachRequest(t *testing.T, test func(t *testing.T, codec Codec, model string, body []byte)) {
	eachRecording(t, func(t *testing.T, r recording) {
		folder := filepath.Join(os.Getenv("LLMPROXY_FIXTURES"), filepath.FromSlash(r.name))
		text, err := os.ReadFile(filepath.Join(folder, "request.json"))
		if err != nil {
			t.Fatal(err)
		}
		about, err := os.ReadFile(filepath.Join(folder, "meta.json"))
		if err != nil {
			t.Fatal(err)
		}
		var meta struct{ Model string }
		var members map[string]json.RawMessage
		if json.Unmarshal(about, &meta) != nil || json.Unmarshal(text, &members) != nil {
			t.Fatal("unreadable")
		}
		if meta.Model == "" {
			meta.Model = budgeted // the cloud had it in the path
		}
		cloud := members["anthropic_version"] != nil
		for name, value := range map[string]string{"model": strconv.Quote(meta.Model), "max_tokens": "4096"} {
			if members[name] == nil {
				members[name] = json.RawMessage(value)
			}
		}
		body, err := json.Marshal(members)
		if err != nil {
			t.Fatal(err)
		}
		test(t, Codec{Cloud: cloud}, meta.Model, body)
	})
}
