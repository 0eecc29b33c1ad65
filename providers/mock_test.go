package providers_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyllm/llmproxy/providers"
)

// mockCall asks the mock provider, which answers without a network.
func mockCall(t *testing.T, ctx context.Context, p providers.Provider, body string) (status int, answer string, err error) {
	t.Helper()
	endpoint := p.Chat(providers.Call{Model: "x"})
	if !strings.Contains(body, `"messages"`) {
		endpoint = p.(providers.Embedder).Embeddings(providers.Call{Model: "x"})
	}
	r := (&http.Request{Method: http.MethodPost, URL: endpoint.URL, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}).WithContext(ctx)
	response, err := p.Base().Transport().RoundTrip(r)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	read, err := io.ReadAll(response.Body)
	return response.StatusCode, string(read), err
}

const mockMessages = `"messages":[{"role":"user","content":"first"},{"role":"assistant","content":"x"},{"role":"user","content":[{"type":"text","text":"say \u00e9 "},{"type":"text","text":"again"}]}]`

func TestMockModels(t *testing.T) {
	p := mustLoad(t, "mock", `{}`)
	for _, test := range []struct {
		name, body string
		status     int
		want       string
		err        error
	}{
		{"echo", `{"model":"echo",` + mockMessages + `}`, 200, `"content":"say \u00e9 again"`, nil},
		{"nothing to repeat", `{"model":"echo","messages":[{"role":"system","content":"x"}]}`, 200, `"content":"You said nothing."`, nil},
		{"stream", `{"model":"echo","stream":true,` + mockMessages + `}`, 200, "data: [DONE]\n\n", nil},
		{"told to fail", `{"model":"fail-429",` + mockMessages + `}`, 429, `"rate_limit_error"`, nil},
		{"told to fail a stream", `{"model":"fail-503","stream":true,` + mockMessages + `}`, 503, `"overloaded_error"`, nil},
		{"told to fail oddly", `{"model":"fail-200",` + mockMessages + `}`, 404, "400 to 599", nil},
		{"told to fail vaguely", `{"model":"fail-often",` + mockMessages + `}`, 404, "400 to 599", nil},
		{"dying", `{"model":"die-mid-stream",` + mockMessages + `}`, 200, `"id":"chatcmpl-mock-`, io.ErrUnexpectedEOF},
		{"dying stream", `{"model":"die-mid-stream","stream":true,` + mockMessages + `}`, 200, `"content":"say `, io.ErrUnexpectedEOF},
		{"unknown", `{"model":"gpt-6",` + mockMessages + `}`, 404, "echo, slow, fail-<status> and die-mid-stream", nil},
		{"bad request", `{"model":"echo","messages":[{"role":1}]}`, 400, `"invalid_request_error"`, nil},
		{"embeddings", `{"model":"echo","input":["a","b"]}`, 200, `"object":"embedding"`, nil},
		{"bad embeddings", `{"model":"echo","input":[1]}`, 400, `"invalid_request_error"`, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			status, answer, err := mockCall(t, t.Context(), p, test.body)
			answer = strings.ReplaceAll(answer, "\u00e9", `\u00e9`)
			if status != test.status || !strings.Contains(answer, test.want) || !errors.Is(err, test.err) {
				t.Errorf("answer is %d %s (%v), want %d with %s (%v)", status, answer, err, test.status, test.want, test.err)
			}
			if test.err != nil && (strings.Contains(answer, "DONE") || strings.Contains(answer, `"finish_reason":"`)) {
				t.Errorf("what died has an end: %s", answer)
			}
			if _, again, _ := mockCall(t, t.Context(), p, test.body); strings.ReplaceAll(again, "\u00e9", `\u00e9`) != answer {
				t.Errorf("the same request got another answer: %s", again)
			}
		})
	}
}

func TestMockListsModelsThatItHas(t *testing.T) {
	p := mustLoad(t, "mock", `{}`)
	for _, model := range p.(providers.ModelLister).ListModels() {
		synctest.Test(t, func(t *testing.T) {
			if status, _, _ := mockCall(t, t.Context(), p, `{"model":"`+model+`",`+mockMessages+`}`); status == 404 {
				t.Errorf("there is no model %s", model)
			}
		})
	}
}

func TestMockVectorsDependOnTheTextAlone(t *testing.T) {
	p := mustLoad(t, "mock", `{}`)
	vectors := func(body string) (list []string, length int) {
		t.Helper()
		_, answer, err := mockCall(t, t.Context(), p, body)
		var read struct {
			Data []struct{ Embedding []float64 }
		}
		if err != nil || json.Unmarshal([]byte(answer), &read) != nil {
			t.Fatalf("answer is %s (%v)", answer, err)
		}
		for _, d := range read.Data {
			text, _ := json.Marshal(d.Embedding)
			list, length = append(list, string(text)), len(d.Embedding)
		}
		return list, length
	}
	one, length := vectors(`{"model":"echo","input":["a","b","a"]}`)
	if len(one) != 3 || length != 8 || one[0] != one[2] || one[0] == one[1] {
		t.Errorf("vectors are %s", one)
	}
	other, length := vectors(`{"model":"echo","input":"b","dimensions":16}`)
	if length != 16 || !strings.HasPrefix(other[0], strings.TrimSuffix(one[1], "]")) {
		t.Errorf("vectors are %s", other)
	}
}

func TestSlowMockTakesItsTimeAndCanBeStopped(t *testing.T) {
	p := mustLoad(t, "mock", `{}`)
	const body = `{"model":"slow","stream":true,` + mockMessages + `}`
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		if _, answer, err := mockCall(t, t.Context(), p, body); err != nil || !strings.Contains(answer, "[DONE]") {
			t.Errorf("answer is %s (%v)", answer, err)
		}
		if took := time.Since(start); took < 2*time.Second || took > 10*time.Second {
			t.Errorf("it took %v", took)
		}
		for _, after := range []time.Duration{time.Second, 2100 * time.Millisecond} { // before the answer, and within
			ctx, cancel := context.WithTimeout(t.Context(), after)
			start := time.Now()
			if _, answer, err := mockCall(t, ctx, p, body); !errors.Is(err, context.DeadlineExceeded) || strings.Contains(answer, "[DONE]") {
				t.Errorf("answer is %s (%v)", answer, err)
			}
			if took := time.Since(start); took != after {
				t.Errorf("it was stopped after %v, and ended after %v", after, took)
			}
			cancel()
		}
	})
}
