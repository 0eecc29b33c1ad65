package answers

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/usage"
)

func whole() Answer {
	return Answer{
		Status: 200, Whole: true, Content: true, Finish: transform.FinishStop,
		Usage: usage.Tokens{Input: 3, Output: 5, Known: true}, Body: []byte(`{"choices":[]}`),
	}
}

// TestC03WhatIsNotWholeIsNotStored changes an answer that is stored in one thing
// at a time.
func TestC03WhatIsNotWholeIsNotStored(t *testing.T) {
	for _, test := range []struct {
		want   Reason
		change func(*Rules, *Facts, *Control, *Answer)
	}{
		{Admitted, func(*Rules, *Facts, *Control, *Answer) {}},
		{Off, func(r *Rules, _ *Facts, _ *Control, _ *Answer) { r.TTL = 0 }},
		{UnknownOperation, func(_ *Rules, f *Facts, _ *Control, _ *Answer) { f.Operation = OtherOperation }},
		{ClientNoStore, func(_ *Rules, _ *Facts, c *Control, _ *Answer) { c.NoStore = true }},
		{Admitted, func(_ *Rules, _ *Facts, c *Control, _ *Answer) { c.NoCache = true }},
		{Stored, func(_ *Rules, f *Facts, _ *Control, _ *Answer) { f.Retention = Retained }},
		{Stored, func(_ *Rules, f *Facts, _ *Control, _ *Answer) { f.Refers = true }},
		{Admitted, func(_ *Rules, f *Facts, _ *Control, _ *Answer) { f.Retention = RetainedUnasked }},
		{Stored, func(r *Rules, f *Facts, _ *Control, _ *Answer) { f.Retention, r.Scope = RetainedUnasked, ScopeGroup }},
		{ServerTools, func(_ *Rules, f *Facts, _ *Control, _ *Answer) { f.ServerTools = true }},
		{Several, func(_ *Rules, f *Facts, _ *Control, _ *Answer) { f.Several = true }},
		{NotDeterministic, func(r *Rules, _ *Facts, _ *Control, _ *Answer) { r.OnlyDeterministic = true }},
		{Admitted, func(r *Rules, f *Facts, _ *Control, _ *Answer) { r.OnlyDeterministic, f.Deterministic = true, true }},
		{Admitted, func(r *Rules, f *Facts, _ *Control, a *Answer) {
			r.OnlyDeterministic, f.Operation, a.Finish, a.Content = true, Embeddings, 0, false
		}},
		{BadStatus, func(_ *Rules, _ *Facts, _ *Control, a *Answer) { a.Status = 206 }},
		{BadStatus, func(_ *Rules, _ *Facts, _ *Control, a *Answer) { a.Status = 500 }},
		{Unfinished, func(_ *Rules, _ *Facts, _ *Control, a *Answer) { a.Whole = false }},
		{CutByLength, func(_ *Rules, _ *Facts, _ *Control, a *Answer) { a.Finish = transform.FinishLength }},
		{Filtered, func(_ *Rules, _ *Facts, _ *Control, a *Answer) { a.Finish = transform.FinishContentFilter }},
		{CallsTools, func(_ *Rules, _ *Facts, _ *Control, a *Answer) { a.Finish = transform.FinishToolCalls }},
		{Admitted, func(r *Rules, _ *Facts, _ *Control, a *Answer) {
			r.ToolCalls, a.Finish = true, transform.FinishToolCalls
		}},
		{UnknownFinish, func(_ *Rules, _ *Facts, _ *Control, a *Answer) { a.Finish = transform.FinishUnknown }},
		{NoUsage, func(_ *Rules, _ *Facts, _ *Control, a *Answer) { a.Usage.Known = false }},
		{NoUsage, func(_ *Rules, _ *Facts, _ *Control, a *Answer) { a.Usage.Estimated = true }},
		{Empty, func(_ *Rules, _ *Facts, _ *Control, a *Answer) { a.Content = false }},
		{Empty, func(_ *Rules, _ *Facts, _ *Control, a *Answer) { a.Body = nil }},
		{TooLarge, func(_ *Rules, _ *Facts, _ *Control, a *Answer) { a.Body = make([]byte, DefaultMaxEntry+1) }},
		{TooLarge, func(r *Rules, _ *Facts, _ *Control, _ *Answer) { r.MaxEntry = 5 }},
		{UpstreamNoStore, func(r *Rules, _ *Facts, _ *Control, a *Answer) {
			r.RespectUpstream, a.Upstream = true, http.Header{"Cache-Control": {"no-store"}}
		}},
		{Admitted, func(_ *Rules, _ *Facts, _ *Control, a *Answer) {
			a.Upstream = http.Header{"Cache-Control": {"no-store"}}
		}},
		{Filtered, func(_ *Rules, _ *Facts, _ *Control, a *Answer) {
			a.Body = []byte(`{"choices":[{"message":{"content":null,"refusal": "I can't."}}]}`)
		}},
		{Admitted, func(_ *Rules, _ *Facts, _ *Control, a *Answer) {
			a.Body = []byte(`{"choices":[{"message":{"content":"say \"refusal\":\"x\"","refusal":null,"x":{"refusal":""},"y":"refusal"}}]}`)
		}},
	} {
		r, f, c, a := Rules{TTL: time.Hour}, Facts{Operation: Chat}, Control{}, whole()
		test.change(&r, &f, &c, &a)
		ttl, got := r.Admit(f, c, &a)
		if got != test.want || (ttl > 0) != (got == Admitted) {
			t.Errorf("%s, want %s: %+v %+v %+v", got, test.want, r, f, a.Finish)
		}
	}
	if (*Rules)(nil).Cacheable(Facts{}) != Off {
		t.Error("no rules are not off")
	}
}

