package gateway_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/gateway"
	"github.com/caddyllm/llmproxy/internal/testllm"
	"github.com/caddyllm/llmproxy/providers"
	"github.com/caddyllm/llmproxy/usage"
)

// foreign is a gateway before one provider of another format, called p, with a
// model of its family.
func foreign(t *testing.T, module string, change func(*gateway.Gateway)) (*gate, *testllm.Server) {
	t.Helper()
	srv := testllm.New(t)
	return setup{upstreams: []*providers.Upstream{load(t, "p", module, srv.URL)}, change: change}.start(t), srv
}

// foreigners are the formats that are translated to, each with a model.
var foreigners = []struct{ module, model string }{{"anthropic", "p/claude-sonnet-4-5"}, {"gemini", "p/gemini-2.5-pro"}}

// eachForeign runs a test for whole answers and for streams of each format.
func eachForeign(t *testing.T, test func(t *testing.T, module, model string, stream bool)) {
	for _, f := range foreigners {
		for _, stream := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s stream=%v", f.module, stream), func(t *testing.T) { test(t, f.module, f.model, stream) })
		}
	}
}

// said is what a client of the OpenAI format reads, whole or in pieces.
type said struct {
	text, thought, finish string
	tools                 []toolCall
	usage                 *struct {
		Prompt     int `json:"prompt_tokens"`
		Completion int `json:"completion_tokens"`
		Total      int `json:"total_tokens"`
		In         struct {
			Cached int `json:"cached_tokens"`
		} `json:"prompt_tokens_details"`
		Out struct {
			Reasoning int `json:"reasoning_tokens"`
		} `json:"completion_tokens_details"`
	}
	ended bool
}

type toolCall struct {
	Index    int
	ID       string
	Function struct{ Name, Arguments string }
}

type spoken struct {
	Content   string
	Thought   string     `json:"reasoning_content"`
	ToolCalls []toolCall `json:"tool_calls"`
}

func (s *said) add(t *testing.T, data string) {
	t.Helper()
	var a struct {
		Object  string
		Choices []struct {
			Message, Delta spoken
			Finish         string `json:"finish_reason"`
		}
		Usage json.RawMessage
	}
	if err := json.Unmarshal([]byte(data), &a); err != nil || !strings.HasPrefix(a.Object, "chat.completion") {
		t.Fatalf("no answer of the OpenAI format: %q (%v)", data, err)
	}
	for _, c := range a.Choices {
		for _, m := range []spoken{c.Message, c.Delta} {
			s.text, s.thought = s.text+m.Content, s.thought+m.Thought
			for i, call := range m.ToolCalls {
				if at := max(call.Index, i); at < len(s.tools) {
					s.tools[at].Function.Arguments += call.Function.Arguments
				} else {
					s.tools = append(s.tools, call)
				}
			}
		}
		s.finish += c.Finish
	}
	if len(a.Usage) > 0 && string(a.Usage) != "null" {
		if err := json.Unmarshal(a.Usage, &s.usage); err != nil {
			t.Error(err)
		}
	}
}

// listen reads an answer or a stream that ended well.
func listen(t *testing.T, a answer) *said {
	t.Helper()
	if a.status != http.StatusOK || a.err != nil {
		t.Fatalf("answer is %+v", a)
	}
	s := new(said)
	if strings.HasPrefix(a.header.Get("Content-Type"), "application/json") {
		s.add(t, a.body)
		s.ended = true
		return s
	}
	for event := range strings.SplitSeq(strings.TrimSuffix(a.body, "\n\n"), "\n\n") {
		switch data, ok := strings.CutPrefix(event, "data: "); {
		case s.ended:
			t.Errorf("after the end came %q", event)
		case data == "[DONE]":
			s.ended = true
		case ok:
			s.add(t, data)
		default:
			t.Errorf("the stream has an odd event: %q", event)
		}
	}
	return s
}

