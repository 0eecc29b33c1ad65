package converse

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/transform/blocks"
	"github.com/caddyllm/llmproxy/usage"
)

// describeDelta is a delta as a line, for comparing.
func describeDelta(d *transform.Delta) string {
	switch d.Kind {
	case transform.DeltaStart:
		return "start"
	case transform.DeltaText:
		return fmt.Sprintf("text %d %s", d.Part, d.Text)
	case transform.DeltaReasoning:
		return fmt.Sprintf("reasoning %d %s", d.Part, d.Text)
	case transform.DeltaOpaque:
		return fmt.Sprintf("opaque %d %s %d %s", d.Part, d.Opaque.Vendor, d.Opaque.Kind, d.Opaque.Data)
	case transform.DeltaToolStart:
		return fmt.Sprintf("call %d %d %s %s", d.Part, d.Tool, d.Call.ID, d.Call.Name)
	case transform.DeltaToolArguments:
		return fmt.Sprintf("arguments %d %d %s", d.Part, d.Tool, d.Text)
	case transform.DeltaPartEnd:
		return fmt.Sprintf("end %d", d.Part)
	case transform.DeltaCitation:
		return fmt.Sprintf("citation %d %s", d.Part, d.Citation)
	case transform.DeltaFinish:
		return fmt.Sprintf("finish %s %q", d.Finish, d.StopSequence)
	case transform.DeltaUsage:
		return "usage " + describeTokens(d.Usage)
	case transform.DeltaError:
		return fmt.Sprintf("error %d %d %s", d.Err.Kind, d.Err.Status, d.Err.Message)
	}
	return fmt.Sprint(d.Kind)
}

func describeTokens(t usage.Tokens) string {
	return fmt.Sprintf("%d %d %d %d %v", t.Input, t.CacheRead, t.CacheWrite, t.Output, t.Known)
}

func describeParts(parts []transform.Part) (list []string) {
	for _, p := range parts {
		list = append(list, fmt.Sprintf("%d %s%s%s%s %s %s%s", p.Kind, p.Text, p.Call.ID, p.Call.Name, p.Call.Arguments, p.Opaque.Data, p.Citation, p.Media.Data))
	}
	return list
}

func wantList(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n got %s\nwant %s", what, strings.Join(got, "\n     "), strings.Join(want, "\n     "))
	}
}

func answerOf(content, more string) []byte {
	return []byte(`{"metrics":{"latencyMs":1},"output":{"message":{"content":` + content + `,"role":"assistant"}}` + more + `}`)
}

