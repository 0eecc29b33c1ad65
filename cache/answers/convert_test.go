package answers

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/transform/anthropic"
	"github.com/caddyllm/llmproxy/transform/gemini"
	"github.com/caddyllm/llmproxy/transform/openai"
	"github.com/caddyllm/llmproxy/transform/responses"
	"github.com/caddyllm/llmproxy/usage"
)

var codecs = map[transform.Format]Codec{
	transform.OpenAIChat: openai.Codec{}, transform.Anthropic: anthropic.Codec{}, transform.Gemini: gemini.Codec{}, transform.Responses: responses.Codec{},
}

// wholes are answers with reasoning, text and calls.
var wholes = map[transform.Format]string{
	transform.OpenAIChat: `{"id":"chatcmpl-1","object":"chat.completion","created":1760000000,"model":"gpt-6","choices":[{"index":0,"message":{"role":"assistant","reasoning_content":"Hm.","content":"Good \"morning\" – café","refusal":null,"tool_calls":[{"id":"call_1","type":"function","function":{"name":"f","arguments":"{\"x\": 1}"}},{"id":"call_2","type":"function","function":{"name":"g","arguments":"{}"}}]},"logprobs":null,"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":9,"completion_tokens":12,"total_tokens":21,"completion_tokens_details":{"reasoning_tokens":4}}}`,
	transform.Anthropic:  `{"id":"msg_1","type":"message","role":"assistant","model":"claude-sonnet-5","content":[{"type":"thinking","thinking":"Hm.","signature":"c2ln"},{"type":"text","text":"Good \"morning\" – café"},{"type":"tool_use","id":"toolu_1","name":"f","input":{"x":1}}],"stop_reason":"tool_use","stop_sequence":null,"usage":{"input_tokens":9,"output_tokens":12}}`,
	transform.Gemini:     `{"candidates":[{"content":{"parts":[{"text":"Hm.","thought":true},{"text":"Good \"morning\" – café"},{"functionCall":{"id":"i","name":"f","args":{"x":1}},"thoughtSignature":"c2ln"}],"role":"model"},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":8,"thoughtsTokenCount":4,"totalTokenCount":21},"modelVersion":"gemini-3-pro","responseId":"r1"}`,
	transform.Responses:  `{"id":"resp_1","object":"response","created_at":1760000000,"status":"completed","error":null,"incomplete_details":null,"instructions":null,"model":"gpt-6","output":[{"id":"rs_1","type":"reasoning","summary":[{"type":"summary_text","text":"Hm."}],"encrypted_content":"ZW5j"},{"id":"msg_1","type":"message","status":"completed","role":"assistant","content":[{"type":"output_text","text":"Good \"morning\" – café","annotations":[]}]},{"id":"fc_1","type":"function_call","status":"completed","call_id":"call_1","name":"f","arguments":"{\"x\": 1}"}],"parallel_tool_calls":true,"tool_choice":"auto","tools":[],"usage":{"input_tokens":9,"input_tokens_details":{"cached_tokens":0},"output_tokens":12,"output_tokens_details":{"reasoning_tokens":4},"total_tokens":21}}`,
}

func entryIn(f transform.Format, m Manner, body []byte) *Entry {
	return &Entry{Key: Key{1}, Format: f, Manner: m, TTL: time.Hour, Created: time.Now(), Body: body, Usage: usage.Tokens{Input: 9, Output: 12, Reasoning: 4, Known: true}}
}