func TestForeignAnswers(t *testing.T) {
	eachForeign(t, func(t *testing.T, module, model string, stream bool) {
		g, srv := foreign(t, module, nil)
		srv.Script(testllm.Reply{Text: "Hello there, caf\u00e9!", Usage: testllm.Usage{Input: 100, CacheRead: 40, Output: 20}, WritesOf: 7})
		answered := g.chat(t, string(testllm.ChatRequest(model, stream, "hi")))
		want := map[bool]string{false: "application/json", true: "text/event-stream; charset=utf-8"}[stream]
		equal(t, "content type", answered.header.Get("Content-Type"), want)
		got := listen(t, answered)
		equal(t, "text", got.text, "Hello there, caf\u00e9!")
		equal(t, "finish", got.finish, "stop")
		equal(t, "ended", got.ended, true)
		equal(t, "usage told", got.usage != nil, !stream)

		call := srv.Calls()[0]
		equal(t, "format", string(call.Format), module)
		equal(t, "model", "p/"+call.Model, model)
		equal(t, "stream", call.Stream, stream)
		record := g.record(t)
		equal(t, "tokens", record.Tokens, usage.Tokens{Input: 100, CacheRead: 40, Output: 20, Known: true})
		equal(t, "finish", record.Finish, "stop")
		equal(t, "ending", record.Ending, usage.Complete)
		for name := range call.Header {
			if strings.HasPrefix(name, "Openai") {
				t.Errorf("the provider got %s", name)
			}
		}
	})
}

func TestForeignUsageIsToldWhereAskedFor(t *testing.T) {
	eachForeign(t, func(t *testing.T, module, model string, stream bool) {
		g, srv := foreign(t, module, nil)
		srv.Script(testllm.Reply{Usage: testllm.Usage{Input: 100, CacheRead: 40, Output: 20, Reasoning: 0}})
		got := listen(t, g.chat(t, strings.Replace(string(testllm.ChatRequest(model, stream, "hi")), "{", `{"stream_options":{"include_usage":true},`, 1)))
		if got.usage == nil || got.usage.Prompt != 100 || got.usage.Completion != 20 || got.usage.Total != 120 || got.usage.In.Cached != 40 {
			t.Errorf("usage is %+v", got.usage)
		}
	})
}

const toolRequest = `{"model":%q,"stream":%v,"max_tokens":100,"tools":[{"type":"function","function":{"name":"weather","description":"d","parameters":{"type":"object","properties":{"city":{"type":"string"}}}}}],
"messages":[{"role":"system","content":"be brief"},{"role":"user","content":"weather?"}%s]}`

var twoTools = []testllm.Tool{{Name: "weather", Arguments: `{"city":"Bogotá"}`}, {Name: "weather", Arguments: `{"city":"Oslo"}`}}

func TestForeignToolLoop(t *testing.T) {
	eachForeign(t, func(t *testing.T, module, model string, stream bool) {
		g, srv := foreign(t, module, nil)
		srv.Script(testllm.Reply{Chunks: []string{}, Tools: twoTools}, testllm.Reply{Text: "Rain and snow."})
		got := listen(t, g.chat(t, fmt.Sprintf(toolRequest, model, stream, "")))
		equal(t, "finish", got.finish, "tool_calls")
		if len(got.tools) != 2 || got.tools[0].ID == "" || got.tools[0].ID == got.tools[1].ID {
			t.Fatalf("tool calls are %+v", got.tools)
		}
		loop := ""
		for i, call := range got.tools {
			equal(t, "name", call.Function.Name, "weather")
			var meant, made any
			_ = json.Unmarshal([]byte(twoTools[i].Arguments), &meant)
			if err := json.Unmarshal([]byte(call.Function.Arguments), &made); err != nil || fmt.Sprint(made) != fmt.Sprint(meant) {
				t.Errorf("arguments are %q (%v)", call.Function.Arguments, err)
			}
			loop += fmt.Sprintf(`,{"role":"tool","tool_call_id":%q,"content":"result %d"}`, call.ID, i)
		}
		loop = fmt.Sprintf(`,{"role":"assistant","tool_calls":[%s,%s]}`, plainCall(got.tools[0]), plainCall(got.tools[1])) + loop
		equal(t, "answer", listen(t, g.chat(t, fmt.Sprintf(toolRequest, model, stream, loop))).text, "Rain and snow.")
		second := string(srv.Calls()[1].Body)
		for _, want := range []string{"result 0", "result 1", "Oslo", "be brief", `"weather"`} {
			if !strings.Contains(second, want) {
				t.Errorf("the second request lacks %q: %s", want, second)
			}
		}
	})
}

// plainCall is a tool call as clients return it that keep to OpenAI's members.
func plainCall(c toolCall) string {
	return fmt.Sprintf(`{"id":%q,"type":"function","function":{"name":%q,"arguments":%q}}`, c.ID, c.Function.Name, c.Function.Arguments)
}

