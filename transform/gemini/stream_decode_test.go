package gemini

import (
	"fmt"
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/transform"
)

// script writes deltas in few words, one line for each.
func script(deltas []transform.Delta) string {
	var out strings.Builder
	for i := range deltas {
		d := &deltas[i]
		text, _ := d.Text.Text()
		opaque, _ := d.Opaque.Data.Text()
		at := fmt.Sprintf("%d.%d", d.Choice, d.Part)
		switch d.Kind {
		case transform.DeltaStart:
			fmt.Fprintf(&out, "start %s %s %d\n", d.ID, d.Model, d.Usage.Input)
		case transform.DeltaText:
			fmt.Fprintf(&out, "%s text %s\n", at, text)
		case transform.DeltaReasoning:
			fmt.Fprintf(&out, "%s reasoning %s\n", at, text)
		case transform.DeltaOpaque:
			fmt.Fprintf(&out, "%s opaque %s\n", at, opaque)
		case transform.DeltaToolStart:
			fmt.Fprintf(&out, "%s tool %d %s %s %s\n", at, d.Tool, d.Call.ID, d.Call.Name, opaque)
		case transform.DeltaToolArguments:
			fmt.Fprintf(&out, "%s arguments %d %s\n", at, d.Tool, text)
		case transform.DeltaCitation:
			fmt.Fprintf(&out, "%d citation %s\n", d.Choice, d.Citation)
		case transform.DeltaLogprobs:
			fmt.Fprintf(&out, "%d logprobs %s\n", d.Choice, d.Logprobs)
		case transform.DeltaFinish:
			fmt.Fprintf(&out, "%d finish %d\n", d.Choice, d.Finish)
		case transform.DeltaUsage:
			fmt.Fprintf(&out, "usage %d %d\n", d.Usage.Input, d.Usage.Output)
		case transform.DeltaError:
			fmt.Fprintf(&out, "error %d %s\n", d.Err.Kind, d.Err.Message)
		default:
			fmt.Fprintf(&out, "kind %d\n", d.Kind)
		}
	}
	return out.String()
}

// chunk is an event of one candidate.
func chunk(parts, more string) string {
	return `{"candidates": [{"content": {"parts": [` + parts + `],"role": "model"}` + more + `}],"usageMetadata": {"promptTokenCount": 5},"modelVersion": "m","responseId": "r"}`
}

