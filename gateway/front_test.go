package gateway_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/auth"
	"github.com/caddyllm/llmproxy/gateway"
	"github.com/caddyllm/llmproxy/usage"
)

// refusing is an error of a handler that asks for a status.
type refusing int

func (refusing) Error() string { return "refused" }

func refusedStatus(err error) int {
	var status refusing
	errors.As(err, &status)
	return int(status)
}

// noted keeps what was settled.
type noted struct{ records []*usage.Record }

func (*noted) Started()                                   {}
func (n *noted) Settled(_ *http.Request, r *usage.Record) { n.records = append(n.records, r) }

func TestFrontAuthenticatesCallsAndNothingElse(t *testing.T) {
	keys := []auth.Key{{ID: "app", Digests: []auth.Digest{auth.DigestOf(appKey)}}}
	for _, test := range []struct {
		method, path, key string
		status            int
		says              string
		known             string
	}{
		{"POST", "/v1/chat/completions", appKey, 200, "", "app"},
		{"POST", "/v1/chat/completions", "wrong", 401, `"message":"Invalid API key.","type":"authentication_error","param":null`, ""},
		{"POST", "/v1/chat/completions", "", 401, "API key missing", ""},
		{"POST", "/v1/messages", "wrong", 401, `{"type":"error","error":{"type":"authentication_error","message":"Invalid API key."},"request_id":"req_`, ""},
		{"POST", "/v1beta/models/m:generateContent", "wrong", 401, `"status":"UNAUTHENTICATED"`, ""},
		{"GET", "/v1/models", "wrong", 401, "Invalid API key.", ""},
		{"GET", "/v1/models", appKey, 200, "", "app"},
		{"POST", "/openai/unknown", "wrong", 401, "Invalid API key.", ""},
		{"POST", "/openai/unknown", appKey, 200, "", "app"},
		{"GET", "/health/ready", "", 200, "", ""},
		{"OPTIONS", "/v1/chat/completions", "", 200, "", ""},
		{"POST", "/elsewhere", "wrong", 200, "", ""},
	} {
		t.Run(test.method+" "+test.path+" "+test.key, func(t *testing.T) {
			who, err := auth.New(auth.Settings{Keys: keys})
			if err != nil {
				t.Fatal(err)
			}
			known, passed, seen := "", false, new(noted)
			front := gateway.Front{
				Surface: gateway.Surface{OpenAI: true, Anthropic: true, Gemini: true, Health: true}, Auth: who, Observer: seen,
				Authenticated: func(_ *http.Request, p *auth.Principal) { known = p.ID },
				Next: func(_ http.ResponseWriter, r *http.Request) error {
					passed = true
					if left := r.Header.Get("X-Api-Key"); test.known != "" && left != "" || test.known == "" && left != test.key {
						t.Errorf("the credential that goes on is %q", left)
					}
					if p, err := who.Authenticate(r); test.known != "" && (err != nil || p.ID != test.known) {
						t.Errorf("who comes after finds %v, %v", p, err)
					}
					return nil
				},
				Status: refusedStatus,
			}
			r, w := httptest.NewRequest(test.method, test.path, nil), httptest.NewRecorder()
			if test.key != "" {
				r.Header.Set("X-Api-Key", test.key)
			}
			if err := front.Serve(w, r); err != nil {
				t.Fatal(err)
			}
			if w.Code != test.status || !strings.Contains(w.Body.String(), test.says) || known != test.known || passed != (test.status == 200) {
				t.Errorf("%d %s; known: %q, passed: %v", w.Code, w.Body, known, passed)
			}
			metered := test.status == 401 && test.method == "POST" && !strings.HasSuffix(test.path, "unknown")
			if (len(seen.records) == 1) != metered || metered && (seen.records[0].Status != 401 || seen.records[0].Ending != usage.Refused) {
				t.Errorf("the records are %+v", seen.records)
			}
		})
	}
}

func TestFrontAnswersForTheHandlersBetween(t *testing.T) {
	who, err := auth.New(auth.Settings{Anonymous: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		path   string
		err    error
		header []string
		says   string
		want   int // 0: the error goes on
	}{
		{"/v1/chat/completions", refusing(429), []string{"Retry-After", "17"}, `"code":"rate_limit_exceeded"`, 429},
		{"/v1/responses", refusing(429), nil, `"code":"rate_limit_exceeded"`, 429},
		{"/v1/messages", refusing(429), []string{"Retry-After", "17"}, `"type":"rate_limit_error"`, 429},
		{"/v1beta/models/m:generateContent", refusing(429), []string{"Retry-After", "17"}, `"retryDelay":"17s"`, 429},
		{"/v1/messages", refusing(429), []string{"Retry-After", "Fri, 31 Dec 2066 23:59:59 GMT"}, `"type":"rate_limit_error"`, 429},
		{"/v1/messages", refusing(413), nil, `"type":"request_too_large"`, 413},
		{"/v1/messages", refusing(401), []string{"Www-Authenticate", "Basic realm=x"}, `"type":"authentication_error"`, 401},
		{"/v1/messages", refusing(503), nil, "", 0},
		{"/v1/messages", errors.New("else"), nil, "", 0},
		{"/elsewhere", refusing(429), nil, "", 0},
	} {
		front := gateway.Front{
			Surface: gateway.Surface{OpenAI: true, Anthropic: true, Gemini: true}, Auth: who, Observer: new(noted),
			Authenticated: func(*http.Request, *auth.Principal) {},
			Next: func(w http.ResponseWriter, _ *http.Request) error {
				for i := 0; i < len(test.header); i += 2 {
					w.Header().Set(test.header[i], test.header[i+1])
				}
				return test.err
			},
			Status: refusedStatus,
		}
		w := httptest.NewRecorder()
		err := front.Serve(w, httptest.NewRequest("POST", test.path, nil))
		if test.want == 0 {
			if !errors.Is(err, test.err) || w.Body.Len() > 0 || w.Header().Get("X-Request-Id") != "" {
				t.Errorf("%s, %v: %v, %s", test.path, test.err, err, w.Body)
			}
			continue
		}
		if err != nil || w.Code != test.want || !strings.Contains(w.Body.String(), test.says) {
			t.Errorf("%s, %v: %v, %d %s", test.path, test.err, err, w.Code, w.Body)
		}
		for i := 0; i < len(test.header); i += 2 {
			equal(t, test.header[i], w.Header().Get(test.header[i]), test.header[i+1])
		}
	}
}

func TestFrontDoesNotAnswerTwice(t *testing.T) {
	who, err := auth.New(auth.Settings{Anonymous: true})
	if err != nil {
		t.Fatal(err)
	}
	front := gateway.Front{
		Surface: gateway.Surface{OpenAI: true}, Auth: who, Observer: new(noted), Status: refusedStatus,
		Authenticated: func(*http.Request, *auth.Principal) {},
		Next: func(w http.ResponseWriter, _ *http.Request) error {
			if err := http.NewResponseController(w).Flush(); err != nil {
				t.Errorf("no flush reaches the client: %v", err)
			}
			_, _ = w.Write([]byte("begun"))
			return refusing(429)
		},
	}
	w := httptest.NewRecorder()
	if err := front.Serve(w, httptest.NewRequest("POST", "/v1/embeddings", nil)); err == nil || w.Body.String() != "begun" {
		t.Errorf("%v, %q", err, w.Body)
	}
}
