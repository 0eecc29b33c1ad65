package responses

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/transform/openai"
	"github.com/caddyllm/llmproxy/usage"
)

func lit(s string) transform.Literal { return transform.Quote(s) }

var counts = usage.Tokens{Input: 10, CacheRead: 4, CacheWrite: 2, Output: 5, Reasoning: 3, Known: true}

func answerOf(finish transform.Finish, parts ...transform.Part) *transform.Response {
	return &transform.Response{
		ID: "resp_Abc-1", Model: "served", Created: 5, ServiceTier: "flex", Usage: counts,
		Choices: []transform.Choice{{Parts: parts, Finish: finish}},
	}
}

// output writes an answer and returns its items.
func output(t testing.TB, a *transform.Response, r *transform.Request) string {
	t.Helper()
	out := Codec{}.AppendResponse(nil, a, r)
	checkAnswer(t, out)
	_, rest, _ := strings.Cut(string(out), `"output":`)
	items, _, _ := strings.Cut(rest, `,"usage":`)
	return items
}

const citation = `{"type":"url_citation","url_citation":{"url":"u","title":"t","start_index":1,"end_index":2}}`

func TestItemsOfAnAnswer(t *testing.T) {
	anthropic := transform.Opaque{Vendor: transform.VendorAnthropic, Kind: transform.OpaqueSignature, Data: lit("sig")}
	google := transform.Opaque{Vendor: transform.VendorGoogle, Kind: transform.OpaqueSignature, Data: lit("g")}
	sealedCall := google
	sealedCall.ID = "c1"
	own := transform.Opaque{Vendor: transform.VendorOpenAI, Kind: transform.OpaqueRedacted, ID: "rs_own", Data: lit("enc")}
	call := transform.ToolCall{ID: "c1", Name: "f", Arguments: []byte(`{"a":"b"}`)}
	text := func(s string) transform.Part { return transform.Part{Kind: transform.PartText, Text: lit(s)} }
	cite := transform.Part{Kind: transform.PartCitation, Citation: []byte(citation)}
	message := func(n, status, content string) string {
		return `{"id":"msg_Abc1_` + n + `","type":"message","status":"` + status + `","role":"assistant","content":[` + content + `]}`
	}
	plain := func(s, notes string) string {
		return `{"type":"output_text","annotations":[` + notes + `],"logprobs":[],"text":"` + s + `"}`
	}
	const note = `{"type":"url_citation","start_index":1,"end_index":2,"url":"u","title":"t"}`
	for _, test := range []struct {
		name   string
		finish transform.Finish
		parts  []transform.Part
		want   string
	}{
		{"nothing", transform.FinishStop, nil, `[]`},
		{"text", transform.FinishStop, []transform.Part{text("a"), text("b")}, `[` + message("0", "completed", plain("a", "")+","+plain("b", "")) + `]`},
		{"cut text", transform.FinishLength, []transform.Part{text("a")}, `[` + message("0", "incomplete", plain("a", "")) + `]`},
		{"a refusal", transform.FinishStop, []transform.Part{{Kind: transform.PartRefusal, Text: lit("no")}}, `[` + message("0", "completed", `{"type":"refusal","refusal":"no"}`) + `]`},
		{"citations", transform.FinishStop, []transform.Part{text("a"), cite, text("b"), cite, cite}, `[` + message("0", "completed", plain("a", note)+","+plain("b", note+","+note)) + `]`},
		{"citations after calls", transform.FinishToolCalls, []transform.Part{text("a"), {Kind: transform.PartToolCall, Call: call}, cite},
			`[` + message("0", "completed", plain("a", note)) + `,{"id":"fc_Abc1_1","type":"function_call","status":"completed","call_id":"c1","name":"f","arguments":"{\"a\":\"b\"}"}]`},
		{"another's reasoning", transform.FinishStop, []transform.Part{{Kind: transform.PartReasoning, Text: lit("hm"), Opaque: anthropic}, text("a")},
			`[{"id":"rs_llmproxy_Abc1_0","type":"reasoning","summary":[{"type":"summary_text","text":"hm"}],"encrypted_content":` + string(anthropic.Seal(transform.VendorOpenAI)) + `},` + message("1", "completed", plain("a", "")) + `]`},
		{"its own reasoning", transform.FinishStop, []transform.Part{{Kind: transform.PartReasoning, Opaque: own}, {Kind: transform.PartReasoning, Opaque: own}},
			`[{"id":"rs_own","type":"reasoning","summary":[],"encrypted_content":"enc"},{"id":"rs_llmproxy_Abc1_1","type":"reasoning","summary":[],"encrypted_content":` + string(own.Seal(transform.VendorOpenAI)) + `}]`},
		{"a signed call", transform.FinishToolCalls, []transform.Part{{Kind: transform.PartToolCall, Call: call, Opaque: google}},
			`[{"id":"rs_llmproxy_Abc1_0","type":"reasoning","summary":[],"encrypted_content":` + string(sealedCall.Seal(transform.VendorOpenAI)) + `},{"id":"fc_Abc1_1","type":"function_call","status":"completed","call_id":"c1","name":"f","arguments":"{\"a\":\"b\"}"}]`},
		{"a call of nothing with nothing", transform.FinishToolCalls, []transform.Part{{Kind: transform.PartToolCall, Call: transform.ToolCall{Name: "f"}}},
			`[{"id":"fc_Abc1_0","type":"function_call","status":"completed","call_id":"call_Abc1_0","name":"f","arguments":"{}"}]`},
		{"a custom call", transform.FinishToolCalls, []transform.Part{{Kind: transform.PartToolCall, Call: transform.ToolCall{ID: "c1", Name: "g", Custom: true, Arguments: []byte("x")}}},
			`[{"id":"ctc_Abc1_0","type":"custom_tool_call","status":"completed","call_id":"c1","name":"g","input":"x"}]`},
		{"an emulated custom call", transform.FinishToolCalls, []transform.Part{{Kind: transform.PartToolCall, Call: transform.ToolCall{ID: "c1", Name: "patch", Arguments: []byte(`{"input":"x\ny"}`)}}},
			`[{"id":"ctc_Abc1_0","type":"custom_tool_call","status":"completed","call_id":"c1","name":"patch","input":"x\ny"}]`},
		{"an image", transform.FinishStop, []transform.Part{{Kind: transform.PartImage, Media: transform.Media{Type: "image/png", Data: []byte("QUJD")}}},
			`[{"id":"ig_Abc1_0","type":"image_generation_call","status":"completed","result":"QUJD"}]`},
	} {
		r := &transform.Request{Model: "m", Tools: []transform.Tool{{Name: "patch", Custom: true}}}
		if got := output(t, answerOf(test.finish, test.parts...), r); got != test.want {
			t.Errorf("%s:\n%s, want\n%s", test.name, got, test.want)
		}
	}
}

