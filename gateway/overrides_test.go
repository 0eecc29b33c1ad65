package gateway_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/gateway"
	"github.com/caddyllm/llmproxy/internal/testllm"
	"github.com/caddyllm/llmproxy/providers"
	"github.com/caddyllm/llmproxy/routing"
)

// overriding is a gateway whose model m has overrides, each a path and a value; a
// path with ! before it is forced. They are in the order of their paths.
func overriding(t *testing.T, pairs ...string) (*gate, *testllm.Server) {
	t.Helper()
	var overrides []routing.Override
	for i := 0; i < len(pairs); i += 2 {
		path, force := strings.CutPrefix(pairs[i], "!")
		overrides = append(overrides, routing.Override{Path: strings.Split(path, "."), Value: []byte(pairs[i+1]), Force: force})
	}
	srv := testllm.New(t)
	g := setup{
		upstreams: []*providers.Upstream{load(t, "a", "openai", srv.URL+"/v1"), load(t, "b", "anthropic", srv.URL), load(t, "c", "gemini", srv.URL)},
		aliases: []alias{
			{name: "m", to: []string{"a/m"}, edit: func(r *routing.Route) { r.Overrides = overrides }},
			{name: "translated", to: []string{"b/claude-sonnet-5"}, edit: func(r *routing.Route) { r.Overrides = overrides }},
			{name: "gemini", to: []string{"c/gemini-3.5-flash"}, edit: func(r *routing.Route) { r.Overrides = overrides }},
			{name: "plain", to: []string{"a/m"}, fallback: []string{"m"}},
		},
		change: func(gw *gateway.Gateway) {
			gw.Surface = gateway.Surface{OpenAI: true, Anthropic: true, Gemini: true, Health: true}
		},
	}.start(t)
	return g, srv
}

func TestOverridesEditWhatTheyNameAndNothingElse(t *testing.T) {
	for name, c := range map[string]struct {
		overrides      []string
		request, wants string // after "model":"m","messages":[…]
	}{
		"set what is there":             {[]string{"!temperature", "0.20"}, `, "temperature" : 1.50 , "seed":1`, `, "temperature" : 0.20 , "seed":1`},
		"set what is not":               {[]string{"!temperature", "0.20"}, `, "seed": 1.0`, `, "seed": 1.0,"temperature":0.20`},
		"default leaves what is there":  {[]string{"temperature", "0.2"}, `,"temperature":1.5`, `,"temperature":1.5`},
		"default for null":              {[]string{"temperature", "0.2"}, `,"temperature":null`, `,"temperature":0.2`},
		"default for what is not there": {[]string{"temperature", "0.2"}, ``, `,"temperature":0.2`},
		"behind an escape":              {[]string{"!temperature", "0"}, `,"t\u0065mperature":1`, `,"t\u0065mperature":0`},
		"inside": {
			[]string{"!metadata.team", `"x"`}, `,"metadata":{ "a" : "b" , "team": "y"}`, `,"metadata":{ "a" : "b" , "team": "x"}`,
		},
		"inside of what is not there":     {[]string{"!metadata.team.name", `"x"`}, ``, `,"metadata":{"team":{"name":"x"}}`},
		"several inside":                  {[]string{"metadata.a", `"1"`, "!metadata.b", `"2"`}, `,"metadata":{"a":"0","b":"0"}`, `,"metadata":{"a":"0","b":"2"}`},
		"set inside of another type":      {[]string{"!metadata.team", `"x"`}, `,"metadata":"y"`, `,"metadata":{"team":"x"}`},
		"default inside of another type":  {[]string{"metadata.team", `"x"`}, `,"metadata":"y"`, `,"metadata":"y"`},
		"both inside of another type":     {[]string{"metadata.a", `1`, "!metadata.b", `2`}, `,"metadata":"y"`, `,"metadata":{"b":2}`},
		"a name that a number looks like": {[]string{"!logit_bias.50256", "-100"}, ``, `,"logit_bias":{"50256":-100}`},
	} {
		t.Run(name, func(t *testing.T) {
			g, srv := overriding(t, c.overrides...)
			const begins = `{"model":"m","messages":[{"role":"user","content":"hi"}]`
			wantText(t, g.chat(t, begins+c.request+"}"), "")
			equal(t, "body", lastBody(srv), begins+c.wants+"}")
		})
	}
}