func TestStreams(t *testing.T) {
	const stop = `,"finishReason": "STOP"`
	for _, test := range []struct {
		name   string
		events []string
		want   string
		open   bool // does not end
	}{
		{"text", []string{chunk(`{"text": "a"}`, ""), chunk(`{"text": "b"}`, stop)},
			"start r m 5\n0.0 text a\n0.0 text b\n0 finish 1\n", false},
		{"the end has no parts", []string{chunk(`{"text": "a"}`, ""), `{"candidates":[{"content":{"role":"model"},"finishReason":"STOP","index":0}]}`},
			"start r m 5\n0.0 text a\n0 finish 1\n", false},
		{"the end has no content", []string{chunk(`{"text": "a"}`, ""), `{"candidates":[{"finishReason":"SAFETY"}]}`},
			"start r m 5\n0.0 text a\n0 finish 4\n", false},
		{"cut", []string{chunk(`{"text": "a"}`, "")}, "start r m 5\n0.0 text a\n", true},
		{"nothing but usage", []string{`{"usageMetadata":{"promptTokenCount":3},"responseId":"r"}`}, "start r  3\n", true},
		{"usage counts on", []string{
			`{"candidates":[{}],"usageMetadata":{"trafficType":"ON_DEMAND"}}`,
			`{"candidates":[{}],"usageMetadata":{"promptTokenCount":3,"thoughtsTokenCount":4}}`,
			`{"candidates":[{}],"usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":2}}`,
			`{"candidates":[{}],"usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":2}}`,
		}, "start   0\nusage 3 4\nusage 3 6\n", true},
		{"thoughts, text, thoughts", []string{chunk(`{"text":"hm","thought":true}`, ""), chunk(`{"text":"so","thought":true},{"text":"a"}`, ""), chunk(`{"thought":true,"text":"oh"}`, stop)},
			"start r m 5\n0.0 reasoning hm\n0.0 reasoning so\n0.1 text a\n0.2 reasoning oh\n0 finish 1\n", false},
		{"calls", []string{
			chunk(`{"text":"x"},{"functionCall":{"id":"1","name":"f","args":{"a": "\"" }},"thoughtSignature":"S"},{"functionCall":{"id":"2","name":"g"}}`, ""),
			chunk(`{"functionCall":{"id":"3","name":"h","args":{}}}`, stop)},
			"start r m 5\n0.0 text x\n0.1 tool 0 1 f S\n0.1 arguments 0 {\"a\":\"\\\"\"}\n0.2 tool 1 2 g \n0.2 arguments 1 {}\n" +
				"0.3 tool 2 3 h \n0.3 arguments 2 {}\n0 finish 3\n", false},
		{"a call, then the end alone", []string{chunk(`{"functionCall":{"id":"1","name":"f"}}`, ""), chunk(`{"text":""}`, stop)},
			"start r m 5\n0.0 tool 0 1 f \n0.0 arguments 0 {}\n0 finish 3\n", false},
		{"signatures", []string{chunk(`{"text":"a","thoughtSignature":"A"}`, ""), chunk(`{"text":"b"}`, ""), chunk(`{"text":"","thoughtSignature":"B"}`, stop)},
			"start r m 5\n0.0 text a\n0.0 opaque A\n0.0 text b\n0.1 opaque B\n0 finish 1\n", false},
		{"candidates", []string{
			`{"candidates":[{"content":{"parts":[{"text":"a"}]},"index":0},{"content":{"parts":[{"text":"b"}]},"index":1}]}`,
			`{"candidates":[{"finishReason":"STOP","index":1}]}`,
			`{"candidates":[{"content":{"parts":[{"text":"c"}]},"finishReason":"MAX_TOKENS","index":0}]}`},
			"start   0\n0.0 text a\n1.0 text b\n1 finish 1\n0.0 text c\n0 finish 2\n", false},
		{"one of two ends", []string{`{"candidates":[{"index":0,"finishReason":"STOP"},{"index":1}]}`}, "start   0\n0 finish 1\n", true},
		{"blocked", []string{`{"promptFeedback":{"blockReason":"OTHER"},"usageMetadata":{"promptTokenCount":4}}`}, "start   4\n0 finish 4\n", false},
		{"blocked in the middle", []string{chunk(`{"text":"a"}`, ""), `{"promptFeedback":{"blockReason":"OTHER"}}`}, "start r m 5\n0.0 text a\n0 finish 4\n", false},
		{"no error", []string{`{"error":null,"candidates":[{"finishReason":"STOP"}]}`}, "start   0\n0 finish 1\n", false},
		{"an error in the middle", []string{chunk(`{"text":"a"}`, ""), `{"error":{"code":503,"message":"busy","status":"UNAVAILABLE"}}`, chunk(`{"text":"b"}`, stop)},
			"start r m 5\n0.0 text a\nerror 14 busy\n", true},
		{"an error in an array", []string{`[{"error":{"code":429,"message":"slow","status":"RESOURCE_EXHAUSTED"}}]`}, "error 12 slow\n", true},
		{"an answer thrown away", []string{chunk(`{"text":"hm","thought":true}`, ""), chunk("", `,"finishReason":"MALFORMED_FUNCTION_CALL"`)},
			"start r m 5\n0.0 reasoning hm\nerror 13 the model's answer could not be read by its provider (MALFORMED_FUNCTION_CALL); try again\n", true},
		{"the rest of an answer thrown away", []string{chunk(`{"text":"a"}`, ""), chunk("", `,"finishReason":"MALFORMED_FUNCTION_CALL"`)},
			"start r m 5\n0.0 text a\n0 finish 1\n", false},
		{"a reason twice", []string{chunk(`{"text":"a"}`, stop), chunk(`{"text":"b"}`, stop)}, "start r m 5\n0.0 text a\n0 finish 1\n0.0 text b\n", false},
		{"media and code", []string{chunk(`{"inlineData":{"mimeType":"image/png","data":"AAAA"}},{"executableCode":{"language":"PYTHON","code":"x"}},{"inlineData":{"mimeType":"audio/L16;rate=24000","data":"BBBB"}},{"fileData":{"fileUri":"gs://f"}}`, stop)},
			"start r m 5\n0.0 text ![image](data:image/png;base64,AAAA)\n0.0 text ```python\nx\n```\n\n0.0 text [audio](data:audio/L16;rate=24000;base64,BBBB)\n0.0 text [file](gs://f)\n0 finish 1\n", false},
		{"citations at the end", []string{chunk(`{"text":"é\n"}`, ""), chunk(`{"text":"ab"}`, ""),
			chunk("", stop+`,"groundingMetadata":{"groundingChunks":[{"web":{"uri":"http://a","title":"A"}}],"groundingSupports":[{"segment":{"startIndex":3,"endIndex":5},"groundingChunkIndices":[0]}]}`)},
			"start r m 5\n0.0 text é\n\n0.0 text ab\n0 citation " + citation(2, 4, "http://a", "A")[1:] + "\n0 finish 1\n", false},
		{"logprobs", []string{chunk(`{"text":"a"}`, stop+`,"logprobsResult":{"chosenCandidates":[{"token":"a","logProbability":-1}]}`)},
			"start r m 5\n0.0 text a\n0 logprobs " + `{"content":[{"token":"a","logprob":-1,"bytes":[97],"top_logprobs":[]}],"refusal":null}` + "\n0 finish 1\n", false},
		{"news everywhere", []string{`{"x":[1,{"y":"}"}],"candidates":[{"x":{},"content":{"x":[[]],"parts":[{"x":{"text":"no"},"text":"a"}]},"index":0,"finishReason":"STOP"}],"usageMetadata":{"x":[{}],"promptTokenCount":1}}`},
			"start   1\n0.0 text a\n0 finish 1\n", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			d, in := Codec{}.NewStreamDecoder(), Codec{}.NewStreamInspector()
			var all []transform.Delta
			for i, event := range test.events {
				before := len(all)
				var err error
				if all, err = d.Decode(all, nil, []byte(event)); err != nil {
					t.Fatalf("event %d: %v", i, err)
				}
				sameSigns(t, in, event, all[before:])
			}
			if got := script(all); got != test.want {
				t.Errorf("got\n%swant\n%s", got, test.want)
			}
			if d.Ended() == test.open {
				t.Errorf("ended: %v", d.Ended())
			}
		})
	}
}

