package providers

import (
	"net/http"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/transform/anthropic"
	"github.com/caddyllm/llmproxy/transform/cohere"
	"github.com/caddyllm/llmproxy/transform/converse"
	"github.com/caddyllm/llmproxy/transform/gemini"
	"github.com/caddyllm/llmproxy/transform/ollama"
	"github.com/caddyllm/llmproxy/transform/openai"
	"github.com/caddyllm/llmproxy/transform/responses"
)

// shapes are the formats, and how the errors of each look that say only this.
var shapes = []struct {
	codec transform.ProviderCodec
	body  func(status int, message string) string
}{
	{openai.Codec{}, flat},
	{responses.Codec{}, flat},
	{anthropic.Codec{}, func(_ int, message string) string {
		return `{"type":"error","error":{"message":` + quote(message) + `},"request_id":"r"}`
	}},
	{gemini.Codec{}, func(status int, message string) string {
		return `{"error":{"code":` + strconv.Itoa(status) + `,"message":` + quote(message) + `}}`
	}},
	{converse.Codec{}, func(_ int, message string) string { return `{"message":` + quote(message) + `}` }},
	{cohere.Codec{}, func(_ int, message string) string { return `{"id":"1","message":` + quote(message) + `}` }},
	{ollama.Codec{}, func(_ int, message string) string { return `{"error":` + quote(message) + `}` }},
}

func flat(_ int, message string) string {
	return `{"error":{"message":` + quote(message) + `,"type":null,"param":null,"code":null}}`
}

func quote(message string) string { return string(transform.Quote(message)) }

// What is no more than a status means the same from every provider.
func TestAStatusAloneIsClassified(t *testing.T) {
	kinds := map[int]transform.ErrorKind{
		400: transform.ErrBadRequest, 405: transform.ErrBadRequest, 422: transform.ErrBadRequest,
		401: transform.ErrAuthentication, 403: transform.ErrPermission, 402: transform.ErrQuota, 404: transform.ErrNotFound,
		408: transform.ErrTimeout, 409: transform.ErrConflict, 413: transform.ErrTooLarge, 415: transform.ErrMediaType,
		429: transform.ErrRateLimit, 500: transform.ErrUpstream, 502: transform.ErrUpstream, 503: transform.ErrOverloaded,
		504: transform.ErrTimeout, 529: transform.ErrOverloaded,
	}
	for _, shape := range shapes {
		for status, want := range kinds {
			for _, body := range []string{shape.body(status, "something"), "", "<html><title>something</title></html>", "{}", "[]", "null", `{"error":null}`} {
				e := shape.codec.DecodeError(status, []byte(body))
				if e.Kind != want || e.RetryAfter != 0 || e.Message == "" || e.Status != status {
					t.Errorf("%s %d %s: %+v", shape.codec.Format(), status, body, e)
				}
			}
		}
	}
}

const (
	minute = time.Minute
	day    = transform.LongWait
)

