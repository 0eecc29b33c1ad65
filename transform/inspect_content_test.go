package transform_test

import (
	"testing"

	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/transform/anthropic"
	"github.com/caddyllm/llmproxy/transform/cohere"
	"github.com/caddyllm/llmproxy/transform/converse"
	"github.com/caddyllm/llmproxy/transform/gemini"
	"github.com/caddyllm/llmproxy/transform/ollama"
	"github.com/caddyllm/llmproxy/transform/openai"
	"github.com/caddyllm/llmproxy/transform/responses"
)

func TestWholeAnswersTellWhetherTheySayAnything(t *testing.T) {
	for _, test := range []struct {
		codec transform.ProviderCodec
		says  bool
		body  string
	}{
		{openai.Codec{}, false, `{"choices":[{"message":{"role":"assistant","content":"","refusal":null,"annotations":[]},"finish_reason":"stop"}]}`},
		{openai.Codec{}, false, `{"choices":[{"message":{"role":"assistant","content":null},"finish_reason":"stop"}]}`},
		{openai.Codec{}, true, `{"choices":[{"message":{"role":"assistant","content":"a"},"finish_reason":"stop"}]}`},
		{openai.Codec{}, true, `{"choices":[{"message":{"role":"assistant","content":null,"tool_calls":[{"id":"a"}]},"finish_reason":"stop"}]}`},
		{openai.Codec{}, true, `{"choices":[{"message":{"role":"assistant","content":"","reasoning_content":"hm"},"finish_reason":"stop"}]}`},
		{openai.Codec{}, true, `{"choices":[{"message":{"content":""},"finish_reason":"stop"},{"index":1,"message":{"content":"b"}}]}`},
		{anthropic.Codec{}, false, `{"type":"message","content":[],"stop_reason":"end_turn"}`},
		{anthropic.Codec{}, false, `{"type":"message","content":[{"type":"text","text":""}],"stop_reason":"end_turn"}`},
		{anthropic.Codec{}, true, `{"type":"message","content":[{"type":"text","text":"a"}],"stop_reason":"end_turn"}`},
		{anthropic.Codec{}, true, `{"type":"message","content":[{"type":"tool_use","id":"a","name":"f","input":{}}],"stop_reason":"tool_use"}`},
		{gemini.Codec{}, false, `{"candidates":[{"content":{"role":"model"},"finishReason":"STOP"}]}`},
		{gemini.Codec{}, false, `{"candidates":[{"content":{"role":"model","parts":[{"text":""}]},"finishReason":"STOP"}]}`},
		{gemini.Codec{}, true, `{"candidates":[{"content":{"role":"model","parts":[{"text":"a"}]},"finishReason":"STOP"}]}`},
		{gemini.Codec{}, true, `{"candidates":[{"content":{"role":"model","parts":[{"functionCall":{"name":"f"}}]},"finishReason":"STOP"}]}`},
		{responses.Codec{}, false, `{"object":"response","status":"completed","output":[]}`},
		{responses.Codec{}, false, `{"object":"response","status":"completed","output":[{"type":"message","content":[{"type":"output_text","text":""}]}]}`},
		{responses.Codec{}, true, `{"object":"response","status":"queued","output":[]}`},
		{responses.Codec{}, true, `{"object":"response","status":"completed","output":[{"type":"message","content":[{"type":"output_text","text":"a"}]}]}`},
		{responses.Codec{}, true, `{"object":"response","status":"completed","output":[{"type":"function_call","name":"f"}]}`},
		{converse.Codec{}, false, `{"output":{"message":{"role":"assistant","content":[]}},"stopReason":"end_turn"}`},
		{converse.Codec{}, true, `{"output":{"message":{"role":"assistant","content":[{"text":"a"}]}},"stopReason":"end_turn"}`},
		{cohere.Codec{}, false, `{"message":{"role":"assistant","content":[]},"finish_reason":"COMPLETE"}`},
		{cohere.Codec{}, true, `{"message":{"role":"assistant","content":[{"type":"text","text":"a"}]},"finish_reason":"COMPLETE"}`},
		{ollama.Codec{}, false, `{"message":{"role":"assistant","content":""},"done":true,"done_reason":"stop"}`},
		{ollama.Codec{}, true, `{"message":{"role":"assistant","content":"a"},"done":true,"done_reason":"stop"}`},
	} {
		found, err := test.codec.InspectResponse([]byte(test.body))
		if err != nil || found.Content != test.says {
			t.Errorf("%s: content is %v (%v), want %v", test.body, found.Content, err, test.says)
		}
	}
}

func TestStreamsTellWhetherTheySayAnything(t *testing.T) {
	type said struct{ name, data string }
	for name, test := range map[string]struct {
		codec        transform.ProviderCodec
		begin        []said
		content, end said
	}{
		"openai": {
			openai.Codec{}, []said{{"", `{"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}`}},
			said{"", `{"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}]}`}, said{"", `{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`},
		},
		"anthropic": {
			anthropic.Codec{}, []said{{"message_start", `{"type":"message_start","message":{"usage":{"input_tokens":1}}}`}, {"ping", `{"type":"ping"}`}},
			said{"content_block_delta", `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a"}}`}, said{"message_delta", `{"type":"message_delta","delta":{"stop_reason":"end_turn"}}`},
		},
		"gemini": {
			gemini.Codec{}, []said{{"", `{"candidates":[{"content":{"parts":[{"text":""}]}}]}`}},
			said{"", `{"candidates":[{"content":{"parts":[{"text":"a"}]}}]}`}, said{"", `{"candidates":[{"content":{"role":"model"},"finishReason":"STOP"}]}`},
		},
		"responses": {
			responses.Codec{}, []said{{"response.created", `{"type":"response.created","response":{}}`}, {"response.output_item.added", `{"type":"response.output_item.added","item":{"type":"message","content":[]}}`}},
			said{"response.output_text.delta", `{"type":"response.output_text.delta","delta":"a"}`}, said{"response.completed", `{"type":"response.completed","response":{"status":"completed","output":[]}}`},
		},
		"converse": {
			converse.Codec{}, []said{{"messageStart", `{"role":"assistant"}`}},
			said{"contentBlockDelta", `{"contentBlockIndex":0,"delta":{"text":"a"}}`}, said{"messageStop", `{"stopReason":"end_turn"}`},
		},
	} {
		for _, says := range []bool{false, true} {
			s := test.codec.NewStreamInspector()
			events := append([]said(nil), test.begin...)
			if says {
				events = append(events, test.content)
			}
			for _, e := range append(events, test.end) {
				if _, err := s.Inspect([]byte(e.name), []byte(e.data)); err != nil {
					t.Fatal(err)
				}
			}
			if s.Summary().Content != says {
				t.Errorf("%s: content is %v, want %v", name, !says, says)
			}
		}
	}
}
