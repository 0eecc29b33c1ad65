package gemini

import (
	"testing"
	"time"

	"github.com/caddyllm/llmproxy/transform"
)

func TestClientErrors(t *testing.T) {
	const info = `"details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":`
	for _, test := range []struct {
		err    transform.Error
		status int
		want   string
	}{
		{transform.Error{Kind: transform.ErrBadRequest, Message: `say "a"`, Param: "contents[0]"}, 400,
			`{"error":{"code":400,"message":"say \"a\"","status":"INVALID_ARGUMENT","details":[` +
				`{"@type":"type.googleapis.com/google.rpc.BadRequest","fieldViolations":[{"field":"contents[0]","description":"say \"a\""}]}]}}`},
		{transform.Error{Kind: transform.ErrRateLimit, Message: "slow", RetryAfter: 34 * time.Second, Type: "rate_limit_error"}, 429,
			`{"error":{"code":429,"message":"slow","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"34s"}]}}`},
		{transform.Error{Kind: transform.ErrOverloaded, Status: 529, Code: "overloaded_error", Message: "busy", RetryAfter: 1500 * time.Millisecond}, 503,
			`{"error":{"code":503,"message":"busy","status":"UNAVAILABLE",` + info + `"overloaded_error"},{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"1.5s"}]}}`},
		{transform.Error{Kind: transform.ErrBadRequest, Status: 400, Type: "FAILED_PRECONDITION"}, 400,
			`{"error":{"code":400,"message":"the request failed","status":"FAILED_PRECONDITION"}}`},
		{transform.Error{Kind: transform.ErrUpstream, Status: 200, Message: "x"}, 502, `{"error":{"code":502,"message":"x","status":"INTERNAL"}}`},
	} {
		if got := (Codec{}).Status(&test.err); got != test.status {
			t.Errorf("%+v: status %d", test.err, got)
		}
		got := Codec{}.AppendError(nil, &test.err, "req_1")
		if string(got) != test.want {
			t.Errorf("got\n%s\nwant\n%s", got, test.want)
		}
		if !(Codec{}).IsError(got) {
			t.Errorf("it does not know its own: %s", got)
		}
		if event := string(Codec{}.AppendStreamError(nil, &test.err, "")); event != "data: "+test.want+"\r\n\r\n" {
			t.Errorf("event %q", event)
		}
		element := append([]byte(`[{"a":1}`), Codec{Array: true}.AppendStreamError(nil, &test.err, "")...)
		if string(element) != `[{"a":1},`+"\r\n"+test.want+"\r\n]" {
			t.Errorf("element %q", element)
		}
	}
}

func TestStatusWords(t *testing.T) {
	for kind := transform.ErrInternal; kind <= transform.ErrUnimplemented; kind++ {
		e := &transform.Error{Kind: kind, Message: "m"}
		status := Codec{}.Status(e)
		back := Codec{}.DecodeError(status, Codec{}.AppendError(nil, e, ""))
		if (Codec{}).Status(back) != status || back.Type == "" {
			t.Errorf("%d: %d %+v", kind, status, back)
		}
	}
	for status, want := range map[int]string{
		401: "UNAUTHENTICATED", 402: "RESOURCE_EXHAUSTED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND", 408: "DEADLINE_EXCEEDED", 409: "ABORTED",
		413: "INVALID_ARGUMENT", 415: "INVALID_ARGUMENT", 422: "INVALID_ARGUMENT", 499: "CANCELLED", 500: "INTERNAL", 501: "UNIMPLEMENTED",
		502: "INTERNAL", 504: "DEADLINE_EXCEEDED", 599: "INTERNAL",
	} {
		if got := statusWord(status, "x"); got != want {
			t.Errorf("%d: %s", status, got)
		}
	}
}

func TestIsError(t *testing.T) {
	for body, want := range map[string]bool{
		`{"error":{"code":429,"message":"m","status":"RESOURCE_EXHAUSTED"}}`:   true,
		`[{"error":{"code":429,"message":"m","status":"RESOURCE_EXHAUSTED"}}]`: true,
		`{"error":{"status":"NOT_FOUND"}}`:                                     true,
		`{"error":{"message":"m","type":"t"}}`:                                 false,
		`{"error":"m"}`:                                                        false,
		`{"type":"error","error":{"type":"overloaded_error","message":"m"}}`:   false,
		`<html>`: false, ``: false, `[]`: false, `{"candidates":[]}`: false, `{"error":{"code":429}`: false,
	} {
		if got := (Codec{}).IsError([]byte(body)); got != want {
			t.Errorf("%s: %v", body, got)
		}
	}
}

func TestNoSignOfLife(t *testing.T) {
	if (Codec{}).Heartbeat() != nil {
		t.Error("clients of this format take none")
	}
}
