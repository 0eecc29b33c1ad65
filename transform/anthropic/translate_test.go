package anthropic

import (
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/transform/openai"
)

// fromChat translates a Chat Completions request.
func fromChat(t *testing.T, model, chat string) (body jsonbytes.Value, r *transform.Request, lost *transform.Losses) {
	t.Helper()
	lost = new(transform.Losses)
	r, err := openai.Codec{}.DecodeRequest([]byte(chat), lost)
	if err != nil {
		t.Fatal(err)
	}
	to := transform.Target{Model: model, Stream: r.Stream, Vendor: transform.VendorAnthropic}
	text, err := Codec{}.AppendRequest(nil, r, to, lost)
	if err != nil {
		t.Fatal(err)
	}
	checkBody(t, text)
	return text, r, lost
}

func TestChatRequestBecomesMessages(t *testing.T) {
	body, _, lost := fromChat(t, newest, `{
		"model": "smart", "stream": true, "stream_options": {"include_usage": true},
		"max_completion_tokens": 2000, "temperature": 0.2, "stop": "END", "user": "u1", "seed": 7,
		"reasoning_effort": "low", "parallel_tool_calls": false, "store": true,
		"tools": [{"type": "function", "function": {"name": "weather", "description": "Looks out of the window.",
			"parameters": {"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]}, "strict": true}}],
		"messages": [
			{"role": "developer", "content": "Be brief."},
			{"role": "user", "content": [{"type": "text", "text": "What is \"this\"?"},
				{"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo=", "detail": "low"}},
				{"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0="}}]},
			{"role": "assistant", "content": null, "tool_calls": [
				{"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": "{\"place\":\"K\u00f6ln\"}"}},
				{"id": "call_2", "type": "function", "function": {"name": "weather", "arguments": ""}}]},
			{"role": "tool", "tool_call_id": "call_2", "content": "rain"},
			{"role": "tool", "tool_call_id": "call_1", "content": [{"type": "text", "text": "sun"}]},
			{"role": "user", "content": "And?"}]}`)
	wantText(t, "body", body, `{"model":"claude-sonnet-5","tools":[{"name":"weather","description":"Looks out of the window.",`+
		`"input_schema":{"type":"object","properties":{"place":{"type":"string"}},"required":["place"],"additionalProperties":false},"strict":true}],`+
		`"system":[{"type":"text","text":"Be brief."}],"messages":[{"role":"user","content":[{"type":"text","text":"What is \"this\"?"},`+
		`{"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBORw0KGgo="}},`+
		`{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"JVBERi0="},"title":"a.pdf"}]},`+
		`{"role":"assistant","content":[{"type":"tool_use","id":"call_1","name":"weather","input":{"place":"Köln"}},`+
		`{"type":"tool_use","id":"call_2","name":"weather","input":{}}]},`+
		`{"role":"user","content":[{"type":"tool_result","tool_use_id":"call_2","content":"rain"},`+
		`{"type":"tool_result","tool_use_id":"call_1","content":"sun"},{"type":"text","text":"And?"}]}],`+
		`"max_tokens":2000,"stream":true,"tool_choice":{"type":"auto","disable_parallel_tool_use":true},`+
		`"thinking":{"type":"adaptive","display":"summarized"},"output_config":{"effort":"low"},"stop_sequences":["END"],"metadata":{"user_id":"u1"}}`)
	wantLosses(t, lost, "/messages/1/content/1/image_url/detail", "/temperature", "/seed", "/store")
}

