package gemini

import (
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/usage"
)

// answerOf is an answer of one candidate with these parts and this reason.
func answerOf(parts, finish string) string {
	return `{"candidates":[{"content":{"role":"model","parts":[` + parts + `]},"finishReason":` + finish + `,"index":0}],` +
		`"usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":2,"totalTokenCount":7},"modelVersion":"gemini-x","responseId":"r1"}`
}

// sketch writes parts in few words: text, (reasoning), call{arguments}, <media>,
// ^citation, and ~signature behind what it came with.
func sketch(parts []transform.Part) string {
	var out []string
	for _, p := range parts {
		s, _ := p.Text.Text()
		switch p.Kind {
		case transform.PartReasoning:
			s = "(" + s + ")"
		case transform.PartToolCall:
			s = p.Call.Name + string(p.Call.Arguments)
		case transform.PartImage, transform.PartAudio, transform.PartFile:
			s = "<" + p.Media.Type + " " + string(p.Media.Data) + p.Media.URL + ">"
		case transform.PartCitation:
			s = "^" + string(p.Citation)
		}
		if p.Opaque.Kind != transform.OpaqueNone {
			signature, _ := p.Opaque.Data.Text()
			s += "~" + signature
		}
		out = append(out, s)
	}
	return strings.Join(out, "|")
}

