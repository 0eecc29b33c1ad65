package answers

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"

	openai "github.com/sashabaranov/go-openai"
	"go.uber.org/goleak"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func question(format transform.Format, body string) *Question {
	return &Question{Scope: "key a", Format: format, Operation: "chat", Model: "m", Body: []byte(body)}
}

func keyOf(format transform.Format, body string) Key { return question(format, body).Key() }

// TestC01OneQuestionOfTwoTenantsHasTwoKeys: a key begins with whose it is, and no
// tenant's name runs into what stands behind it.
func TestC01OneQuestionOfTwoTenantsHasTwoKeys(t *testing.T) {
	seen := make(map[Key]string)
	add := func(name string, q Question) {
		if other, ok := seen[q.Key()]; ok {
			t.Errorf("%s has the key of %s", name, other)
		}
		seen[q.Key()] = name
	}
	base := *question(transform.OpenAIChat, `{"model":"m"}`)
	add("key a", base)
	for name, change := range map[string]func(*Question){
		"key b": func(q *Question) { q.Scope = ScopeKey.Of("b", "") }, "key ab": func(q *Question) { q.Scope = ScopeKey.Of("ab", "g") },
		"group a": func(q *Question) { q.Scope = ScopeGroup.Of("x", "a") }, "shared": func(q *Question) { q.Scope = ScopeShared.Of("a", "a") },
		"key shared": func(q *Question) { q.Scope = ScopeKey.Of("shared", "") },
		"format":     func(q *Question) { q.Format = transform.Anthropic }, "operation": func(q *Question) { q.Operation = "embeddings" },
		"model": func(q *Question) { q.Model = "n" }, "shifted": func(q *Question) { q.Operation, q.Model = "chatm", "" },
		"targets": func(q *Question) { q.Targets = sha256.Sum256([]byte("x")) },
		"beta":    func(q *Question) { q.Header = http.Header{"Anthropic-Beta": {"a"}} },
		"betas":   func(q *Question) { q.Header = http.Header{"Anthropic-Beta": {"a", "b"}} },
		"openai":  func(q *Question) { q.Header = http.Header{"Openai-Beta": {"a"}} },
	} {
		q := base
		change(&q)
		add(name, q)
	}
	q := base
	q.Header = http.Header{"X-Request-Id": {"1"}, "Authorization": {"Bearer x"}}
	if q.Key() != base.Key() {
		t.Error("a header that no provider is told counts")
	}
	if Hash("a", "bc") == Hash("ab", "c") || Hash("a") == Hash("a", "") {
		t.Error("one hash for two lists")
	}
	if a, b := ScopeGroup.Of("a", ""), ScopeGroup.Of("b", ""); a == b {
		t.Error("keys without a group share one scope")
	}
}

func TestSpellingOfARequestDoesNotCount(t *testing.T) {
	want := keyOf(transform.OpenAIChat, `{"model":"m","messages":[{"role":"user","content":"caf\u00e9"}],"temperature":0}`)
	for _, body := range []string{
		`{"temperature":0,"messages":[{"content":"café","role":"user"}],"model":"m"}`,
		"{\n \"model\" : \"m\", \"messages\":[ {\"role\":\"user\",\"content\":\"caf\\u00E9\"} ] ,\"temp\\u0065rature\":0 }",
		`{"model":"m","messages":[{"role":"user","content":"café"}],"temperature":0,"stream":true,"stream_options":{"include_usage":true}}`,
		`{"model":"m","messages":[{"role":"user","content":"café"}],"temperature":0,"user":"u","safety_identifier":"s","metadata":{"a":"b"},"prompt_cache_key":"k","prompt_cache_retention":"24h"}`,
	} {
		if keyOf(transform.OpenAIChat, body) != want {
			t.Errorf("%s has another key", body)
		}
	}
	for _, body := range []string{
		`{"model":"m","messages":[{"role":"user","content":"cafe"}],"temperature":0}`,
		`{"model":"m","messages":[{"role":"user","content":"café"}],"temperature":0.0}`,
		`{"model":"m","messages":[{"role":"user","content":"café","user":"u"}],"temperature":0}`,
		`{"model":"m","messages":[{"role":"user","content":"café"}],"temperature":0,"service_tier":"flex"}`,
		`{"model":"m","messages":[{"role":"user","content":"café"}],"temperature":0,"anything":null}`,
	} {
		if keyOf(transform.OpenAIChat, body) == want {
			t.Errorf("%s has the same key", body)
		}
	}
	for format, bodies := range map[transform.Format][2]string{
		transform.Anthropic: {`{"model":"m","metadata":{"user_id":"u"},"stream":true}`, `{"model":"m"}`},
		transform.Gemini:    {`{"contents":[],"labels":{"team":"x"}}`, `{"contents":[]}`},
		transform.Responses: {`{"input":"a","metadata":{},"user":"u"}`, `{"input":"a"}`},
	} {
		if keyOf(format, bodies[0]) != keyOf(format, bodies[1]) {
			t.Errorf("metadata of %s counts", format)
		}
	}
	if keyOf(transform.Anthropic, `{"user":"u"}`) == keyOf(transform.Anthropic, `{}`) {
		t.Error("a member that means nothing to the format does not count")
	}
}

