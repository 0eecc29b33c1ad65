package openai

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/usage"
)

// answer is a completion of one message.
func answer(message, more string) string {
	return `{"id":"x","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":` + message + `,"finish_reason":"stop"}]` + more + `}`
}

func decodeAnswer(t *testing.T, body string) *transform.Response {
	t.Helper()
	a, err := Codec{}.DecodeResponse([]byte(body))
	if err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	return a
}

func TestResponseReadsOddMessages(t *testing.T) {
	tests := map[string]struct {
		message string
		want    say
	}{
		"text":                {`{"role":"assistant","content":"a"}`, say{text: "a"}},
		"parts":               {`{"content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}`, say{text: "ab"}},
		"mistral thinking":    {`{"content":[{"type":"thinking","thinking":[{"type":"text","text":"t"},{"type":"text","text":"u"}]},{"type":"text","text":"a"}]}`, say{text: "a", reasoning: "tu"}},
		"databricks thinking": {`{"content":[{"type":"reasoning","summary":[{"type":"summary_text","text":"t"}]},{"type":"text","text":"a"}]}`, say{text: "a", reasoning: "t"}},
		"refusal":             {`{"content":null,"refusal":"no"}`, say{refusal: "no"}},
		"reasoning twice":     {`{"content":"a","reasoning":"t","reasoning_content":"t","reasoning_details":[{"type":"reasoning.text","text":"t"}]}`, say{text: "a", reasoning: "t"}},
		"summary":             {`{"content":"a","reasoning":"t","reasoning_details":[{"type":"reasoning.summary","summary":"t"},{"type":"reasoning.encrypted","data":"e","format":"openai-responses-v1"}]}`, say{text: "a", reasoning: "t"}},
		"call":                {`{"content":"","tool_calls":[{"function":{"name":"f","arguments":"{}"}}]}`, say{finish: "tool_calls", calls: []sayCall{{"f", "{}"}}}},
		"arguments as object": {`{"tool_calls":[{"id":"","function":{"name":"f","arguments":{"a": 1}}}]}`, say{finish: "tool_calls", calls: []sayCall{{"f", `{"a": 1}`}}}},
		"no arguments":        {`{"tool_calls":[{"id":"c","function":{"name":"f"}}]}`, say{finish: "tool_calls", calls: []sayCall{{"f", "{}"}}}},
		"function call":       {`{"content":null,"function_call":{"name":"f","arguments":"{}"}}`, say{finish: "tool_calls", calls: []sayCall{{"f", "{}"}}}},
		"nulls":               {`{"content":null,"tool_calls":null,"refusal":null,"annotations":null,"reasoning":null}`, say{}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			a := decodeAnswer(t, " \n"+answer(test.message, ""))
			if test.want.finish == "" {
				test.want.finish = "stop"
			}
			test.want.compare(t, "decoded", sayOf(a))
			for _, p := range a.Choices[0].Parts {
				if p.Kind == transform.PartToolCall && p.Call.ID == "" {
					t.Error("a call without id")
				}
			}
		})
	}
}

func TestResponseGivesEachCallAnIDOfItsOwn(t *testing.T) {
	a := decodeAnswer(t, answer(`{"tool_calls":[{"id":"c","function":{"name":"f"}},{"id":"c","function":{"name":"f"}},{"function":{"name":"f"}}]}`, ""))
	ids := map[string]bool{}
	for _, p := range a.Choices[0].Parts {
		ids[p.Call.ID] = true
	}
	if len(ids) != 3 {
		t.Error(ids)
	}
}

func TestResponseReadsFinishWords(t *testing.T) {
	tests := map[string]transform.Finish{
		`"stop"`: transform.FinishStop, `"eos"`: transform.FinishStop, `"length"`: transform.FinishLength, `"model_length"`: transform.FinishLength,
		`"tool_call"`: transform.FinishToolCalls, `"content_filter"`: transform.FinishContentFilter, `"sensitive"`: transform.FinishContentFilter,
		`null`: transform.FinishUnknown, `"unheard-of"`: transform.FinishUnknown,
	}
	for word, want := range tests {
		a := decodeAnswer(t, `{"choices":[{"message":{"content":"a"},"finish_reason":`+word+`}]}`)
		if a.Choices[0].Finish != want {
			t.Errorf("%s: %v", word, a.Choices[0].Finish)
		}
	}
	_, err := Codec{}.DecodeResponse([]byte(`{"choices":[{"message":{"content":"a"},"finish_reason":"insufficient_system_resource"}]}`))
	var e *transform.Error
	if !errors.As(err, &e) || e.Kind != transform.ErrUpstream {
		t.Error(err)
	}
}

