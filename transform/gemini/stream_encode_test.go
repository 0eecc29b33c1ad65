package gemini

import (
	"bytes"
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/usage"
)

type delta = transform.Delta

func started() delta {
	return delta{Kind: transform.DeltaStart, ID: "id1", Model: "claude", Usage: usage.Tokens{Input: 3, Known: true}}
}
func says(s string) delta { return delta{Kind: transform.DeltaText, Text: transform.Quote(s)} }
func thinks(part int, s string) delta {
	return delta{Kind: transform.DeltaReasoning, Part: part, Text: transform.Quote(s)}
}
func vouches(part int, vendor transform.Vendor, kind transform.OpaqueKind, data string) delta {
	return delta{Kind: transform.DeltaOpaque, Part: part, Opaque: transform.Opaque{Vendor: vendor, Kind: kind, Data: transform.Quote(data)}}
}
func calls(tool int, id, name string) delta {
	return delta{Kind: transform.DeltaToolStart, Part: 10 + tool, Tool: tool, Call: transform.ToolCall{ID: id, Name: name}}
}
func argument(tool int, s string) delta {
	return delta{Kind: transform.DeltaToolArguments, Part: 10 + tool, Tool: tool, Text: transform.Quote(s)}
}
func partEnds(part int) delta           { return delta{Kind: transform.DeltaPartEnd, Part: part} }
func finishes(f transform.Finish) delta { return delta{Kind: transform.DeltaFinish, Finish: f} }
func of(choice int, d delta) delta      { d.Choice = choice; return d }
func cites(annotation string) delta {
	return delta{Kind: transform.DeltaCitation, Citation: []byte(annotation)}
}
func probable(logprobs string) delta {
	return delta{Kind: transform.DeltaLogprobs, Logprobs: []byte(logprobs)}
}
func refuses(s string) delta { return delta{Kind: transform.DeltaRefusal, Text: transform.Quote(s)} }
func sealedSig(data string) string {
	return sealedBy(transform.VendorAnthropic, transform.OpaqueSignature, data)
}
func annotation(from, to, url string) string {
	return `{"type":"url_citation","url_citation":{"start_index":` + from + `,"end_index":` + to + `,"url":"` + url + `","title":"t"}}`
}