// sameSigns checks that an inspector sees what a decoder makes of an event.
func sameSigns(t *testing.T, in transform.StreamInspector, event string, deltas []transform.Delta) {
	t.Helper()
	sign, err := in.Inspect(nil, []byte(event))
	if err != nil {
		t.Fatal(err)
	}
	content, failed := false, false
	for i := range deltas {
		content = content || deltas[i].Content()
		failed = failed || deltas[i].Kind == transform.DeltaError
	}
	if content && !sign.Content || failed && sign.Err == nil && !sign.Content {
		t.Errorf("%s: sign %+v", event, sign)
	}
}

func TestStreamInspector(t *testing.T) {
	in := Codec{}.NewStreamInspector()
	for _, test := range []struct {
		event   string
		content bool
		ended   bool
		output  int64
	}{
		{`{"usageMetadata":{"promptTokenCount":5}}`, false, false, 0},
		{chunk(`{"text":""}`, ""), false, false, 0},
		{chunk(`{"functionCall":{"name":"f","args":{"finishReason":"STOP"}}}`, ""), true, false, 0},
		{`{"candidates":[{"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":7,"thoughtsTokenCount":1}}`, true, true, 8},
	} {
		sign, err := in.Inspect(nil, []byte(test.event))
		if err != nil || sign.Content != test.content || sign.UsageOnly || in.Ended() != test.ended || in.Summary().Usage.Output != test.output {
			t.Errorf("%s: %+v %v %v %+v", test.event, sign, err, in.Ended(), in.Summary())
		}
	}
	if s := in.Summary(); s.Finish != transform.FinishToolCalls || s.Usage.Input != 5 {
		t.Errorf("%+v", s)
	}
	if _, err := in.Inspect(nil, []byte("[DONE]")); err == nil {
		t.Error("no event of this format")
	}
	if sign, err := in.Inspect(nil, []byte(`{"error":{"code":500,"status":"INTERNAL"}}`)); err != nil || sign.Err == nil || in.Ended() {
		t.Errorf("%+v %v", sign, err)
	}
}

func TestEventsThatAreNone(t *testing.T) {
	for _, event := range []string{
		"", "x", "[DONE]", "5", `"x"`, "null", `{`, `{"candidates"`, `{"candidates":[`, `{"candidates":[{"content":{"parts":[{"text":"a`,
		`{"candidates":[{}]}}`, `{"a":}`, `{"a" 1}`, `{5:1}`, `[5]`, `{"candidates":[{"content":{"parts":[{"text":"a` + "\n" + `"}]}}]}`,
		`{"candidates":[{"content":{"parts":[{"text":"\x"}]}}]}`, `{"candidates":[{"content":{"parts":[{"text":"` + "\xff" + `"}]}}]}`,
		`{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":{"a":tru}}}]}}]}`,
		`{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","willContinue":true}}]}}]}`,
		`{"candidates":[` + strings.Repeat(`{},`, maxCandidates) + `{}]}`,
		`{"candidates":[{"content":{"parts":[` + strings.Repeat(`{},`, maxParts) + `{}]}}]}`,
	} {
		d := Codec{}.NewStreamDecoder()
		if got, err := d.Decode(nil, nil, []byte(event)); err == nil {
			t.Errorf("%q: %s", event, script(got))
		}
		if d.Ended() {
			t.Errorf("%q ends a stream", event)
		}
	}
}