func TestAnswersDecode(t *testing.T) {
	for _, test := range []struct {
		name, content, more string
		parts               []string
		finish              transform.Finish
		sequence, usage     string
	}{
		{
			name: "text", content: `[{"text":"Hi \"you\""},{"text":""}]`,
			more:  `,"stopReason":"end_turn","usage":{"inputTokens":10,"outputTokens":4,"totalTokens":7365,"cacheReadInputTokens":7351,"cacheWriteInputTokens":3,"cacheReadInputTokenCount":7351,"serverToolUsage":{}}`,
			parts: []string{`0 "Hi \"you\""  `}, finish: transform.FinishStop, usage: "7364 7351 3 4 true",
		},
		{
			name: "calls", content: `[{"reasoningContent":{"reasoningText":{"text":"T","signature":"S"}}},{"text":"A"},{"toolUse":{"toolUseId":"t1","name":"f","input":{"a":1}}},{"toolUse":{"toolUseId":"t2","name":"g","input":{},"type":"server_tool_use"}}]`,
			more:  `,"stopReason":"tool_use"`,
			parts: []string{`1 "T" "S" `, `0 "A"  `, `3 t1f{"a":1}  `}, finish: transform.FinishToolCalls, usage: "0 0 0 0 false",
		},
		{name: "calls that stop", content: `[{"toolUse":{"toolUseId":"t1","name":"f","input":{}}}]`, more: `,"stopReason":"end_turn"`, parts: []string{`3 t1f{}  `}, finish: transform.FinishToolCalls, usage: "0 0 0 0 false"},
		{
			name: "stop sequence", content: `[]`, more: `,"stopReason":"stop_sequence","additionalModelResponseFields":{"stop_sequence":"END"}`,
			finish: transform.FinishStop, sequence: "END", usage: "0 0 0 0 false",
		},
		{name: "length", content: `[]`, more: `,"stopReason":"max_tokens"`, finish: transform.FinishLength, usage: "0 0 0 0 false"},
		{name: "window", content: `[]`, more: `,"stopReason":"model_context_window_exceeded"`, finish: transform.FinishLength, usage: "0 0 0 0 false"},
		{name: "guardrail", content: `[]`, more: `,"stopReason":"guardrail_intervened"`, finish: transform.FinishContentFilter, usage: "0 0 0 0 false"},
		{name: "filter", content: `[]`, more: `,"stopReason":"content_filtered"`, finish: transform.FinishContentFilter, usage: "0 0 0 0 false"},
		{name: "unknown reason", content: `[]`, more: `,"stopReason":"of_tomorrow"`, finish: transform.FinishStop, usage: "0 0 0 0 false"},
		{name: "no reason", content: `[]`, finish: transform.FinishUnknown, usage: "0 0 0 0 false"},
		{
			name: "citations", content: `[{"text":"é\n"},{"citationsContent":{"content":[{"text":"ab"},{"text":"c"}],"citations":[{"title":"T","location":{"web":{"url":"http://x","domain":"x"}}},{"location":{"documentChar":{}}}]}}]`,
			more:  `,"stopReason":"end_turn"`,
			parts: []string{`0 "é\n"  `, `0 "ab"  `, `0 "c"  `, `7   {"type":"url_citation","url_citation":{"url":"http://x","title":"T","start_index":2,"end_index":5}}`}, finish: transform.FinishStop, usage: "0 0 0 0 false",
		},
		{
			name: "image", content: `[{"image":{"format":"png","source":{"bytes":"AA=="}}},{"guardContent":{}},{"of_tomorrow":{}}]`, more: `,"stopReason":"end_turn"`,
			parts: []string{`4   AA==`}, finish: transform.FinishStop, usage: "0 0 0 0 false",
		},
		{
			name: "a tool that stands for the answer", content: `[{"text":"Here:"},{"toolUse":{"toolUseId":"t1","name":"llm_proxy_answer","input":{"a":"b"}}}]`, more: `,"stopReason":"tool_use"`,
			parts: []string{`0 "{\"a\":\"b\"}"  `}, finish: transform.FinishStop, usage: "0 0 0 0 false",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			body := answerOf(test.content, test.more)
			a, err := Codec{}.DecodeResponse(body)
			if err != nil {
				t.Fatal(err)
			}
			choice := a.Choices[0]
			wantList(t, "parts", describeParts(choice.Parts), test.parts)
			if choice.Finish != test.finish || choice.StopSequence != test.sequence || describeTokens(a.Usage) != test.usage {
				t.Errorf("got %v, %q, %s", choice.Finish, choice.StopSequence, describeTokens(a.Usage))
			}
			if s, err := (Codec{}).InspectResponse(body); err != nil || s.Usage != a.Usage || s.Finish != choice.Finish {
				t.Errorf("inspected %+v, %v", s, err)
			}
		})
	}
}

func TestRedactedReasoningIsThatOfItsVendor(t *testing.T) {
	body := answerOf(`[{"reasoningContent":{"redactedContent":"RXVFPQ=="}}]`, "")
	for vendor, want := range map[transform.Vendor]string{transform.VendorAnthropic: `"EuE="`, "": `"RXVFPQ=="`} {
		a, err := Codec{Vendor: vendor}.DecodeResponse(body)
		if err != nil || len(a.Choices[0].Parts) != 1 || string(a.Choices[0].Parts[0].Opaque.Data) != want || a.Choices[0].Parts[0].Opaque.Kind != transform.OpaqueRedacted {
			t.Errorf("%q: %+v, %v", vendor, a, err)
		}
	}
	for _, bad := range []string{`"!"`, `"/w=="`} { // no base64, no text
		a, err := Codec{Vendor: transform.VendorAnthropic}.DecodeResponse(answerOf(`[{"reasoningContent":{"redactedContent":`+bad+`}}]`, ""))
		if err != nil || len(a.Choices[0].Parts) != 0 {
			t.Errorf("%s: %+v, %v", bad, a, err)
		}
	}
}