func TestDecodeParts(t *testing.T) {
	for _, test := range []struct{ name, parts, want string }{
		{"text", `{"text":"a"},{"text":"b"}`, "a|b"},
		{"empty text", `{"text":""}`, ""},
		{"thoughts", `{"text":"hm","thought":true},{"text":"a","thought":false}`, "(hm)|a"},
		{"members in another order", `{"thought":true,"text":"hm"}`, "(hm)"},
		{"a signed text", `{"text":"a","thoughtSignature":"S"}`, "a~S"},
		{"a signature alone", `{"text":"a"},{"text":"","thoughtSignature":"S"}`, "a|()~S"},
		{"a signature without anything", `{"thoughtSignature":"S"}`, "()~S"},
		{"a call", `{"functionCall":{"id":"1","name":"f","args":{"a": 1}},"thoughtSignature":"S"}`, `f{"a":1}~S`},
		{"a call without arguments", `{"functionCall":{"name":"f"}},{"functionCall":{"name":"g","args":null}}`, `f{}|g{}`},
		{"an image", `{"inlineData":{"mimeType":"image/png","data":"AAAA"}}`, "<image/png AAAA>"},
		{"a draft among the thoughts", `{"inlineData":{"mimeType":"image/png","data":"AAAA"},"thought":true},{"text":"a"}`, "a"},
		{"a file", `{"fileData":{"mimeType":"application/pdf","fileUri":"gs://b/f"}}`, "<application/pdf gs://b/f>"},
		{"code", `{"executableCode":{"language":"PYTHON","code":"print(\"x\")"}},{"codeExecutionResult":{"outcome":"OUTCOME_OK","output":"x\n"}}`,
			"```python\nprint(\"x\")\n```\n|```\nx\n\n```\n"},
		{"server tools and news", `{"toolCall":{"a":1}},{"toolResponse":{}},{"what":{"text":"no"}},{}`, ""},
		{"odd kinds", `{"text":5},{"text":null,"thoughtSignature":7},5,null,[{"text":"x"}],{"text":"a"}`, "a"},
		{"names with escapes", `{"\u0074ext":"a"}`, "a"},
	} {
		t.Run(test.name, func(t *testing.T) {
			a, err := Codec{}.DecodeResponse([]byte(answerOf(test.parts, `"STOP"`)))
			if err != nil {
				t.Fatal(err)
			}
			if got := sketch(a.Choices[0].Parts); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestDecodeHead(t *testing.T) {
	body := `{"candidates":[{"content":{}}],"responseId":"r","modelVersion":"m","createTime":"2026-08-19T14:38:19.092175Z",` +
		`"usageMetadata":{"promptTokenCount":10,"toolUsePromptTokenCount":5,"cachedContentTokenCount":4,"candidatesTokenCount":3,` +
		`"thoughtsTokenCount":2,"totalTokenCount":20,"serviceTier":"standard","news":{}},"news":[{}]}`
	a, err := Codec{}.DecodeResponse([]byte("\n " + body + "\n"))
	if err != nil {
		t.Fatal(err)
	}
	if a.ID != "r" || a.Model != "m" || a.Created != 1787150299 || a.ServiceTier != "default" || len(a.Choices) != 1 {
		t.Errorf("%+v", a)
	}
	if want := (usage.Tokens{Input: 15, CacheRead: 4, Output: 5, Reasoning: 2, Known: true}); a.Usage != want {
		t.Errorf("%+v", a.Usage)
	}
	a, err = Codec{}.DecodeResponse([]byte(`{"candidates":[{}],"usageMetadata":{"trafficType":"ON_DEMAND"}}`))
	if err != nil || a.Usage.Known {
		t.Errorf("no counts are known: %+v, %v", a, err)
	}
	a, _ = Codec{}.DecodeResponse([]byte(`{"candidates":[{}],"usageMetadata":{"promptTokenCount":-5,"candidatesTokenCount":99999999999999999999,"cachedContentTokenCount":7}}`))
	if a.Usage != (usage.Tokens{Known: true}) {
		t.Errorf("nonsense is believed: %+v", a.Usage)
	}
}

func TestDecodeFinish(t *testing.T) {
	const text, tool = `{"text":"a"}`, `{"functionCall":{"name":"f"}}`
	for _, test := range []struct {
		parts, reason string
		want          transform.Finish
	}{
		{text, `"STOP"`, transform.FinishStop},
		{tool, `"STOP"`, transform.FinishToolCalls},
		{text, `1`, transform.FinishStop},
		{tool, `1`, transform.FinishToolCalls},
		{text, `"MAX_TOKENS"`, transform.FinishLength},
		{tool, `"MAX_TOKENS"`, transform.FinishLength},
		{"", `2`, transform.FinishLength},
		{text, `"CONTINUATION"`, transform.FinishLength},
		{"", `"SAFETY"`, transform.FinishContentFilter},
		{tool, `"SAFETY"`, transform.FinishContentFilter},
		{"", `3`, transform.FinishContentFilter},
		{"", `"RECITATION"`, transform.FinishContentFilter},
		{"", `"BLOCKLIST"`, transform.FinishContentFilter},
		{"", `"PROHIBITED_CONTENT"`, transform.FinishContentFilter},
		{"", `"SPII"`, transform.FinishContentFilter},
		{"", `"MODEL_ARMOR"`, transform.FinishContentFilter},
		{"", `"IMAGE_SAFETY"`, transform.FinishContentFilter},
		{"", `"IMAGE_RECITATION"`, transform.FinishContentFilter},
		{"", `"NO_IMAGE"`, transform.FinishStop},
		{"", `"OTHER"`, transform.FinishStop},
		{"", `"LANGUAGE"`, transform.FinishStop},
		{"", `"SOMETHING_NEW"`, transform.FinishStop},
		{"", `999`, transform.FinishStop},
		{tool, `"UNEXPECTED_TOOL_CALL"`, transform.FinishToolCalls},
		{text, `"MALFORMED_FUNCTION_CALL"`, transform.FinishStop},
		{text, `"FINISH_REASON_UNSPECIFIED"`, transform.FinishUnknown},
		{text, `0`, transform.FinishUnknown},
		{text, `null`, transform.FinishUnknown},
		{tool, `null`, transform.FinishToolCalls},
	} {
		body := []byte(answerOf(test.parts, test.reason))
		a, err := Codec{}.DecodeResponse(body)
		if err != nil {
			t.Errorf("%s %s: %v", test.parts, test.reason, err)
			continue
		}
		if got := a.Choices[0].Finish; got != test.want {
			t.Errorf("%s %s: got %v, want %v", test.parts, test.reason, got, test.want)
		}
		s, err := Codec{}.InspectResponse(body)
		if err != nil || s.Finish != test.want || s.Usage != a.Usage {
			t.Errorf("%s %s: inspected %+v, %v", test.parts, test.reason, s, err)
		}
	}
}

func TestSpoiledAnswerIsAnError(t *testing.T) {
	for _, parts := range []string{"", `{"text":"hm","thought":true}`} {
		_, err := Codec{}.DecodeResponse([]byte(answerOf(parts, `"MALFORMED_FUNCTION_CALL"`)))
		var e *transform.Error
		if !errors.As(err, &e) || e.Kind != transform.ErrUpstream {
			t.Errorf("%s: %v", parts, err)
		}
	}
}

func TestBlockedPrompt(t *testing.T) {
	for _, reason := range []string{`"PROHIBITED_CONTENT"`, `1`} {
		body := []byte(`{"promptFeedback":{"blockReason":` + reason + `},"usageMetadata":{"promptTokenCount":9,"totalTokenCount":9},"modelVersion":"m"}`)
		a, err := Codec{}.DecodeResponse(body)
		if err != nil || len(a.Choices) != 1 || len(a.Choices[0].Parts) != 0 ||
			a.Choices[0].Finish != transform.FinishContentFilter || a.Usage.Input != 9 {
			t.Errorf("%+v, %v", a, err)
		}
		s, err := Codec{}.InspectResponse(body)
		if err != nil || s.Finish != transform.FinishContentFilter || s.Usage.Input != 9 {
			t.Errorf("%+v, %v", s, err)
		}
	}
}

func TestNoAnswer(t *testing.T) {
	for _, body := range []string{
		"", " ", "null", "{}", "[]", "5", `"x"`, "<html>", `{"candidates":[]}`, `{"candidates":{}}`, `{"candidates":[{}]`,
		`{"promptFeedback":{}}`, `{"candidates":[{}]} x`, `{"candidates":[5]}`,
		`{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","partialArgs":[{"jsonPath":"$.a"}],"willContinue":true}}]}}]}`,
	} {
		if a, err := (Codec{}).DecodeResponse([]byte(body)); err == nil {
			t.Errorf("%s: %+v", body, a)
		}
	}
	for _, body := range []string{`{"error":{"code":503,"message":"busy","status":"UNAVAILABLE"}}`, `[{"error":{"code":503,"message":"busy"}}]`} {
		_, err := Codec{}.DecodeResponse([]byte(body))
		var e *transform.Error
		if !errors.As(err, &e) || e.Kind != transform.ErrOverloaded || e.Message != "busy" {
			t.Errorf("%s: %v", body, err)
		}
		if _, err = (Codec{}).InspectResponse([]byte(body)); !errors.As(err, &e) {
			t.Errorf("%s: %v", body, err)
		}
	}
}

func TestCandidates(t *testing.T) {
	body := `{"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"STOP"},` +
		`{"content":{"parts":[{"functionCall":{"name":"f"}}]},"finishReason":"STOP"},{"index":2,"finishReason":"SAFETY"}]}`
	a, err := Codec{}.DecodeResponse([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	got := ""
	for _, c := range a.Choices {
		got += strconv.Itoa(c.Index) + sketch(c.Parts) + " " + strconv.Itoa(int(c.Finish)) + ";"
	}
	if want := "0a 1;1f{} 3;2 4;"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestCallIDs(t *testing.T) {
	seen := map[string]bool{}
	for range 100 {
		a, err := Codec{}.DecodeResponse([]byte(answerOf(`{"functionCall":{"name":"f"}},{"functionCall":{"id":"kept","name":"f"}}`, `"STOP"`)))
		if err != nil {
			t.Fatal(err)
		}
		id := a.Choices[0].Parts[0].Call.ID
		if !strings.HasPrefix(id, "call_") || seen[id] {
			t.Fatalf("id %q", id)
		}
		seen[id] = true
		if id := a.Choices[0].Parts[1].Call.ID; id != "kept" {
			t.Fatalf("id %q", id)
		}
	}
}

// citation is an annotation in Chat Completions' form.
func citation(from, to int, url, title string) string {
	return `^{"type":"url_citation","url_citation":{"start_index":` + strconv.Itoa(from) + `,"end_index":` + strconv.Itoa(to) +
		`,"url":"` + url + `","title":"` + title + `"}}`
}

func TestCitations(t *testing.T) {
	const sources = `"groundingChunks":[{"web":{"uri":"http://a","title":"A"}},{"retrievedContext":{"uri":"http://b"}},{"web":{"title":"no uri"}},{"new":{}}]`
	support := func(segment, chunks string) string {
		return sources + `,"groundingSupports":[{"segment":` + segment + `,"groundingChunkIndices":[` + chunks + `]}]`
	}
	for _, test := range []struct{ name, parts, grounding, want string }{
		{"bytes are characters", `{"text":"hello world"}`, support(`{"startIndex":6,"endIndex":11}`, "0"),
			"hello world|" + citation(6, 11, "http://a", "A") + "|" + citation(0, 0, "http://b", "http://b")},
		{"bytes are not characters", `{"text":"größe \u00fc 😀 x"}`, support(`{"startIndex":8,"endIndex":17}`, "1"),
			"größe ü 😀 x|" + citation(6, 11, "http://b", "http://b") + "|" + citation(0, 0, "http://a", "A")},
		{"over several parts", `{"text":"é"},{"text":"hm","thought":true},{"text":"ab"}`, support(`{"endIndex":3}`, "0,1,2,3,4,-1"),
			"é|(hm)|ab|" + citation(0, 2, "http://a", "A") + "|" + citation(0, 2, "http://b", "http://b")},
		{"in a part", `{"text":"hm","thought":true},{"text":"é"},{"text":"abc"}`, support(`{"partIndex":2,"startIndex":1,"endIndex":2}`, "0,1"),
			"(hm)|é|abc|" + citation(2, 3, "http://a", "A") + "|" + citation(2, 3, "http://b", "http://b")},
		{"in a part that is too short", `{"text":"hm","thought":true},{"text":"é"},{"text":"abc"}`, support(`{"partIndex":1,"startIndex":2,"endIndex":5}`, "0,1"),
			"(hm)|é|abc|" + citation(1, 4, "http://a", "A") + "|" + citation(1, 4, "http://b", "http://b")},
		{"behind code", `{"codeExecutionResult":{"output":"x"}},{"text":"ab"}`, support(`{"startIndex":1,"endIndex":2}`, "0,1"),
			"```\nx\n```\n|ab|" + citation(11, 12, "http://a", "A") + "|" + citation(11, 12, "http://b", "http://b")},
		{"out of bounds", `{"text":"ab"}`, support(`{"startIndex":-5,"endIndex":99}`, "0,1"),
			"ab|" + citation(0, 2, "http://a", "A") + "|" + citation(0, 2, "http://b", "http://b")},
		{"odd", `{"text":"ab"}`, `"groundingChunks":5,"groundingSupports":[7,{"groundingChunkIndices":"x"}]`, "ab"},
	} {
		t.Run(test.name, func(t *testing.T) {
			body := strings.Replace(answerOf(test.parts, `"STOP"`), `"index":0`, `"index":0,"groundingMetadata":{`+test.grounding+`}`, 1)
			a, err := Codec{}.DecodeResponse([]byte(body))
			if err != nil {
				t.Fatal(err)
			}
			if got := sketch(a.Choices[0].Parts); got != test.want {
				t.Errorf("got\n%s\nwant\n%s", got, test.want)
			}
		})
	}
}

func TestCitationMetadata(t *testing.T) {
	for _, list := range []string{"citationSources", "citations"} {
		body := strings.Replace(answerOf(`{"text":"üab"}`, `"STOP"`), `"index":0`,
			`"index":0,"citationMetadata":{"`+list+`":[{"startIndex":2,"endIndex":4,"uri":"http://a","license":"MIT"},{"startIndex":1}]}`, 1)
		a, err := Codec{}.DecodeResponse([]byte(body))
		if err != nil {
			t.Fatal(err)
		}
		if got, want := sketch(a.Choices[0].Parts), "üab|"+citation(1, 3, "http://a", "http://a"); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestLogprobs(t *testing.T) {
	body := strings.Replace(answerOf(`{"text":"é!"}`, `"STOP"`), `"index":0`, `"logprobsResult":{`+
		`"topCandidates":[{"candidates":[{"token":"é","logProbability":-0.5},{"token":"e","logProbability":-1.5}]}],`+
		`"chosenCandidates":[{"token":"é","tokenId":7,"logProbability":-0.5},{"token":"!"}]}`, 1)
	a, err := Codec{}.DecodeResponse([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"content":[{"token":"é","logprob":-0.5,"bytes":[195,169],"top_logprobs":[` +
		`{"token":"é","logprob":-0.5,"bytes":[195,169]},{"token":"e","logprob":-1.5,"bytes":[101]}]},` +
		`{"token":"!","logprob":0,"bytes":[33],"top_logprobs":[]}],"refusal":null}`
	if got := string(a.Choices[0].Logprobs); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}
