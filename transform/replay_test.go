package transform

import (
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/usage"
)

func someResponse(r *rand.Rand) *Response {
	a := &Response{
		ID: "id", Model: "m", Created: 7, ServiceTier: []string{"", "flex"}[r.IntN(2)],
		Usage: usage.Tokens{Known: true, Input: int64(r.IntN(100)), Output: int64(r.IntN(100))},
	}
	for i := range r.IntN(4) {
		c := Choice{Index: i, Finish: Finish(r.IntN(5))}
		if r.IntN(3) == 0 {
			c.StopSequence = "END"
		}
		if r.IntN(3) == 0 {
			c.Logprobs = jsonbytes.Value(`{"content":[{"token":"a"}],"refusal":null}`)
		}
		for range r.IntN(6) {
			c.Parts = appendSomePart(c.Parts, r)
		}
		a.Choices = append(a.Choices, c)
	}
	return a
}

func appendSomePart(parts []Part, r *rand.Rand) []Part {
	p := Part{Kind: PartKind(r.IntN(int(PartAudio) + 1))}
	switch p.Kind {
	case PartText:
		p.Text = someText(r)
		if r.IntN(4) == 0 {
			p.Opaque = someOpaque(r, OpaqueSignature)
		}
		parts = append(parts, p)
		for range r.IntN(3) {
			parts = append(parts, Part{Kind: PartCitation, Citation: jsonbytes.Value(`{"type":"url_citation"}`)})
		}
		return parts
	case PartReasoning:
		switch r.IntN(3) {
		case 0:
			p.Opaque = someOpaque(r, OpaqueRedacted)
		case 1:
			p.Opaque = someOpaque(r, OpaqueSignature)
			fallthrough
		default:
			p.Text = someText(r)
		}
	case PartRefusal:
		p.Text = someText(r)
	case PartToolCall:
		p.Call = ToolCall{ID: "call", Name: "f", Custom: r.IntN(2) == 0}
		if r.IntN(4) > 0 {
			p.Call.Arguments = []byte(`{"a":"` + strings.Repeat("é\n", r.IntN(pieceBytes)) + `"}`)
		}
		if r.IntN(3) == 0 {
			p.Opaque = someOpaque(r, OpaqueSignature)
		}
	case PartImage, PartFile, PartAudio:
		p.Media = Media{Type: "image/png", Data: []byte("AAAA"), Name: "n"}
	}
	return append(parts, p)
}

func someText(r *rand.Rand) Literal {
	words := []string{`a`, `\ud83d\ude00`, `\"`, `\\`, "é", "\U0001F600", `\u00e9`}
	var text strings.Builder
	for range 1 + r.IntN(5)*r.IntN(pieceBytes) {
		text.WriteString(words[r.IntN(len(words))])
	}
	return Literal(`"` + text.String() + `"`)
}

func someOpaque(r *rand.Rand, kind OpaqueKind) Opaque {
	return Opaque{Vendor: []Vendor{VendorGoogle, VendorAnthropic}[r.IntN(2)], Kind: kind, ID: "rs", Data: Literal(`"c2ln"`)}
}

func TestCollectUndoesReplay(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		a := someResponse(random)
		if got := Collect(Replay(nil, a)); !reflect.DeepEqual(got, a) && !(len(a.Choices) == 0 && len(got.Choices) == 0) {
			t.Fatalf("%+v became %+v", a, got)
		}
	}
}

// Chat Completions lists the citations after the calls; a stream says them while
// their text is open.
func TestReplaySaysCitationsWithTheirText(t *testing.T) {
	text := Part{Kind: PartText, Text: Literal(`"a"`)}
	call := Part{Kind: PartToolCall, Call: ToolCall{ID: "c", Name: "f"}}
	cited := Part{Kind: PartCitation, Citation: jsonbytes.Value(`{}`)}
	got := Collect(Replay(nil, &Response{Choices: []Choice{{Parts: []Part{text, call, cited}}}}))
	if want := []Part{text, cited, call}; !reflect.DeepEqual(got.Choices[0].Parts, want) {
		t.Errorf("the parts are %+v", got.Choices[0].Parts)
	}
}

func TestReplayCutsNoCharacter(t *testing.T) {
	for _, unit := range []string{"é", `\ud83d\ude00`, "\U0001F600", `\"`, `\\`, `\u00e9`} {
		for shift := range 12 {
			text := Literal(`"` + strings.Repeat("x", shift) + strings.Repeat(unit, 2*pieceBytes/len(unit)) + `"`)
			joined := Literal(nil)
			for rest := text; rest != nil; {
				var first Literal
				first, rest = cutLiteral(rest, pieceBytes)
				if inside := strings.TrimLeft(string(first[1:len(first)-1]), "x"); len(inside)%len(unit) != 0 || !first.Spliceable() {
					t.Fatalf("%s was cut within", unit)
				}
				joined = jsonbytes.Concat(joined, first)
			}
			if string(joined) != string(text) {
				t.Fatalf("pieces of %s are not the whole", unit)
			}
		}
	}
}