func TestWhatIsNoAnswerIsAnError(t *testing.T) {
	for body, provider := range map[string]bool{
		``: false, `{}`: false, `[]`: false, `{"output":{}}`: false, `{"output":{"message":{"content":{}}}}`: false, `{"output"`: false,
		`{"message":"no"}`: true, string(answerOf(`[{"text":"x"}]`, `,"stopReason":"malformed_tool_use"`)): true,
	} {
		_, err := Codec{}.DecodeResponse([]byte(body))
		var e *transform.Error
		if err == nil || errors.As(err, &e) != provider {
			t.Errorf("%s: %v", body, err)
		}
	}
}

// failure is an error that Bedrock answers, and what it means.
type failure struct {
	status  int
	message string
	kind    transform.ErrorKind
	code    string
}

// shown is the status that is told.
func (f *failure) shown() int {
	if f.status == 424 {
		return 502
	}
	return f.status
}

func TestErrorsDecode(t *testing.T) {
	for _, test := range []failure{
		{400, "The model returned the following errors: Input Tokens Exceeded: Number of input tokens exceeds maximum length.", transform.ErrContextLength, ""},
		{400, "The model returned the following errors: Input is too long for requested model.", transform.ErrContextLength, ""},
		{400, "prompt is too long: 250000 tokens > 200000 maximum", transform.ErrContextLength, ""},
		{400, "This model's maximum context length is 131072 tokens.", transform.ErrContextLength, ""},
		{400, "Malformed input request: #: extraneous key [x] is not permitted", transform.ErrBadRequest, ""},
		{400, "The provided model identifier is invalid.", transform.ErrNotFound, "model_not_found"},
		{400, "Output blocked by content filtering policy", transform.ErrContentPolicy, ""},
		{400, "Your request exceeds a service quota.", transform.ErrQuota, ""},
		{403, "The security token included in the request is invalid.", transform.ErrAuthentication, ""},
		{403, "You don't have access to the model with the specified model ID.", transform.ErrPermission, ""},
		{404, "This model version has reached the end of its life.", transform.ErrNotFound, "model_not_found"},
		{408, "Model took too long", transform.ErrTimeout, ""},
		{424, "The model failed", transform.ErrUpstream, ""},
		{429, "Too many requests, please wait before trying again.", transform.ErrRateLimit, ""},
		{429, "Model is not ready for inference.", transform.ErrOverloaded, ""},
		{500, "Internal", transform.ErrUpstream, ""},
		{503, "Bedrock is unable to process your request.", transform.ErrOverloaded, ""},
	} {
		e := Codec{}.DecodeError(test.status, []byte(`{"message":`+string(transform.Quote(test.message))+`}`))
		if e.Kind != test.kind || e.Code != test.code || e.Status != test.shown() || e.Message == "" {
			t.Errorf("%d %s: %+v", test.status, test.message, e)
		}
	}
	for _, body := range []string{"", "<html>", `[]`, `{"message":""}`, `{"message":1}`} {
		if e := (Codec{}).DecodeError(500, []byte(body)); e.Kind != transform.ErrUpstream || !strings.Contains(e.Message, "did not say why") {
			t.Errorf("%s: %+v", body, e)
		}
	}
	if e := (Codec{}).DecodeError(403, []byte(`{"Message":"User is not authorized with AKIAIOSFODNN7EXAMPLE"}`)); strings.Contains(e.Message, "AKIA") || e.Kind != transform.ErrPermission {
		t.Errorf("got %+v", e)
	}
}

// event is an event of a stream as it comes out of its frame.
type event struct{ name, data string }

