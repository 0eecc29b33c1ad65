package anthropic

import (
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// events are the hot ones of a stream, as long as they usually are.
var hotEvents = []struct{ name, event, data string }{
	{"text", "content_block_delta", `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":" a piece of the answer,\n"}           }`},
	{"thinking", "content_block_delta", `{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":" a piece of a thought, about as long"}    }`},
	{"arguments", "content_block_delta", `{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"\"location\": \"Berl"}   }`},
	{"ping", "ping", `{"type": "ping"}`},
}

func BenchmarkDecodeStream(b *testing.B) {
	for _, hot := range hotEvents {
		b.Run(hot.name, func(b *testing.B) {
			d := Codec{}.NewStreamDecoder()
			open := blockStartOf(1, `{"type":"tool_use","id":"toolu_1","name":"f","input":{}}`)
			deltas, err := d.Decode(nil, []byte("content_block_start"), []byte(open))
			if err != nil {
				b.Fatal(err)
			}
			name, data := []byte(hot.event), []byte(hot.data)
			b.ReportAllocs()
			for b.Loop() {
				deltas, err = d.Decode(deltas[:0], name, data)
				if err != nil || len(deltas) != 1 {
					b.Fatal(len(deltas), err)
				}
			}
		})
	}
}

func BenchmarkInspectStream(b *testing.B) {
	for _, hot := range hotEvents {
		b.Run(hot.name, func(b *testing.B) {
			s := Codec{}.NewStreamInspector()
			name, data := []byte(hot.event), []byte(hot.data)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Inspect(name, data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkAppendRequest(b *testing.B) {
	text := strings.Repeat("The quick brown fox jumps over the lazy dog. ", 20)
	r := conversation(system(text))
	for range 30 {
		r.Turns = append(r.Turns, user(text), with(assistant(text), callPart("toolu_1", "f", `{"location":"Berlin"}`)), result("toolu_1", text))
	}
	for range 10 {
		r.Tools = append(r.Tools, function("f", `{"type":"object","properties":{"location":{"type":"string","description":"a place"}},"required":["location"]}`))
	}
	r.Reasoning.Effort = "high"
	to := transform.Target{Model: newest, Stream: true, Vendor: transform.VendorAnthropic}
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		var lost transform.Losses
		var err error
		if dst, err = (Codec{}).AppendRequest(dst[:0], r, to, &lost); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(int64(len(dst)))
}

func BenchmarkAppendImage(b *testing.B) {
	image := transform.Part{Kind: transform.PartImage, Media: transform.Media{Type: "image/png", Data: []byte(strings.Repeat("iVBORw0K", 1<<17))}}
	r := conversation(with(user("A"), image))
	var dst []byte
	b.SetBytes(int64(len(image.Media.Data)))
	b.ReportAllocs()
	for b.Loop() {
		var lost transform.Losses
		dst, _ = Codec{}.AppendRequest(dst[:0], r, transform.Target{Model: newest}, &lost)
	}
}

func BenchmarkNativeSchema(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, _, ok := nativeSchema(jsonbytes.Value(closedSchema), nil); !ok {
			b.Fatal("not native")
		}
	}
}

func BenchmarkStreamEncoder(b *testing.B) {
	deltas := map[string]transform.Delta{
		"text":      {Kind: transform.DeltaText, Text: transform.Literal(`" word"`)},
		"thinking":  {Kind: transform.DeltaReasoning, Text: transform.Literal(`" word"`)},
		"arguments": {Kind: transform.DeltaToolArguments, Text: transform.Literal(`"{\"a\""`)},
	}
	for name, d := range deltas {
		b.Run(name, func(b *testing.B) {
			e := Codec{}.NewStreamEncoder(nil)
			call := callDelta(0, 0, "c", "f")
			out := e.Append(nil, &call)
			out = e.AppendEnd(out)
			e = Codec{}.NewStreamEncoder(nil)
			if d.Kind == transform.DeltaToolArguments {
				out = e.Append(out, &call)
			}
			out = e.Append(out, &d)
			b.ReportAllocs()
			for b.Loop() {
				out = e.Append(out[:0], &d)
			}
		})
	}
}

func BenchmarkDecodeRequest(b *testing.B) {
	var messages []string
	for range 50 {
		messages = append(messages, `{"role":"user","content":[{"type":"text","text":"What is in the file?"}]},`+
			`{"role":"assistant","content":[{"type":"text","text":"Let me see."},{"type":"tool_use","id":"toolu_1","name":"read","input":{"path":"a"}}]},`+
			`{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1","content":"`+strings.Repeat("text ", 400)+`"}]},{"role":"assistant","content":"It is empty."}`)
	}
	body := []byte(talk(strings.Join(messages, ",")))
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		var lost transform.Losses
		if _, err := (Codec{}).DecodeRequest(body, &lost); err != nil {
			b.Fatal(err)
		}
	}
}
