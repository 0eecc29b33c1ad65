package anthropic

import (
	"testing"

	"github.com/caddyllm/llmproxy/transform"
)

func TestErrorsAreWrittenLikeAnthropics(t *testing.T) {
	for _, test := range []struct {
		name   string
		e      transform.Error
		status int
		body   string
	}{
		{"bad request", transform.Error{Kind: transform.ErrBadRequest, Message: "m", Param: "p"}, 400, `{"type":"invalid_request_error","message":"m"}`},
		{"code", transform.Error{Kind: transform.ErrPermission, Code: "model_not_allowed", Message: "m"}, 403, `{"type":"permission_error","message":"m","details":{"error_code":"model_not_allowed"}}`},
		{"context", transform.Error{Kind: transform.ErrContextLength, Message: "maximum context length is 5"}, 400, `{"type":"invalid_request_error","message":"prompt is too long: maximum context length is 5"}`},
		{"context in Anthropic's words", transform.Error{Kind: transform.ErrContextLength, Message: "Prompt is too long: 6 > 5"}, 400, `{"type":"invalid_request_error","message":"Prompt is too long: 6 > 5"}`},
		{"key", transform.Error{Kind: transform.ErrAuthentication, Message: "Invalid API key."}, 401, `{"type":"authentication_error","message":"Invalid API key."}`},
		{"budget", transform.Error{Kind: transform.ErrQuota, Message: "m"}, 429, `{"type":"rate_limit_error","message":"m"}`},
		{"model that the provider calls a bad request", transform.Error{Kind: transform.ErrNotFound, Status: 400, Message: "m"}, 400, `{"type":"invalid_request_error","message":"m"}`},
		{"billing", transform.Error{Kind: transform.ErrQuota, Status: 402, Message: "m"}, 402, `{"type":"billing_error","message":"m"}`},
		{"credit", transform.Error{Kind: transform.ErrQuota, Status: 400, Message: "m"}, 400, `{"type":"invalid_request_error","message":"m"}`},
		{"not found", transform.Error{Kind: transform.ErrNotFound, Message: "m"}, 404, `{"type":"not_found_error","message":"m"}`},
		{"conflict", transform.Error{Kind: transform.ErrConflict, Message: "m"}, 409, `{"type":"conflict_error","message":"m"}`},
		{"too large", transform.Error{Kind: transform.ErrTooLarge, Message: "m"}, 413, `{"type":"request_too_large","message":"m"}`},
		{"rate", transform.Error{Kind: transform.ErrRateLimit, Type: "tokens", Message: "m"}, 429, `{"type":"rate_limit_error","message":"m"}`},
		{"timeout", transform.Error{Kind: transform.ErrTimeout, Message: "m"}, 504, `{"type":"timeout_error","message":"m"}`},
		{"upstream", transform.Error{Kind: transform.ErrUpstream, Message: "m"}, 502, `{"type":"api_error","message":"m"}`},
		{"upstream's 200", transform.Error{Kind: transform.ErrUpstream, Status: 200}, 502, `{"type":"api_error","message":"the request failed"}`},
		{"overloaded", transform.Error{Kind: transform.ErrOverloaded, Message: "m"}, 529, `{"type":"overloaded_error","message":"m"}`},
		{"529", transform.Error{Kind: transform.ErrOverloaded, Status: 529, Message: "m"}, 529, `{"type":"overloaded_error","message":"m"}`},
		{"503", transform.Error{Kind: transform.ErrUpstream, Status: 503, Message: "m"}, 529, `{"type":"overloaded_error","message":"m"}`},
		{"of tomorrow", transform.Error{Kind: 200, Status: 418, Message: "m"}, 418, `{"type":"api_error","message":"m"}`},
	} {
		if got := (Codec{}).Status(&test.e); got != test.status {
			t.Errorf("%s: status %d", test.name, got)
		}
		body := Codec{}.AppendError(nil, &test.e, "req_1")
		wantText(t, test.name, body, `{"type":"error","error":`+test.body+`,"request_id":"req_1"}`)
		if !(Codec{}).IsError(body) {
			t.Errorf("%s: not readable", test.name)
		}
	}
	wantText(t, "in a stream", Codec{}.AppendStreamError(nil, &transform.Error{Kind: transform.ErrUpstream, Message: "m\n"}, ""),
		"event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"m\\n\"},\"request_id\":null}\n\n")
}

func TestErrorsThatClientsCannotRead(t *testing.T) {
	for _, body := range []string{``, `{}`, `[]`, `{"error":{"type":"request_too_large","message":"m"}}`, `{"type":"error","error":"m"}`, `{"type":"error","error":{"message":"m"}}`, `{"type":"error","error":{"type":"t"}}`, `{"type":"error","error":{"type":"t","message":"m"}`} {
		if (Codec{}).IsError([]byte(body)) {
			t.Errorf("%s is one", body)
		}
	}
}