func TestReasonsHaveNames(t *testing.T) {
	seen := map[string]bool{}
	for r := range Reason(Reasons) {
		if seen[r.String()] || r != Admitted && r.String() == "" {
			t.Errorf("reason %d is called %q", r, r)
		}
		seen[r.String()] = true
	}
	if Reason(200).String() != "" {
		t.Error("a reason that is none has a name")
	}
}

func TestFactsOfRequests(t *testing.T) {
	chat, messages, gemini, items := transform.OpenAIChat, transform.Anthropic, transform.Gemini, transform.Responses
	yes := Facts{Operation: Chat}
	with := func(change func(*Facts)) Facts { f := yes; change(&f); return f }
	server, refers := with(func(f *Facts) { f.ServerTools = true }), with(func(f *Facts) { f.Refers = true })
	several := with(func(f *Facts) { f.Several = true })
	deterministic := with(func(f *Facts) { f.Deterministic = true })
	for _, test := range []struct {
		format transform.Format
		body   string
		want   Facts
	}{
		{chat, `{"model":"m","messages":[],"temperature":0.7,"n":1,"tools":null,"store":null}`, yes},
		{chat, `{"temperature":0}`, deterministic},
		{chat, `{"temp\u0065rature":0.0}`, deterministic},
		{chat, `{"n":2}`, several},
		{chat, `{"n":"2"}`, several},
		{chat, `{"best_of":2,"prompt":"x"}`, several},
		{chat, `{"store":true}`, with(func(f *Facts) { f.Retention = Retained })},
		{chat, `{"store":false}`, yes},
		{chat, `{"tools":[{"type":"function","function":{"name":"f"}},{"type":"custom"}]}`, yes},
		{chat, `{"tools":[{"type":"function"},{"type":"web_search"}]}`, server},
		{chat, `{"web_search_options":{}}`, server},
		{chat, `{"plugins":[{"id":"web"}]}`, server},
		{chat, `{"audio":{"voice":"a"},"modalities":["audio"]}`, refers},
		{items, `{"input":"a","store":false}`, yes},
		{items, `{"input":"a"}`, with(func(f *Facts) { f.Retention = RetainedUnasked })},
		{items, `{"store":true}`, with(func(f *Facts) { f.Retention = Retained })},
		{items, `{"store":false,"previous_response_id":"r"}`, refers},
		{items, `{"store":false,"conversation":{"id":"c"}}`, refers},
		{items, `{"store":false,"prompt":{"id":"p"}}`, refers},
		{items, `{"store":false,"background":true}`, refers},
		{items, `{"store":false,"background":false,"previous_response_id":null}`, yes},
		{items, `{"store":false,"tools":[{"type":"mcp"}]}`, server},
		{messages, `{"tools":[{"name":"f","input_schema":{}},{"type":"custom","name":"g"},{"type":"bash_20250124","name":"bash"},{"type":"text_editor_20250728"}]}`, yes},
		{messages, `{"tools":[{"type":"web_search_20250305","name":"web_search"}]}`, server},
		{messages, `{"tools":[{"type":"code_execution_20250825"}]}`, server},
		{messages, `{"mcp_servers":[{}]}`, server},
		{messages, `{"container":"c"}`, refers},
		{messages, `{"temperature":0}`, deterministic},
		{gemini, `{"generationConfig":{"temperature":0,"candidateCount":1}}`, deterministic},
		{gemini, `{"generation_config":{"candidate_count":3}}`, several},
		{gemini, `{"tools":[{"functionDeclarations":[]},{"function_declarations":[]}]}`, yes},
		{gemini, `{"tools":[{"functionDeclarations":[]},{"googleSearch":{}}]}`, server},
		{gemini, `{"tools":{"codeExecution":{}}}`, server},
	} {
		members, err := jsonbytes.Scan(nil, []byte(test.body), 0)
		if err != nil {
			t.Fatal(test.body, err)
		}
		if got := Examine(Chat, test.format, []byte(test.body), members); got != test.want {
			t.Errorf("%s %s: %+v, want %+v", test.format, test.body, got, test.want)
		}
	}
}

func TestScopesAreParsed(t *testing.T) {
	for text, want := range map[string]Scope{"": ScopeKey, "key": ScopeKey, "group": ScopeGroup, "shared": ScopeShared} {
		if got, err := ParseScope(text); got != want || err != nil {
			t.Errorf("%q is %v, %v", text, got, err)
		}
	}
	if _, err := ParseScope("all"); err == nil || !strings.Contains(err.Error(), "key, group or shared") {
		t.Errorf("all: %v", err)
	}
}

func BenchmarkAdmit(b *testing.B) {
	r, a := Rules{TTL: time.Hour}, whole()
	a.Body = chatStream(1000)
	b.ReportAllocs()
	for b.Loop() {
		r.Admit(Facts{Operation: Chat}, Control{}, &a)
	}
}

func BenchmarkExamine(b *testing.B) {
	body := conversation(64 << 10)
	members, err := jsonbytes.Scan(nil, body, 0)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		Examine(Chat, transform.OpenAIChat, body, members)
	}
}