// meant is what an answer means, as far as clients can see it: without where it
// stood in a request, and what no format has in both manners.
func meant(t testing.TB, codec Codec, e *Entry) transform.Response {
	t.Helper()
	a, err := read(codec, e)
	if err != nil {
		t.Fatalf("%s in manner %d: %v\n%s", codec.Format(), e.Manner, err, e.Body)
	}
	if !a.Usage.Known {
		a.Usage = e.Usage
	}
	a.ServiceTier = "" // Responses' encoder names one
	for i := range a.Choices {
		for j := range a.Choices[i].Parts {
			p := &a.Choices[i].Parts[j]
			p.Call.Arguments = compact(p.Call.Arguments)
			text, _ := p.Text.Text()
			p.Text = transform.Quote(text)
			p.At, p.Opaque.At = transform.Path{}, transform.Path{}
			if p.Opaque.Kind != transform.OpaqueNone && codec.Format() == transform.Responses {
				p.Opaque.Data, p.Opaque.ID = nil, "" // it is sealed on the way, with its item's id
			}
		}
	}
	return *a
}

func compact(v []byte) []byte {
	var out bytes.Buffer
	if json.Compact(&out, v) != nil {
		return v
	}
	return out.Bytes()
}

// TestC06OneAnswerIsReplayedInEveryManner: in the one it came in to the byte, in
// others so that it says the same, there and back.
func TestC06OneAnswerIsReplayedInEveryManner(t *testing.T) {
	for format, body := range wholes {
		codec := codecs[format]
		stored := entryIn(format, Whole, []byte(body))
		want := meant(t, codec, stored)
		if got, err := stored.In(Whole, nil); err != nil || !bytes.Equal(got, stored.Body) {
			t.Errorf("%s: a stored body is not replayed as it is: %v", format, err)
		}
		for _, manner := range []Manner{Stream, StreamWithUsage, Array} {
			convert := Converter(codec, nil)
			if manner == Array {
				if format != transform.Gemini {
					continue
				}
				convert = Converter(gemini.Codec{Array: true}, nil)
			}
			events, err := stored.In(manner, convert)
			if err != nil {
				t.Fatal(format, manner, err)
			}
			streamed := entryIn(format, manner, events)
			if got := meant(t, codec, streamed); !reflect.DeepEqual(got, want) {
				t.Errorf("%s as stream %d says\n%+v, want\n%+v\n%s", format, manner, got, want, events)
			}
			if got, err := streamed.In(manner, nil); err != nil || !bytes.Equal(got, events) {
				t.Errorf("%s: a stored stream is not replayed as it is: %v", format, err)
			}
			if again, err := streamed.In(Whole, Converter(codec, nil)); err != nil {
				t.Error(format, err)
			} else if got := meant(t, codec, entryIn(format, Whole, again)); !reflect.DeepEqual(got, want) {
				t.Errorf("%s back from stream %d says\n%+v, want\n%+v\n%s", format, manner, got, want, again)
			}
		}
	}
}

func TestUsageIsSaidToThoseWhoAsk(t *testing.T) {
	codec := openai.Codec{}
	with := entryIn(transform.OpenAIChat, StreamWithUsage, chatStream(5))
	without, err := with.In(Stream, Converter(codec, nil))
	if err != nil || bytes.Contains(without, []byte(`"prompt_tokens"`)) || !bytes.HasSuffix(without, []byte("data: [DONE]\n\n")) {
		t.Fatalf("%v\n%s", err, without)
	}
	if want := len(chatStream(5)) - len(without); want < 100 || want > 250 || !bytes.HasPrefix(with.Body, without[:len(without)-100]) {
		t.Errorf("%d bytes less: other events are not as they were", want)
	}
	again, err := entryIn(transform.OpenAIChat, Stream, without).In(StreamWithUsage, Converter(codec, nil))
	if err != nil || !bytes.Contains(again, []byte(`"prompt_tokens":9`)) {
		t.Errorf("%v\n%s", err, again)
	}
	if whole, err := entryIn(transform.OpenAIChat, Stream, without).In(Whole, Converter(codec, nil)); err != nil || !bytes.Contains(whole, []byte(`"prompt_tokens":9`)) {
		t.Errorf("%v\n%s", err, whole)
	}
}