func TestUsageOfEveryProvider(t *testing.T) {
	tests := map[string]struct {
		usage string
		want  usage.Tokens
	}{
		"openai":          {`{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15,"prompt_tokens_details":{"cached_tokens":4,"cache_write_tokens":2},"completion_tokens_details":{"reasoning_tokens":3}}`, usage.Tokens{Input: 10, CacheRead: 4, CacheWrite: 2, Output: 5, Reasoning: 3}},
		"xai beside":      {`{"prompt_tokens":432,"completion_tokens":68,"total_tokens":636,"completion_tokens_details":{"reasoning_tokens":136}}`, usage.Tokens{Input: 432, Output: 204, Reasoning: 136}},
		"xai inside":      {`{"prompt_tokens":10,"completion_tokens":68,"total_tokens":78,"completion_tokens_details":{"reasoning_tokens":60}}`, usage.Tokens{Input: 10, Output: 68, Reasoning: 60}},
		"reasoning alone": {`{"prompt_tokens":28,"completion_tokens":9,"total_tokens":37,"completion_tokens_details":{"reasoning_tokens":69}}`, usage.Tokens{Input: 28, Output: 78, Reasoning: 69}},
		"deepseek":        {`{"prompt_tokens":10,"completion_tokens":5,"prompt_cache_hit_tokens":6,"prompt_cache_miss_tokens":4}`, usage.Tokens{Input: 10, CacheRead: 6, Output: 5}},
		"together":        {`{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15,"cached_tokens":3}`, usage.Tokens{Input: 10, CacheRead: 3, Output: 5}},
		"fresh only":      {`{"prompt_tokens":10,"completion_tokens":5,"prompt_tokens_details":{"cached_tokens":20}}`, usage.Tokens{Input: 30, CacheRead: 20, Output: 5}},
		"total only":      {`{"total_tokens":7}`, usage.Tokens{Input: 7}},
		"sound":           {`{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15,"prompt_tokens_details":{"audio_tokens":7},"completion_tokens_details":{"audio_tokens":4,"reasoning_tokens":0}}`, usage.Tokens{Input: 10, AudioInput: 7, Output: 5, AudioOutput: 4}},
		"vercel":          {`{"prompt_tokens":10,"completion_tokens":5,"cost":0.000992,"is_byok":false,"cost_details":{"upstream_inference_cost":null},"cache_creation_input_tokens":3,"market_cost":1}`, usage.Tokens{Input: 10, CacheWrite: 3, Output: 5, Cost: 992_000, CostKnown: true}},
		"openrouter":      {`{"prompt_tokens":10,"completion_tokens":5,"cost":4.4968e-4,"is_byok":false,"cost_details":{"upstream_inference_cost":0.5}}`, usage.Tokens{Input: 10, Output: 5, Cost: 449_680, CostKnown: true}},
		"own key":         {`{"prompt_tokens":10,"completion_tokens":5,"cost":0.01,"is_byok":true,"cost_details":{"upstream_inference_cost":0.2}}`, usage.Tokens{Input: 10, Output: 5, Cost: 210_000_000, CostKnown: true}},
		"free":            {`{"prompt_tokens":10,"completion_tokens":5,"cost":0}`, usage.Tokens{Input: 10, Output: 5, CostKnown: true}},
		"perplexity cost": {`{"prompt_tokens":10,"completion_tokens":5,"cost":{"input_tokens_cost":0.0001,"request_cost":0.005,"total_cost":0.0051}}`, usage.Tokens{Input: 10, Output: 5, Cost: 5_100_000, CostKnown: true}},
		"xai ticks":       {`{"prompt_tokens":10,"completion_tokens":5,"cost_in_usd_ticks":1654501}`, usage.Tokens{Input: 10, Output: 5, Cost: 165_451, CostKnown: true}},
		"deepinfra":       {`{"prompt_tokens":10,"completion_tokens":5,"estimated_cost":1.2e-06}`, usage.Tokens{Input: 10, Output: 5, Cost: 1200, CostKnown: true}},
		"no cost":         {`{"prompt_tokens":10,"completion_tokens":5,"cost":"dear","cost_in_usd_ticks":-1,"estimated_cost":null,"cost_details":7,"is_byok":5}`, usage.Tokens{Input: 10, Output: 5}},
		"nonsense":        {`{"prompt_tokens":-5,"completion_tokens":1e300,"total_tokens":"x","completion_tokens_details":null}`, usage.Tokens{}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			test.want.Known = true
			if got := ReadUsage(jsonbytes.Value(test.usage)); got != test.want {
				t.Errorf("%+v, want %+v", got, test.want)
			}
		})
	}
	for _, body := range []string{answer(`{"content":"a"}`, `,"x_groq":{"usage":{"prompt_tokens":1,"completion_tokens":2}}`),
		`{"choices":[{"message":{"content":"a"},"usage":{"prompt_tokens":1,"completion_tokens":2}}]}`} {
		want := usage.Tokens{Input: 1, Output: 2, Known: true}
		if a := decodeAnswer(t, body); a.Usage != want {
			t.Errorf("%s: %+v", body, a.Usage)
		}
		if s, err := (Codec{}).InspectResponse([]byte(body)); err != nil || s.Usage != want {
			t.Errorf("%s: %+v %v", body, s, err)
		}
	}
}

