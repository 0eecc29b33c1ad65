package openai

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/caddyllm/llmproxy/transform"
)

// customRequest has a custom tool g beside the function f.
func customRequest(t *testing.T) *transform.Request {
	r, _ := decode(t, ask(`,"tools":[{"type":"function","function":{"name":"f"}},{"type":"custom","custom":{"name":"g"}}]`))
	return r
}

// customInputs are the arguments of calls to custom tools with the text that
// clients must get.
var customInputs = map[string]struct{ arguments, want string }{
	"text":           {`{"input":"a b"}`, `a b`},
	"empty text":     {`{"input":""}`, ``},
	"escapes":        {`{"input":"a\n\"b\"\\ \u00e9\ud83d\ude00\/"}`, "a\n\"b\"\\ é😀/"},
	"white space":    {" {\n \"input\" : \"é😀\" } ", "é😀"},
	"escaped key":    {`{"\u0069nput":"a"}`, `a`},
	"JSON as text":   {`{"input":"{\"input\":\"a\"}"}`, `{"input":"a"}`},
	"no arguments":   {``, ``},
	"empty object":   {`{}`, `{}`},
	"another member": {`{"input":"a","b":1}`, `{"input":"a","b":1}`},
	"another name":   {`{"text":"a"}`, `{"text":"a"}`},
	"twice":          {`{"input":"a","input":"b"}`, `{"input":"a","input":"b"}`},
	"no text":        {`{"input":5}`, `{"input":5}`},
	"cut short":      {`{"input":"a\n`, `{"input":"a\n`},
	"more behind":    {`{"input":"a"}}`, `{"input":"a"}}`},
	"plain text":     {`a b`, `a b`},
}

func TestAppendResponseUnwrapsCallsToCustomTools(t *testing.T) {
	r := customRequest(t)
	for name, test := range customInputs {
		t.Run(name, func(t *testing.T) {
			got := Codec{}.AppendResponse(nil, &transform.Response{Choices: []transform.Choice{{Parts: []transform.Part{
				{Kind: transform.PartToolCall, Call: transform.ToolCall{ID: "c", Name: "g", Arguments: []byte(test.arguments)}, Opaque: signature(transform.VendorGoogle, "s")},
				{Kind: transform.PartToolCall, Call: transform.ToolCall{ID: "d", Name: "f", Arguments: []byte(test.arguments)}},
				{Kind: transform.PartToolCall, Call: transform.ToolCall{ID: "e", Name: "g", Arguments: []byte(test.arguments), Custom: true}},
			}}}}, r)
			checkAnswer(t, got)
			own := test.arguments
			want := `"tool_calls":[{"id":"c","type":"custom","custom":{"name":"g","input":` + string(quote(test.want)) + `},"extra_content":{"google":{"thought_signature":"s"}}},` +
				`{"id":"d","type":"function","function":{"name":"f","arguments":` + string(quote(orEmptyObject(own))) + `}},` +
				`{"id":"e","type":"custom","custom":{"name":"g","input":` + string(quote(own)) + `}}]`
			if !strings.Contains(string(got), want) {
				t.Errorf("%s\nwant %s", got, want)
			}
		})
	}
}

// customText joins the pieces of a call's free text, with how many there were.
func customText(t *testing.T, stream []byte) (text string, pieces int) {
	t.Helper()
	for _, e := range events(t, stream) {
		var c struct {
			Choices []struct {
				Delta struct {
					ToolCalls []struct {
						ID       string
						Custom   *struct{ Input string }
						Function json.RawMessage
					} `json:"tool_calls"`
				}
			}
		}
		json.Unmarshal(e.Data, &c)
		for _, choice := range c.Choices {
			for _, call := range choice.Delta.ToolCalls {
				if call.Custom == nil || call.Function != nil {
					t.Fatalf("not custom: %s", e.Data)
				}
				if text += call.Custom.Input; call.ID == "" {
					pieces++
				}
			}
		}
	}
	return text, pieces
}