func decodeAll(t *testing.T, c Codec, events ...event) (list []string, ended bool) {
	t.Helper()
	d, s := c.NewStreamDecoder(), c.NewStreamInspector()
	for _, e := range events {
		deltas, err := d.Decode(nil, []byte(e.name), []byte(e.data))
		if err != nil {
			t.Fatalf("%s: %v", e.data, err)
		}
		sign, err := s.Inspect([]byte(e.name), []byte(e.data))
		if err != nil {
			t.Fatalf("inspecting %s: %v", e.data, err)
		}
		content := !isEvent([]byte(e.name))
		for i := range deltas {
			list = append(list, describeDelta(&deltas[i]))
			content = content || deltas[i].Content()
		}
		if sign.Err == nil && sign.Content != content {
			t.Errorf("inspecting %s: %+v", e.data, sign)
		}
	}
	if s.Ended() != d.Ended() {
		t.Errorf("ended: %v, inspected: %v", d.Ended(), s.Ended())
	}
	return list, d.Ended()
}

var (
	begin    = event{"messageStart", `{"p":"abc","role":"assistant"}`}
	metadata = event{"metadata", `{"metrics":{"latencyMs":1},"p":"ab","usage":{"inputTokens":10,"outputTokens":4,"totalTokens":19,"cacheReadInputTokens":5}}`}
)

func delta(index int, delta string) event {
	return event{"contentBlockDelta", fmt.Sprintf(`{"contentBlockIndex":%d,"delta":%s,"p":"abcdef"}`, index, delta)}
}

func startOf(index int, start string) event {
	return event{"contentBlockStart", fmt.Sprintf(`{"contentBlockIndex":%d,"p":"a","start":%s}`, index, start)}
}

func stopOf(index int) event {
	return event{"contentBlockStop", fmt.Sprintf(`{"contentBlockIndex":%d,"p":"a"}`, index)}
}

func finishWith(reason string) event {
	return event{"messageStop", `{"additionalModelResponseFields":{"delta":{"stop_sequence":"END"}},"p":"a","stopReason":"` + reason + `"}`}
}

func TestStreamsDecode(t *testing.T) {
	events := []event{
		{"initial-response", `{}`}, begin,
		delta(0, `{"reasoningContent":{"text":"Hm"}}`), delta(0, `{"reasoningContent":{"signature":"S=="}}`), stopOf(0),
		delta(1, `{"text":"A"}`), delta(1, `{"text":""}`), delta(1, `{"text":" \"b\""}`), stopOf(1),
		startOf(2, `{"toolUse":{"name":"f","toolUseId":"t1"}}`), delta(2, `{"toolUse":{"input":""}}`), delta(2, `{"toolUse":{"input":"{\"a\""}}`), delta(2, `{"toolUse":{"input":":1}"}}`), stopOf(2),
		startOf(3, `{"toolUse":{"name":"g","toolUseId":"t2"}}`), stopOf(3),
		startOf(4, `{"toolUse":{"name":"s","toolUseId":"t3","type":"server_tool_use"}}`), delta(4, `{"toolUse":{"input":"{}"}}`), stopOf(4),
		startOf(5, `{"toolResult":{}}`), delta(5, `{"toolResult":[{"text":"x"}]}`), stopOf(5), {"of_tomorrow", `{}`}, delta(6, `{"of_tomorrow":1}`),
		finishWith("tool_use"), metadata,
	}
	got, ended := decodeAll(t, Codec{Vendor: transform.VendorAnthropic}, events...)
	wantList(t, "deltas", got, []string{
		"start", `reasoning 0 "Hm"`, `opaque 0 anthropic 1 "S=="`, "end 0", `text 1 "A"`, `text 1 " \"b\""`, "end 1",
		"call 2 0 t1 f", `arguments 2 0 "{\"a\""`, `arguments 2 0 ":1}"`, "end 2", "call 3 1 t2 g", `arguments 3 1 "{}"`, "end 3",
		`finish tool_calls "END"`, "usage 15 5 0 4 true",
	})
	for n := range events {
		if _, ended := decodeAll(t, Codec{}, events[:n]...); ended {
			t.Errorf("ended after %d events", n)
		}
	}
	if !ended {
		t.Error("not ended")
	}
}

