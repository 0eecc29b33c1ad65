package grammar

import (
	"fmt"
	"strings"
	"testing"
)

const (
	chunk  = `data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":%s,"finish_reason":%s}]}` + "\n\n"
	begun  = `{"id":"r","object":"response","created_at":1,"status":"%s","error":null,"incomplete_details":null,"instructions":null,"metadata":{},"model":"m","output":[%s],"parallel_tool_calls":true,"temperature":1,"tool_choice":"auto","tools":[],"top_p":1,"usage":{"input_tokens":1,"output_tokens":1,"total_tokens":2,"input_tokens_details":{"cached_tokens":0},"output_tokens_details":{"reasoning_tokens":0}},"text":{},"reasoning":{},"store":true}`
	counts = `{"input_tokens":1,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":1}`
)

func sse(name, members string) string {
	return "event: " + name + "\ndata: {\"type\":\"" + name + "\"" + members + "}\n\n"
}

var spoken = `{"type":"message","id":"m","role":"assistant","content":[{"type":"output_text","text":"ab","annotations":[],"logprobs":[]}]}`

// numbered gives events their numbers.
func numbered(events ...string) []string {
	for i := range events {
		events[i] = strings.Replace(events[i], "#", fmt.Sprint(i), 1)
	}
	return events
}

// formats are, for each format, what checks a stream and the events of a good one.
var formats = []struct {
	name   string
	check  func(stream []byte) (bool, error)
	events []string
	// spare are events that may be missing, or may come twice.
	spare map[int]bool
}{
	{"chat", func(s []byte) (bool, error) { return Chat(s, false) }, []string{
		fmt.Sprintf(chunk, `{"role":"assistant"}`, "null"), fmt.Sprintf(chunk, `{"content":"a"}`, "null"),
		fmt.Sprintf(chunk, `{"tool_calls":[{"index":0,"id":"x","type":"function","function":{"name":"f","arguments":"{}"}}]}`, "null"),
		fmt.Sprintf(chunk, `{}`, `"tool_calls"`), "data: [DONE]\n\n",
	}, map[int]bool{0: true, 1: true, 2: true}},
	{"messages", Messages, []string{
		sse("message_start", `,"message":{"id":"m","type":"message","role":"assistant","model":"m","content":[],"stop_reason":null,"usage":`+counts+`}`),
		sse("content_block_start", `,"index":0,"content_block":{"type":"text","text":""}`), sse("content_block_delta", `,"index":0,"delta":{"type":"text_delta","text":"a"}`),
		sse("content_block_stop", `,"index":0`), sse("message_delta", `,"delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":`+counts), sse("message_stop", ""),
	}, map[int]bool{2: true}},
	{"gemini", func(s []byte) (bool, error) { return Gemini(s, false) }, []string{
		`data: {"candidates":[{"content":{"parts":[{"text":"a"}],"role":"model"},"index":0}],"responseId":"r","modelVersion":"m"}` + "\r\n\r\n",
		`data: {"candidates":[{"content":{"parts":[{"text":"a"}],"role":"model"},"index":0,"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":1,"candidatesTokenCount":1,"totalTokenCount":2},"responseId":"r","modelVersion":"m"}` + "\r\n\r\n",
	}, map[int]bool{0: true}},
	{"responses", Responses, numbered(
		sse("response.created", `,"sequence_number":#,"response":`+fmt.Sprintf(begun, "in_progress", "")), sse("response.in_progress", `,"sequence_number":#,"response":`+fmt.Sprintf(begun, "in_progress", "")),
		sse("response.output_item.added", `,"sequence_number":#,"output_index":0,"item":{"type":"message","id":"m","role":"assistant","content":[]}`),
		sse("response.content_part.added", `,"sequence_number":#,"output_index":0,"item_id":"m","content_index":0,"part":{"type":"output_text","text":""}`),
		sse("response.output_text.delta", `,"sequence_number":#,"output_index":0,"item_id":"m","content_index":0,"delta":"ab","logprobs":[]`),
		sse("response.output_text.done", `,"sequence_number":#,"output_index":0,"item_id":"m","content_index":0,"text":"ab","logprobs":[]`),
		sse("response.content_part.done", `,"sequence_number":#,"output_index":0,"item_id":"m","content_index":0,"part":{"type":"output_text","text":"ab","annotations":[],"logprobs":[]}`),
		sse("response.output_item.done", `,"sequence_number":#,"output_index":0,"item":`+spoken), sse("response.completed", `,"sequence_number":#,"response":`+fmt.Sprintf(begun, "completed", spoken)),
	), map[int]bool{}},
}

func TestGoodStreamsPass(t *testing.T) {
	for _, f := range formats {
		if failed, err := f.check([]byte(strings.Join(f.events, ""))); err != nil || failed {
			t.Errorf("%s: %v, %v", f.name, failed, err)
		}
	}
}

func TestStreamsThatLackOrRepeatAnEventDoNot(t *testing.T) {
	for _, f := range formats {
		for i := range f.events {
			if f.spare[i] {
				continue
			}
			before, after := strings.Join(f.events[:i], ""), strings.Join(f.events[i+1:], "")
			if _, err := f.check([]byte(before + after)); err == nil {
				t.Errorf("%s passes without event %d", f.name, i)
			}
			if _, err := f.check([]byte(before + f.events[i] + f.events[i] + after)); err == nil {
				t.Errorf("%s passes with event %d twice", f.name, i)
			}
		}
	}
}

func TestErrorsEndStreams(t *testing.T) {
	failures := []string{
		`data: {"error":{"message":"m","type":"t"}}` + "\n\n", sse("error", `,"error":{"type":"t","message":"m"}`),
		`data: {"error":{"code":500,"status":"INTERNAL","message":"m"}}` + "\r\n\r\n", sse("error", `,"sequence_number":0,"error":{"message":"m"}`),
	}
	for i, f := range formats {
		if failed, err := f.check([]byte(failures[i])); err != nil || !failed {
			t.Errorf("%s: %v, %v", f.name, failed, err)
		}
		if _, err := f.check([]byte(failures[i] + f.events[len(f.events)-1])); err == nil {
			t.Errorf("%s passes with something after an error", f.name)
		}
	}
}
