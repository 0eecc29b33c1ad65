package gemini

import (
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/usage"
)

func cited(v string) transform.Part {
	return transform.Part{Kind: transform.PartCitation, Citation: jsonbytes.Value(v)}
}

func reasoned(text string, vendor transform.Vendor, kind transform.OpaqueKind, data string) transform.Part {
	p := transform.Part{Kind: transform.PartReasoning, Opaque: transform.Opaque{Vendor: vendor, Kind: kind}}
	if text != "" {
		p.Text = transform.Quote(text)
	}
	if data != "" {
		p.Opaque.Data = transform.Quote(data)
	}
	return p
}

func TestClientAnswers(t *testing.T) {
	const claude, signature, redacted = transform.VendorAnthropic, transform.OpaqueSignature, transform.OpaqueRedacted
	image := transform.Part{Kind: transform.PartImage, Media: transform.Media{Type: "image/png", Data: []byte("AA")}}
	for _, test := range []struct {
		name   string
		choice transform.Choice
		want   string
	}{
		{"text", transform.Choice{Parts: []transform.Part{say("a")}, Finish: transform.FinishStop}, `0 {"text":"a"} "STOP"`},
		{"nothing", transform.Choice{Finish: transform.FinishLength}, `0 {"text":""} "MAX_TOKENS"`},
		{"blocked", transform.Choice{Finish: transform.FinishContentFilter, Index: 1}, `1 {"text":""} "SAFETY"`},
		{"refusal", transform.Choice{Parts: []transform.Part{{Kind: transform.PartRefusal, Text: transform.Quote("no")}}}, `0 {"text":"no"} "SAFETY"`},
		{"thoughts and calls", transform.Choice{Parts: []transform.Part{reasoned("t", claude, signature, "s"), reasoned("", claude, redacted, "r"), say("x"),
			reasoned("", claude, signature, "u"), call("1", "f", `{"a": 1}`), call("", "g", ""), reasoned("", claude, signature, "v")}, Finish: transform.FinishToolCalls},
			`0 {"text":"t","thought":true,"thoughtSignature":` + sealedSig("s") + `},{"text":"x","thoughtSignature":` + sealedBy(claude, redacted, "r") + `},` +
				`{"functionCall":{"id":"1","name":"f","args":{"a":1}},"thoughtSignature":` + sealedSig("u") + `},{"functionCall":{"name":"g","args":{}}},` +
				`{"text":"","thought":true,"thoughtSignature":` + sealedSig("v") + `} "STOP"`},
		{"Google's own signatures", transform.Choice{Parts: []transform.Part{signed(say("a"), "S1"), signed(call("1", "f", "{}"), "S2"), signed(image, "S3"), signed(reasoned("", "", 0, ""), "S4")}},
			`0 {"text":"a","thoughtSignature":"S1"},{"functionCall":{"id":"1","name":"f","args":{}},"thoughtSignature":"S2"},` +
				`{"inlineData":{"mimeType":"image/png","data":"AA"},"thoughtSignature":"S3"},{"text":"","thoughtSignature":"S4"} "STOP"`},
		{"media by URL", transform.Choice{Parts: []transform.Part{{Kind: transform.PartFile, Media: transform.Media{URL: "https://x/y", Type: "a/b"}}, {Kind: transform.PartFile, Media: transform.Media{FileID: "f"}}}},
			`0 {"fileData":{"fileUri":"https://x/y","mimeType":"a/b"}} "STOP"`},
		{"a call cut short", transform.Choice{Parts: []transform.Part{call("1", "f", `{"a"`)}, Finish: transform.FinishLength}, `0 {"functionCall":{"id":"1","name":"f","args":{}}} "MAX_TOKENS"`},
		{"a call that is none", transform.Choice{Parts: []transform.Part{call("1", "f", `"x"`)}, Finish: transform.FinishToolCalls}, `0 {"functionCall":{"id":"1","name":"f","args":{}}} "MALFORMED_FUNCTION_CALL"`},
		{"citations in their part", transform.Choice{Parts: []transform.Part{reasoned("t", "", 0, ""), say("é"), cited(annotation("0", "1", "u")), say("bc"), cited(annotation("1", "3", "v"))}},
			`0 {"text":"t","thought":true},{"text":"ébc"} "STOP" {"groundingChunks":[{"web":{"uri":"u","title":"t"}},{"web":{"uri":"v","title":"t"}}],"groundingSupports":[` +
				`{"segment":{"startIndex":0,"endIndex":2,"partIndex":1},"groundingChunkIndices":[0]},{"segment":{"startIndex":2,"endIndex":4,"partIndex":1},"groundingChunkIndices":[1]}]}`},
		{"logprobs", transform.Choice{Parts: []transform.Part{say("a")}, Logprobs: jsonbytes.Value(`{"content":[{"token":"a","logprob":-1}]}`)},
			`0 {"text":"a"} "STOP" {"chosenCandidates":[{"token":"a","logProbability":-1}],"topCandidates":[{"candidates":[]}]}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := &transform.Response{ID: "r1", Model: "m", Choices: []transform.Choice{test.choice}}
			body := jsonbytes.Value(Codec{}.AppendResponse(nil, a, nil))
			if err := jsonbytes.Check(body, 0); err != nil {
				t.Fatalf("%v: %s", err, body)
			}
			checkFrame(t, body, true)
			if got := strings.TrimSpace(transcript([]jsonbytes.Value{body})); got != test.want {
				t.Errorf("got\n%s\nwant\n%s", got, test.want)
			}
		})
	}
}

func TestAWholeClientAnswer(t *testing.T) {
	a := &transform.Response{
		ID: "r1", ServiceTier: "priority", Usage: usage.Tokens{Input: 2, Output: 3, Known: true},
		Choices: []transform.Choice{{Parts: []transform.Part{say("a")}, Finish: transform.FinishStop}, {Index: 1, Parts: []transform.Part{say("b")}}},
	}
	const want = `{"candidates":[{"content":{"parts":[{"text":"a"}],"role":"model"},"finishReason":"STOP","index":0},{"content":{"parts":[{"text":"b"}],"role":"model"},"finishReason":"STOP","index":1}],` +
		`"usageMetadata":{"promptTokenCount":2,"candidatesTokenCount":3,"totalTokenCount":5,"serviceTier":"priority"},"modelVersion":"smart","responseId":"r1"}`
	if got := string(Codec{}.AppendResponse(nil, a, &transform.Request{Model: "smart"})); got != want {
		t.Errorf("got %s", got)
	}
	empty := jsonbytes.Value(Codec{}.AppendResponse(nil, new(transform.Response), nil))
	checkFrame(t, empty, true)
	if empty.Get("responseId").Is("") {
		t.Error("no id")
	}
}

func TestRecordedAnswersGoRound(t *testing.T) {
	each(t, "*gemini", func(t *testing.T, r recording) {
		if r.meta.Status != 200 || r.meta.BodyKind != "json" || strings.Contains(r.meta.Path, "countTokens") {
			t.Skip("no answer")
		}
		a, err := Codec{}.DecodeResponse(r.body)
		if err != nil {
			t.Fatal(err)
		}
		body := Codec{}.AppendResponse(nil, a, nil)
		checkFrame(t, body, true)
		again, err := Codec{}.DecodeResponse(body)
		if err != nil {
			t.Fatal(err)
		}
		// Texts that follow each other are one part again.
		got, want := strings.ReplaceAll(sketch(again.Choices[0].Parts), " ", ""), strings.ReplaceAll(sketch(a.Choices[0].Parts), " ", "")
		if got != want || again.Usage != a.Usage || again.ID != a.ID || again.Model != a.Model || again.Choices[0].Finish != a.Choices[0].Finish {
			t.Errorf("got\n%s %+v\nwant\n%s %+v", got, again.Usage, want, a.Usage)
		}
	})
}
