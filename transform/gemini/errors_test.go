package gemini

import (
	"strings"
	"testing"
	"time"

	"github.com/caddyllm/llmproxy/transform"
)

func TestDecodeError(t *testing.T) {
	body := func(code, status, message, details string) string {
		return `{"error":{"code":` + code + `,"message":"` + message + `","status":"` + status + `","details":[` + details + `]}}`
	}
	const tooMany = "You exceeded your current quota.\\nPlease retry in 48.939935699s."
	for _, test := range []struct {
		name       string
		status     int
		body       string
		kind       transform.ErrorKind
		retryAfter time.Duration
		message    string
	}{
		{"bad request", 400, body("400", "INVALID_ARGUMENT", "contents are missing", ""), transform.ErrBadRequest, 0, "contents are missing"},
		{"bad key", 400, body("400", "INVALID_ARGUMENT", "no", `{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"API_KEY_INVALID"}`), transform.ErrAuthentication, 0, "no"},
		{"bad key by its message", 400, body("400", "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.", ""), transform.ErrAuthentication, 0, ""},
		{"old key", 400, body("400", "INVALID_ARGUMENT", "API key expired. Please renew the API key.", ""), transform.ErrAuthentication, 0, ""},
		{"too long", 400, body("400", "INVALID_ARGUMENT", "The input token count (3475108) exceeds the maximum number of tokens allowed (1048576).", ""), transform.ErrContextLength, 0, ""},
		{"too long on Vertex", 400, body("400", "INVALID_ARGUMENT", "Unable to submit request because the input token count is 5 but model only supports up to 4. Reduce the input token count and try again.", ""), transform.ErrContextLength, 0, ""},
		{"too large", 400, body("400", "INVALID_ARGUMENT", "Request payload size exceeds the limit: 20971520 bytes.", ""), transform.ErrTooLarge, 0, ""},
		{"no billing", 400, body("400", "FAILED_PRECONDITION", "Please enable billing on the project.", ""), transform.ErrQuota, 0, ""},
		{"wrong place", 400, body("400", "FAILED_PRECONDITION", "User location is not supported for the API use.", ""), transform.ErrPermission, 0, ""},
		{"precondition", 400, body("400", "FAILED_PRECONDITION", "x", ""), transform.ErrBadRequest, 0, ""},
		{"token", 401, body("401", "UNAUTHENTICATED", "x", ""), transform.ErrAuthentication, 0, ""},
		{"forbidden", 403, body("403", "PERMISSION_DENIED", "x", ""), transform.ErrPermission, 0, ""},
		{"model", 404, body("404", "NOT_FOUND", "models/x is not found", ""), transform.ErrNotFound, 0, "models/x is not found"},
		{"conflict", 409, body("409", "ABORTED", "x", ""), transform.ErrConflict, 0, ""},
		{"rate", 429, body("429", "RESOURCE_EXHAUSTED", "slow", `{"@type":"type.googleapis.com/google.rpc.Help"},{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"48s"}`), transform.ErrRateLimit, 48 * time.Second, "slow"},
		{"rate by its message", 429, body("429", "RESOURCE_EXHAUSTED", tooMany, ""), transform.ErrRateLimit, 48939935699, ""},
		{"rate, absurd", 429, body("429", "RESOURCE_EXHAUSTED", "x", `{"@type":"google.rpc.RetryInfo","retryDelay":"999999999s"}`), transform.ErrRateLimit, 0, ""},
		{"rate, negative", 429, body("429", "RESOURCE_EXHAUSTED", "x", `{"@type":"google.rpc.RetryInfo","retryDelay":"-5s"}`), transform.ErrRateLimit, 0, ""},
		{"rate in an array", 429, `[` + body("429", "RESOURCE_EXHAUSTED", "slow", "") + `]`, transform.ErrRateLimit, 0, "slow"},
		{"internal", 500, body("500", "INTERNAL", "x", ""), transform.ErrUpstream, 0, ""},
		{"overloaded", 503, body("503", "UNAVAILABLE", "x", ""), transform.ErrOverloaded, 0, ""},
		{"late", 504, body("504", "DEADLINE_EXCEEDED", "x", ""), transform.ErrTimeout, 0, ""},
		{"cancelled", 499, body("499", "CANCELLED", "x", ""), transform.ErrCancelled, 0, ""},
		{"not built", 501, body("501", "UNIMPLEMENTED", "x", ""), transform.ErrUnimplemented, 0, ""},
		{"new status", 429, body("429", "SOMETHING", "x", ""), transform.ErrRateLimit, 0, ""},
		{"a string", 401, `{"error":"invalid_grant","error_description":"x"}`, transform.ErrAuthentication, 0, "invalid_grant"},
		{"HTML", 502, "<html><body>Bad Gateway at 10.0.0.1</body></html>", transform.ErrUpstream, 0, "the provider answered with status 502 and no reason"},
		{"empty", 503, "", transform.ErrOverloaded, 0, "the provider answered with status 503 and no reason"},
		{"something else", 418, `{"message":"x"}`, transform.ErrBadRequest, 0, "the provider answered with status 418 and no reason"},
		{"empty array", 500, `[]`, transform.ErrUpstream, 0, ""},
		{"null", 500, `{"error":null}`, transform.ErrUpstream, 0, ""},
		{"odd kinds", 500, `{"error":{"code":"x","message":5,"status":[],"details":{"a":1}}}`, transform.ErrUpstream, 0, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := Codec{}.DecodeError(test.status, []byte(test.body))
			if e.Kind != test.kind || e.RetryAfter != test.retryAfter || e.Status != test.status || e.Message == "" {
				t.Errorf("%+v", e)
			}
			if test.message != "" && e.Message != test.message {
				t.Errorf("message %q", e.Message)
			}
		})
	}
}

func TestErrorsAreScrubbed(t *testing.T) {
	e := Codec{}.DecodeError(403, []byte(`{"error":{"message":"key AIzaSyA1234567890abcdefghijklmnopqrstuv at https://generativelanguage.googleapis.com/v1","status":"PERMISSION_DENIED"}}`))
	if strings.Contains(e.Message, "AIza") || strings.Contains(e.Message, "googleapis") {
		t.Errorf("message %q", e.Message)
	}
	if e.Type != "PERMISSION_DENIED" {
		t.Errorf("type %q", e.Type)
	}
}