func TestSoundIsCountedInWhatIsWritten(t *testing.T) {
	tokens := usage.Tokens{Input: 10, CacheRead: 2, AudioInput: 7, Output: 5, AudioOutput: 4, Known: true}
	if got := ReadUsage(appendUsage(nil, tokens)); got != tokens {
		t.Errorf("%+v", got)
	}
	if got := string(appendUsage(nil, usage.Tokens{Input: 1})); strings.Contains(got, "audio") {
		t.Error(got)
	}
}

func TestResponseInside200MayBeAnError(t *testing.T) {
	tests := map[string]struct {
		status int
		kind   transform.ErrorKind
	}{
		`{"error":{"message":"m","code":502}}`:                {502, transform.ErrUpstream},
		`{"error":{"message":"m","code":429}}`:                {429, transform.ErrRateLimit},
		`{"error":{"message":"m","type":"overloaded_error"}}`: {0, transform.ErrOverloaded},
		`{"error":"m"}`: {0, transform.ErrUpstream},
		`{"base_resp":{"status_code":1004,"status_msg":"m"}}`:          {0, transform.ErrUpstream},
		`{"message":"m","code":"rate_limit"}`:                          {0, transform.ErrRateLimit},
		`{"detail":"m"}`:                                               {0, transform.ErrUpstream},
		`{"choices":[],"error":{"message":"m","type":"server_error"}}`: {0, transform.ErrUpstream},
	}
	for body, want := range tests {
		_, err := Codec{}.DecodeResponse([]byte(body))
		var e *transform.Error
		if !errors.As(err, &e) || e.Kind != want.kind || e.Status != want.status || e.Message != "m" {
			t.Errorf("%s: %#v", body, err)
		}
		if _, err := (Codec{}).InspectResponse([]byte(body)); !errors.As(err, &e) {
			t.Errorf("%s: inspected as %v", body, err)
		}
	}
	for _, body := range []string{``, `x`, `[]`, `{}`, `{"choices":[]}`, `{"choices":[{"message":{"content":"a"}}]`, "{\"a\":\"\xff\"}"} {
		if a, err := (Codec{}).DecodeResponse([]byte(body)); err == nil || errors.As(err, new(*transform.Error)) {
			t.Errorf("%q: %+v %v", body, a, err)
		}
	}
}

func TestInspectTakesAnswersOfOtherOperations(t *testing.T) {
	for body, want := range map[string]int64{
		`{"object":"list","data":[{"embedding":[1]}],"usage":{"prompt_tokens":5,"total_tokens":5}}`:          5,
		`{"object":"text_completion","choices":[{"text":"a"}],"usage":{"prompt_tokens":3,"total_tokens":3}}`: 3,
		`{"results":[{"flagged":false}],"message":"fine"}`:                                                   0,
	} {
		s, err := Codec{}.InspectResponse([]byte(body))
		if err != nil || s.Usage.Input != want {
			t.Errorf("%s: %+v %v", body, s, err)
		}
	}
}

func TestResponseCarriesSources(t *testing.T) {
	a := decodeAnswer(t, answer(`{"content":"a"}`, `,"citations":["https://a.test"],"search_results":[{"title":"A","url":"https://a.test"}]`))
	parts := a.Choices[0].Parts
	if len(parts) != 2 || parts[1].Kind != transform.PartCitation || !parts[1].Citation.Get("url_citation").Get("url").Is("https://a.test") {
		t.Errorf("%+v", parts)
	}
}

