package transform_test

import (
	"bytes"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/internal/grammar"
	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/transform/anthropic"
	"github.com/caddyllm/llmproxy/transform/gemini"
	"github.com/caddyllm/llmproxy/transform/openai"
	"github.com/caddyllm/llmproxy/transform/responses"
)

// listeners are the client formats as fuzzers hear them: what a stream and an
// answer must be.
var listeners = []struct {
	name   string
	codec  transform.ClientCodec
	stream func(stream []byte, r *transform.Request) (failed bool, err error)
	answer func(body []byte) error
}{
	{"openai", openai.Codec{}, func(stream []byte, r *transform.Request) (bool, error) { return grammar.Chat(stream, r.StreamUsage) }, grammar.ChatAnswer},
	{"responses", responses.Codec{}, func(stream []byte, _ *transform.Request) (bool, error) { return grammar.Responses(stream) }, grammar.ResponsesAnswer},
	{"anthropic", anthropic.Codec{}, func(stream []byte, _ *transform.Request) (bool, error) { return grammar.Messages(stream) }, grammar.MessagesAnswer},
	{"gemini", gemini.Codec{}, func(stream []byte, _ *transform.Request) (bool, error) { return grammar.Gemini(stream, false) }, grammar.GeminiAnswer},
	{"gemini array", gemini.Codec{Array: true}, func(stream []byte, _ *transform.Request) (bool, error) { return grammar.Gemini(stream, true) }, grammar.GeminiAnswer},
}

// How a fuzzed stream is handled, in bits.
const (
	cut      = 1 << iota // the stream breaks off
	careless             // what comes after an error is passed on too
	usageWanted
	customTools
)

// lines cuts fuzzed bytes into events. A line that begins as JSON does has no
// name, of any other the first word is the name.
func lines(text []byte) []wireEvent {
	var list []wireEvent
	for line := range bytes.SplitSeq(text, []byte("\n")) {
		e := wireEvent{data: bytes.Clone(line)}
		if len(line) > 0 && line[0] != '{' && line[0] != '[' {
			if name, data, ok := bytes.Cut(line, []byte(" ")); ok {
				e = wireEvent{bytes.Clone(name), bytes.Clone(data)}
			}
		}
		list = append(list, e)
	}
	return list
}

func linesOf(list []event) []byte {
	var out []byte
	for _, e := range list {
		if e.name != "" {
			out = append(append(out, e.name...), ' ')
		}
		out = append(append(out, e.data...), '\n')
	}
	return out
}

// relay translates a stream as the gateway does, or less carefully. What a
// decoder and its events pointed to is overwritten after every event: nothing
// may be kept of it.
func relay(decoder transform.StreamDecoder, encoder transform.StreamEncoder, events []wireEvent, how uint8) (out []byte, failed bool) {
	var deltas []transform.Delta
	var failure *transform.Error
events:
	for _, e := range events {
		var err error
		if deltas, err = decoder.Decode(deltas[:0], e.name, e.data); err != nil {
			failure = &transform.Error{Kind: transform.ErrUpstream, Message: "not an event"}
		}
		for i := range deltas {
			if deltas[i].Kind == transform.DeltaError {
				failed = true
				if how&careless == 0 {
					failure = deltas[i].Err
					break events
				}
			}
			out = encoder.Append(out, &deltas[i])
		}
		if failure != nil && how&careless == 0 {
			break
		}
		clear(e.name)
		clear(e.data)
		clear(deltas)
	}
	if how&cut != 0 || failure != nil {
		return encoder.AppendError(out, failure, "req_1"), true
	}
	return encoder.AppendEnd(out), failed
}

// FuzzPairsStreams sends any bytes through any decoder into any encoder.
func FuzzPairsStreams(f *testing.F) {
	for i := range providers {
		f.Add(linesOf(providers[i].stream(3)), uint8(i), uint8(i), uint8(usageWanted))
	}
	f.Fuzz(func(t *testing.T, text []byte, from, to, how uint8) { hear(t, lines(text), from, to, how) })
}