func TestOverridesAreOfTheClientsFormatAndTranslated(t *testing.T) {
	g, srv := overriding(t, "!max_completion_tokens", "77", "stop", `"END"`)
	wantText(t, g.chat(t, ask("translated")), "")
	if body := lastBody(srv); !strings.Contains(body, `"max_tokens":77`) || !strings.Contains(body, `"stop_sequences":["END"]`) {
		t.Errorf("the provider got %s", body)
	}
}

func TestOverridesOfGeminiMeetEitherSpelling(t *testing.T) {
	g, srv := overriding(t, "!generationConfig.maxOutputTokens", "77")
	for request, want := range map[string]string{
		`{"contents":[{"role":"user","parts":[{"text":"hi"}]}],"generation_config":{"max_output_tokens":5}}`: `"generation_config":{"max_output_tokens":77}`,
		`{"contents":[{"role":"user","parts":[{"text":"hi"}]}],"generationConfig":{"topK":5}}`:               `"generationConfig":{"topK":5,"maxOutputTokens":77}`,
		`{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}`:                                             `"generationConfig":{"maxOutputTokens":77}`,
	} {
		equal(t, "status", g.do(t, http.MethodPost, "/v1beta/models/gemini:generateContent", request).status, http.StatusOK)
		if body := lastBody(srv); !strings.Contains(body, want) {
			t.Errorf("the provider got %s without %s", body, want)
		}
	}
}

func TestOverridesAreReadLikeTheClientsOwn(t *testing.T) {
	g, srv := overriding(t, "!stream_options.include_usage", "true")
	got := g.chat(t, askStream("m"))
	wantText(t, got, `"usage":{`) // which is left out where the client did not ask for it
	if body := lastBody(srv); strings.Count(body, "include_usage") != 1 {
		t.Errorf("the provider got %s", body)
	}
}

func TestForcedMemberCannotBeEvadedByItsSpelling(t *testing.T) {
	g, srv := overriding(t, "!metadata.team", `"x"`, "!temperature", "0")
	for _, request := range []string{
		`{"model":"m","messages":[{"role":"user","content":"hi"}],"Temperature":2}`,
		`{"model":"m","messages":[{"role":"user","content":"hi"}],"metadata":{"Team":"y"}}`,
	} {
		wantError(t, g.chat(t, request), http.StatusBadRequest, "invalid_key_case")
	}
	wantError(t, g.chat(t, `{"model":"m","messages":[{"role":"user","content":"hi"}],"metadata":{"a":1,"a":2}}`), http.StatusBadRequest, "duplicate_key")
	wantCalls(t, srv, 0)
}

func TestOverridesAreOfTheModelThatWasAskedFor(t *testing.T) {
	g, srv := overriding(t, "!temperature", "0")
	srv.Script(testllm.Reply{Status: http.StatusInternalServerError}, testllm.Reply{})
	g.chat(t, ask("plain"))
	for _, call := range srv.Calls() {
		if strings.Contains(string(call.Body), "temperature") {
			t.Errorf("the provider got %s", call.Body)
		}
	}
	wantText(t, g.chat(t, ask("a/m")), "")
	if body := lastBody(srv); strings.Contains(body, "temperature") {
		t.Errorf("a direct address got %s", body)
	}
}

func TestCountsHaveNoOverrides(t *testing.T) {
	g, srv := overriding(t, "!max_tokens", "77")
	g.do(t, http.MethodPost, "/v1/messages/count_tokens", `{"model":"translated","messages":[{"role":"user","content":"hi"}]}`)
	for _, call := range srv.Calls() {
		if strings.Contains(string(call.Body), "max_tokens") {
			t.Errorf("the provider was asked to count %s", call.Body)
		}
	}
}
