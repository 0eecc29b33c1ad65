package anthropic

import (
	"bytes"
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/transform/blocks"
)

func FuzzDecodeResponse(f *testing.F) {
	f.Add(messageOf(`[{"type":"text","text":"hi","citations":[{"type":"web_search_result_location","url":"u","title":"t"}]}]`, `,"usage":{"input_tokens":1}`))
	f.Add(messageOf(`[{"type":"tool_use","name":"llm_proxy_answer","input":{"a":1}},{"type":"thinking","thinking":"T","signature":"S"}]`, ``))
	f.Add([]byte(`{"type":"error","error":{"message":"x"}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		Codec{}.InspectResponse(body)
		Codec{}.DecodeError(500, body)
		a, err := Codec{}.DecodeResponse(body)
		if err != nil {
			return
		}
		for _, part := range a.Choices[0].Parts {
			checkLiterals(t, part.Text, part.Opaque.Data)
			checkValue(t, part.Citation)
		}
	})
}

func FuzzDecodeStream(f *testing.F) {
	f.Add([]byte(start + "\n" + blockStartOf(0, `{"type":"text","text":""}`) + "\n" + deltaOf(0, `{"type":"text_delta","text":"hi"}`) + "\n" + blockStopOf(0) + "\n" + stop))
	f.Add([]byte(blockStartOf(0, `{"type":"tool_use","id":"x","name":"f","input":{"a":[]}}`) + "\n" + deltaOf(0, `{"type":"input_json_delta","partial_json":"{"}`)))
	f.Add([]byte(finishWith("refusal", `,"stop_details":{"explanation":"no"}`, `{"iterations":[{"type":"compaction"}]}`)))
	f.Fuzz(func(t *testing.T, stream []byte) {
		d, s := Codec{}.NewStreamDecoder(), Codec{}.NewStreamInspector()
		respelled := Codec{}.NewStreamDecoder()
		for data := range bytes.SplitSeq(stream, []byte("\n")) {
			s.Inspect(nil, data)
			s.Inspect([]byte("message_delta"), data)
			deltas, err := d.Decode(nil, nil, data)
			if err != nil {
				return
			}
			for i := range deltas {
				delta := &deltas[i]
				checkLiterals(t, delta.Text, delta.Opaque.Data)
				checkValue(t, delta.Citation)
			}
			if jsonbytes.Check(data, 0) != nil {
				return
			}
			again, err := respelled.Decode(nil, nil, crowd(nil, jsonbytes.Parse(data)))
			if err != nil || len(again) != len(deltas) {
				t.Fatalf("%s\ngave %v, respelled %v, %v", data, deltas, again, err)
			}
			for i := range again {
				wantText(t, "respelled", []byte(describeDelta(&again[i])), describeDelta(&deltas[i]))
			}
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
	f.Add([]byte("sdscccrrrtk"), "\n ", "c.1", ``, uint8(7))
	f.Add([]byte("kkcikfuoxz"), "\u00a0\"", "", `null`, uint8(13))
	models := []string{newest, mixed, budgeted, old, unforced, foreign, "claude-3-haiku"}
	f.Fuzz(func(t *testing.T, script []byte, text, id, arguments string, flags uint8) {
		r := scripted(script, text, id, arguments)
		if flags&1 != 0 {
			r.Tools = []transform.Tool{function("f", `{"type":"object","properties":{"a":{}}}`), {Name: text, Custom: true, Description: transform.Quote(text)}}
			r.ToolChoice = transform.ToolChoice{Mode: transform.ToolMode(flags % 5), Name: "f"}
		}
		if flags&2 != 0 {
			r.Output = transform.Output{Kind: transform.OutputKind(flags % 4), Schema: jsonbytes.Value(openSchema), Description: transform.Quote(text)}
		}
		if flags&4 != 0 {
			r.Reasoning = transform.Reasoning{Effort: efforts[int(flags)%len(efforts)], Budget: int64(flags) * 100, Summary: flags&8 != 0}
			r.User, r.ServiceTier = text, text
		}
		for _, model := range models {
			for _, codec := range []Codec{{}, {Cloud: true}} {
				var lost transform.Losses
				to := transform.Target{Model: model, Vendor: transform.VendorAnthropic, Stream: flags&16 != 0}
				body, err := codec.AppendRequest(nil, r, to, &lost)
				if err != nil {
					continue
				}
				checkBody(t, body)
				again, _ := codec.AppendRequest(nil, r, to, &lost)
				if !bytes.Equal(body, again) {
					t.Errorf("not deterministic:\n%s\n%s", body, again)
				}
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
			part = thought(text, id)
		case 'i':
			part = transform.Part{Kind: transform.PartImage, Media: transform.Media{Type: "image/png", Data: []byte(text)}}
		case 'f':
			part = transform.Part{Kind: transform.PartFile, Media: transform.Media{Type: "text/plain", Data: []byte(arguments), Name: text}}
		case 'o':
			part = transform.Part{Kind: transform.PartImage, Media: transform.Media{URL: text}}
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

// checkBody checks what the API demands of every body.
func checkBody(t *testing.T, text []byte) {
	t.Helper()
	body := jsonbytes.Value(text)
	if jsonbytes.Check(body, 0) != nil || body.Unique("") != nil {
		t.Fatalf("invalid: %s", body)
	}
	last, calls := "", map[string]bool{}
	for i, message := range body.Get("messages").Elements() {
		role, _ := message.Get("role").Text()
		if role == last || i == 0 && role != blocks.User || role == blocks.System && last != blocks.User {
			t.Errorf("%s after %q: %s", role, last, body)
		}
		if message.Get("content").Len() == 0 {
			t.Errorf("empty message: %s", body)
		}
		results, kind := 0, ""
		for j, block := range message.Get("content").Elements() {
			switch kind, _ = block.Get("type").Text(); kind {
			case "tool_use":
				id, _ := block.Get("id").Text()
				if calls[id] || !blocks.IsName(id) || role != blocks.Assistant {
					t.Errorf("bad call %q: %s", id, body)
				}
				calls[id] = true
			case "tool_result":
				id, _ := block.Get("tool_use_id").Text()
				if !calls[id] || role != blocks.User || last != blocks.Assistant || j != results {
					t.Errorf("bad result %q: %s", id, body)
				}
				calls[id] = false
				results++
			case "text":
				if block.Get("text").Blank() {
					t.Errorf("blank text: %s", body)
				}
			}
		}
		if strings.HasSuffix(kind, "thinking") {
			t.Errorf("ends with reasoning: %s", body)
		}
		if role == blocks.User {
			for id, open := range calls {
				if open {
					t.Errorf("no result for %q: %s", id, body)
				}
			}
		}
		last = role
	}
	for _, open := range calls {
		if open {
			t.Errorf("open calls: %s", body)
		}
	}
}