func TestAppendResponseIsWhatClientsExpect(t *testing.T) {
	a := &transform.Response{
		ID: "msg_1", Model: "claude", Created: 7, ServiceTier: "default",
		Usage: usage.Tokens{Input: 10, CacheRead: 4, CacheWrite: 1, Output: 5, Reasoning: 2},
		Choices: []transform.Choice{{Finish: transform.FinishStop, Parts: []transform.Part{
			{Kind: transform.PartReasoning, Text: quote("t"), Opaque: signature(transform.VendorAnthropic, "s")},
			{Kind: transform.PartReasoning, Opaque: transform.Opaque{Vendor: transform.VendorAnthropic, Kind: transform.OpaqueRedacted, Data: quote("r")}},
			{Kind: transform.PartToolCall, Call: transform.ToolCall{ID: "c", Name: "f"}, Opaque: signature(transform.VendorGoogle, "g")},
			{Kind: transform.PartCitation, Citation: jsonbytes.Value("{\n \"type\": \"url_citation\"}")},
		}}},
	}
	want := `{"id":"msg_1","object":"chat.completion","created":7,"model":"claude","choices":[{"index":0,"message":{"role":"assistant","content":null,"refusal":null,` +
		`"reasoning_content":"t","reasoning_details":[{"type":"reasoning.text","text":"t","signature":"s","format":"anthropic-claude-v1","index":0},{"type":"reasoning.encrypted","data":"r","format":"anthropic-claude-v1","index":1}],` +
		`"tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"},"extra_content":{"google":{"thought_signature":"g"}}}],"annotations":[{"type":"url_citation"}]},` +
		`"logprobs":null,"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15,"prompt_tokens_details":{"cached_tokens":4,"cache_write_tokens":1},"completion_tokens_details":{"reasoning_tokens":2}},"service_tier":"default"}`
	got := string(Codec{}.AppendResponse(nil, a, nil))
	if got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	checkAnswer(t, []byte(got))
	back, lost := decode(t, `{"model":"m","messages":[`+string(firstMessage(got))+`]}`)
	if len(back.Turns[0].Parts) != len(a.Choices[0].Parts) || len(lost.Dropped) > 0 {
		t.Errorf("what a client sends back is less: %+v, lost %v", back.Turns[0].Parts, lost.Dropped)
	}
	for i, p := range back.Turns[0].Parts {
		if o := a.Choices[0].Parts[i].Opaque; p.Opaque.Vendor != o.Vendor || p.Opaque.Kind != o.Kind || string(p.Opaque.Data) != string(o.Data) {
			t.Errorf("%d: %+v, was %+v", i, p.Opaque, o)
		}
	}
}

func firstMessage(answer string) jsonbytes.Value {
	for _, choice := range jsonbytes.Value(answer).Get("choices").Elements() {
		return choice.Get("message")
	}
	return nil
}

func TestAppendResponseAlwaysHasAChoiceAndAnID(t *testing.T) {
	got := Codec{}.AppendResponse(nil, &transform.Response{}, &transform.Request{Model: "m"})
	checkAnswer(t, got)
	if !strings.Contains(string(got), `"id":"chatcmpl-`) || !strings.Contains(string(got), `"content":""`) || !strings.Contains(string(got), `"model":"m"`) {
		t.Errorf("%s", got)
	}
}

func TestAppendResponseAnswersOldClientsInTheirWords(t *testing.T) {
	r, _ := decode(t, ask(`,"functions":[{"name":"f"}]`))
	a := &transform.Response{ID: "x", Created: 1, Choices: []transform.Choice{{Finish: transform.FinishToolCalls, Parts: []transform.Part{
		{Kind: transform.PartToolCall, Call: transform.ToolCall{ID: "c", Name: "f", Arguments: []byte("{}")}},
	}}}}
	got := string(Codec{}.AppendResponse(nil, a, r))
	if !strings.Contains(got, `"function_call":{"name":"f","arguments":"{}"}`) || strings.Contains(got, "tool_calls") || !strings.Contains(got, `"finish_reason":"function_call"`) {
		t.Error(got)
	}
}