func TestClientStreams(t *testing.T) {
	const claude, google = transform.VendorAnthropic, transform.VendorGoogle
	const signature, redacted = transform.OpaqueSignature, transform.OpaqueRedacted
	for _, test := range []struct {
		name   string
		deltas []delta
		want   string
	}{
		{"text", []delta{started(), says("a\n"), says(""), says("b"), finishes(transform.FinishStop)},
			`0 {"text":"a\n"}` + "\n" + `0 {"text":"b"}` + "\n" + `0 {"text":""} "STOP"` + "\n"},
		{"nothing at all", nil, `0 {"text":""} "STOP"` + "\n"},
		{"cut short", []delta{says("a"), finishes(transform.FinishLength)}, `0 {"text":"a"}` + "\n" + `0 {"text":""} "MAX_TOKENS"` + "\n"},
		{"filtered", []delta{finishes(transform.FinishContentFilter)}, `0 {"text":""} "SAFETY"` + "\n"},
		{"refusal", []delta{refuses("no"), finishes(transform.FinishStop)}, `0 {"text":"no"}` + "\n" + `0 {"text":""} "SAFETY"` + "\n"},
		{"a thought waits for its signature", []delta{thinks(0, "a"), thinks(0, "b"), vouches(0, claude, signature, "s"), partEnds(0), says("x")},
			`0 {"text":"a","thought":true}` + "\n" + `0 {"text":"b","thought":true,"thoughtSignature":` + sealedSig("s") + `}` + "\n" + `0 {"text":"x"}` + "\n" + `0 {"text":""} "STOP"` + "\n"},
		{"a thought without one", []delta{thinks(0, "a"), says("x")}, `0 {"text":"a","thought":true}` + "\n" + `0 {"text":"x"}` + "\n" + `0 {"text":""} "STOP"` + "\n"},
		{"a thought at the end", []delta{thinks(0, "a")}, `0 {"text":"a","thought":true} "STOP"` + "\n"},
		{"pieces without a text travel on what follows", []delta{vouches(0, claude, redacted, "r"), vouches(1, claude, signature, "s"), says("x"), vouches(3, claude, signature, "u"),
			calls(0, "c", "f"), argument(0, "{}"), vouches(12, claude, signature, "v")},
			`0 {"text":"","thought":true,"thoughtSignature":` + sealedBy(claude, redacted, "r") + `}` + "\n" + `0 {"text":"x","thoughtSignature":` + sealedSig("s") + `}` + "\n" +
				`0 {"functionCall":{"id":"c","name":"f","args":{}},"thoughtSignature":` + sealedSig("u") + `}` + "\n" +
				`0 {"text":"","thought":true,"thoughtSignature":` + sealedSig("v") + `} "STOP"` + "\n"},
		{"Google's own are as they were", []delta{thinks(0, "a"), vouches(0, google, signature, "S0"), says("x"), vouches(1, google, signature, "S1"),
			{Kind: transform.DeltaToolStart, Part: 2, Call: transform.ToolCall{ID: "c", Name: "f", Arguments: []byte(`{"a": "\"é"}`)}, Opaque: transform.Opaque{Vendor: google, Kind: signature, Data: transform.Quote("S2")}}},
			`0 {"text":"a","thought":true,"thoughtSignature":"S0"}` + "\n" + `0 {"text":"x"}` + "\n" + `0 {"text":"","thoughtSignature":"S1"}` + "\n" +
				`0 {"functionCall":{"id":"c","name":"f","args":{"a":"\"é"}},"thoughtSignature":"S2"} "STOP"` + "\n"},
		{"calls go out whole, at their ends", []delta{says("x"), calls(0, "1", "f"), argument(0, `{"a":`), argument(0, `1}`), partEnds(10), calls(1, "", "g"), partEnds(11), finishes(transform.FinishToolCalls)},
			`0 {"text":"x"}` + "\n" + `0 {"functionCall":{"id":"1","name":"f","args":{"a":1}}}` + "\n" + `0 {"functionCall":{"name":"g","args":{}}}` + "\n" + `0 {"text":""} "STOP"` + "\n"},
		{"calls without ends wait for what follows", []delta{calls(0, "1", "f"), argument(0, `{"a":1}`), vouches(10, google, signature, "S"), calls(1, "2", "g"), argument(1, `{}`), finishes(transform.FinishToolCalls)},
			`0 {"functionCall":{"id":"1","name":"f","args":{"a":1}},"thoughtSignature":"S"}` + "\n" + `0 {"functionCall":{"id":"2","name":"g","args":{}}} "STOP"` + "\n"},
		{"calls whose pieces mix stay in order", []delta{calls(0, "1", "f"), calls(1, "2", "g"), argument(1, `{"b":2}`), argument(0, `{}`), calls(0, "x", "x"), argument(7, "x")},
			`0 {"functionCall":{"id":"1","name":"f","args":{}}}` + "\n" + `0 {"functionCall":{"id":"2","name":"g","args":{"b":2}}}` + "\n" + `0 {"text":""} "STOP"` + "\n"},
		{"characters cut into pieces", []delta{calls(0, "1", "f"), {Kind: transform.DeltaToolArguments, Text: transform.Literal(`"{\"a\":\"\ud83d"`)}, {Kind: transform.DeltaToolArguments, Text: transform.Literal(`"\ude00\"}"`)}},
			`0 {"functionCall":{"id":"1","name":"f","args":{"a":"😀"}}} "STOP"` + "\n"},
		{"a call cut short has no arguments", []delta{calls(0, "1", "f"), argument(0, `{"a":"b`), partEnds(10), finishes(transform.FinishLength)}, `0 {"functionCall":{"id":"1","name":"f","args":{}}} "MAX_TOKENS"` + "\n"},
		{"a call cut short and no word why", []delta{calls(0, "1", "f"), argument(0, `{"a"`)}, `0 {"functionCall":{"id":"1","name":"f","args":{}}} "MAX_TOKENS"` + "\n"},
		{"a call that is none", []delta{calls(0, "1", "f"), argument(0, `[1]`), finishes(transform.FinishToolCalls)}, `0 {"functionCall":{"id":"1","name":"f","args":{}}} "MALFORMED_FUNCTION_CALL"` + "\n"},
		{"free text is an argument", []delta{{Kind: transform.DeltaToolStart, Call: transform.ToolCall{ID: "1", Name: "f", Custom: true}}, argument(0, `a"b`)}, `0 {"functionCall":{"id":"1","name":"f","args":{"input":"a\"b"}}} "STOP"` + "\n"},
		{"several candidates", []delta{says("a"), of(1, says("b")), of(1, finishes(transform.FinishLength)), says("c")},
			`0 {"text":"a"}` + "\n" + `1 {"text":"b"}` + "\n" + `0 {"text":"c"}` + "\n" + `0 {"text":""} "STOP"` + "\n" + `1 {"text":""} "MAX_TOKENS"` + "\n"},
		{"citations by bytes", []delta{says("é a"), says("b 敏"), cites(annotation("2", "4", "u")), cites(annotation("5", "6", "v")), cites(annotation("0", "0", "u")), cites(`{"url":"w","start_index":9,"end_index":99}`), cites(`{"type":"x"}`), cites(`{`)},
			`0 {"text":"é a"}` + "\n" + `0 {"text":"b 敏"}` + "\n" + `0 {"text":""} "STOP" {"groundingChunks":[{"web":{"uri":"u","title":"t"}},{"web":{"uri":"v","title":"t"}},{"web":{"uri":"w","title":"w"}}],` +
				`"groundingSupports":[{"segment":{"startIndex":3,"endIndex":5},"groundingChunkIndices":[0]},{"segment":{"startIndex":6,"endIndex":9},"groundingChunkIndices":[1]},{"segment":{"startIndex":9,"endIndex":9},"groundingChunkIndices":[2]}]}` + "\n"},
		{"logprobs", []delta{says("a"), probable(`{"content":[{"token":"a","logprob":-0.5,"top_logprobs":[{"token":"b","logprob":-1}]}]}`), probable(`{"content":[]}`)},
			`0 {"text":"a"}` + "\n" + `0 {"text":""} {"chosenCandidates":[{"token":"a","logProbability":-0.5}],"topCandidates":[{"candidates":[{"token":"b","logProbability":-1}]}]}` + "\n" + `0 {"text":""} "STOP"` + "\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, c := range []Codec{{}, {Array: true}} {
				list := checkStreamGrammar(t, stream(c, nil, test.deltas), c.Array)
				if got := transcript(list); got != test.want {
					t.Errorf("got\n%swant\n%s", got, test.want)
				}
			}
		})
	}
}