func TestStreamUnwrapsCallsToCustomToolsWhereverTheyAreCut(t *testing.T) {
	r := customRequest(t)
	start := transform.Delta{Kind: transform.DeltaToolStart, Call: transform.ToolCall{ID: "c", Name: "g"}}
	piece := func(text string) transform.Delta {
		return transform.Delta{Kind: transform.DeltaToolArguments, Text: quote(text)}
	}
	for name, test := range customInputs {
		t.Run(name, func(t *testing.T) {
			check := func(deltas ...transform.Delta) {
				t.Helper()
				got := encodeStream(append([]transform.Delta{start}, deltas...), r)
				checkStream(t, got, false)
				if text, _ := customText(t, got); text != test.want {
					t.Fatalf("%q, want %q: %s", text, test.want, got)
				}
			}
			var letters []transform.Delta
			for at, letter := range test.arguments {
				check(piece(test.arguments[:at]), piece(test.arguments[at:]))
				letters = append(letters, piece(string(letter)))
			}
			check(letters...)
		})
	}
	halves := encodeStream([]transform.Delta{
		start,
		{Kind: transform.DeltaToolArguments, Text: transform.Literal(`"{\"input\":\"\ud83d"`)},
		{Kind: transform.DeltaToolArguments, Text: transform.Literal(`"\ude00\"}"`)},
	}, r)
	if text, _ := customText(t, halves); text != "😀" {
		t.Errorf("half a character each: %q", text)
	}
}

func TestStreamWritesACustomCallAsSoonAsItIsWhole(t *testing.T) {
	call := []transform.Delta{
		{Kind: transform.DeltaToolStart, Part: 1, Call: transform.ToolCall{ID: "c", Name: "g"}},
		{Kind: transform.DeltaToolArguments, Part: 1, Text: quote(`{"input":`)},
		{Kind: transform.DeltaPing},
		{Kind: transform.DeltaOpaque, Part: 1, Opaque: signature(transform.VendorGoogle, "s")},
		{Kind: transform.DeltaLogprobs, Logprobs: []byte(`{"content":[]}`)},
		{Kind: transform.DeltaPartEnd, Part: 0},
		{Kind: transform.DeltaText, Choice: 1, Text: quote("another choice")},
		{Kind: transform.DeltaToolArguments, Part: 1, Text: quote(`"a"}`)},
	}
	const start = `"tool_calls":[{"index":0,"id":"c","type":"custom","custom":{"name":"g","input":""}}]`
	const input = `"tool_calls":[{"index":0,"custom":{"input":"a"}}]`
	for name, next := range map[string]transform.Delta{
		"text":      {Kind: transform.DeltaText, Part: 2, Text: quote("b")},
		"reasoning": {Kind: transform.DeltaReasoning, Part: 2, Text: quote("b")},
		"call":      {Kind: transform.DeltaToolStart, Part: 2, Tool: 1, Call: transform.ToolCall{ID: "d", Name: "g"}},
		"part end":  {Kind: transform.DeltaPartEnd, Part: 1},
		"finish":    {Kind: transform.DeltaFinish, Finish: transform.FinishToolCalls},
	} {
		t.Run(name, func(t *testing.T) {
			encoder := Codec{}.NewStreamEncoder(customRequest(t))
			var out []byte
			for i := range call {
				out = encoder.Append(out, &call[i])
			}
			if strings.Contains(string(out), input) || !strings.Contains(string(out), start) {
				t.Errorf("%s", out)
			}
			held := len(out)
			out = encoder.Append(out, &next)
			if !strings.HasPrefix(between(string(out[held:]), `"delta":{`, `}`), `"tool_calls"`) || !strings.Contains(string(out[held:]), input) {
				t.Errorf("not the call first: %s", out[held:])
			}
			out = encoder.AppendEnd(out)
			checkStream(t, out, false)
			if strings.Count(string(out), input) != 1 {
				t.Errorf("not once: %s", out)
			}
		})
	}
}

