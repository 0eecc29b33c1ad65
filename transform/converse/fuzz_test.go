package converse

import (
	"bytes"
	"testing"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/transform/openai"
)

func FuzzDecodeResponse(f *testing.F) {
	f.Add(answerOf(`[{"text":"hi"},{"citationsContent":{"content":[{"text":"x"}],"citations":[{"location":{"web":{"url":"u"}}}]}}]`, `,"usage":{"inputTokens":1},"stopReason":"end_turn"`))
	f.Add(answerOf(`[{"toolUse":{"name":"llm_proxy_answer","input":{"a":1}}},{"reasoningContent":{"redactedContent":"AA=="}},{"image":{"format":"png","source":{"bytes":"AA"}}}]`, ``))
	f.Add([]byte(`{"message":"x"}`))
	f.Add([]byte(`{"embedding":[1]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		Codec{}.DecodeError(500, body)
		Codec{}.DecodeCount(body)
		Codec{}.DecodeEmbeddingResponse(body)
		for _, vendor := range []transform.Vendor{"", transform.VendorAnthropic} {
			a, err := Codec{Vendor: vendor}.DecodeResponse(body)
			if err != nil {
				continue
			}
			for _, part := range a.Choices[0].Parts {
				checkLiterals(t, part.Text, part.Opaque.Data)
				checkValue(t, part.Citation)
			}
		}
	})
}

func FuzzDecodeStream(f *testing.F) {
	f.Add([]byte("messageStart {\ncontentBlockDelta " + delta(0, `{"text":"a"}`).data + "\ncontentBlockStop " + stopOf(0).data + "\nmessageStop " + finishWith("end_turn").data + "\nmetadata " + metadata.data))
	f.Add([]byte("contentBlockStart " + startOf(0, `{"toolUse":{"name":"llm_proxy_answer"}}`).data + "\ncontentBlockDelta " + delta(0, `{"toolUse":{"input":"{}"}}`).data + "\nexception:throttlingException {\"message\":\"m\"}"))
	f.Add([]byte("contentBlockDelta " + delta(0, `{"reasoningContent":{"text":"a","signature":"b","redactedContent":"AA=="},"citation":{"location":{"web":{"url":"u"}}}}`).data + "\ncontentBlockStop " + stopOf(0).data))
	f.Fuzz(func(t *testing.T, stream []byte) {
		d, s := Codec{Vendor: transform.VendorAnthropic}.NewStreamDecoder(), Codec{}.NewStreamInspector()
		over := false
		for line := range bytes.SplitSeq(stream, []byte("\n")) {
			name, data, _ := bytes.Cut(line, []byte(" "))
			s.Inspect(name, data)
			deltas, err := d.Decode(nil, name, data)
			if err != nil {
				return
			}
			if over && len(deltas) > 0 {
				t.Fatalf("%v after the end", deltas)
			}
			for i := range deltas {
				checkLiterals(t, deltas[i].Text, deltas[i].Opaque.Data)
				checkValue(t, deltas[i].Citation)
				over = over || deltas[i].Kind == transform.DeltaError
			}
			over = over || d.Ended()
		}
	})
}

func checkLiterals(t *testing.T, literals ...transform.Literal) {
	for _, literal := range literals {
		if literal != nil && !literal.Spliceable() {
			t.Errorf("not a literal: %s", literal)
		}
	}
}

func checkValue(t *testing.T, value jsonbytes.Value) {
	if value != nil && jsonbytes.Check(value, 0) != nil {
		t.Errorf("not a value: %s", value)
	}
}

// FuzzAppendRequest builds requests from what the bytes say.
func FuzzAppendRequest(f *testing.F) {
	f.Add([]byte("uatsuacr"), "hi", "c1", `{"a":1}`, uint8(0))
	f.Add([]byte("sdscccrrrtkf"), "\n ", "c.1", ``, uint8(7))
	f.Add([]byte("kkcikfuoxzuf"), "\u00a0\"", "", `null`, uint8(13))
	f.Fuzz(func(t *testing.T, script []byte, text, id, arguments string, flags uint8) {
		r := scripted(script, text, id, arguments)
		if flags&1 != 0 {
			r.Tools = []transform.Tool{function("f", `{"type":"object","properties":{"a":{}}}`), {Name: text, Custom: true, Description: transform.Quote(text)}}
			r.ToolChoice = transform.ToolChoice{Mode: transform.ToolMode(flags % 5), Name: "f"}
		}
		if flags&2 != 0 {
			r.Output = transform.Output{Kind: transform.OutputKind(flags % 4), Name: id, Schema: jsonbytes.Value(`{"type":"object","properties":{"a":{}}}`), Description: transform.Quote(text), Strict: pointer(flags&32 != 0)}
		}
		if flags&4 != 0 {
			r.Reasoning = transform.Reasoning{Effort: efforts[int(flags)%len(efforts)], Budget: int64(flags) * 100}
			r.User, r.ServiceTier = text, text
			r.Rest = []transform.Member{{Name: "metadata", Value: jsonbytes.AppendString([]byte(`{"a":`), text)}}
			r.Rest[0].Value = append(r.Rest[0].Value, '}')
		}
		for _, model := range allModels {
			var lost transform.Losses
			body, err := Codec{}.AppendRequest(nil, r, targetOf(model), &lost)
			if err != nil {
				continue
			}
			checkBody(t, model, body)
			again, _ := Codec{}.AppendRequest(nil, r, targetOf(model), &lost)
			if !bytes.Equal(body, again) {
				t.Errorf("not deterministic:\n%s\n%s", body, again)
			}
			if count, err := (Codec{}).AppendCountRequest(nil, r, targetOf(model), &lost); err != nil || jsonbytes.Check(count, 0) != nil {
				t.Errorf("count: %s, %v", count, err)
			}
		}
	})
}

// scripted makes a conversation: each byte is a turn or a part of the last one.
func scripted(script []byte, text, id, arguments string) *transform.Request {
	r := conversation()
	for _, c := range script {
		part := textPart(text)
		switch c {
		case 'u', 's', 'd', 'a', 'r':
			roles := map[byte]transform.Role{'u': transform.RoleUser, 's': transform.RoleSystem, 'd': transform.RoleDeveloper, 'a': transform.RoleAssistant, 'r': transform.RoleTool}
			r.Turns = append(r.Turns, transform.Turn{Role: roles[c], CallID: id, Name: id, Parts: []transform.Part{part}})
			continue
		case 'c':
			part = callPart(id, text, arguments)
		case 'k':
			part = thought(text, signature(transform.VendorAnthropic, id))
		case 'i':
			part = file(transform.PartImage, transform.Media{Type: "image/png", Data: []byte(text)})
		case 'f':
			part = file(transform.PartFile, transform.Media{Type: "text/plain", Data: []byte("AAAA"), Name: text})
		case 'o':
			part = file(transform.PartImage, transform.Media{URL: "s3://" + text, Type: "image/png"})
		default:
			part.Kind = transform.PartKind(c % 9)
			part.Cache = &transform.CacheMark{TTL: []string{"", "1h", text}[c%3]}
		}
		if len(r.Turns) > 0 {
			turn := &r.Turns[len(r.Turns)-1]
			turn.Parts = append(turn.Parts, part)
		}
	}
	return r
}

func FuzzTranslateChat(f *testing.F) {
	f.Add([]byte(`{"model":"m","messages":[{"role":"system","content":"S"},{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AA"}}]},` +
		`{"role":"assistant","tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"c","content":"1"}],` +
		`"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"},"strict":true}}],"tool_choice":"required","reasoning_effort":"high"}`))
	f.Add([]byte(`{"model":"m","messages":[{"role":"assistant","content":" x "}],"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object","properties":{"a":{"$ref":"#"}}}}},` +
		`"additionalModelRequestFields":{"thinking":1},"requestMetadata":{"a":"b"},"thinking":{"type":"adaptive"},"n":2}`))
	f.Fuzz(func(t *testing.T, chat []byte) {
		if _, err := jsonbytes.Scan(nil, chat, 0); err != nil {
			return
		}
		for _, model := range allModels {
			var lost transform.Losses
			r, err := openai.Codec{}.DecodeRequest(chat, &lost)
			if err != nil {
				return
			}
			if body, err := (Codec{}).AppendRequest(nil, r, targetOf(model), &lost); err == nil {
				checkBody(t, model, body)
			}
		}
	})
}
