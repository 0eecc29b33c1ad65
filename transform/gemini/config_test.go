package gemini

import (
	"testing"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

type number = jsonbytes.Value

func TestGenerationConfig(t *testing.T) {
	type sampling = transform.Sampling
	stops := func(n int) (list []transform.Literal) {
		for i := range n {
			list = append(list, transform.Quote(string(rune('a'+i))))
		}
		return list
	}
	schema := transform.Output{Kind: transform.OutputSchema, Name: "n", Schema: jsonbytes.Value(`{"type":"object"}`)}
	described := schema
	described.Description = transform.Quote("d")
	tools := []transform.Tool{tool("f", "")}
	for _, test := range []struct {
		name    string
		model   string
		vertex  bool
		r       transform.Request
		want    string
		dropped string
		refused string
	}{
		{name: "nothing", want: ""},
		{name: "numbers as they are spelled",
			r:    transform.Request{Sampling: sampling{MaxTokens: 100, Temperature: number("0.70"), TopP: number("1e-1"), TopK: number("40"), Seed: number("7")}},
			want: `{"maxOutputTokens":100,"temperature":0.70,"topP":1e-1,"topK":40,"seed":7}`},
		{name: "a long seed", r: transform.Request{Sampling: sampling{Seed: number("4294967297")}}, want: `{"seed":0}`},
		{name: "a negative seed", r: transform.Request{Sampling: sampling{Seed: number("-5")}}, want: `{"seed":-5}`},
		{name: "no seed", r: transform.Request{Sampling: sampling{Seed: number("0.5")}}, dropped: "/seed"},
		{name: "no number", r: transform.Request{Sampling: sampling{Temperature: number(`"x"`), TopP: number("null")}}, dropped: "/temperature"},
		{name: "penalties", model: "gemini-3-flash", r: transform.Request{Sampling: sampling{PresencePenalty: number("0.5"), FrequencyPenalty: number("1")}},
			want: `{"presencePenalty":0.5,"frequencyPenalty":1}`},
		{name: "penalties on 2.5", r: transform.Request{Sampling: sampling{PresencePenalty: number("0.5"), FrequencyPenalty: number("0.0")}},
			dropped: "/presence_penalty"},
		{name: "penalties on 2.5 of Vertex", vertex: true, r: transform.Request{Sampling: sampling{PresencePenalty: number("0.5")}},
			want: `{"presencePenalty":0.5}`},
		{name: "one answer", r: transform.Request{Sampling: sampling{N: 1}}},
		{name: "answers", r: transform.Request{Sampling: sampling{N: 8}}, want: `{"candidateCount":8}`},
		{name: "too many answers", r: transform.Request{Sampling: sampling{N: 9}}, dropped: "/n", refused: "/n"},
		{name: "stops", r: transform.Request{Sampling: sampling{Stop: append(stops(2), transform.Quote(""))}}, want: `{"stopSequences":["a","b"]}`},
		{name: "too many stops", r: transform.Request{Sampling: sampling{Stop: stops(7)}}, want: `{"stopSequences":["a","b","c","d","e"]}`, dropped: "/stop"},
		{name: "logprobs", r: transform.Request{Logprobs: true}, want: `{"responseLogprobs":true}`},
		{name: "top logprobs", r: transform.Request{Logprobs: true, TopLogprobs: 30}, want: `{"responseLogprobs":true,"logprobs":20}`},
		{name: "top of nothing", r: transform.Request{TopLogprobs: 3}, dropped: "/top_logprobs"},
		{name: "text", r: transform.Request{Output: transform.Output{Kind: transform.OutputText}}},
		{name: "JSON", r: transform.Request{Output: transform.Output{Kind: transform.OutputJSON}}, want: `{"responseMimeType":"application/json"}`},
		{name: "schema", r: transform.Request{Output: schema}, want: `{"responseMimeType":"application/json","responseJsonSchema":{"type":"object"}}`},
		{name: "described schema", r: transform.Request{Output: described}, want: `{"responseMimeType":"application/json","responseJsonSchema":{"type":"object"}}`,
			dropped: "/response_format/json_schema/description"},
		{name: "schema of nothing", r: transform.Request{Output: transform.Output{Kind: transform.OutputSchema}}, want: `{"responseMimeType":"application/json"}`},
		{name: "schema and tools", r: transform.Request{Output: schema, Tools: tools}, dropped: "/response_format", refused: "/response_format"},
		{name: "schema and tools that may not be called", r: transform.Request{Output: schema, Tools: tools, ToolChoice: transform.ToolChoice{Mode: transform.ToolsNone}},
			want: `{"responseMimeType":"application/json","responseJsonSchema":{"type":"object"}}`},
		{name: "schema and tools on 3", model: "gemini-3-flash", r: transform.Request{Output: schema, Tools: tools},
			want: `{"responseMimeType":"application/json","responseJsonSchema":{"type":"object"}}`},
		{name: "user", r: transform.Request{User: "u"}, dropped: "/user"},
	} {
		t.Run(test.name, func(t *testing.T) {
			target := google
			if test.model != "" {
				target.Model = test.model
			}
			test.r.Turns = []transform.Turn{user(say("q"))}
			got, lost := encode(t, Codec{Vertex: test.vertex}, &test.r, target)
			if got := member(t, got, "generationConfig"); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
			sameLosses(t, lost, test.dropped, test.refused)
		})
	}
}

func TestThinking(t *testing.T) {
	type wish = transform.Reasoning
	for _, test := range []struct {
		model   string
		wish    wish
		want    string
		dropped string
	}{
		{"gemini-3-flash-preview", wish{}, "", ""},
		{"gemini-3-flash-preview", wish{Effort: "none"}, `{"thinkingLevel":"MINIMAL"}`, ""},
		{"gemini-3-flash-preview", wish{Effort: "minimal", Summary: true}, `{"thinkingLevel":"MINIMAL","includeThoughts":true}`, ""},
		{"gemini-3-flash-preview", wish{Effort: "low", Summary: true}, `{"thinkingLevel":"LOW","includeThoughts":true}`, ""},
		{"gemini-3-flash-preview", wish{Effort: "medium", Summary: true}, `{"thinkingLevel":"MEDIUM","includeThoughts":true}`, ""},
		{"gemini-3-flash-preview", wish{Effort: "high", Summary: true}, `{"thinkingLevel":"HIGH","includeThoughts":true}`, ""},
		{"gemini-3-flash-preview", wish{Effort: "max", Summary: true}, `{"thinkingLevel":"HIGH","includeThoughts":true}`, ""},
		{"gemini-3-flash-preview", wish{Effort: "lots", Summary: true}, `{"includeThoughts":true}`, "/reasoning_effort"},
		{"gemini-3-flash-preview", wish{Effort: "low"}, `{"thinkingLevel":"LOW"}`, ""},
		{"gemini-3-pro-preview", wish{Effort: "none"}, `{"thinkingLevel":"LOW"}`, ""},
		{"gemini-3-pro-preview", wish{Effort: "medium", Summary: true}, `{"thinkingLevel":"HIGH","includeThoughts":true}`, ""},
		{"gemini-3.1-pro-preview", wish{Effort: "medium", Summary: true}, `{"thinkingLevel":"MEDIUM","includeThoughts":true}`, ""},
		{"gemini-3.8-flash", wish{Effort: "minimal", Summary: true}, `{"thinkingLevel":"LOW","includeThoughts":true}`, ""},
		{"gemini-3.1-flash-image", wish{Effort: "low", Summary: true}, `{"thinkingLevel":"HIGH","includeThoughts":true}`, ""},
		{"gemini-4-argon", wish{Budget: 500, Summary: true}, `{"thinkingLevel":"LOW","includeThoughts":true}`, ""},
		{"gemini-4-argon", wish{Budget: 4000, Summary: true}, `{"thinkingLevel":"MEDIUM","includeThoughts":true}`, ""},
		{"gemini-4-argon", wish{Budget: 30000, Summary: true}, `{"thinkingLevel":"HIGH","includeThoughts":true}`, ""},
		{"gemini-4-argon", wish{Effort: "low", Budget: 30000, Summary: true}, `{"thinkingLevel":"LOW","includeThoughts":true}`, ""},
		{"gemini-4-argon", wish{Summary: true}, `{"includeThoughts":true}`, ""},
		{"gemini-4-argon", wish{Effort: "none", Summary: true}, `{"thinkingLevel":"LOW"}`, ""},
		{"gemini-2.5-flash", wish{Effort: "none"}, `{"thinkingBudget":0}`, ""},
		{"gemini-2.5-flash", wish{Effort: "minimal", Summary: true}, `{"thinkingBudget":512,"includeThoughts":true}`, ""},
		{"gemini-2.5-flash", wish{Effort: "low", Summary: true}, `{"thinkingBudget":1024,"includeThoughts":true}`, ""},
		{"gemini-2.5-flash", wish{Effort: "medium", Summary: true}, `{"thinkingBudget":8192,"includeThoughts":true}`, ""},
		{"gemini-2.5-flash", wish{Effort: "high", Summary: true}, `{"thinkingBudget":24576,"includeThoughts":true}`, ""},
		{"gemini-2.5-flash", wish{Effort: "max", Summary: true}, `{"thinkingBudget":24576,"includeThoughts":true}`, ""},
		{"gemini-2.5-flash", wish{Budget: 100, Summary: true}, `{"thinkingBudget":100,"includeThoughts":true}`, ""},
		{"gemini-2.5-flash", wish{Budget: 100000, Summary: true}, `{"thinkingBudget":24576,"includeThoughts":true}`, ""},
		{"gemini-2.5-flash", wish{Effort: "lots", Summary: true}, `{"includeThoughts":true}`, "/reasoning_effort"},
		{"gemini-2.5-flash-lite", wish{Budget: 100, Summary: true}, `{"thinkingBudget":512,"includeThoughts":true}`, ""},
		{"gemini-2.5-pro", wish{Effort: "none"}, `{"thinkingBudget":128}`, ""},
		{"gemini-2.5-pro", wish{Effort: "max", Summary: true}, `{"thinkingBudget":32768,"includeThoughts":true}`, ""},
		{"gemini-2.5-pro", wish{Summary: true}, `{"includeThoughts":true}`, ""},
		{"gemini-2.0-flash", wish{Effort: "high"}, "", "/reasoning_effort"},
		{"gemini-2.0-flash", wish{Effort: "none"}, "", ""},
		{"gemma-3-27b-it", wish{Budget: 1000}, "", "/reasoning_effort"},
	} {
		r := &transform.Request{Turns: []transform.Turn{user(say("q"))}, Reasoning: test.wish}
		got, lost := encode(t, Codec{}, r, to(test.model))
		if got := member(t, got, "generationConfig/thinkingConfig"); got != test.want {
			t.Errorf("%s %+v: got %s, want %s", test.model, test.wish, got, test.want)
		}
		sameLosses(t, lost, test.dropped, "")
	}
}

func TestServiceTiers(t *testing.T) {
	for _, test := range []struct {
		tier    string
		vertex  bool
		want    string
		dropped string
	}{
		{"", false, "", ""}, {"auto", false, "", ""}, {"default", false, `"standard"`, ""}, {"flex", false, `"flex"`, ""},
		{"priority", false, `"priority"`, ""}, {"scale", false, "", "/service_tier"},
		{"auto", true, "", ""}, {"default", true, "", ""}, {"flex", true, "", "/service_tier"},
	} {
		r := &transform.Request{Turns: []transform.Turn{user(say("q"))}, ServiceTier: test.tier}
		got, lost := encode(t, Codec{Vertex: test.vertex}, r, google)
		if got := member(t, got, "serviceTier"); got != test.want {
			t.Errorf("%q: got %s", test.tier, got)
		}
		sameLosses(t, lost, test.dropped, "")
	}
}