// A tool loop with thinking, as a client sees it that only knows Chat
// Completions: what the model signed must come back as it was.
func TestSignedThinkingSurvivesChatCompletions(t *testing.T) {
	const content = `[{"type":"thinking","thinking":"Hm, \"so\".","signature":"Sig=="},{"type":"redacted_thinking","data":"Red=="},` +
		`{"type":"text","text":"Let me see."},{"type":"tool_use","id":"toolu_1","name":"f","input":{"a":1}}]`
	_, r, _ := fromChat(t, newest, `{"model":"m","messages":[{"role":"user","content":"A"}]}`)
	a, err := Codec{}.DecodeResponse(messageOf(content, `,"stop_reason":"tool_use"`))
	if err != nil {
		t.Fatal(err)
	}
	answer := jsonbytes.Value(openai.Codec{}.AppendResponse(nil, a, r))
	var said jsonbytes.Value
	for _, choice := range answer.Get("choices").Elements() {
		said = choice.Get("message")
		if !choice.Get("finish_reason").Is("tool_calls") {
			t.Errorf("got %s", answer)
		}
	}
	body, _, lost := fromChat(t, newest, `{"model":"m","messages":[{"role":"user","content":"A"},`+string(said)+
		`,{"role":"tool","tool_call_id":"toolu_1","content":"1"}],"tools":[{"type":"function","function":{"name":"f"}}]}`)
	wantText(t, "messages", body.Get("messages"), `[`+userA+`,{"role":"assistant","content":`+content+`},`+
		`{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1","content":"1"}]}]`)
	wantLosses(t, lost)
}

func TestStreamBecomesChunks(t *testing.T) {
	_, r, _ := fromChat(t, newest, `{"model":"m","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"A"}]}`)
	d, encoder := Codec{}.NewStreamDecoder(), openai.Codec{}.NewStreamEncoder(r)
	var out []byte
	for _, event := range []string{start, blockStartOf(0, `{"type":"text","text":""}`), deltaOf(0, `{"type":"text_delta","text":"hé"}`), blockStopOf(0),
		blockStartOf(1, `{"type":"tool_use","id":"toolu_1","name":"f","input":{}}`), deltaOf(1, `{"type":"input_json_delta","partial_json":"{\"a\":1}"}`), blockStopOf(1),
		finishWith("tool_use", ``, `{"output_tokens":13}`), stop} {
		deltas, err := d.Decode(nil, eventName(event), []byte(event))
		if err != nil {
			t.Fatal(err)
		}
		for i := range deltas {
			out = encoder.Append(out, &deltas[i])
		}
	}
	if !d.Ended() {
		t.Fatal("not ended")
	}
	out = encoder.AppendEnd(out)
	for _, want := range []string{`"content":"hé"`, `"id":"toolu_1"`, `"arguments":"{\"a\":1}"`, `"finish_reason":"tool_calls"`,
		`"prompt_tokens":325`, `"cached_tokens":20`, `"completion_tokens":13`, "data: [DONE]\n\n"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("%s is not in\n%s", want, out)
		}
	}
}

func FuzzTranslateChat(f *testing.F) {
	f.Add([]byte(`{"model":"m","messages":[{"role":"system","content":"S"},{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AA"}}]},` +
		`{"role":"assistant","tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"c","content":"1"}],` +
		`"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"},"strict":true}}],"tool_choice":"required","reasoning_effort":"high"}`))
	f.Add([]byte(`{"model":"m","messages":[{"role":"assistant","content":" x ","reasoning_details":[{"type":"reasoning.text","text":"T","signature":"S"}]}],` +
		`"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object","properties":{"a":{"$ref":"#"}}}}},"thinking":{"type":"adaptive"},"n":2}`))
	models := []string{newest, budgeted, old, unforced, foreign}
	f.Fuzz(func(t *testing.T, chat []byte) {
		if _, err := jsonbytes.Scan(nil, chat, 0); err != nil {
			return
		}
		for _, model := range models {
			var lost transform.Losses
			r, err := openai.Codec{}.DecodeRequest(chat, &lost)
			if err != nil {
				return
			}
			body, err := Codec{}.AppendRequest(nil, r, transform.Target{Model: model, Vendor: transform.VendorAnthropic}, &lost)
			if err == nil {
				checkBody(t, body)
			}
		}
	})
}