// FuzzPairsScripts sends events that a provider could send through any decoder
// into any encoder, in any order: of two bytes one says which, the other with
// which number and text.
func FuzzPairsScripts(f *testing.F) {
	pools := make([][]event, len(providers))
	for i := range providers {
		pools[i] = pool(&providers[i])
		var all []byte
		for n := range pools[i] {
			all = append(all, byte(n), byte(n*7))
		}
		for j := range listeners {
			f.Add(all, uint8(i), uint8(j), uint8(usageWanted))
			f.Add(all, uint8(i), uint8(j), uint8(careless|customTools))
		}
	}
	f.Fuzz(func(t *testing.T, script []byte, from, to, how uint8) {
		pool := pools[int(from)%len(pools)]
		var list []event
		for ; len(script) > 1 && len(list) < 200; script = script[2:] {
			e, n := pool[int(script[0])%len(pool)], int(script[1])
			list = append(list, event{e.name, strings.NewReplacer("#", strconv.Itoa(n%4), "$", scraps[n/4%len(scraps)]).Replace(e.data)})
		}
		hear(t, newWire(list), from, to, how)
	})
}

// scraps are texts between the quotes of a string, whole and cut anywhere.
var scraps = []string{"", "a", `{\"a\":`, `1}`, `\ud83d`, `\ude00`, `\n`, `<think>`, `</thi`, `nk>`, `\"`, `\\`, "é", "[]", " ", "QUJD"}

// pool are a provider's events of every kind, in a fixed order.
func pool(p *provider) []event {
	list := p.stream(2)
	name := p.name
	if name == "mistral" {
		name = "openai"
	}
	for _, kind := range slices.Sorted(maps.Keys(endless[name])) {
		if e, ok := begins[name+" "+kind]; ok {
			list = append(list, e)
		}
		list = append(list, endless[name][kind].each()...)
	}
	return append(list, failures[name]...)
}

