package anthropic

import (
	"testing"

	"github.com/caddyllm/llmproxy/transform"
)

func TestDecodeError(t *testing.T) {
	for _, test := range []struct {
		name    string
		status  int
		body    string
		kind    transform.ErrorKind
		code    string
		typ     string
		message string
	}{
		{"bad request", 400, `{"type":"error","error":{"type":"invalid_request_error","message":"max_tokens: Field required"},"request_id":null}`,
			transform.ErrBadRequest, "", "invalid_request_error", "max_tokens: Field required"},
		{"too long", 400, `{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 2 tokens > 1 maximum"}}`,
			transform.ErrContextLength, "", "invalid_request_error", "prompt is too long: 2 tokens > 1 maximum"},
		{"too long with the answer", 400, `{"type":"error","error":{"type":"invalid_request_error","message":"input length and max_tokens exceed context limit: 1 + 2 > 2"}}`,
			transform.ErrContextLength, "", "invalid_request_error", "input length and max_tokens exceed context limit: 1 + 2 > 2"},
		{"too long on Bedrock", 400, `{"message":"Input is too long for requested model."}`, transform.ErrContextLength, "", "", "Input is too long for requested model."},
		{"blocked", 400, `{"type":"error","error":{"type":"invalid_request_error","message":"Output blocked by content filtering policy"}}`,
			transform.ErrContentPolicy, "", "invalid_request_error", "Output blocked by content filtering policy"},
		{"no money", 400, `{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low"}}`,
			transform.ErrQuota, "", "invalid_request_error", "Your credit balance is too low"},
		{"billing", 402, `{"type":"error","error":{"type":"billing_error","message":"pay"}}`, transform.ErrQuota, "", "billing_error", "pay"},
		{"spend limit", 429, `{"type":"error","error":{"type":"rate_limit_error","message":"stop","details":{"error_code":"enforced_spend_limit_reached"}}}`,
			transform.ErrQuota, "enforced_spend_limit_reached", "rate_limit_error", "stop"},
		{"rate limit", 429, `{"type":"error","error":{"type":"rate_limit_error","message":"slow down","details":null}}`, transform.ErrRateLimit, "", "rate_limit_error", "slow down"},
		{"auth", 401, `{"type":"error","error":{"type":"authentication_error","message":"invalid x-api-key"}}`, transform.ErrAuthentication, "", "authentication_error", "invalid x-api-key"},
		{"permission", 403, `{"type":"error","error":{"type":"permission_error","message":"no"}}`, transform.ErrPermission, "", "permission_error", "no"},
		{"model", 404, `{"type":"error","error":{"type":"not_found_error","message":"model: x"}}`, transform.ErrNotFound, "model_not_found", "not_found_error", "model: x"},
		{"path", 404, `{"type":"error","error":{"type":"not_found_error","message":"Not Found"}}`, transform.ErrNotFound, "", "not_found_error", "Not Found"},
		{"conflict", 409, `{"type":"error","error":{"type":"conflict_error","message":"c"}}`, transform.ErrConflict, "", "conflict_error", "c"},
		{"edge-made", 413, `{"error":{"type":"request_too_large","message":"too large"}}`, transform.ErrTooLarge, "", "request_too_large", "too large"},
		{"server", 500, `{"type":"error","error":{"type":"api_error","message":"oops"}}`, transform.ErrUpstream, "", "api_error", "oops"},
		{"timeout", 504, `{"type":"error","error":{"type":"timeout_error","message":"t"}}`, transform.ErrTimeout, "", "timeout_error", "t"},
		{"overloaded", 529, `{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":null}`, transform.ErrOverloaded, "", "overloaded_error", "Overloaded"},
		{"Vertex", 429, `[{"error":{"code":429,"message":"exhausted","status":"RESOURCE_EXHAUSTED"}}]`, transform.ErrRateLimit, "", "", "exhausted"},
		{"Bedrock's model", 424, `{"message":"failed"}`, transform.ErrUpstream, "", "", "failed"},
		{"Foundry's gateway", 404, `{"statusCode":404,"message":"Resource not found"}`, transform.ErrNotFound, "", "", "Resource not found"},
		{"text", 400, `{"error":"bad"}`, transform.ErrBadRequest, "", "", "bad"},
		{"detail", 503, `{"detail":"down"}`, transform.ErrOverloaded, "", "", "down"},
		{"html", 502, "<html>\x00</html>", transform.ErrUpstream, "", "", "the provider answered with status 502 and did not say why"},
		{"nothing", 529, ``, transform.ErrOverloaded, "", "", "the provider answered with status 529 and did not say why"},
		{"odd types", 500, `{"type":7,"error":[1,{"message":2}],"message":[]}`, transform.ErrUpstream, "", "", "the provider answered with status 500 and did not say why"},
	} {
		got := Codec{}.DecodeError(test.status, []byte(test.body))
		want := transform.Error{Kind: test.kind, Status: test.status, Code: test.code, Type: test.typ, Message: test.message}
		if *got != want {
			t.Errorf("%s:\n got %+v\nwant %+v", test.name, *got, want)
		}
	}
}
