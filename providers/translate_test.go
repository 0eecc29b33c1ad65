package providers

import (
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/transform/openai"
)

// translated is what becomes of the body of a Chat Completions request on its
// way to a preset's provider, if it may not be passed on as it is.
func translated(t *testing.T, preset, body string) (string, *transform.Losses) {
	t.Helper()
	module, err := caddy.GetModule(Namespace + "." + preset)
	if err != nil {
		t.Fatal(err)
	}
	p := module.New().(*OpenAICompatible)
	p.BaseURL, p.APIKey = "http://127.0.0.1", Strings{"k"}
	ctx, cancel := caddy.NewContext(caddy.Context{Context: t.Context()})
	defer cancel()
	if err := p.Provision(ctx); err != nil {
		t.Fatal(err)
	}
	lost := new(transform.Losses)
	r, err := openai.Codec{}.DecodeRequest([]byte(body), lost)
	if err != nil {
		t.Fatal(err)
	}
	e := p.Chat(Call{Model: "m", Stream: r.Stream, Client: transform.OpenAIChat})
	out, err := e.Codec.AppendRequest(nil, r, transform.Target{Model: "m", Stream: r.Stream, Vendor: e.Vendor}, lost)
	if err != nil {
		t.Fatal(err)
	}
	return string(out), lost
}

func TestRequestsReachVendorsInTheirWords(t *testing.T) {
	const user = `"messages":[{"role":"user","content":"a"}]`
	for _, test := range []struct{ preset, body, want, lost string }{
		{
			"mistral",
			user + `,"stream":true,"stream_options":{"include_usage":true},"max_completion_tokens":5,"temperature":0.5,"top_p":0.9,"seed":1,"n":2,"stop":["x"],` +
				`"presence_penalty":1,"frequency_penalty":1,"safe_prompt":true,"prompt_mode":"reasoning","prediction":{"type":"content","content":"p"},` +
				`"parallel_tool_calls":false,"tools":[{"type":"function","function":{"name":"f","parameters":{},"strict":true}}],"tool_choice":"required",` +
				`"reasoning_effort":"high","metadata":{"k":"v"},"prompt_cache_key":"c","response_format":{"type":"json_schema","json_schema":{"name":"s","schema":{}}}`,
			user + `,"tools":[{"type":"function","function":{"name":"f","parameters":{},"strict":true}}],"tool_choice":"required","parallel_tool_calls":false,` +
				`"response_format":{"type":"json_schema","json_schema":{"name":"s","schema":{}}},"max_tokens":5,"temperature":0.5,"top_p":0.9,` +
				`"frequency_penalty":1,"presence_penalty":1,"random_seed":1,"n":2,"stop":["x"],"reasoning_effort":"high",` +
				`"safe_prompt":true,"prompt_mode":"reasoning","prediction":{"type":"content","content":"p"},"metadata":{"k":"v"},"prompt_cache_key":"c","stream":true`,
			"",
		},
		{"mistral", user + `,"random_seed":7`, user + `,"random_seed":7`, ""},
		{"mistral", user + `,"user":"u","logprobs":true,"top_logprobs":2,"logit_bias":{"1":1},"store":true`, user, "/logprobs /top_logprobs /user /logit_bias /store"},
		{
			"mistral", `"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b","prefix":true}]`,
			`"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b","prefix":true}]`, "",
		},
		{
			"openai_compatible",
			user + `,"stream":true,"max_completion_tokens":5,"temperature":0.5,"top_p":0.9,"seed":1,"stop":["x"],"user":"u","frequency_penalty":1,"presence_penalty":1,` +
				`"reasoning_effort":"low","parallel_tool_calls":true,"logprobs":true,"store":true,"service_tier":"flex",` +
				`"tools":[{"type":"function","function":{"name":"f","parameters":{}}}],"tool_choice":"auto","response_format":{"type":"json_schema","json_schema":{"name":"s","schema":{}}}`,
			user + `,"tools":[{"type":"function","function":{"name":"f","parameters":{}}}],"tool_choice":"auto",` +
				`"response_format":{"type":"json_schema","json_schema":{"name":"s","schema":{}}},"max_tokens":5,"temperature":0.5,"top_p":0.9,"seed":1,"stop":["x"],` +
				`"stream":true,"stream_options":{"include_usage":true}`,
			"/parallel_tool_calls /frequency_penalty /presence_penalty /logprobs /reasoning_effort /user /service_tier /store",
		},
		{"openai_compatible", `"messages":[{"role":"developer","content":"s"},{"role":"user","content":"a"}]`, `"messages":[{"role":"system","content":"s"},{"role":"user","content":"a"}]`, ""},
		{"deepseek", `"messages":[{"role":"assistant","content":"b"},{"role":"user","content":"a"}],"reasoning_effort":"medium"`, `"messages":[{"role":"assistant","content":"b","reasoning_content":""},{"role":"user","content":"a"}],"reasoning_effort":"high"`, ""},
		{"zai", user + `,"temperature":0,"user":"u","reasoning_effort":"none"`, user + `,"temperature":0.01,"thinking":{"type":"disabled"},"user_id":"u"`, ""},
		{"groq", `"messages":[{"role":"user","name":"n","content":"a"}],"max_tokens":5`, user + `,"max_completion_tokens":5`, "/messages/0/name"},
		{"minimax", user, user + `,"reasoning_split":true`, ""},
	} {
		t.Run(test.preset, func(t *testing.T) {
			body, lost := translated(t, test.preset, `{"model":"m",`+test.body+`}`)
			if want := `{"model":"m",` + test.want + `}`; body != want {
				t.Errorf("%s\nwant %s", body, want)
			}
			if got := strings.Join(lost.Dropped, " "); got != test.lost || len(lost.Refused) > 0 {
				t.Errorf("dropped %s, want %s; refused %v", got, test.lost, lost.Refused)
			}
		})
	}
}