func TestTheLastEventHasTheUsage(t *testing.T) {
	deltas := []delta{
		started(), says("a"), finishes(transform.FinishStop),
		{Kind: transform.DeltaUsage, Usage: usage.Tokens{Input: 10, CacheRead: 4, Output: 7, Reasoning: 5, Known: true}}, {Kind: transform.DeltaPing},
	}
	const want = `data: {"candidates":[{"content":{"parts":[{"text":"a"}],"role":"model"},"index":0}],"modelVersion":"claude","responseId":"id1"}` + "\r\n\r\n" +
		`data: {"candidates":[{"content":{"parts":[{"text":""}],"role":"model"},"finishReason":"STOP","index":0}],` +
		`"usageMetadata":{"promptTokenCount":10,"candidatesTokenCount":2,"totalTokenCount":17,"thoughtsTokenCount":5,"cachedContentTokenCount":4},"modelVersion":"claude","responseId":"id1"}` + "\r\n\r\n"
	if got := string(stream(Codec{}, nil, deltas)); got != want {
		t.Errorf("got\n%s", got)
	}
	got := stream(Codec{}, &transform.Request{Model: "smart"}, []delta{{Kind: transform.DeltaStart, ServiceTier: "default"}})
	list := checkStreamGrammar(t, got, false)
	if !list[0].Get("modelVersion").Is("smart") || !list[0].Get("usageMetadata").Get("serviceTier").Is("standard") {
		t.Errorf("%s", got)
	}
}

func TestStreamsThatFail(t *testing.T) {
	failure := &transform.Error{Kind: transform.ErrOverloaded, Status: 529, Message: "busy"}
	for _, test := range []struct {
		deltas []delta
		want   string
	}{
		{[]delta{{Kind: transform.DeltaError, Err: failure}}, "error 503 \"UNAVAILABLE\"\n"},
		{[]delta{says("a"), calls(0, "1", "f"), {Kind: transform.DeltaError, Err: failure}, says("b")}, `0 {"text":"a"}` + "\n" + "error 503 \"UNAVAILABLE\"\n"},
		{[]delta{says("a"), {Kind: transform.DeltaError}}, `0 {"text":"a"}` + "\n" + "error 502 \"INTERNAL\"\n"},
	} {
		for _, c := range []Codec{{}, {Array: true}} {
			list := framesOf(t, stream(c, nil, test.deltas), c.Array)
			if got := transcript(list); got != test.want {
				t.Errorf("got\n%swant\n%s", got, test.want)
			}
		}
	}
}

func TestArgumentsWithoutEndAreAnError(t *testing.T) {
	e := Codec{}.NewStreamEncoder(nil)
	start, piece := calls(0, "1", "f"), argument(0, strings.Repeat("x", 1<<20))
	out := e.Append(nil, &start)
	for range 20 {
		out = e.Append(out, &piece)
	}
	list := framesOf(t, e.AppendEnd(out), false)
	if got := transcript(list); got != "error 502 \"INTERNAL\"\n" {
		t.Errorf("got %s", got)
	}
}