func TestErrorBodies(t *testing.T) {
	tests := []struct {
		e    transform.Error
		want string
	}{
		{transform.Error{Kind: transform.ErrAuthentication, Message: "Invalid API key."}, `{"error":{"message":"Invalid API key.","type":"authentication_error","param":null,"code":"invalid_api_key"}}`},
		{transform.Error{Kind: transform.ErrBadRequest, Message: "a \"b\"\n", Param: "/x", Code: "duplicate_key"}, `{"error":{"message":"a \"b\"\n","type":"invalid_request_error","param":"/x","code":"duplicate_key"}}`},
		{transform.Error{Kind: transform.ErrRateLimit, Message: "m", Type: "tokens"}, `{"error":{"message":"m","type":"tokens","param":null,"code":"rate_limit_exceeded"}}`},
		{transform.Error{Kind: transform.ErrRateLimit, Message: "m", Type: "invalid_request_error"}, `{"error":{"message":"m","type":"rate_limit_error","param":null,"code":"rate_limit_exceeded"}}`},
		{transform.Error{Kind: transform.ErrUpstream, Message: "m", Type: "invalid_request_error", Code: "upstream_auth_error"}, `{"error":{"message":"m","type":"api_error","param":null,"code":"upstream_auth_error"}}`},
		{transform.Error{Kind: transform.ErrorKind(200)}, `{"error":{"message":"The request failed.","type":"api_error","param":null,"code":"internal_error"}}`},
	}
	for _, test := range tests {
		if got := string(Codec{}.AppendError(nil, &test.e, "req_1")); got != test.want {
			t.Errorf("%s\nwant %s", got, test.want)
		}
	}
	e := &transform.Error{Kind: transform.ErrUpstream, Code: "upstream_stream_error", Message: "Upstream stream ended unexpectedly."}
	want := "data: " + `{"error":{"message":"Upstream stream ended unexpectedly.","type":"api_error","param":null,"code":"upstream_stream_error"}}` + "\n\n"
	if got := string(Codec{}.AppendStreamError(nil, e, "")); got != want {
		t.Error(got)
	}
}

func TestStatusIsOneThatOpenAIClientsKnow(t *testing.T) {
	tests := []struct {
		e    transform.Error
		want int
	}{
		{transform.Error{Kind: transform.ErrOverloaded, Status: 529}, http.StatusServiceUnavailable},
		{transform.Error{Kind: transform.ErrOverloaded}, http.StatusServiceUnavailable},
		{transform.Error{Kind: transform.ErrUpstream, Status: 200}, http.StatusBadGateway},
		{transform.Error{Kind: transform.ErrBadRequest, Status: 422}, http.StatusUnprocessableEntity},
	}
	for _, test := range tests {
		if got := (Codec{}).Status(&test.e); got != test.want {
			t.Errorf("%+v: %d", test.e, got)
		}
	}
}