func TestAnAnswerRepeatsItsRequest(t *testing.T) {
	r, _ := decode(t, rich)
	out := string(Codec{}.AppendResponse(nil, answerOf(transform.FinishContentFilter), r))
	checkAnswer(t, []byte(out))
	for _, want := range []string{
		`"id":"resp_Abc-1","object":"response","created_at":5,"status":"incomplete","background":false,"completed_at":null,"error":null,"incomplete_details":{"reason":"content_filter"}`,
		`"model":"served","instructions":"i"`, `"metadata":{"a":"b"}`, `"reasoning":{"effort":"low","summary":null}`, `"service_tier":"flex"`, `"store":false`,
		`"text":{"format":{"type":"json_schema","name":"n","schema":{"type":"object"}}}`,
		`"tool_choice":{"type":"allowed_tools","mode":"auto","tools":[{"type":"function","name":"f"}]}`,
		`"tools":[{"type":"function","name":"f","parameters":{"type":"object"},"strict":false},{"type":"custom","name":"g","format":{"type":"grammar","syntax":"lark","definition":"d"}},{"type":"web_search"}]`,
		`"usage":{"input_tokens":10,"input_tokens_details":{"cached_tokens":4,"cache_write_tokens":2},"output_tokens":5,"output_tokens_details":{"reasoning_tokens":3},"total_tokens":15}`,
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %s in\n%s", want, out)
		}
	}
}

func TestAnAnswerWithoutAnythingIsStillOne(t *testing.T) {
	checkAnswer(t, Codec{}.AppendResponse(nil, &transform.Response{}, nil))
}