func between(s, from, to string) string {
	_, s, _ = strings.Cut(s, from)
	s, _, _ = strings.Cut(s, to)
	return s
}

func TestStreamUnwrapsArgumentsThatComeWithTheCall(t *testing.T) {
	got := encodeStream([]transform.Delta{
		{Kind: transform.DeltaToolStart, Call: transform.ToolCall{ID: "c", Name: "g", Arguments: []byte(`{"input":"a"}`)}},
		{Kind: transform.DeltaToolStart, Part: 1, Tool: 1, Call: transform.ToolCall{ID: "d", Name: "g", Arguments: []byte(`{"input":"b"}`), Custom: true}},
	}, customRequest(t))
	checkStream(t, got, false)
	if text, _ := customText(t, got); text != `a{"input":"b"}` {
		t.Errorf("%q", text)
	}
}

func TestStreamHoldsACustomCallOnlySoLong(t *testing.T) {
	encoder := Codec{}.NewStreamEncoder(customRequest(t))
	start := transform.Delta{Kind: transform.DeltaToolStart, Call: transform.ToolCall{ID: "c", Name: "g"}}
	want := `{"input":"`
	first := transform.Delta{Kind: transform.DeltaToolArguments, Text: quote(want)}
	out := encoder.Append(encoder.Append(nil, &start), &first)
	piece := strings.Repeat("a", 1<<20)
	delta := transform.Delta{Kind: transform.DeltaToolArguments, Text: quote(piece)}
	for range maxHeld>>20 + 2 {
		out = encoder.Append(out, &delta)
		want += piece
	}
	if text, pieces := customText(t, encoder.AppendEnd(out)); text != want || pieces < 2 {
		t.Errorf("%d bytes in %d pieces, want %d bytes", len(text), pieces, len(want))
	}
}

func TestStreamThatFailsKeepsQuietAboutHalfACustomCall(t *testing.T) {
	encoder := Codec{}.NewStreamEncoder(customRequest(t))
	var out []byte
	for _, d := range []transform.Delta{
		{Kind: transform.DeltaToolStart, Call: transform.ToolCall{ID: "c", Name: "g"}},
		{Kind: transform.DeltaToolArguments, Text: quote(`{"input":"a`)},
		{Kind: transform.DeltaError, Err: &transform.Error{Kind: transform.ErrUpstream, Message: "m"}},
	} {
		out = encoder.Append(out, &d)
	}
	if text, pieces := customText(t, out); text != "" || pieces > 0 {
		t.Errorf("%q", text)
	}
}

func TestOldClientsGetEveryCallAsAFunction(t *testing.T) {
	r, _ := decode(t, ask(`,"functions":[{"name":"f"}]`))
	r.Tools = append(r.Tools, transform.Tool{Name: "g", Custom: true})
	const want = `"function_call":{"name":"g","arguments":"`
	call := transform.ToolCall{ID: "c", Name: "g", Arguments: []byte(`{"input":"a"}`)}
	whole := Codec{}.AppendResponse(nil, &transform.Response{Choices: []transform.Choice{{Parts: []transform.Part{{Kind: transform.PartToolCall, Call: call}}}}}, r)
	stream := encodeStream([]transform.Delta{{Kind: transform.DeltaToolStart, Call: call}}, r)
	for _, got := range [][]byte{whole, stream} {
		if !strings.Contains(string(got), want) || !strings.Contains(string(got), `{\"input\":\"a\"}`) || strings.Contains(string(got), "custom") {
			t.Errorf("%s", got)
		}
	}
}