func TestBodiesThatAreNotJSONCountAsTheyAre(t *testing.T) {
	a, b := keyOf(transform.OpenAIChat, `{"a":1`), keyOf(transform.OpenAIChat, `{"a": 1`)
	if a == b || a != keyOf(transform.OpenAIChat, `{"a":1`) || keyOf(transform.OpenAIChat, ``) == keyOf(transform.OpenAIChat, `{}`) {
		t.Error("they do not")
	}
}

// requests are of each format, with one of everything that its API describes; that
// of Chat Completions is made of the types of a client library.
var requests = map[transform.Format]string{
	transform.Anthropic: `{"model":"claude-sonnet-5","max_tokens":100,"system":[{"type":"text","text":"s","cache_control":{"type":"ephemeral","ttl":"1h"}}],
		"messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AAAA"}},
		{"type":"document","source":{"type":"url","url":"https://x/y"},"title":"t","context":"c","citations":{"enabled":true}}]},
		{"role":"assistant","content":[{"type":"thinking","thinking":"t","signature":"s"},{"type":"redacted_thinking","data":"d"},{"type":"tool_use","id":"t1","name":"f","input":{"x":1}}]},
		{"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":"r","is_error":false}]}],
		"tools":[{"name":"f","description":"d","input_schema":{"type":"object","properties":{"x":{"type":"integer"}},"required":["x"]},"strict":true}],
		"tool_choice":{"type":"auto","disable_parallel_tool_use":true},"temperature":0.5,"top_p":0.9,"top_k":5,"stop_sequences":["x"],
		"thinking":{"type":"enabled","budget_tokens":1024},"service_tier":"auto","container":"c","mcp_servers":[{"name":"m","url":"u"}],
		"output_config":{"effort":"low","format":{"type":"json_schema","schema":{"type":"object"}}},"context_management":{"edits":[]},"inference_geo":"us"}`,
	transform.Gemini: `{"contents":[{"role":"user","parts":[{"text":"a"},{"inlineData":{"mimeType":"image/png","data":"AA"}},{"fileData":{"mimeType":"m","fileUri":"u"}}]},
		{"role":"model","parts":[{"functionCall":{"id":"i","name":"f","args":{"x":1}},"thoughtSignature":"s"},{"text":"t","thought":true}]},
		{"role":"user","parts":[{"functionResponse":{"id":"i","name":"f","response":{"r":1}}}]}],
		"systemInstruction":{"parts":[{"text":"s"}]},"tools":[{"functionDeclarations":[{"name":"f","description":"d","parameters":{"type":"OBJECT"}}]},{"googleSearch":{}}],
		"toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["f"]}},"safetySettings":[{"category":"c","threshold":"t"}],"cachedContent":"c",
		"generationConfig":{"temperature":0.1,"topP":0.9,"topK":4,"candidateCount":1,"maxOutputTokens":9,"stopSequences":["x"],"seed":1,"responseMimeType":"application/json",
		"responseSchema":{"type":"OBJECT"},"presencePenalty":0.1,"frequencyPenalty":0.2,"responseLogprobs":true,"logprobs":2,"thinkingConfig":{"thinkingBudget":100,"includeThoughts":true},
		"responseModalities":["TEXT"],"mediaResolution":"LOW","speechConfig":{"languageCode":"de"}}}`,
	transform.Responses: `{"model":"gpt-6","input":[{"type":"message","role":"user","content":[{"type":"input_text","text":"a"},{"type":"input_image","image_url":"u","detail":"low"}]},
		{"type":"function_call","call_id":"c","name":"f","arguments":"{}"},{"type":"function_call_output","call_id":"c","output":"o"},
		{"type":"reasoning","id":"r","summary":[{"type":"summary_text","text":"t"}],"encrypted_content":"e"}],"instructions":"i","max_output_tokens":9,"max_tool_calls":3,
		"parallel_tool_calls":true,"previous_response_id":"p","conversation":"c","reasoning":{"effort":"low","summary":"auto"},"include":["x"],"store":false,"temperature":1,"top_p":0.5,
		"text":{"format":{"type":"json_schema","name":"n","schema":{"type":"object"},"strict":true},"verbosity":"low"},"tool_choice":"auto","top_logprobs":2,
		"tools":[{"type":"function","name":"f","parameters":{"type":"object"},"strict":true},{"type":"web_search"}],"truncation":"auto","background":false,"service_tier":"auto",
		"prompt":{"id":"p","version":"1","variables":{"a":"b"}}}`,
}