// failures are what providers say inside of a stream where they fail, and ends
// of other kinds.
var failures = map[string][]event{
	"openai": {
		{"", `{"error":{"message":"m","type":"server_error"}}`}, {"", `{"id":"c","choices":[{"index":#,"delta":{"refusal":"$"},"finish_reason":"content_filter"}]}`},
		{"", `{"id":"c","choices":[{"index":#,"delta":{"function_call":{"name":"weather","arguments":"$"}},"finish_reason":"length"}]}`},
		{"", `{"id":"c","choices":[{"index":0,"delta":{"tool_calls":[{"index":#,"id":"x#","type":"custom","custom":{"name":"weather","input":"$"}}]}}]}`},
		{"", `{"id":"c","choices":[{"index":0,"delta":{"reasoning_details":[{"type":"reasoning.text","text":"$","signature":"$","index":#}]}}]}`},
	},
	"responses": {
		{"error", `{"type":"error","error":{"code":"server_error","message":"m"}}`}, {"response.failed", `{"type":"response.failed","response":{"error":{"code":"rate_limit_exceeded","message":"m"}}}`},
		{"response.incomplete", `{"type":"response.incomplete","response":{"incomplete_details":{"reason":"max_output_tokens"},"output":[{"type":"message","content":[{"type":"refusal","refusal":"$"}]}]}}`},
		{"response.output_item.added", `{"type":"response.output_item.added","output_index":#,"item":{"type":"custom_tool_call","id":"c_#","call_id":"c#","name":"weather","input":""}}`},
		{"response.custom_tool_call_input.delta", `{"type":"response.custom_tool_call_input.delta","output_index":#,"delta":"$"}`}, {"response.refusal.delta", `{"type":"response.refusal.delta","output_index":#,"content_index":0,"delta":"$"}`},
	},
	"anthropic": {
		{"error", `{"type":"error","error":{"type":"overloaded_error","message":"m"}}`}, {"content_block_stop", `{"type":"content_block_stop","index":#}`},
		{"message_delta", `{"type":"message_delta","delta":{"stop_reason":"stop_sequence","stop_sequence":"$"},"usage":{"output_tokens":#}}`}, {"message_delta", `{"type":"message_delta","delta":{"stop_reason":"refusal"}}`},
		{"content_block_delta", `{"type":"content_block_delta","index":#,"delta":{"type":"input_json_delta","partial_json":"$"}}`}, {"content_block_start", `{"type":"content_block_start","index":#,"content_block":{"type":"thinking","thinking":"$"}}`},
	},
	"gemini": {
		{"", `{"error":{"code":503,"status":"UNAVAILABLE","message":"m"}}`}, {"", `{"promptFeedback":{"blockReason":"SAFETY"}}`}, {"", `{"candidates":[{"finishReason":"SAFETY","index":#}]}`},
		{"", `{"candidates":[{"content":{"parts":[{"functionCall":{"id":"x#","name":"weather","args":{"a":"$"}},"thoughtSignature":"QUJD"},{"text":"","thoughtSignature":"QUJD"}]},"index":#}]}`},
	},
	"converse": {
		{"exception:throttlingException", `{"message":"m"}`}, {"contentBlockStop", `{"contentBlockIndex":#}`}, {"messageStop", `{"stopReason":"guardrail_intervened"}`},
		{"contentBlockDelta", `{"contentBlockIndex":#,"delta":{"reasoningContent":{"redactedContent":"QUJD"}}}`}, {"contentBlockDelta", `{"contentBlockIndex":#,"delta":{"toolUse":{"input":"$"}}}`},
	},
	"cohere": {
		{"message-end", `{"type":"message-end","delta":{"finish_reason":"ERROR","error":"m"}}`}, {"message-end", `{"type":"message-end","delta":{"finish_reason":"MAX_TOKENS"}}`}, {"content-end", `{"type":"content-end","index":#}`},
	},
	"ollama": {
		{"", `{"error":"m"}`}, {"", `{"message":{"role":"assistant","content":"$"},"done":true,"done_reason":"length"}`},
		{"", `{"message":{"role":"assistant","content":"a"},"logprobs":[{"token":"$","logprob":-1}],"done":false}`},
	},
}

// hear translates events and needs what the client hears to follow its grammar.
func hear(t *testing.T, events []wireEvent, from, to, how uint8) {
	t.Helper()
	p, l := &providers[int(from)%len(providers)], &listeners[int(to)%len(listeners)]
	r := &transform.Request{Stream: true, StreamUsage: how&usageWanted != 0}
	if how&customTools != 0 {
		r.Tools = []transform.Tool{{Name: "weather", Custom: true}}
	}
	out, failed := relay(p.codec.NewStreamDecoder(), l.codec.NewStreamEncoder(r), events, how)
	said, err := l.stream(out, r)
	if err != nil {
		t.Fatalf("%s to %s: %v\n%s", p.name, l.name, err, out)
	}
	if said != failed {
		t.Fatalf("%s to %s: failed %v, the client was told %v\n%s", p.name, l.name, failed, said, out)
	}
}

// Streams that end well, and those that break off after any event, are what
// their clients expect.
func TestPairsOfStreamsFollowTheGrammar(t *testing.T) {
	for i := range providers {
		for j := range listeners {
			p, l := &providers[i], &listeners[j]
			r := &transform.Request{Stream: true, StreamUsage: true}
			whole := p.stream(5)
			for n := range len(whole) + 1 {
				for _, how := range []uint8{0, cut} {
					out, failed := relay(p.codec.NewStreamDecoder(), l.codec.NewStreamEncoder(r), newWire(whole[:n]), how)
					if said, err := l.stream(out, r); err != nil || said != failed {
						t.Fatalf("%s to %s, %d events: %v, failed %v\n%s", p.name, l.name, n, err, said, out)
					}
				}
			}
		}
	}
}

