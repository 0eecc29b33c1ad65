package gemini

import (
	"testing"

	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/transform/anthropic"
	"github.com/caddyllm/llmproxy/transform/openai"
)

// A request of a Gemini client, all the way to other providers.
func TestClientRequestsReachOtherProviders(t *testing.T) {
	body := `{"systemInstruction":{"role":"user","parts":[{"text":"Be brief."}]},
	"contents":[{"role":"user","parts":[{"text":"Weather?"},{"inlineData":{"mimeType":"image/png","data":"AAAA"}}]},
		{"role":"model","parts":[{"text":"hm","thought":true,"thoughtSignature":` + sealedSig("SIG") + `},{"functionCall":{"name":"weather","args":{"city":"Paris"}}},{"functionCall":{"name":"weather","args":{"city":"Rome"}}}]},
		{"role":"user","parts":[{"functionResponse":{"name":"weather","response":{"output":"15"}}},{"functionResponse":{"name":"weather","response":{"error":"no"}}}]}],
	"tools":[{"functionDeclarations":[{"name":"weather","description":"Tells it.","parameters":{"type":"OBJECT","properties":{"city":{"type":"STRING"}},"required":["city"]}}]}],
	"toolConfig":{"functionCallingConfig":{"mode":"ANY"}},"generationConfig":{"maxOutputTokens":2000,"temperature":0.2,"stopSequences":["x"]},
	"safetySettings":[{"category":"C","threshold":"T"}]}`
	r, lost := decode(t, body)
	out, err := openai.Codec{}.AppendRequest(nil, r, transform.Target{Model: "gpt-4o", Vendor: transform.VendorOpenAI}, lost)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"messages/0":              `{"role":"system","content":"Be brief."}`,
		"messages/1/content/1":    `{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}`,
		"messages/2/tool_calls/1": `{"id":"call_1_1","type":"function","function":{"name":"weather","arguments":"{\"city\":\"Rome\"}"}}`,
		"messages/3":              `{"role":"tool","tool_call_id":"call_1_0","content":"15"}`,
		"messages/4":              `{"role":"tool","tool_call_id":"call_1_1","content":"Error: no"}`,
		"tools/0/function":        `{"name":"weather","description":"Tells it.","parameters":{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}}`,
		"tool_choice":             `"required"`,
	} {
		if got := member(t, string(out), path); got != want {
			t.Errorf("%s: got %s, want %s", path, got, want)
		}
	}
	if !reported(lost, "/safetySettings") || !reported(lost, "/contents/1/parts/0") || len(lost.Refused) > 0 {
		t.Errorf("dropped %q, refused %q", lost.Dropped, lost.Refused)
	}

	out, err = anthropic.Codec{}.AppendRequest(nil, r, transform.Target{Model: "claude-sonnet-4-5", Vendor: transform.VendorAnthropic}, new(transform.Losses))
	if err != nil {
		t.Fatal(err)
	}
	if got := member(t, string(out), "messages/1/content/0"); got != `{"type":"thinking","thinking":"hm","signature":"SIG"}` {
		t.Errorf("the reasoning does not find back: %s\n%s", got, out)
	}
}