// What clients keep of a stream comes back as what it was.
func TestAStreamGoesRoundThroughAClient(t *testing.T) {
	deltas := []delta{
		started(), thinks(0, "let me "), thinks(0, "see"), vouches(0, transform.VendorAnthropic, transform.OpaqueSignature, "sig"), partEnds(0),
		vouches(1, transform.VendorAnthropic, transform.OpaqueRedacted, "red"), says("I "), says("look"),
		calls(0, "toolu_1", "f"), argument(0, `{"a":1}`), partEnds(10), calls(1, "toolu_2", "f"), partEnds(11), finishes(transform.FinishToolCalls),
	}
	list := checkStreamGrammar(t, stream(Codec{}, nil, deltas), false)
	body := []byte(`{"contents":[{"role":"user","parts":[{"text":"q"}]}`)
	for _, f := range list { // as chats of Google's SDKs keep them
		for _, c := range f.Get("candidates").Elements() {
			body = append(append(body, ','), c.Get("content")...)
		}
	}
	body = append(body, `,{"role":"user","parts":[{"functionResponse":{"id":"toolu_2","name":"f","response":{"output":"2"}}},{"functionResponse":{"id":"toolu_1","name":"f","response":{"output":"1"}}}]}]}`...)
	r, lost := decode(t, string(body))
	sameLosses(t, lost, "", "")
	const want = `user: [text "q"]` + "\n" +
		`model: [thought "let me see" <anthropic 1 "sig">] [thought  <anthropic 2 "red">] [text "I look"] [call toolu_1 f({"a":1})] [call toolu_2 f({})]` + "\n" +
		`tool toolu_2 f: [text "2"]` + "\n" + `tool toolu_1 f: [text "1"]` + "\n"
	if got := outline(r); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if !(Codec{}).Foreign(body) || (Codec{}).Foreign([]byte(rich)) {
		t.Error("sealed pieces are not seen")
	}
}

// TestRecordedStreamsGoRound writes recorded streams for a client and reads
// what was written as a provider's.
func TestRecordedStreamsGoRound(t *testing.T) {
	each(t, "*gemini", func(t *testing.T, r recording) {
		if r.meta.Status != 200 || r.meta.BodyKind == "json" {
			t.Skip("no stream")
		}
		for _, c := range []Codec{{}, {Array: true}} {
			d, e := c.NewStreamDecoder(), c.NewStreamEncoder(nil)
			var out []byte
			first := telling{}
			for _, event := range events(t, r) {
				deltas, err := d.Decode(nil, nil, event)
				if err != nil {
					t.Fatal(err)
				}
				for i := range deltas {
					out = e.Append(out, &deltas[i])
					first.add(&deltas[i])
				}
			}
			out = e.AppendEnd(out)
			again, second := c.NewStreamDecoder(), telling{}
			for _, f := range checkStreamGrammar(t, out, c.Array) {
				deltas, err := again.Decode(nil, nil, f)
				if err != nil {
					t.Fatal(err)
				}
				for i := range deltas {
					second.add(&deltas[i])
				}
			}
			if got, want := second.String(), first.String(); got != want || !again.Ended() {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		}
	})
}

// telling is what a stream says, without how it was cut.
type telling struct {
	text, thought, calls, signatures, cited bytes.Buffer
	finish                                  transform.Finish
	usage                                   usage.Tokens
}

func (s *telling) add(d *delta) {
	plain := d.Text.AppendText(nil)
	switch d.Kind {
	case transform.DeltaText:
		s.text.Write(plain)
	case transform.DeltaReasoning:
		s.thought.Write(plain)
	case transform.DeltaToolStart:
		s.calls.WriteString(" " + d.Call.Name)
		s.signatures.Write(d.Opaque.Data)
	case transform.DeltaToolArguments:
		s.calls.Write(plain)
	case transform.DeltaOpaque:
		s.signatures.Write(d.Opaque.Data)
	case transform.DeltaCitation:
		s.cited.Write(d.Citation)
	case transform.DeltaFinish:
		s.finish = d.Finish
	case transform.DeltaStart, transform.DeltaUsage:
		s.usage = d.Usage
	}
}

func (s *telling) String() string {
	u := jsonbytes.Value(appendUsage(nil, s.usage, ""))
	return strings.Join([]string{s.text.String(), s.thought.String(), s.calls.String(), s.signatures.String(), s.cited.String(), s.finish.String(), string(u)}, "\n")
}