func TestCitationsOfStreams(t *testing.T) {
	got, _ := decodeAll(t, Codec{}, begin, delta(0, `{"text":"é "}`), stopOf(0),
		delta(1, `{"citation":{"title":"T","location":{"web":{"url":"http://x"}}}}`), delta(1, `{"text":"abc"}`), delta(1, `{"citation":{"location":{"documentChar":{}}}}`), stopOf(1))
	wantList(t, "deltas", got, []string{
		"start", `text 0 "é "`, "end 0", `text 1 "abc"`,
		`citation 1 {"type":"url_citation","url_citation":{"url":"http://x","title":"T","start_index":2,"end_index":5}}`, "end 1",
	})
}

func TestStreamsOfAnAnswerTool(t *testing.T) {
	got, _ := decodeAll(t, Codec{}, begin, startOf(0, `{"toolUse":{"name":"llm_proxy_answer","toolUseId":"t"}}`), delta(0, `{"toolUse":{"input":"{\"a\":1}"}}`), stopOf(0), finishWith("tool_use"), metadata)
	wantList(t, "deltas", got, []string{"start", `text 0 "{\"a\":1}"`, "end 0", `finish stop "END"`, "usage 15 5 0 4 true"})
}

func TestRedactedReasoningOfStreams(t *testing.T) {
	for vendor, want := range map[transform.Vendor]string{transform.VendorAnthropic: `opaque 0 anthropic 2 "EuE="`, "": `opaque 0 amazon 2 "RXVFPQ=="`} {
		got, _ := decodeAll(t, Codec{Vendor: vendor}, begin, delta(0, `{"reasoningContent":{"redactedContent":"RXVFPQ=="}}`))
		wantList(t, "deltas", got, []string{"start", want})
	}
}

func TestExceptionsEndStreams(t *testing.T) {
	for name, want := range map[string]string{
		"exception:validationException":         fmt.Sprintf("error %d 400 m", transform.ErrBadRequest),
		"exception:throttlingException":         fmt.Sprintf("error %d 429 m", transform.ErrRateLimit),
		"exception:serviceUnavailableException": fmt.Sprintf("error %d 503 m", transform.ErrOverloaded),
		"exception:internalServerException":     fmt.Sprintf("error %d 500 m", transform.ErrUpstream),
		"exception:modelStreamErrorException":   fmt.Sprintf("error %d 502 m", transform.ErrUpstream),
		"exception:ModelTimeoutException":       fmt.Sprintf("error %d 408 m", transform.ErrTimeout),
		"exception:":                            fmt.Sprintf("error %d 0 m", transform.ErrUpstream),
		"error:InternalError":                   fmt.Sprintf("error %d 0 m", transform.ErrUpstream),
	} {
		failure := event{name, `{"message":"m","p":"x"}`}
		got, ended := decodeAll(t, Codec{}, failure, begin, delta(0, `{"text":"x"}`), finishWith("end_turn"), metadata)
		wantList(t, name, got, []string{want})
		again, endedToo := decodeAll(t, Codec{}, begin, delta(0, `{"text":"x"}`), failure)
		wantList(t, name, again, []string{"start", `text 0 "x"`, want})
		if ended || endedToo {
			t.Errorf("%s: ended well", name)
		}
	}
	got, _ := decodeAll(t, Codec{}, event{"exception:validationException", `{"message":"Input is too long for requested model."}`})
	wantList(t, "too long", got, []string{fmt.Sprintf("error %d 400 Input is too long for requested model.", transform.ErrContextLength)})
	got, _ = decodeAll(t, Codec{}, event{"exception:throttlingException", `<`})
	wantList(t, "no message", got, []string{fmt.Sprintf("error %d 429 the provider answered with status 429 and did not say why", transform.ErrRateLimit)})
	got, ended := decodeAll(t, Codec{}, begin, finishWith("malformed_tool_use"), metadata)
	if ended || len(got) != 2 || !strings.HasPrefix(got[1], "error ") {
		t.Errorf("got %q", got)
	}
}

