package gemini

import (
	"testing"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

func TestExtraMembers(t *testing.T) {
	for _, test := range []struct {
		name, value   string
		model         string
		vertex, tools bool
		at, want      string
		dropped       string
		refused       string
	}{
		{name: "safety_settings", value: `[{"category":"X","threshold":"Y"}]`, at: "safetySettings", want: `[{"category":"X","threshold":"Y"}]`},
		{name: "safetySettings", value: `[]`, at: "safetySettings", want: `[]`},
		{name: "safetySettings", value: `5`, at: "safetySettings", dropped: "/safetySettings"},
		{name: "cached_content", value: `"cachedContents/x"`, at: "cachedContent", want: `"cachedContents/x"`},
		{name: "labels", value: `{"a":"b"}`, at: "labels", want: `{"a":"b"}`},
		{name: "store", value: `false`, at: "store", want: `false`},
		{name: "store", value: `true`, vertex: true, at: "store", dropped: "/store"},
		{name: "store", value: `false`, vertex: true, at: "store"},
		{name: "extra_body", value: `{"google":{"thinking_config":{"thinking_budget":5},"cached_content":"c","x":1,"y":null},"z":2}`,
			at: "generationConfig/thinkingConfig", want: `{"thinking_budget":5}`, dropped: "/extra_body/google/x /extra_body/z"},
		{name: "extra_body", value: `{"google":{"safety_settings":[]}}`, at: "safetySettings", want: `[]`},
		{name: "extra_body", value: `{"google":{},"google":{}}`, at: "safetySettings", dropped: "/extra_body"},
		{name: "extra_body", value: `"x"`, at: "safetySettings", dropped: "/extra_body"},
		{name: "google", value: `{"thinking_config":{"include_thoughts":true},"x":1}`, at: "generationConfig/thinkingConfig",
			want: `{"include_thoughts":true}`, dropped: "/google/x"},
		{name: "thinking", value: `{"type":"enabled","budget_tokens":2000}`, at: "generationConfig/thinkingConfig", want: `{"thinkingBudget":2000,"includeThoughts":true}`},
		{name: "thinking", value: `{"type":"disabled"}`, at: "generationConfig/thinkingConfig", want: `{"thinkingBudget":0}`},
		{name: "thinking", value: `{"type":"adaptive"}`, at: "generationConfig/thinkingConfig", want: `{"includeThoughts":true}`},
		{name: "thinking", value: `true`, at: "generationConfig", dropped: "/thinking"},
		{name: "modalities", value: `["text"]`, at: "generationConfig"},
		{name: "modalities", value: `["text","image"]`, at: "generationConfig/responseModalities", want: `["TEXT","IMAGE"]`},
		{name: "modalities", value: `["image"]`, at: "generationConfig/responseModalities", want: `["IMAGE"]`},
		{name: "modalities", value: `["text","audio"]`, at: "generationConfig", dropped: "/modalities", refused: "/modalities"},
		{name: "audio", value: `{"voice":"x"}`, at: "generationConfig", dropped: "/audio", refused: "/audio"},
		{name: "web_search_options", value: `{}`, at: "tools", want: `[{"googleSearch":{}}]`},
		{name: "web_search_options", value: `{"search_context_size":"low"}`, at: "tools", want: `[{"googleSearch":{}}]`,
			dropped: "/web_search_options/search_context_size"},
		{name: "web_search_options", value: `{}`, tools: true, at: "tools", want: `[{"functionDeclarations":[{"name":"f"}]}]`,
			dropped: "/web_search_options", refused: "/web_search_options"},
		{name: "web_search_options", value: `{}`, tools: true, model: "gemini-3-flash", at: "tools", want: `[{"functionDeclarations":[{"name":"f"}]},{"googleSearch":{}}]`},
		{name: "web_search_options", value: `{}`, tools: true, model: "gemini-3-flash", at: "toolConfig",
			want: `{"functionCallingConfig":{"mode":"VALIDATED"},"includeServerSideToolInvocations":true}`},
		{name: "web_search_options", value: `{}`, tools: true, model: "gemini-3-flash", vertex: true, at: "toolConfig"},
		{name: "previous_response_id", value: `"x"`, at: "tools", dropped: "/previous_response_id", refused: "/previous_response_id"},
		{name: "background", value: `false`, at: "tools"},
		{name: "logit_bias", value: `{"1":2}`, at: "tools", dropped: "/logit_bias"},
		{name: "metadata", value: `{"a":"b"}`, at: "labels", dropped: "/metadata"},
		{name: "metadata", value: `null`, at: "labels"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := &transform.Request{Turns: []transform.Turn{user(say("q"))}, Rest: []transform.Member{{Name: test.name, Value: jsonbytes.Value(test.value)}}}
			if test.tools {
				r.Tools = []transform.Tool{tool("f", "")}
			}
			target := google
			if test.model != "" {
				target.Model = test.model
			}
			got, lost := encode(t, Codec{Vertex: test.vertex}, r, target)
			if got := member(t, got, test.at); got != test.want {
				t.Errorf("%s: got %s, want %s", test.value, got, test.want)
			}
			sameLosses(t, lost, test.dropped, test.refused)
		})
	}
}