// exemplar fills every field of a type that is written as JSON.
func exemplar(v reflect.Value, depth int) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		exemplar(v.Elem(), depth)
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() && depth < 6 {
				exemplar(v.Field(i), depth+1)
			}
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		exemplar(v.Index(0), depth+1)
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		exemplar(key, depth+1)
		exemplar(value, depth+1)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64, reflect.Int32:
		v.SetInt(7)
	case reflect.Float32, reflect.Float64:
		v.SetFloat(0.25)
	case reflect.Interface:
		if v.NumMethod() == 0 {
			v.Set(reflect.ValueOf("any"))
		}
	}
}

func chatExemplar(t testing.TB) string {
	var r openai.ChatCompletionRequest
	exemplar(reflect.ValueOf(&r).Elem(), 0)
	for i := range r.Messages { // either the one or the other is written
		r.Messages[i].Content = ""
	}
	body, err := json.Marshal(&r)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// flips are all values that differ from v in one place, with where that is.
func flips(v any, at string, yield func(at string, changed any)) {
	yield(at+" of another type", []any{"another"})
	switch v := v.(type) {
	case map[string]any:
		for name, value := range v {
			less := make(map[string]any, len(v))
			for k, x := range v {
				if k != name {
					less[k] = x
				}
			}
			yield(at+"/"+name+" missing", less)
			flips(value, at+"/"+name, func(where string, changed any) {
				other := make(map[string]any, len(v))
				for k, x := range v {
					other[k] = x
				}
				other[name] = changed
				yield(where, other)
			})
		}
		more := map[string]any{"a_member_that_nobody_knows": 1}
		for k, x := range v {
			more[k] = x
		}
		yield(at+" with one more", more)
	case []any:
		yield(at+" twice the first", append([]any{append([]any{nil}, v...)[min(1, len(v))]}, v...))
		for i, value := range v {
			flips(value, fmt.Sprintf("%s/%d", at, i), func(where string, changed any) {
				other := slices.Clone(v)
				other[i] = changed
				yield(where, other)
			})
		}
	case string:
		yield(at+" other text", v+"!")
	case bool:
		yield(at+" flipped", !v)
	case json.Number:
		yield(at+" other number", json.Number(v.String()+"1"))
	}
}

// TestC02EveryFieldCounts changes requests in every place there is.
func TestC02EveryFieldCounts(t *testing.T) {
	bodies := map[transform.Format]string{transform.OpenAIChat: chatExemplar(t)}
	for format, body := range requests {
		bodies[format] = body
	}
	for format, body := range bodies {
		decoder := json.NewDecoder(strings.NewReader(body))
		decoder.UseNumber()
		var request any
		if err := decoder.Decode(&request); err != nil {
			t.Fatal(format, err)
		}
		want, seen, n := keyOf(format, body), map[Key]string{}, 0
		flips(request, "", func(at string, changed any) {
			text, err := json.Marshal(changed)
			if err != nil {
				t.Fatal(err)
			}
			top, _, _ := strings.Cut(strings.TrimPrefix(at, "/"), "/")
			top, _, _ = strings.Cut(top, " ")
			key := keyOf(format, string(text))
			if idle := slices.Contains(idleMembers(format), top); idle != (key == want) {
				t.Errorf("%s: a change of %s makes another key: %v", format, at, key != want)
			} else if idle {
				return
			}
			if other, ok := seen[key]; ok && !bytes.Equal(text, []byte(other)) {
				t.Errorf("%s: one key for two requests:\n%s\n%s", format, text, other)
			}
			seen[key], n = string(text), n+1
		})
		if n < 50 {
			t.Errorf("%s: only %d changes", format, n)
		}
		t.Logf("%s: %d changes", format, n)
	}
}

func FuzzKey(f *testing.F) {
	for _, body := range requests {
		f.Add([]byte(body), []byte(`{"model":"m"}`))
	}
	f.Add([]byte(`{"a":1,"stream":true}`), []byte(`{"a":1}`))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		x, y := keyOf(transform.OpenAIChat, string(a)), keyOf(transform.OpenAIChat, string(b))
		if x != y && bytes.Equal(a, b) {
			t.Fatal("one request has two keys")
		}
		if x != y || bytes.Equal(a, b) || jsonbytes.Check(a, 0) != nil || jsonbytes.Check(b, 0) != nil {
			return
		}
		var v, w any
		if json.Unmarshal(a, &v) != nil || json.Unmarshal(b, &w) != nil {
			t.Fatalf("%q and %q have one key", a, b)
		}
		for _, top := range []any{v, w} {
			if m, ok := top.(map[string]any); ok {
				for _, name := range idleOpenAI {
					delete(m, name)
				}
			}
		}
		if !reflect.DeepEqual(v, w) {
			t.Fatalf("%q and %q have one key", a, b)
		}
	})
}