func TestStreamSignsCalls(t *testing.T) {
	tests := map[string]struct {
		call       transform.ToolCall
		with       transform.Opaque // the start
		after      transform.Opaque
		want, then string
	}{
		"with the start": {
			transform.ToolCall{ID: "c", Name: "f"}, signature(transform.VendorGoogle, "s"), transform.Opaque{},
			`{"index":0,"id":"c","type":"function","function":{"name":"f","arguments":""},"extra_content":{"google":{"thought_signature":"s"}}}`, "",
		},
		"with the start of a custom call": {
			transform.ToolCall{ID: "c", Name: "g"}, signature(transform.VendorGoogle, "s"), transform.Opaque{},
			`{"index":0,"id":"c","type":"custom","custom":{"name":"g","input":""},"extra_content":{"google":{"thought_signature":"s"}}}`, "",
		},
		"after the start": {
			transform.ToolCall{ID: "c", Name: "f"}, transform.Opaque{}, signature(transform.VendorGoogle, "s"),
			`{"index":0,"id":"c","type":"function","function":{"name":"f","arguments":""}}`,
			`{"index":0,"function":{"arguments":""},"extra_content":{"google":{"thought_signature":"s"}}}`,
		},
		"after the start of a custom call": {
			transform.ToolCall{ID: "c", Name: "h", Custom: true}, transform.Opaque{}, signature(transform.VendorGoogle, "s"),
			`{"index":0,"id":"c","type":"custom","custom":{"name":"h","input":""}}`,
			`{"index":0,"custom":{"input":""},"extra_content":{"google":{"thought_signature":"s"}}}`,
		},
		"with nothing": {
			transform.ToolCall{ID: "c", Name: "f"}, transform.Opaque{Vendor: transform.VendorGoogle, Kind: transform.OpaqueSignature}, transform.Opaque{},
			`{"index":0,"id":"c","type":"function","function":{"name":"f","arguments":""}}`, "",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := encodeStream([]transform.Delta{
				{Kind: transform.DeltaToolStart, Part: 3, Call: test.call, Opaque: test.with},
				{Kind: transform.DeltaOpaque, Part: 3, Opaque: test.after},
				{Kind: transform.DeltaToolArguments, Part: 3, Text: quote("{}")},
			}, customRequest(t))
			checkStream(t, got, false)
			for _, want := range []string{test.want, test.then} {
				if want != "" && !strings.Contains(string(got), `"tool_calls":[`+want+`]`) {
					t.Errorf("no %s in %s", want, got)
				}
			}
			if signed := strings.Count(string(got), "thought_signature"); signed != strings.Count(test.want+test.then, "thought_signature") {
				t.Errorf("signed %d times: %s", signed, got)
			}
		})
	}
}

func FuzzCustomCalls(f *testing.F) {
	for _, test := range customInputs {
		f.Add(test.arguments, 3)
	}
	r := &transform.Request{Tools: []transform.Tool{{Name: "g", Custom: true}}}
	f.Fuzz(func(t *testing.T, arguments string, cut int) {
		if !utf8.ValidString(arguments) {
			return
		}
		cut = min(max(cut, 0), len(arguments))
		for !utf8.ValidString(arguments[:cut]) {
			cut--
		}
		call := transform.ToolCall{ID: "c", Name: "g", Arguments: []byte(arguments)}
		whole := Codec{}.AppendResponse(nil, &transform.Response{Choices: []transform.Choice{{Parts: []transform.Part{{Kind: transform.PartToolCall, Call: call}}}}}, r)
		checkAnswer(t, whole)
		var a struct {
			Choices []struct {
				Message struct {
					ToolCalls []struct{ Custom struct{ Input string } } `json:"tool_calls"`
				}
			}
		}
		if err := json.Unmarshal(whole, &a); err != nil {
			t.Fatal(err)
		}
		call.Arguments = nil
		stream := encodeStream([]transform.Delta{
			{Kind: transform.DeltaToolStart, Call: call},
			{Kind: transform.DeltaToolArguments, Text: quote(arguments[:cut])},
			{Kind: transform.DeltaToolArguments, Text: quote(arguments[cut:])},
		}, r)
		checkStream(t, stream, false)
		if text, _ := customText(t, stream); text != a.Choices[0].Message.ToolCalls[0].Custom.Input {
			t.Fatalf("%s\n%s", whole, stream)
		}
	})
}
