package converse

import (
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/transform/openai"
)

// fromChat decodes a Chat Completions request.
func fromChat(t *testing.T, chat string) (*transform.Request, *transform.Losses) {
	t.Helper()
	lost := new(transform.Losses)
	r, err := openai.Codec{}.DecodeRequest([]byte(chat), lost)
	if err != nil {
		t.Fatal(err)
	}
	return r, lost
}

func TestChatRequestBecomesConverse(t *testing.T) {
	r, lost := fromChat(t, `{
		"model": "smart", "stream": true, "stream_options": {"include_usage": true},
		"max_completion_tokens": 2000, "temperature": 0.20, "stop": "END", "user": "u1", "seed": 7, "store": true,
		"tools": [{"type": "function", "function": {"name": "weather", "description": "Looks out of the window.",
			"parameters": {"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]}}}],
		"messages": [
			{"role": "developer", "content": "Be brief."},
			{"role": "user", "content": [{"type": "text", "text": "What is \"this\"?"},
				{"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}},
				{"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0="}}]},
			{"role": "assistant", "content": null, "tool_calls": [
				{"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": "{\"place\":\"K\u00f6ln\"}"}},
				{"id": "call_2", "type": "function", "function": {"name": "weather", "arguments": ""}}]},
			{"role": "tool", "tool_call_id": "call_1", "content": "rain"},
			{"role": "tool", "tool_call_id": "call_2", "content": [{"type": "text", "text": "sun"}]},
			{"role": "user", "content": "And?"}]}`)
	body, err := Codec{}.AppendRequest(nil, r, targetOf(nova), lost)
	if err != nil {
		t.Fatal(err)
	}
	checkBody(t, nova, body)
	wantText(t, "body", body, `{"toolConfig":{"tools":[{"toolSpec":{"name":"weather","description":"Looks out of the window.",`+
		`"inputSchema":{"json":{"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]}}}}]},`+
		`"system":[{"text":"Be brief."}],"messages":[{"role":"user","content":[{"text":"What is \"this\"?"},`+
		`{"image":{"format":"png","source":{"bytes":"iVBORw0KGgo="}}},{"document":{"format":"pdf","name":"a","source":{"bytes":"JVBERi0="}}}]},`+
		`{"role":"assistant","content":[{"toolUse":{"toolUseId":"call_1","name":"weather","input":{"place":"Köln"}}},{"toolUse":{"toolUseId":"call_2","name":"weather","input":{}}}]},`+
		`{"role":"user","content":[{"toolResult":{"toolUseId":"call_1","content":[{"text":"rain"}]}},{"toolResult":{"toolUseId":"call_2","content":[{"text":"sun"}]}},{"text":"And?"}]}],`+
		`"inferenceConfig":{"maxTokens":2000,"temperature":0.20,"stopSequences":["END"]}}`)
	wantLosses(t, lost, "/user", "/store", "/seed")
}

func TestGrowingConversationsKeepTheirPrefix(t *testing.T) {
	turns := []transform.Turn{system("S"), user("A"), with(assistant(), callPart("call.1", "f", `{}`)), result("call.1", "1"), assistant("B"), user("C")}
	var before string
	for _, n := range []int{2, 4, 6} {
		r := conversation(turns[:n]...)
		r.Tools = []transform.Tool{function("f", "")}
		for _, model := range []string{nova, mistral} {
			body, _ := encode(t, model, r)
			_, messages, _ := strings.Cut(string(body), `"messages":`)
			messages, _, _ = strings.Cut(messages, `],"inferenceConfig"`)
			if model == nova {
				if !strings.HasPrefix(messages, before) {
					t.Errorf("%s\nis no longer the beginning of\n%s", before, messages)
				}
				before = messages
			}
		}
	}
}

func TestStreamBecomesChunks(t *testing.T) {
	r, _ := fromChat(t, `{"model":"m","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"A"}]}`)
	d, encoder := Codec{}.NewStreamDecoder(), openai.Codec{}.NewStreamEncoder(r)
	var out []byte
	for _, e := range []event{begin, delta(0, `{"text":"hé"}`), stopOf(0), startOf(1, `{"toolUse":{"name":"f","toolUseId":"t1"}}`),
		delta(1, `{"toolUse":{"input":"{\"a\":1}"}}`), stopOf(1), finishWith("tool_use"), metadata} {
		deltas, err := d.Decode(nil, []byte(e.name), []byte(e.data))
		if err != nil {
			t.Fatal(err)
		}
		for i := range deltas {
			out = encoder.Append(out, &deltas[i])
		}
	}
	out = encoder.AppendEnd(out)
	for _, want := range []string{`"content":"hé"`, `"id":"t1"`, `"arguments":"{\"a\":1}"`, `"finish_reason":"tool_calls"`,
		`"prompt_tokens":15`, `"cached_tokens":5`, `"completion_tokens":4`, "data: [DONE]\n\n"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("%s is not in\n%s", want, out)
		}
	}
}