// Whatever an answer holds must come back with the next request.
func TestPiecesMakeTheRoundTrip(t *testing.T) {
	google := transform.Opaque{Vendor: transform.VendorGoogle, Kind: transform.OpaqueSignature, Data: lit("g")}
	parts := []transform.Part{
		{Kind: transform.PartReasoning, Text: lit("hm"), Opaque: transform.Opaque{Vendor: transform.VendorAnthropic, Kind: transform.OpaqueSignature, Data: lit("s/i+g")}},
		{Kind: transform.PartReasoning, Opaque: transform.Opaque{Vendor: transform.VendorAnthropic, Kind: transform.OpaqueRedacted, Data: lit("r")}},
		{Kind: transform.PartReasoning, Opaque: transform.Opaque{Vendor: transform.VendorOpenAI, Kind: transform.OpaqueRedacted, ID: "rs_x", Data: lit("e")}},
		{Kind: transform.PartText, Text: lit("said")},
		{Kind: transform.PartToolCall, Call: transform.ToolCall{ID: "c1", Name: "f", Arguments: []byte(`{}`)}},
		{Kind: transform.PartToolCall, Call: transform.ToolCall{ID: "c2", Name: "f", Arguments: []byte(`{}`)}, Opaque: google},
	}
	items := output(t, answerOf(transform.FinishToolCalls, parts...), nil)
	r, lost := decode(t, ask(items[1:len(items)-1]))
	want, got := turnsOf(t, []transform.Turn{{Role: transform.RoleAssistant, Parts: parts}}), turnsOf(t, r.Turns)
	if want != got || len(lost.Dropped) > 0 {
		t.Errorf("%s became\n%s, lost %v", want, got, lost.Dropped)
	}
	var deltas []transform.Delta
	tool := 0
	for i, p := range parts {
		switch p.Kind {
		case transform.PartText:
			deltas = append(deltas, transform.Delta{Kind: transform.DeltaText, Part: i, Text: p.Text})
		case transform.PartReasoning:
			if p.Text != nil {
				deltas = append(deltas, transform.Delta{Kind: transform.DeltaReasoning, Part: i, Text: p.Text})
			}
			deltas = append(deltas, transform.Delta{Kind: transform.DeltaOpaque, Part: i, Opaque: p.Opaque})
		case transform.PartToolCall:
			deltas = append(deltas, transform.Delta{Kind: transform.DeltaToolStart, Part: i, Tool: tool, Call: p.Call, Opaque: p.Opaque})
			tool++
		}
	}
	stream := encodeStream(deltas, nil)
	checkStream(t, stream)
	items = string(lastResponse(t, eventsOf(t, stream)))
	_, items, _ = strings.Cut(items, `"output":[`)
	items, _, _ = strings.Cut(items, `],"usage":`)
	r, lost = decode(t, ask(items))
	if got := turnsOf(t, r.Turns); want != got || len(lost.Dropped) > 0 {
		t.Errorf("streamed, %s became\n%s, lost %v", want, got, lost.Dropped)
	}
}

func TestWhatOthersLeftIsSeen(t *testing.T) {
	for body, want := range map[string]bool{
		ask(thinkItem, callItem):                                              false,
		ask(`{"role":"user","content":"rs_a_1 \"rs_a_1\""}`):                  false,
		ask(`{"type":"reasoning","id":"rs_c409b59d-b895-fe5b","summary":[]}`): false,
		ask(`{"type":"reasoning","id":"rs_6882b2f5_0","summary":[]}`):         false,
		ask(`{"type":"reasoning","id":"rs_`):                                  false,
		ask(sealedItem(transform.Opaque{Vendor: transform.VendorGoogle, Kind: transform.OpaqueSignature, Data: lit("g")}, "")): true,
		ask(output(t, answerOf(transform.FinishStop, transform.Part{Kind: transform.PartReasoning, Text: lit("hm")}), nil)):    true,
	} {
		if got := (Codec{}).Foreign([]byte(body)); got != want {
			t.Errorf("%s: %v", body, got)
		}
	}
}

func TestAnswersThatAreNone(t *testing.T) {
	for _, body := range []string{``, `x`, `[]`, `{}`, `{"object":"response","status":"completed"}`, `{"choices":[]}`} {
		var e *transform.Error
		if _, err := (Codec{}).DecodeResponse([]byte(body)); err == nil || errors.As(err, &e) {
			t.Errorf("%s: %v", body, err)
		}
	}
	for body, kind := range map[string]transform.ErrorKind{
		`{"error":{"message":"m","code":"rate_limit_exceeded"}}`: transform.ErrRateLimit,
		`{"error":"no","code":"x"}`:                              transform.ErrUpstream,
		`{"object":"response","status":"failed","error":{"code":"server_error","message":"m"},"output":[]}`:            transform.ErrUpstream,
		`{"object":"response","status":"failed","error":{"code":"context_length_exceeded","message":"m"},"output":[]}`: transform.ErrContextLength,
		`{"object":"response","status":"failed","error":{"code":"invalid_prompt","message":"m"},"output":[]}`:          transform.ErrContentPolicy,
		`{"object":"response","status":"cancelled","error":null,"output":[]}`:                                          transform.ErrUpstream,
	} {
		var e *transform.Error
		if _, err := (Codec{}).DecodeResponse([]byte(body)); !errors.As(err, &e) || e.Kind != kind || e.Message == "" {
			t.Errorf("%s: %+v", body, err)
		}
		if _, err := (Codec{}).InspectResponse([]byte(body)); !errors.As(err, &e) {
			t.Errorf("%s inspected: %v", body, err)
		}
	}
}