func TestDecodeErrorReadsEveryShape(t *testing.T) {
	tests := []struct {
		status int
		body   string
		want   transform.Error
	}{
		{400, `{"error":{"message":"m","type":"invalid_request_error","param":"p","code":"c"}}`, transform.Error{Kind: transform.ErrBadRequest, Type: "invalid_request_error", Code: "c", Param: "p"}},
		{404, `{"error":"m","code":"Some requested entity was not found"}`, transform.Error{Kind: transform.ErrNotFound}},
		{422, `{"detail":[{"loc":["body"],"msg":"m","type":"missing"}]}`, transform.Error{Kind: transform.ErrBadRequest}},
		{401, `{"detail":"m"}`, transform.Error{Kind: transform.ErrAuthentication}},
		{400, `{"object":"error","message":"m","type":"invalid_request_invalid_args","code":"3051"}`, transform.Error{Kind: transform.ErrBadRequest, Type: "invalid_request_invalid_args", Code: "3051"}},
		{400, `{"success":false,"errors":[{"code":5006,"message":"m"}]}`, transform.Error{Kind: transform.ErrBadRequest, Code: "5006"}},
		{400, `{"error_code":"BAD_REQUEST","message":"m"}`, transform.Error{Kind: transform.ErrBadRequest, Code: "BAD_REQUEST"}},
		{429, `[{"error":{"code":429,"message":"m","status":"RESOURCE_EXHAUSTED"}}]`, transform.Error{Kind: transform.ErrRateLimit}},
		{400, `{"base_resp":{"status_code":2013,"status_msg":"m"}}`, transform.Error{Kind: transform.ErrBadRequest}},
		{400, `{"error":{"code":400,"metadata":{"raw":"{\"error\":{\"message\":\"m\",\"type\":\"t\"}}"}}}`, transform.Error{Kind: transform.ErrBadRequest, Type: "t"}},
		{503, `m`, transform.Error{Kind: transform.ErrOverloaded}},
		{502, `<html><head><title>m</title></head></html>`, transform.Error{Kind: transform.ErrUpstream}},
		{500, `"m"`, transform.Error{Kind: transform.ErrUpstream}},
		{400, `{"error":{"message":"m","code":"context_length_exceeded"}}`, transform.Error{Kind: transform.ErrContextLength, Code: "context_length_exceeded"}},
		{400, `{"error":{"message":"m","type":"exceed_context_size_error","code":400}}`, transform.Error{Kind: transform.ErrContextLength, Type: "exceed_context_size_error"}},
		{429, `{"error":{"message":"m","type":"insufficient_quota","code":"insufficient_quota"}}`, transform.Error{Kind: transform.ErrQuota, Type: "insufficient_quota"}},
		{402, `{"error":{"message":"m"}}`, transform.Error{Kind: transform.ErrQuota}},
		{401, `{"statusCode":401,"message":"m"}`, transform.Error{Kind: transform.ErrAuthentication}},
		{404, `{"error":{"code":"DeploymentNotFound","message":"m"}}`, transform.Error{Kind: transform.ErrNotFound, Code: "DeploymentNotFound"}},
		{400, `{"error":{"message":"m","type":null,"code":"content_filter","innererror":{"code":"ResponsibleAIPolicyViolation"}}}`, transform.Error{Kind: transform.ErrContentPolicy, Code: "content_filter"}},
		{413, `{"error":{"message":"m","type":"tokens","code":"rate_limit_exceeded"}}`, transform.Error{Kind: transform.ErrRateLimit, Type: "tokens", Code: "rate_limit_exceeded"}},
		{400, `{"error":{"message":"m","code":"invalid_api_key"}}`, transform.Error{Kind: transform.ErrAuthentication, Code: "invalid_api_key"}},
		{529, `{"error":{"message":"m","type":"overloaded_error"}}`, transform.Error{Kind: transform.ErrOverloaded, Type: "overloaded_error"}},
		{429, `{"error":{"message":"m","type":"engine_overloaded_error"}}`, transform.Error{Kind: transform.ErrOverloaded, Type: "engine_overloaded_error"}},
	}
	for _, test := range tests {
		test.want.Message, test.want.Status = "m", test.status
		if got := (Codec{}).DecodeError(test.status, []byte(test.body)); *got != test.want {
			t.Errorf("%s\ngot  %+v\nwant %+v", test.body, *got, test.want)
		}
	}
	if e := (Codec{}).DecodeError(400, []byte(`{"error":{"message":"m","code":"model_not_found"}}`)); e.Kind != transform.ErrNotFound || e.Status != 400 {
		t.Errorf("%+v", e)
	}
	for _, body := range []string{"", "{}", "null", `{"error":null}`, "<html>no title</html>"} {
		if e := (Codec{}).DecodeError(500, []byte(body)); e.Kind != transform.ErrUpstream || e.Message == "" {
			t.Errorf("%q: %+v", body, e)
		}
	}
}

func TestDecodeErrorKnowsPromptsThatAreTooLong(t *testing.T) {
	for _, message := range []string{
		"This model's maximum context length is 1048565 tokens. However, you requested 1250025 tokens.",
		"request (2009 tokens) exceeds the available context size (512 tokens), try increasing it",
		"This model's maximum prompt length is 131072 but the request contains 2500021 tokens.",
		"Please reduce the length of the messages or completion.",
	} {
		body := jsonbytes.AppendString([]byte(`{"error":{"message":`), message)
		if e := (Codec{}).DecodeError(400, append(body, "}}"...)); e.Kind != transform.ErrContextLength {
			t.Errorf("%q: %+v", message, e)
		}
		if e := (Codec{}).DecodeError(500, append(body, "}}"...)); e.Kind != transform.ErrUpstream {
			t.Errorf("a 500 is the provider's own fault: %+v", e)
		}
	}
}

func TestDecodeErrorBoundsAndCleansTheMessage(t *testing.T) {
	long := strings.Repeat("é\n", 5000)
	body := jsonbytes.AppendString([]byte(`{"error":{"message":`), "key sk-proj-Abcdefgh12345678 "+long)
	e := Codec{}.DecodeError(400, append(body, "}}"...))
	if len(e.Message) > maxErrorMessage+8 || strings.ContainsAny(e.Message, "\n\r") || strings.Contains(e.Message, "Abcdefgh") {
		t.Errorf("%d bytes: %.80s", len(e.Message), e.Message)
	}
}