func TestBadEventsAreErrors(t *testing.T) {
	for _, e := range []event{{"messageStart", `x`}, {"contentBlockDelta", `[]`}, {"contentBlockDelta", `{"delta":{"text":"a}`}, {"metadata", ``}} {
		if _, err := (Codec{}).NewStreamDecoder().Decode(nil, []byte(e.name), []byte(e.data)); err == nil {
			t.Errorf("%+v was read", e)
		}
	}
	d := Codec{}.NewStreamDecoder()
	var err error
	for i := 0; i <= blocks.MaxOpen && err == nil; i++ {
		_, err = d.Decode(nil, []byte("contentBlockStart"), []byte(startOf(i, `{"toolUse":{}}`).data))
	}
	if err == nil {
		t.Error("blocks without bound")
	}
}

func TestEmbeddings(t *testing.T) {
	request := func(n int) *transform.EmbeddingRequest {
		r := &transform.EmbeddingRequest{Dimensions: 256}
		for i := range n {
			r.Inputs = append(r.Inputs, transform.Quote(fmt.Sprint("t", i)))
		}
		r.Rest = []transform.Member{{Name: "user", Value: jsonbytes.Value(`"u"`)}, {Name: "normalize", Value: jsonbytes.Value(`false`)}, {Name: "input_type", Value: jsonbytes.Value(`null`)}}
		return r
	}
	for _, test := range []struct {
		model, want string
		n           int
		lost        []string
	}{
		{"amazon.titan-embed-text-v2:0", `{"inputText":"t0","dimensions":256,"normalize":false}`, 1, []string{"/user"}},
		{"amazon.titan-embed-text-v1", `{"inputText":"t0"}`, 1, []string{"/user", "!/dimensions", "/normalize"}},
		{"us.cohere.embed-v4:0", `{"texts":["t0","t1"],"input_type":"search_document","embedding_types":["float"],"output_dimension":256}`, 2, []string{"/user", "/normalize"}},
	} {
		var lost transform.Losses
		body, err := Codec{}.AppendEmbeddingRequest(nil, request(test.n), transform.Target{Model: test.model}, &lost)
		wantText(t, test.model, body, test.want)
		wantLosses(t, &lost, test.lost...)
		if err != nil {
			t.Error(err)
		}
	}
	r := request(1)
	r.Purpose = "RETRIEVAL_QUERY"
	if body, _ := (Codec{}).AppendEmbeddingRequest(nil, r, transform.Target{Model: "cohere.embed-english-v3"}, &transform.Losses{}); !strings.Contains(string(body), `"search_query"`) {
		t.Errorf("got %s", body)
	}
	for _, n := range []int{0, 2} {
		if _, err := (Codec{}).AppendEmbeddingRequest(nil, request(n), transform.Target{Model: "amazon.titan-embed-text-v2:0"}, &transform.Losses{}); err == nil {
			t.Errorf("%d texts were taken", n)
		}
	}
	for body, want := range map[string]string{
		`{"embedding":[1,2.50],"inputTextTokenCount":3}`:                          `[[1 2.50]] 3 true`,
		`{"id":"x","embeddings":[[1],[2]],"texts":["a","b"]}`:                     `[[1] [2]] 0 false`,
		`{"embeddings":{"float":[[1],[2]]},"response_type":"embeddings_by_type"}`: `[[1] [2]] 0 false`,
		`{}`: "error", `{"embeddings":[1]}`: "error", `{"message":"no"}`: "error", `[`: "error",
	} {
		a, err := Codec{}.DecodeEmbeddingResponse([]byte(body))
		got := "error"
		if err == nil {
			got = strings.ReplaceAll(fmt.Sprintf("%s %d %v", a.Vectors, a.Usage.Input, a.Usage.Known), ",", " ")
		}
		if got != want {
			t.Errorf("%s: %s, %v", body, got, err)
		}
	}
}