func TestForeignTranslationIsDeterministic(t *testing.T) {
	eachForeign(t, func(t *testing.T, module, model string, stream bool) {
		g, srv := foreign(t, module, nil)
		for range 3 {
			g.chat(t, fmt.Sprintf(toolRequest, model, stream, ""))
		}
		calls := srv.Calls()
		equal(t, "second request", string(calls[1].Body), string(calls[0].Body))
		equal(t, "third request", string(calls[2].Body), string(calls[0].Body))
	})
}

func TestForeignErrorsAreToldInTheClientsFormat(t *testing.T) {
	eachForeign(t, func(t *testing.T, module, model string, stream bool) {
		for _, test := range []struct {
			status, want int
			kind, retry  string
		}{
			{400, 400, "invalid_request_error", ""}, {401, 502, "api_error", "false"}, {403, 502, "api_error", "false"}, {404, 404, "invalid_request_error", ""},
			{429, 429, "rate_limit_error", ""}, {500, 500, "api_error", ""}, {503, 503, "overloaded_error", ""}, {529, 503, "overloaded_error", ""}, {504, 504, "timeout_error", "false"},
		} {
			if test.status == 529 && module == "gemini" {
				continue // no word of its
			}
			g, srv := foreign(t, module, nil)
			srv.Script(testllm.Reply{Status: test.status, Error: testllm.Error{Message: "because of " + providerKey}, Header: http.Header{"Retry-After": {"11"}}})
			got := g.chat(t, string(testllm.ChatRequest(model, stream, "hi")))
			var body struct {
				Error struct{ Message, Type string }
			}
			if err := json.Unmarshal([]byte(got.body), &body); err != nil || body.Error.Message == "" || strings.Contains(got.body, providerKey) {
				t.Errorf("%d: answer is %s (%v)", test.status, got.body, err)
			}
			equal(t, fmt.Sprint(test.status), got.status, test.want)
			equal(t, fmt.Sprint("type of ", test.status), body.Error.Type, test.kind)
			if wait := got.header.Get("Retry-After"); wait != "11" && got.status != 502 {
				t.Errorf("%d: Retry-After is %q", test.status, wait)
			}
			equal(t, "X-Should-Retry", got.header.Get("X-Should-Retry"), test.retry)
		}
	})
}

func TestForeignLossesAreReported(t *testing.T) {
	eachForeign(t, func(t *testing.T, module, model string, stream bool) {
		g, srv := foreign(t, module, nil)
		got := g.chat(t, fmt.Sprintf(`{"model":%q,"stream":%v,"messages":[{"role":"user","content":"hi","novel":1}],"no\u0076el, thing":{"a":1},"logit_bias":{"1":2}}`, model, stream))
		listen(t, got)
		for _, want := range []string{"/messages/0/novel", "/novel%2C%20thing", "/logit_bias"} {
			if !strings.Contains(got.header.Get("X-Llm-Dropped"), want) {
				t.Errorf("X-Llm-Dropped is %q, want %q in it", got.header.Get("X-Llm-Dropped"), want)
			}
		}
		if body := string(srv.Calls()[0].Body); strings.Contains(body, "novel") {
			t.Errorf("the provider got %s", body)
		}
		equal(t, "losses in the record", len(g.record(t).Dropped), 3)
	})
}

func TestEssentialsThatCannotBeCarriedAreRefused(t *testing.T) {
	eachForeign(t, func(t *testing.T, module, model string, stream bool) {
		g, srv := foreign(t, module, nil)
		for pointer, member := range map[string]string{
			"/tools/0":              `"tools":[{"type":"code_interpreter"}],"messages":[{"role":"user","content":"hi"}]`,
			"/messages/0/content/1": `"messages":[{"role":"user","content":[{"type":"text","text":"hi"},{"type":"file","file":{"file_id":"file-1"}}]}]`,
		} {
			got := g.chat(t, fmt.Sprintf(`{"model":%q,"stream":%v,%s}`, model, stream, member))
			wantError(t, got, http.StatusBadRequest, "unsupported_parameter")
			if !strings.Contains(got.body, pointer) || !strings.Contains(got.body, module) {
				t.Errorf("answer is %s, want %s and %s", got.body, pointer, module)
			}
			record := g.record(t)
			equal(t, "attempts", record.Attempts, 0)
			equal(t, "ending", record.Ending, usage.Refused)
		}
		wantError(t, g.chat(t, fmt.Sprintf(`{"model":%q,"messages":[{"role":"martian","content":"hi"}]}`, model)), http.StatusBadRequest, "invalid_value")
		wantCalls(t, srv, 0)
	})
}
