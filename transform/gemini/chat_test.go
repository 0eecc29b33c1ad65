package gemini

import (
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/transform/openai"
)

// A request of a Chat Completions client, all the way.
func TestChatRequest(t *testing.T) {
	const chat = `{"model": "smart", "max_completion_tokens": 200, "temperature": 0.2, "reasoning_effort": "low", "stream": true,
	"messages": [
		{"role": "developer", "content": "Be brief."},
		{"role": "user", "name": "ann", "content": [{"type": "text", "text": "Weather in Paris and in this city?"},
			{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA", "detail": "low"}}]},
		{"role": "assistant", "content": null, "reasoning_content": "hm", "tool_calls": [
			{"id": "c1", "type": "function", "function": {"name": "weather", "arguments": "{\"city\": \"Paris\"}"},
				"extra_content": {"google": {"thought_signature": "SIG"}}},
			{"id": "c2", "type": "function", "function": {"name": "weather", "arguments": "{\"city\": \"London\"}"}}]},
		{"role": "tool", "tool_call_id": "c2", "content": "{\"degrees\": 9}"},
		{"role": "tool", "tool_call_id": "c1", "content": "15 degrees"}],
	"tools": [{"type": "function", "function": {"name": "weather", "description": "Tells the weather.", "strict": true,
		"parameters": {"type":"object","properties":{"city":{"type":"string"}},"required":["city"],"additionalProperties":false}}}],
	"parallel_tool_calls": false, "logit_bias": {"1": 1}, "user": "u1", "safety_settings": [{"category":"C","threshold":"T"}]}`
	const want = `{"systemInstruction":{"parts":[{"text":"Be brief."}]},` +
		`"tools":[{"functionDeclarations":[{"name":"weather","description":"Tells the weather.",` +
		`"parametersJsonSchema":{"type":"object","properties":{"city":{"type":"string"}},"required":["city"],"additionalProperties":false}}]}],` +
		`"toolConfig":{"functionCallingConfig":{"mode":"VALIDATED"}},` +
		`"contents":[{"role":"user","parts":[{"text":"Weather in Paris and in this city?"},` +
		`{"inlineData":{"mimeType":"image/png","data":"AAAA"},"mediaResolution":{"level":"MEDIA_RESOLUTION_LOW"}}]},` +
		`{"role":"model","parts":[{"functionCall":{"id":"c1","name":"weather","args":{"city":"Paris"}},"thoughtSignature":"SIG"},` +
		`{"functionCall":{"id":"c2","name":"weather","args":{"city":"London"}}}]},` +
		`{"role":"user","parts":[{"functionResponse":{"id":"c1","name":"weather","response":{"output":"15 degrees"}}},` +
		`{"functionResponse":{"id":"c2","name":"weather","response":{"degrees":9}}}]}],` +
		`"generationConfig":{"maxOutputTokens":200,"temperature":0.2,"thinkingConfig":{"thinkingLevel":"LOW","includeThoughts":true}},` +
		`"safetySettings":[{"category":"C","threshold":"T"}]}`
	var lost transform.Losses
	r, err := openai.Codec{}.DecodeRequest([]byte(chat), &lost)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Codec{}.AppendRequest(nil, r, to("gemini-3-flash-preview"), &lost)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	sameLosses(t, &lost, "/logit_bias /parallel_tool_calls /messages/1/name /messages/2/reasoning_content /user", "")
}

// A stream for a Chat Completions client, all the way.
func TestChatStream(t *testing.T) {
	d := Codec{}.NewStreamDecoder()
	e := openai.Codec{}.NewStreamEncoder(&transform.Request{Model: "smart", StreamUsage: true})
	var out []byte
	for _, event := range []string{
		chunk(`{"text":"hm","thought":true}`, ""),
		chunk(`{"text":"Let me \"see\"."}`, ""),
		chunk(`{"functionCall":{"id":"c1","name":"weather","args":{"city":"Paris"}},"thoughtSignature":"SIG"}`, `,"finishReason":"STOP"`),
	} {
		deltas, err := d.Decode(nil, nil, []byte(event))
		if err != nil {
			t.Fatal(err)
		}
		for i := range deltas {
			out = e.Append(out, &deltas[i])
		}
	}
	out = e.AppendEnd(out)
	at := 0
	for _, want := range []string{
		`"reasoning_content":"hm"`, `"content":"Let me \"see\"."`, `"id":"c1"`, `"thought_signature":"SIG"`,
		`"arguments":"{\"city\":\"Paris\"}"`, `"finish_reason":"tool_calls"`, `"prompt_tokens":5`, "data: [DONE]",
	} {
		i := strings.Index(string(out[at:]), want)
		if i < 0 {
			t.Fatalf("no %s, or not in its place:\n%s", want, out)
		}
		at += i
	}
}
