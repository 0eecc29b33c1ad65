package openai

import (
	"testing"

	"github.com/caddyllm/llmproxy/transform"
)

func TestInspectTellsSkeletonFromContent(t *testing.T) {
	tests := map[string]struct {
		data string
		want transform.Sign
	}{
		"role":              {`{"choices":[{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"finish_reason":null}]}`, transform.Sign{}},
		"deepseek's role":   {`{"choices":[{"index":0,"delta":{"role":"assistant","content":null,"reasoning_content":""}}]}`, transform.Sign{}},
		"azure's prompt":    {`{"choices":[],"id":"","prompt_filter_results":[{}]}`, transform.Sign{}},
		"openrouter's role": {`{"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}],"usage":{"prompt_tokens":1,"completion_tokens":0}}`, transform.Sign{}},
		"text":              {`{"choices":[{"index":0,"delta":{"content":"a"}}]}`, transform.Sign{Content: true}},
		"reasoning":         {`{"choices":[{"index":0,"delta":{"content":"","reasoning":"a"}}]}`, transform.Sign{Content: true}},
		"call":              {`{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0}]}}]}`, transform.Sign{Content: true}},
		"unknown member":    {`{"choices":[{"index":0,"delta":{"audio":{"id":"a"}}}]}`, transform.Sign{Content: true}},
		"finish":            {`{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`, transform.Sign{Content: true}},
		"completions":       {`{"choices":[{"index":0,"text":"a","finish_reason":null}]}`, transform.Sign{Content: true}},
		"unknown event":     {`{"type":"response.created"}`, transform.Sign{Content: true}},
		"done":              {`[DONE]`, transform.Sign{Content: true}},
		"usage":             {`{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}`, transform.Sign{UsageOnly: true}},
		"no usage":          {`{"choices":[],"usage":null}`, transform.Sign{}},
		"comment":           {``, transform.Sign{}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			sign, err := Codec{}.NewStreamInspector().Inspect(nil, []byte(test.data))
			if err != nil || sign != test.want {
				t.Errorf("%+v %v, want %+v", sign, err, test.want)
			}
		})
	}
}

func TestInspectAfterContent(t *testing.T) {
	const front = `{"id":"x","object":"chat.completion.chunk","model":"m",`
	type want struct {
		usageOnly, failed, ended bool
		input                    int64
		finish                   transform.Finish
	}
	tests := map[string]struct {
		name, data string
		want       want
	}{
		"text":                     {"", front + `"choices":[{"index":0,"delta":{"content":"b"},"finish_reason":null}],"usage":null}`, want{}},
		"words in text":            {"", front + `"choices":[{"index":0,"delta":{"content":"\"finish_reason\":\"stop\",\"usage\":{\"prompt_tokens\":7},\"error\":{}"},"finish_reason":null}]}`, want{}},
		"words as whole text":      {"", front + `"choices":[{"index":0,"delta":{"content":"finish_reason"},"finish_reason":null}]}`, want{}},
		"finish":                   {"", front + `"choices":[{"index":0,"delta":{},"finish_reason":"length"}],"usage":null}`, want{ended: true, finish: transform.FinishLength}},
		"finish with spaces":       {"", `{"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}`, want{ended: true, finish: transform.FinishStop}},
		"finish of another choice": {"", front + `"choices":[{"index":0,"delta":{"content":"b"},"finish_reason":null},{"index":1,"delta":{},"finish_reason":"stop"}]}`, want{}},
		"usage":                    {"", front + `"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":1}}`, want{usageOnly: true, input: 7}},
		"openrouter's usage":       {"", front + `"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}],"usage":{"prompt_tokens":7,"completion_tokens":1}}`, want{usageOnly: true, input: 7}},
		"usage with text":          {"", front + `"choices":[{"index":0,"delta":{"content":"b"},"finish_reason":null}],"usage":{"prompt_tokens":7,"completion_tokens":1}}`, want{input: 7}},
		"usage with finish":        {"", front + `"choices":[{"index":0,"delta":{"content":""},"finish_reason":"stop"}],"usage":{"prompt_tokens":7,"completion_tokens":1}}`, want{input: 7, ended: true, finish: transform.FinishStop}},
		"groq's usage":             {"", front + `"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"x_groq":{"usage":{"prompt_tokens":7,"completion_tokens":1}}}`, want{input: 7, ended: true, finish: transform.FinishStop}},
		"error":                    {"", `{"error":{"message":"m"}}`, want{failed: true}},
		"error beside a chunk":     {"", front + `"choices":[{"index":0,"delta":{"content":""},"finish_reason":null}],"error":{"message":"m"}}`, want{failed: true}},
		"no error":                 {"", front + `"choices":[{"index":0,"delta":{"content":"b"},"finish_reason":null}],"error":null}`, want{}},
		"event named error":        {"error", `{"message":"m"}`, want{failed: true}},
		"flat error":               {"", `{"message":"m","type":"server_error"}`, want{failed: true}},
		"finish by error":          {"", front + `"choices":[{"index":0,"delta":{},"finish_reason":"error"}]}`, want{failed: true}},
		"done":                     {"", `[DONE]`, want{ended: true}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			inspector := Codec{}.NewStreamInspector()
			for range 3 {
				inspector.Inspect(nil, []byte(front+`"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}],"usage":null}`))
			}
			sign, err := inspector.Inspect([]byte(test.name), []byte(test.data))
			if err != nil {
				t.Fatal(err)
			}
			found := inspector.Summary()
			got := want{sign.UsageOnly, sign.Err != nil, inspector.Ended(), found.Usage.Input, found.Finish}
			if got != test.want {
				t.Errorf("%+v, want %+v", got, test.want)
			}
		})
	}
}

func TestInspectDoesNotAllocate(t *testing.T) {
	for name, chunk := range ordinaryChunks {
		inspector, data := Codec{}.NewStreamInspector(), []byte(chunk)
		inspector.Inspect(nil, data)
		inspector.Inspect(nil, data)
		if n := testing.AllocsPerRun(10, func() { inspector.Inspect(nil, data) }); n > 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