func TestWhatCannotBeConverted(t *testing.T) {
	for _, body := range []string{``, `{`, "data: {}\n\n", "data: {\"error\":{\"message\":\"m\"}}\n\n", string(chatStream(3)[:900])} {
		for _, manner := range []Manner{Whole, Stream} {
			to := Whole
			if manner == Whole {
				to = Stream
			}
			if manner == Whole && strings.HasPrefix(body, "data") {
				continue
			}
			if out, err := entryIn(transform.OpenAIChat, manner, []byte(body)).In(to, Converter(openai.Codec{}, nil)); err == nil {
				t.Errorf("%.60q was converted to %s", body, out)
			}
		}
	}
}

// TestC06RecordedAnswers replays recorded answers of providers whose format clients speak too.
func TestC06RecordedAnswers(t *testing.T) {
	root := os.Getenv("LLMPROXY_FIXTURES")
	if root == "" {
		t.Skip("LLMPROXY_FIXTURES does not say where recordings are")
	}
	n := 0
	for wire, format := range map[string]transform.Format{
		"openai-chat": transform.OpenAIChat, "anthropic": transform.Anthropic, "gemini": transform.Gemini, "openai-responses": transform.Responses,
		"deepseek": transform.OpenAIChat, "groq": transform.OpenAIChat, "vertex-anthropic": transform.Anthropic, "vertex-gemini": transform.Gemini,
	} {
		cases, _ := filepath.Glob(filepath.Join(root, wire, "*"))
		for _, dir := range cases {
			manner, file := Whole, "response.json"
			if strings.HasPrefix(filepath.Base(dir), "stream") {
				manner, file = StreamWithUsage, "response.sse"
			}
			body, err := os.ReadFile(filepath.Join(dir, file))
			if err != nil || strings.Contains(dir, "-http") || strings.Contains(dir, "json-array") {
				continue
			}
			codec := codecs[format]
			stored := entryIn(format, manner, body)
			answer, err := read(codec, stored)
			if err != nil || !isStored(t, dir, format, body, answer) {
				continue
			}
			stored.Usage = answer.Usage
			want := meant(t, codec, stored)
			to := StreamWithUsage
			if manner != Whole {
				to = Whole
			}
			out, err := stored.In(to, Converter(codec, nil))
			if err != nil {
				t.Errorf("%s: %v", dir, err)
				continue
			}
			there := entryIn(format, to, out)
			there.Usage = answer.Usage
			got := meant(t, codec, there)
			if n++; said(format, got) != said(format, want) {
				t.Errorf("%s says\n%s, want\n%s", dir, said(format, got), said(format, want))
			}
		}
	}
	if n < 30 {
		t.Errorf("only %d answers", n)
	}
	t.Logf("%d answers", n)
}

// isStored tells whether a recorded answer would be.
func isStored(t *testing.T, dir string, format transform.Format, body []byte, answer *transform.Response) bool {
	request, err := os.ReadFile(filepath.Join(dir, "request.json"))
	if err != nil {
		t.Fatal(err)
	}
	members, err := jsonbytes.Scan(nil, request, 0)
	if err != nil {
		return false
	}
	summary := answer.Summary()
	_, reason := (&Rules{TTL: time.Hour, ToolCalls: true}).Admit(Examine(Chat, format, request, members), Control{}, &Answer{
		Status: 200, Whole: true, Content: summary.Content, Finish: summary.Finish, Usage: summary.Usage, Body: body,
	})
	return reason == Admitted
}

// said is the text, the calls and the end of an answer. Gemini's calls without ids
// get some.
func said(f transform.Format, a transform.Response) string {
	var b strings.Builder
	for _, c := range a.Choices {
		for _, p := range c.Parts {
			text, _ := p.Text.Text()
			if f == transform.Gemini {
				p.Call.ID = ""
			}
			if p.Kind == transform.PartToolCall || text != "" || p.Opaque.Kind != transform.OpaqueNone {
				b.WriteString(strings.Join([]string{p.Call.ID, p.Call.Name, string(p.Call.Arguments), text, string(p.Opaque.Data)}, "|") + "\n")
			}
		}
		b.WriteString(c.Finish.String() + "\n")
	}
	return b.String()
}