// failures are what providers answer that has a meaning beyond its status. The
// messages are not theirs but have the words that tell.
var failures = []struct {
	provider string
	codec    transform.ProviderCodec
	status   int
	header   http.Header
	body     string
	kind     transform.ErrorKind
	wait     time.Duration
}{
	// OpenAI
	{"openai", openai.Codec{}, 429, http.Header{"Retry-After-Ms": {"1574"}, "Retry-After": {"2"}}, `{"error":{"message":"Rate limit reached. Please try again in 9s.","type":"tokens","param":null,"code":"rate_limit_exceeded"}}`, transform.ErrRateLimit, 1574 * time.Millisecond},
	{"openai", openai.Codec{}, 429, nil, `{"error":{"message":"Rate limit reached for m on requests per min (RPM): Limit 3. Please try again in 20s.","type":"requests","code":"rate_limit_exceeded"}}`, transform.ErrRateLimit, 20 * time.Second},
	{"openai", responses.Codec{}, 429, nil, `{"error":{"message":"Rate limit reached. Please try again in 6ms.","type":"tokens","code":"rate_limit_exceeded"}}`, transform.ErrRateLimit, 6 * time.Millisecond},
	{"openai", openai.Codec{}, 429, nil, `{"error":{"message":"The request is too large: Limit 3, Requested 9.","type":"tokens","code":"rate_limit_exceeded"}}`, transform.ErrRateLimit, 0},
	{"openai", openai.Codec{}, 429, nil, `{"error":{"message":"m","type":"insufficient_quota","code":"insufficient_quota"}}`, transform.ErrQuota, 0},
	{"openai", openai.Codec{}, 400, nil, `{"error":{"message":"m","type":"invalid_request_error","code":"billing_hard_limit_reached"}}`, transform.ErrQuota, 0},
	{"openai", responses.Codec{}, 429, nil, `{"error":{"message":"m","type":"billing_not_active","code":"billing_not_active"}}`, transform.ErrQuota, 0},
	{"openai", openai.Codec{}, 503, nil, `{"error":{"message":"m","type":"server_error","code":null}}`, transform.ErrOverloaded, 0},
	// Azure
	{"azure_openai", openai.Codec{}, 429, http.Header{"X-Ms-Retry-After-Ms": {"2500"}}, `{"error":{"code":"429","message":"Over the rate limit. Please retry after 55 seconds."}}`, transform.ErrRateLimit, 2500 * time.Millisecond},
	{"azure_openai", openai.Codec{}, 429, nil, `{"error":{"code":"429","message":"Over the rate limit. Please retry after 55 seconds."}}`, transform.ErrRateLimit, 55 * time.Second},
	{"azure_openai", openai.Codec{}, 429, nil, `{"statusCode":429,"message":"Too much. Try again in 3 seconds."}`, transform.ErrRateLimit, 3 * time.Second},
	{"azure_openai", openai.Codec{}, 403, nil, `{"statusCode":403,"message":"Out of call volume quota."}`, transform.ErrQuota, 0},
	{"github", openai.Codec{}, 429, nil, `{"error":{"code":"RateLimitReached","message":"Too many a day. Please wait 36000 seconds before retrying."}}`, transform.ErrRateLimit, 10 * time.Hour},
	// Anthropic
	{"anthropic", anthropic.Codec{}, 429, http.Header{"Retry-After": {"23"}}, `{"type":"error","error":{"type":"rate_limit_error","message":"m"}}`, transform.ErrRateLimit, 23 * time.Second},
	{"anthropic", anthropic.Codec{}, 529, nil, `{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}`, transform.ErrOverloaded, 0},
	{"anthropic", anthropic.Codec{}, 500, nil, `{"type":"error","error":{"type":"api_error","message":"m"}}`, transform.ErrUpstream, 0},
	{"anthropic", anthropic.Codec{}, 400, nil, `{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low."}}`, transform.ErrQuota, 0},
	{"anthropic", anthropic.Codec{}, 400, nil, `{"type":"error","error":{"type":"invalid_request_error","message":"You are at your API usage limits until March."}}`, transform.ErrQuota, 0},
	{"zai", anthropic.Codec{}, 429, nil, `{"error":{"code":"1113","message":"Insufficient balance."}}`, transform.ErrQuota, 0},
	{"vertex", anthropic.Codec{}, 429, nil, `[{"error":{"code":429,"message":"m","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"3s"}]}}]`, transform.ErrRateLimit, 3 * time.Second},
	// Google
	{"gemini", gemini.Codec{}, 429, nil, google(`{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"1.5s"}`), transform.ErrRateLimit, 1500 * time.Millisecond},
	{"vertex", gemini.Codec{}, 429, nil, `[` + google(`{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"34s"}`) + `]`, transform.ErrRateLimit, 34 * time.Second},
	{"gemini", gemini.Codec{}, 429, nil, google(quotaFailure("GenerateRequestsPerMinutePerProjectPerModel"), retryInfo("34s")), transform.ErrRateLimit, 34 * time.Second},
	{"gemini", gemini.Codec{}, 429, nil, google(quotaFailure("GenerateRequestsPerDayPerProjectPerModel-FreeTier"), retryInfo("5s")), transform.ErrRateLimit, day},
	{"gemini", gemini.Codec{}, 429, nil, google(quotaFailure("InputTokensPerModelPerMinute", "InputTokensPerModelPerDay")), transform.ErrRateLimit, day},
	{"gemini", gemini.Codec{}, 429, nil, google(quotaFailure("GenerateRequestsPerDay"), retryInfo("41400s")), transform.ErrRateLimit, 11*time.Hour + 30*minute},
	{"gemini-compat", openai.Codec{}, 429, nil, `[` + google(quotaFailure("GenerateRequestsPerDayPerProject"), retryInfo("5s")) + `]`, transform.ErrRateLimit, day},
	{"gemini-compat", openai.Codec{}, 429, nil, google(retryInfo("5s")), transform.ErrRateLimit, 5 * time.Second},
	{"gemini", gemini.Codec{}, 429, nil, `{"error":{"code":429,"message":"Your prepayment credits are used up.","status":"RESOURCE_EXHAUSTED"}}`, transform.ErrQuota, 0},
	{"gemini", gemini.Codec{}, 403, nil, `{"error":{"code":403,"message":"m","status":"PERMISSION_DENIED","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"BILLING_DISABLED"}]}}`, transform.ErrQuota, 0},
	{"gemini", gemini.Codec{}, 503, nil, `{"error":{"code":503,"message":"m","status":"UNAVAILABLE"}}`, transform.ErrOverloaded, 0},
	// Bedrock
	{"bedrock", converse.Codec{}, 429, amazon("ThrottlingException:http://internal.amazon.com/coral/com.amazon.bedrock/"), `{"message":"Too many tokens, please wait before trying again."}`, transform.ErrRateLimit, 0},
	{"bedrock", anthropic.Codec{}, 429, amazon("ThrottlingException"), `{"message":"Too many tokens per day, please wait before trying again."}`, transform.ErrRateLimit, day},
	{"bedrock", converse.Codec{}, 429, http.Header{"X-Amz-Retry-After": {"800"}}, `{"message":"Too many tokens per day, please wait before trying again."}`, transform.ErrRateLimit, day},
	{"bedrock", converse.Codec{}, 429, http.Header{"X-Amz-Retry-After": {"800"}}, `{"message":"m"}`, transform.ErrRateLimit, 800 * time.Millisecond},
	{"bedrock", converse.Codec{}, 400, amazon("ThrottlingException"), `{"message":"m"}`, transform.ErrRateLimit, 0},
	{"bedrock", anthropic.Codec{}, 400, amazon("ServiceQuotaExceededException:"), `{"message":"m"}`, transform.ErrQuota, 0},
	{"bedrock", anthropic.Codec{}, 429, amazon("com.amazon#ModelNotReadyException"), `{"message":"m"}`, transform.ErrOverloaded, 0},
	{"bedrock", converse.Codec{}, 408, amazon("ModelTimeoutException"), `{"message":"m"}`, transform.ErrTimeout, 0},
	{"bedrock", anthropic.Codec{}, 424, amazon("ModelErrorException"), `{"message":"m"}`, transform.ErrUpstream, 0},
	{"bedrock", converse.Codec{}, 403, amazon("UnrecognizedClientException"), `{"message":"m"}`, transform.ErrAuthentication, 0},
	{"bedrock", converse.Codec{}, 403, amazon("AccessDeniedException"), `{"message":"The security token is invalid."}`, transform.ErrAuthentication, 0},
	{"bedrock", converse.Codec{}, 400, amazon("ValidationException"), `{"message":"m"}`, transform.ErrBadRequest, 0},
	// OpenRouter
	{"openrouter", openai.Codec{}, 402, nil, `{"error":{"message":"You need more credits, or fewer max_tokens.","code":402,"metadata":{"provider_name":null}}}`, transform.ErrQuota, 0},
	{"openrouter", openai.Codec{}, 429, nil, `{"error":{"message":"Too many for free-models-per-day. Add 10 credits.","code":429,"metadata":{"headers":{"X-RateLimit-Limit":"50","X-RateLimit-Remaining":"0","X-RateLimit-Reset":"946706400000"}}}}`, transform.ErrRateLimit, 6 * time.Hour},
	{"openrouter", openai.Codec{}, 429, nil, `{"error":{"message":"Too many for free-models-per-day.","code":429,"metadata":{"headers":{"X-RateLimit-Reset":"5"}}}}`, transform.ErrRateLimit, day},
	{"openrouter", openai.Codec{}, 429, nil, `{"error":{"message":"Provider returned error","code":429,"metadata":{"raw":"{\"error\":{\"code\":429,\"message\":\"m\",\"details\":[{\"@type\":\"RetryInfo\"},{\"@type\":\"a.RetryInfo\",\"retryDelay\":\"7s\"}]}}"}}}`, transform.ErrRateLimit, 7 * time.Second},
	// The others
	{"deepseek", openai.Codec{}, 402, nil, `{"error":{"message":"Insufficient Balance","type":"unknown_error","param":null,"code":"invalid_request_error"}}`, transform.ErrQuota, 0},
	{"groq", openai.Codec{}, 429, http.Header{"Retry-After": {"432"}}, `{"error":{"message":"Over tokens per day (TPD). Please try again in 7m12s.","type":"tokens","code":"rate_limit_exceeded"}}`, transform.ErrRateLimit, 432 * time.Second},
	{"groq", openai.Codec{}, 413, nil, `{"error":{"message":"Too large for tokens per minute","type":"tokens","code":"rate_limit_exceeded"}}`, transform.ErrRateLimit, 0},
	{"groq", openai.Codec{}, 498, nil, `{"error":{"message":"m","type":"capacity"}}`, transform.ErrOverloaded, 0},
	{"mistral", openai.Codec{}, 429, nil, `{"message":"m"}`, transform.ErrRateLimit, 0},
	{"mistral", openai.Codec{}, 429, nil, `{"object":"error","message":"m","type":"rate_limited","param":null,"code":"1300","raw_status_code":429}`, transform.ErrRateLimit, 0},
	{"mistral", openai.Codec{}, 429, nil, `{"object":"error","message":"The capacity is exceeded.","type":"invalid_request_error","param":null,"code":null}`, transform.ErrRateLimit, 0},
	{"cerebras", openai.Codec{}, 429, nil, `{"message":"m","type":"too_many_requests_error","param":"quota","code":"request_quota_exceeded"}`, transform.ErrRateLimit, 0},
	{"xai", openai.Codec{}, 403, nil, `{"code":"The caller may not","error":"Your team has used all available credits or reached its monthly spending limit."}`, transform.ErrQuota, 0},
	{"xai", responses.Codec{}, 429, nil, `{"code":"Exhausted","error":"Your new team doesn't have any credits yet."}`, transform.ErrQuota, 0},
	{"fireworks", openai.Codec{}, 412, nil, `{"error":{"message":"The account is suspended, possibly for its spending limit.","code":"PRECONDITION_FAILED"}}`, transform.ErrQuota, 0},
	{"cloudflare", openai.Codec{}, 429, nil, `{"errors":[{"code":4006,"message":"you have used up your daily free allocation"}]}`, transform.ErrQuota, 0},
	{"dashscope", openai.Codec{}, 400, nil, `{"error":{"message":"m","type":"Arrearage","code":"Arrearage"}}`, transform.ErrQuota, 0},
	{"moonshot", openai.Codec{}, 429, nil, `{"error":{"message":"m","type":"exceeded_current_quota_error"}}`, transform.ErrQuota, 0},
	{"moonshot", openai.Codec{}, 429, nil, `{"error":{"message":"m","type":"rate_limit_reached_error"}}`, transform.ErrRateLimit, 0},
	{"cohere", cohere.Codec{}, 429, nil, `{"message":"A trial key has 1000 API calls / month."}`, transform.ErrQuota, 0},
	{"cohere", cohere.Codec{}, 429, nil, `{"message":"A trial key has 20 API calls / minute."}`, transform.ErrRateLimit, 0},
	{"ollama", ollama.Codec{}, 429, nil, `{"error":"you are over your weekly usage limit"}`, transform.ErrRateLimit, day},
	{"ollama", ollama.Codec{}, 503, nil, `{"error":"server busy, please try again"}`, transform.ErrOverloaded, 0},
}