func TestAnswersOfServersThatDiffer(t *testing.T) {
	for _, test := range []struct{ name, body string }{
		{"a time in fractions", `{"object":"response","created_at":5.5,"status":"completed","output":[{"type":"message","content":[{"type":"output_text","text":"x"}]}]}`},
		{"no status", `{"created_at":5,"output":[{"type":"message","content":[{"type":"output_text","text":"x"}]},{"type":"reasoning","id":"rs_1","summary":[]}]}`},
	} {
		a, err := Codec{}.DecodeResponse([]byte(test.body))
		if err != nil {
			t.Fatal(err)
		}
		if a.Created != 5 || len(a.Choices[0].Parts) != 1 || a.Choices[0].Finish != transform.FinishStop || a.Usage.Known {
			t.Errorf("%s: %+v", test.name, a)
		}
	}
	a, err := Codec{}.DecodeResponse([]byte(`{"object":"response","status":"completed","output":[{"type":"function_call","name":"f","arguments":{"a":1}},{"type":"function_call","arguments":"{}"}]}`))
	if err != nil || len(a.Choices[0].Parts) != 1 || string(a.Choices[0].Parts[0].Call.Arguments) != `{"a":1}` || a.Choices[0].Parts[0].Call.ID == "" {
		t.Errorf("%+v %v", a, err)
	}
}

func TestErrorsAreOpenAIs(t *testing.T) {
	e := &transform.Error{Kind: transform.ErrRateLimit, Message: "m"}
	if got := string(Codec{}.AppendError(nil, e, "")); got != string(openai.Codec{}.AppendError(nil, e, "")) || !(Codec{}).IsError([]byte(got)) {
		t.Error(got)
	}
	if got := (Codec{}).Status(&transform.Error{Kind: transform.ErrOverloaded, Status: 529}); got != http.StatusServiceUnavailable {
		t.Error(got)
	}
	if e := (Codec{}).DecodeError(400, []byte(`{"error":{"message":"m","code":"model_not_found"}}`)); e.Kind != transform.ErrNotFound {
		t.Errorf("%+v", e)
	}
	want := "event: error\ndata: {\"type\":\"error\",\"sequence_number\":2147483646,\"code\":\"rate_limit_exceeded\",\"message\":\"m\",\"param\":null," +
		"\"error\":{\"message\":\"m\",\"type\":\"rate_limit_error\",\"param\":null,\"code\":\"rate_limit_exceeded\"}}\n\n"
	got, ok := strings.CutPrefix(string(Codec{}.AppendStreamError(nil, e, "")), want+"event: response.failed\ndata: ")
	if !ok {
		t.Fatalf("%q", got)
	}
	event := jsonbytes.Parse([]byte(strings.TrimSpace(got)))
	response := event.Get("response")
	if !event.Get("type").Is("response.failed") || string(event.Get("sequence_number")) != "2147483647" || !response.Get("status").Is("failed") ||
		string(response.Get("error")) != `{"code":"rate_limit_exceeded","message":"m"}` || string(response.Get("output")) != "[]" {
		t.Errorf("%s", got)
	}
}

func TestFailuresHaveCodesThatClientsKnow(t *testing.T) {
	for _, test := range []struct {
		e    transform.Error
		want string
	}{
		{transform.Error{Kind: transform.ErrContextLength, Message: "m"}, `{"code":"context_length_exceeded","message":"m"}`},
		{transform.Error{Kind: transform.ErrQuota, Code: "billing", Message: "m"}, `{"code":"insufficient_quota","message":"m"}`},
		{transform.Error{Kind: transform.ErrRateLimit, Message: "Slow.", RetryAfter: 1500 * time.Millisecond}, `{"code":"rate_limit_exceeded","message":"Slow. Please try again in 1.5s."}`},
		{transform.Error{Kind: transform.ErrOverloaded, Code: "overloaded", Message: "m"}, `{"code":"server_error","message":"m"}`},
		{transform.Error{Kind: transform.ErrBadRequest, Code: "invalid_image", Message: "m"}, `{"code":"invalid_image","message":"m"}`},
	} {
		if got := string(appendFailure(nil, &test.e)); got != test.want {
			t.Errorf("%+v: %s", test.e, got)
		}
	}
}