func TestCollectorPutsPiecesTogether(t *testing.T) {
	deltas := []Delta{
		{Kind: DeltaStart, ID: "i", Model: "m", Usage: usage.Tokens{Input: 3}},
		{Kind: DeltaPing},
		{Kind: DeltaReasoning, Part: 0, Text: Literal(`"th"`)},
		{Kind: DeltaReasoning, Part: 0, Text: Literal(`"ink"`)},
		{Kind: DeltaOpaque, Part: 0, Opaque: Opaque{Vendor: VendorAnthropic, Kind: OpaqueSignature, Data: Literal(`"s"`)}},
		{Kind: DeltaText, Part: 1, Text: Literal(`"\ud83d"`)},
		{Kind: DeltaText, Choice: 1, Part: 0, Text: Literal(`"other"`)},
		{Kind: DeltaText, Part: 1, Text: Literal(`"\ude00"`)},
		{Kind: DeltaToolStart, Part: 2, Tool: 0, Call: ToolCall{ID: "a", Name: "f"}},
		{Kind: DeltaToolStart, Part: 3, Tool: 1, Call: ToolCall{ID: "b", Name: "g"}},
		{Kind: DeltaToolArguments, Part: 2, Tool: 0, Text: Literal(`"{\"x\":"`)},
		{Kind: DeltaToolArguments, Part: 3, Tool: 1, Text: Literal(`"{}"`)},
		{Kind: DeltaToolArguments, Part: 2, Tool: 0, Text: Literal(`"1}"`)},
		{Kind: DeltaOpaque, Part: 3, Opaque: Opaque{Vendor: VendorGoogle, Kind: OpaqueSignature, Data: Literal(`"g"`)}},
		{Kind: DeltaLogprobs, Logprobs: jsonbytes.Value(`{"content":[1],"refusal":null}`)},
		{Kind: DeltaLogprobs, Logprobs: jsonbytes.Value(`{"content":[2],"refusal":[3]}`)},
		{Kind: DeltaFinish, Finish: FinishToolCalls},
		{Kind: DeltaFinish, Choice: 1, Finish: FinishStop},
		{Kind: DeltaUsage, Usage: usage.Tokens{Known: true, Input: 3, Output: 4}},
	}
	want := &Response{
		ID: "i", Model: "m", Usage: usage.Tokens{Known: true, Input: 3, Output: 4},
		Choices: []Choice{
			{Finish: FinishToolCalls, Logprobs: jsonbytes.Value(`{"content":[1,2],"refusal":[3]}`), Parts: []Part{
				{Kind: PartReasoning, Text: Literal(`"think"`), Opaque: Opaque{Vendor: VendorAnthropic, Kind: OpaqueSignature, Data: Literal(`"s"`)}},
				{Kind: PartText, Text: Literal(`"\ud83d\ude00"`)},
				{Kind: PartToolCall, Call: ToolCall{ID: "a", Name: "f", Arguments: []byte(`{"x":1}`)}},
				{Kind: PartToolCall, Call: ToolCall{ID: "b", Name: "g", Arguments: []byte(`{}`)}, Opaque: Opaque{Vendor: VendorGoogle, Kind: OpaqueSignature, Data: Literal(`"g"`)}},
			}},
			{Index: 1, Finish: FinishStop, Parts: []Part{{Kind: PartText, Text: Literal(`"other"`)}}},
		},
	}
	if got := Collect(deltas); !reflect.DeepEqual(got, want) {
		t.Errorf("collected %+v", got)
	}
}

// Events come in memory that is used again.
func TestCollectorKeepsNothingOfTheEvent(t *testing.T) {
	var c Collector
	event := []byte(`"abc"`)
	for _, kind := range []DeltaKind{DeltaText, DeltaOpaque, DeltaCitation, DeltaLogprobs} {
		if err := c.Add(&Delta{Kind: kind, Text: event, Opaque: Opaque{Kind: OpaqueSignature, Data: event}, Citation: event, Logprobs: event}); err != nil {
			t.Fatal(err)
		}
	}
	copy(event, `"xyz"`)
	choice := c.Response().Choices[0]
	for _, kept := range []jsonbytes.Value{choice.Parts[0].Text, choice.Parts[0].Opaque.Data, choice.Parts[1].Citation, choice.Logprobs} {
		if string(kept) != `"abc"` {
			t.Errorf("kept %s", kept)
		}
	}
}

func TestCollectorIsBounded(t *testing.T) {
	c := Collector{Max: 10_000}
	for n := range 100_000 {
		if err := c.Add(&Delta{Kind: DeltaToolStart, Tool: n}); err != nil {
			if n > 100 {
				t.Errorf("%d calls were kept", n)
			}
			return
		}
	}
	t.Error("there is no bound")
}

func TestCollectSurvivesWhateverComes(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	literals := []Literal{nil, Literal(`""`), Literal(`"a"`), Literal(`"\ud83d"`)}
	for range 5000 {
		var deltas []Delta
		for range random.IntN(20) {
			d := Delta{Kind: DeltaKind(random.IntN(int(DeltaMedia) + 1)), Choice: random.IntN(3), Part: random.IntN(4), Tool: random.IntN(3)}
			d.Text = literals[random.IntN(len(literals))]
			d.Citation, d.Logprobs = jsonbytes.Value(d.Text), jsonbytes.Value(d.Text)
			d.Opaque = Opaque{Kind: OpaqueKind(random.IntN(3)), Data: d.Text}
			deltas = append(deltas, d)
		}
		a := Collect(deltas)
		if again := Collect(Replay(nil, a)); len(again.Choices) != len(a.Choices) {
			t.Fatalf("%+v became %+v", a, again)
		}
	}
}