// FuzzPairsAnswers reads any bytes as the answer of every provider.
func FuzzPairsAnswers(f *testing.F) {
	for i := range providers {
		f.Add([]byte(providers[i].answer), uint8(i))
	}
	f.Fuzz(func(t *testing.T, body []byte, how uint8) {
		r := &transform.Request{}
		if how&customTools != 0 {
			r.Tools = []transform.Tool{{Name: "weather", Custom: true}}
		}
		for i := range providers {
			a, err := providers[i].codec.DecodeResponse(body)
			if err != nil {
				continue
			}
			for _, l := range listeners[:4] {
				out := l.codec.AppendResponse(nil, a, r)
				if err := l.answer(out); err != nil {
					t.Fatalf("%s to %s: %v\n%s", providers[i].name, l.name, err, out)
				}
			}
		}
	})
}

// FuzzPairsRequests reads any bytes as a request of every client and asks every
// provider.
func FuzzPairsRequests(f *testing.F) {
	for i := range clients {
		f.Add(clients[i].ask(conversation(7)), uint8(i))
	}
	f.Fuzz(func(t *testing.T, body []byte, which uint8) {
		c := &clients[int(which)%len(clients)]
		var lost transform.Losses
		r, err := c.codec.DecodeRequest(body, &lost)
		if _, invalid := jsonbytes.Scan(nil, body, 0); invalid != nil {
			return // the gateway does not let it come so far
		}
		if err != nil {
			refusal(t, err)
			return
		}
		for i := range providers {
			p := &providers[i]
			to := p.to
			to.Stream = which&0x80 != 0
			found, again := clone(lost), clone(lost)
			one, err := p.codec.AppendRequest(nil, r, to, &found)
			two, err2 := p.codec.AppendRequest(nil, r, to, &again)
			if !bytes.Equal(one, two) || (err == nil) != (err2 == nil) {
				t.Fatalf("%s to %s, twice: %v %v\n%s\n%s", c.name, p.name, err, err2, one, two)
			}
			if err != nil {
				refusal(t, err)
				continue
			}
			if err := jsonbytes.Check(one, 1000); err != nil {
				t.Fatalf("%s to %s: %v\n%s", c.name, p.name, err, one)
			}
			for _, pointer := range found.Dropped {
				if !pointsInto(body, pointer) {
					t.Fatalf("%s to %s: %q points to nothing", c.name, p.name, pointer)
				}
			}
		}
	})
}

func clone(l transform.Losses) transform.Losses {
	return transform.Losses{Dropped: append([]string(nil), l.Dropped...), Refused: append([]string(nil), l.Refused...)}
}

// refusal needs an error to be one that a client can be told of.
func refusal(t *testing.T, err error) {
	t.Helper()
	var e *transform.Error
	if !errors.As(err, &e) || e.Kind != transform.ErrBadRequest || e.Message == "" {
		t.Fatalf("%#v", err)
	}
}

// pointsInto tells whether a JSON pointer is one, of something in the body.
func pointsInto(body []byte, pointer string) bool {
	v := jsonbytes.Parse(body)
	if pointer == "" {
		return true
	}
	tokens := strings.Split(pointer, "/")
	if tokens[0] != "" {
		return false
	}
	for _, token := range tokens[1:] {
		if strings.Contains(strings.NewReplacer("~0", "", "~1", "").Replace(token), "~") {
			return false
		}
		if v.Kind() != jsonbytes.Array {
			v = v.Get(strings.NewReplacer("~1", "/", "~0", "~").Replace(token))
		} else if at, err := strconv.Atoi(token); err == nil && at < v.Len() {
			v = elementAt(v, at)
		} else {
			return false
		}
		if v == nil {
			return false
		}
	}
	return true
}

func elementAt(list jsonbytes.Value, at int) jsonbytes.Value {
	for i, v := range list.Elements() {
		if i == at {
			return v
		}
	}
	return nil
}