func google(details ...string) string {
	text := `{"error":{"code":429,"message":"m","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.Help"}`
	for _, detail := range details {
		text += "," + detail
	}
	return text + "]}}"
}

func retryInfo(delay string) string {
	return `{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"` + delay + `"}`
}

func quotaFailure(ids ...string) string {
	text := ""
	for _, id := range ids {
		text += `,{"quotaMetric":"m","quotaId":"` + id + `","quotaDimensions":{"model":"m"}}`
	}
	return `{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[` + text[1:] + `]}`
}

func amazon(typ string) http.Header { return http.Header{"X-Amzn-Errortype": {typ}} }

func TestFailuresAreClassified(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // time starts at midnight of 2000-01-01
		for _, test := range failures {
			endpoint := Endpoint{Codec: test.codec}
			e := endpoint.DecodeError(test.status, test.header, []byte(test.body), time.Now())
			if e.Kind != test.kind || e.RetryAfter != test.wait {
				t.Errorf("%s %d %s\ngot kind %d, wait %v; want %d, %v", test.provider, test.status, test.body, e.Kind, e.RetryAfter, test.kind, test.wait)
			}
		}
	})
}

// fallback_on context_length and content_filter go by these.
func TestPromptsThatAreTooLongOrRefusedAreRecognized(t *testing.T) {
	chat := func(message, typ, code string) string {
		return `{"error":{"message":` + quote(message) + `,"type":` + quote(typ) + `,"param":null,"code":` + quote(code) + `}}`
	}
	for _, test := range []struct {
		provider string
		codec    transform.ProviderCodec
		status   int
		body     string
		kind     transform.ErrorKind
	}{
		{"openai", openai.Codec{}, 400, chat("m", "invalid_request_error", "context_length_exceeded"), transform.ErrContextLength},
		{"openai", responses.Codec{}, 400, chat("The input exceeds the context window of this model.", "invalid_request_error", ""), transform.ErrContextLength},
		{"deepseek", openai.Codec{}, 400, chat("The model's maximum context length is 5 tokens.", "invalid_request_error", "invalid_request_error"), transform.ErrContextLength},
		{"xai", openai.Codec{}, 400, `{"code":"Bad","error":"The maximum prompt length is 5 but the request has 9 tokens."}`, transform.ErrContextLength},
		{"groq", openai.Codec{}, 400, chat("Please reduce the length of the messages or completion.", "invalid_request_error", "context_length_exceeded"), transform.ErrContextLength},
		{"mistral", openai.Codec{}, 400, `{"object":"error","message":"Prompt contains 9 tokens, too large for model with 5 maximum context length","type":"invalid_request_error","code":"3051"}`, transform.ErrContextLength},
		{"cerebras", openai.Codec{}, 400, `{"message":"Current length is 9 while limit is 5","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}`, transform.ErrContextLength},
		{"github", openai.Codec{}, 413, chat("Body too large for model. Max size: 5 tokens.", "", "tokens_limit_reached"), transform.ErrContextLength},
		{"moonshot", openai.Codec{}, 400, chat("Your request exceeded model token limit: 5", "invalid_request_error", ""), transform.ErrContextLength},
		{"zai", openai.Codec{}, 400, chat("Prompt exceeds max length", "", "1261"), transform.ErrContextLength},
		{"dashscope", openai.Codec{}, 400, chat("Range of input length should be [1, 5]", "invalid_request_error", "invalid_parameter_error"), transform.ErrContextLength},
		{"together", openai.Codec{}, 422, chat("`inputs` tokens + `max_new_tokens` must be <= 5", "invalid_request_error", ""), transform.ErrContextLength},
		{"gemini-compat", openai.Codec{}, 400, `[{"error":{"code":400,"message":"The input token count (9) exceeds the maximum number of tokens allowed (5).","status":"INVALID_ARGUMENT"}}]`, transform.ErrContextLength},
		{"vllm", openai.Codec{}, 400, `{"object":"error","message":"This model's maximum context length is 5 tokens.","type":"BadRequestError","param":null,"code":400}`, transform.ErrContextLength},
		{"vllm", openai.Codec{}, 400, `{"error":{"message":"The decoder prompt (length 9) is longer than the maximum model length of 5.","type":"BadRequestError","code":400}}`, transform.ErrContextLength},
		{"sglang", openai.Codec{}, 400, `{"object":"error","message":"The input (9 tokens) is longer than the model's context length (5 tokens).","type":"BadRequestError","code":400}`, transform.ErrContextLength},
		{"llamacpp", openai.Codec{}, 400, `{"error":{"code":400,"message":"m","type":"exceed_context_size_error","n_ctx":5}}`, transform.ErrContextLength},
		{"lmstudio", openai.Codec{}, 400, `{"error":"Cannot truncate prompt with n_keep (9) >= n_ctx (5)"}`, transform.ErrContextLength},
		{"openrouter", openai.Codec{}, 400, `{"error":{"message":"Provider returned error","code":400,"metadata":{"raw":"{\"error\":{\"message\":\"prompt is too long: 9 tokens > 5 maximum\"}}"}}}`, transform.ErrContextLength},
		{"anthropic", anthropic.Codec{}, 400, `{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 9 tokens > 5 maximum"}}`, transform.ErrContextLength},
		{"anthropic", anthropic.Codec{}, 400, "{\"error\":{\"type\":\"invalid_request_error\",\"message\":\"input length and `max_tokens` exceed context limit: 9 + 1 > 5\"}}", transform.ErrContextLength},
		{"bedrock", anthropic.Codec{}, 400, `{"message":"Input is too long for requested model."}`, transform.ErrContextLength},
		{"bedrock", converse.Codec{}, 400, `{"message":"Input is too long for requested model."}`, transform.ErrContextLength},
		{"bedrock", converse.Codec{}, 400, `{"message":"Input Tokens Exceeded: too many"}`, transform.ErrContextLength},
		{"gemini", gemini.Codec{}, 400, `{"error":{"code":400,"message":"The input token count (9) exceeds the maximum number of tokens allowed (5).","status":"INVALID_ARGUMENT"}}`, transform.ErrContextLength},
		{"vertex", gemini.Codec{}, 400, `{"error":{"code":400,"message":"the input token count is 9 but model only supports up to 5","status":"INVALID_ARGUMENT"}}`, transform.ErrContextLength},
		{"cohere", cohere.Codec{}, 400, `{"message":"too many tokens: total is 9, at most 5"}`, transform.ErrContextLength},
		{"ollama", ollama.Codec{}, 400, `{"error":"the input length exceeds the context length"}`, transform.ErrContextLength},
		{"ollama", ollama.Codec{}, 400, `{"error":"prompt too long; exceeded max context length by 4 tokens"}`, transform.ErrContextLength},

		{"openai", openai.Codec{}, 400, chat("m", "invalid_request_error", "content_policy_violation"), transform.ErrContentPolicy},
		{"openai", openai.Codec{}, 400, chat("Your request was rejected by our safety system.", "invalid_request_error", ""), transform.ErrContentPolicy},
		{"openai", responses.Codec{}, 400, chat("Your prompt may be violating our usage policy.", "invalid_request_error", "invalid_prompt"), transform.ErrContentPolicy},
		{"azure_openai", openai.Codec{}, 400, `{"error":{"message":"m","type":null,"param":"prompt","code":"content_filter","status":400,"innererror":{"code":"ResponsibleAIPolicyViolation","content_filter_result":{"hate":{"filtered":true,"severity":"high"}}}}}`, transform.ErrContentPolicy},
		{"azure_openai", openai.Codec{}, 400, `{"error":{"message":"m","code":null,"inner_error":{"code":"ResponsibleAIPolicyViolation","content_filter_results":{}}}}`, transform.ErrContentPolicy},
		{"azure_openai", openai.Codec{}, 400, chat("The prompt triggered the content management policy.", "", ""), transform.ErrContentPolicy},
		{"xai", openai.Codec{}, 403, `{"code":"The caller may not","error":"Content violates usage guidelines."}`, transform.ErrContentPolicy},
		{"openrouter", openai.Codec{}, 403, `{"error":{"code":403,"message":"This model is moderated. Your input was flagged. No credits were charged.","metadata":{"reasons":["violence"],"flagged_input":"x"}}}`, transform.ErrContentPolicy},
		{"openrouter", openai.Codec{}, 403, `{"error":{"code":403,"message":"Provider returned error","metadata":{"raw":"{\"error\":\"Content violates usage guidelines.\"}"}}}`, transform.ErrContentPolicy},
		{"deepseek", openai.Codec{}, 400, chat("Content Exists Risk", "invalid_request_error", "invalid_request_error"), transform.ErrContentPolicy},
		{"moonshot", openai.Codec{}, 400, chat("m", "content_filter", ""), transform.ErrContentPolicy},
		{"dashscope", openai.Codec{}, 400, chat("m", "data_inspection_failed", "data_inspection_failed"), transform.ErrContentPolicy},
		{"zai", openai.Codec{}, 400, chat("The input holds unsafe or sensitive content.", "", "1301"), transform.ErrContentPolicy},
		{"anthropic", anthropic.Codec{}, 400, `{"type":"error","error":{"type":"invalid_request_error","message":"Output blocked by content filtering policy"}}`, transform.ErrContentPolicy},
		{"bedrock", converse.Codec{}, 400, `{"message":"The text has been blocked by our content filters."}`, transform.ErrContentPolicy},
		{"vertex", gemini.Codec{}, 400, `{"error":{"code":400,"message":"The prompt violates Google's Responsible AI practices.","status":"INVALID_ARGUMENT"}}`, transform.ErrContentPolicy},
		{"cohere", cohere.Codec{}, 498, `{"message":"blocked"}`, transform.ErrContentPolicy},

		// What only sounds like it.
		{"openai", openai.Codec{}, 500, chat("The maximum context length could not be determined.", "server_error", ""), transform.ErrUpstream},
		{"openai", openai.Codec{}, 400, chat("max_tokens is too large: 9.", "invalid_request_error", "invalid_value"), transform.ErrBadRequest},
		{"openai", openai.Codec{}, 403, chat("You may not sample from this model.", "invalid_request_error", ""), transform.ErrPermission},
		{"anthropic", anthropic.Codec{}, 413, `{"error":{"type":"request_too_large","message":"m"}}`, transform.ErrTooLarge},
		{"anthropic", anthropic.Codec{}, 400, `{"error":{"type":"invalid_request_error","message":"max_tokens: 9 > 5, which is the most that this model writes"}}`, transform.ErrBadRequest},
	} {
		endpoint := Endpoint{Codec: test.codec}
		if e := endpoint.DecodeError(test.status, nil, []byte(test.body), time.Now()); e.Kind != test.kind {
			t.Errorf("%s %d %s\ngot kind %d, want %d", test.provider, test.status, test.body, e.Kind, test.kind)
		}
	}
}
