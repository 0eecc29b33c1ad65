package gateway_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/caddyllm/llmproxy/gateway"
	"github.com/caddyllm/llmproxy/internal/testllm"
	"github.com/caddyllm/llmproxy/usage"
)

func gzipped(text string) string {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, _ = io.WriteString(w, text)
	_ = w.Close()
	return out.String()
}

// zstandard is compressed as a stream of unknown length: it asks for the window
// of the compression level, however short it turns out to be.
func zstandard(text string) string {
	var out bytes.Buffer
	w, _ := zstd.NewWriter(&out)
	_, _ = io.WriteString(w, text[:len(text)/2])
	_ = w.Flush()
	_, _ = io.WriteString(w, text[len(text)/2:])
	_ = w.Close()
	return out.String()
}

// sendCoded sends a body in a coding, with its length told or in chunks.
func (g *gate) sendCoded(t *testing.T, coding, body string, chunked bool) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, g.URL+chatPath, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if chunked {
		r.ContentLength = -1
	}
	if coding != "" {
		r.Header.Set("Content-Encoding", coding)
	}
	response, err := g.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	read, err := io.ReadAll(response.Body)
	return answer{response.StatusCode, response.Header, string(read), err}
}

func TestA04BodiesAreBoundedAndDecoded(t *testing.T) {
	const limit = 64 << 10
	fits, tooMuch := string(testllm.Body("openai/x", limit)), string(testllm.Body("openai/x", limit+1))
	bomb := strings.Repeat(" ", 4<<20)
	for _, test := range []struct {
		name, coding, body string
		status             int
		code               string
	}{
		{"fits", "", fits, 200, ""},
		{"identity", "identity", fits, 200, ""},
		{"gzip", "gzip", gzipped(fits), 200, ""},
		{"zstd", "zstd", zstandard(fits), 200, ""},
		{"coding in capitals", " GZip ", gzipped(fits), 200, ""},
		{"too large", "", tooMuch, 413, "request_too_large"},
		{"too large in gzip", "gzip", gzipped(tooMuch), 413, "request_too_large"},
		{"too large in zstd", "zstd", zstandard(tooMuch), 413, "request_too_large"},
		{"gzip bomb", "gzip", gzipped(bomb), 413, "request_too_large"},
		{"zstd bomb", "zstd", zstandard(bomb), 413, "request_too_large"},
		{"gzip that is none", "gzip", fits, 400, "invalid_body"},
		{"cut gzip", "gzip", gzipped(fits)[:60], 400, "invalid_body"},
		{"zstd that is none", "zstd", fits, 400, "invalid_body"},
		{"cut zstd", "zstd", zstandard(fits)[:60], 400, "invalid_body"},
		{"gzip undeclared", "", gzipped(fits), 400, "invalid_json"},
		{"unknown coding", "br", fits, 415, "unsupported_content_encoding"},
		{"deflate", "deflate", fits, 415, "unsupported_content_encoding"},
		{"two codings", "gzip, gzip", gzipped(gzipped(fits)), 415, "unsupported_content_encoding"},
		{"empty", "", "", 400, "invalid_json"},
		{"empty gzip", "gzip", "", 400, "invalid_body"},
	} {
		for _, chunked := range []bool{false, true} {
			t.Run(test.name+" chunked "+strconv.FormatBool(chunked), func(t *testing.T) {
				g, srv := single(t, func(g *gateway.Gateway) { g.Limits.Body = limit })
				got := g.sendCoded(t, test.coding, test.body, chunked)
				record := g.record(t)
				if test.status == 200 {
					equal(t, "status", got.status, 200)
					equal(t, "request", len(srv.Calls()[0].Body), limit-len("openai/"))
					equal(t, "bytes in", record.BytesIn, limit)
					return
				}
				wantError(t, got, test.status, test.code)
				wantCalls(t, srv, 0)
				equal(t, "ending", record.Ending, usage.Refused)
				if test.status == 415 {
					equal(t, "Accept-Encoding", got.header.Get("Accept-Encoding"), "identity, gzip, zstd")
				}
				if record.BytesIn > 2*limit {
					t.Errorf("%d bytes were decoded", record.BytesIn)
				}
			})
		}
	}
}

const (
	messages = `"messages":[{"role":"user","content":"hi"}]`
	model    = `"model":"openai/x"`
)

// nested is a request with so many arrays in one another.
func nested(n int) string {
	return `{` + model + `,` + messages + `,"x":` + strings.Repeat("[", n) + strings.Repeat("]", n) + `}`
}

func TestA02A03RequestsThatAreRefusedUnsent(t *testing.T) {
	g, srv := single(t, nil)
	for _, test := range []struct{ name, body, code, param string }{
		{"no JSON", `model=x`, "invalid_json", "null"},
		{"no object", `[{}]`, "invalid_json", "null"},
		{"half an object", `{` + model + `,`, "invalid_json", "null"},
		{"trailing data", `{` + model + `,` + messages + `} {}`, "invalid_json", "null"},
		{"trailing comma", `{` + model + `,` + messages + `,}`, "invalid_json", "null"},
		{"not UTF-8", `{` + model + `,"messages":[{"role":"user","content":"` + "\xff" + `"}]}`, "invalid_json", "null"},
		{"bare control character", `{` + model + `,"messages":[{"role":"user","content":"` + "\n" + `"}]}`, "invalid_json", "null"},
		{"NaN", `{` + model + `,` + messages + `,"top_p":NaN}`, "invalid_json", "null"},
		{"too deep", nested(64), "invalid_json", "null"},
		{"far too deep", nested(100_000), "invalid_json", "null"},
		{"model twice", `{` + model + `,"model":"openai/y",` + messages + `}`, "duplicate_key", `"/model"`},
		{"model twice, once escaped", `{` + model + `,"mod\u0065l":"openai/y",` + messages + `}`, "duplicate_key", `"/model"`},
		{"an unknown member twice", `{` + model + `,` + messages + `,"x":1,"x":2}`, "duplicate_key", `"/x"`},
		{"an option twice", `{` + model + `,"stream":true,"stream_options":{"include_usage":true,"include_usage":false},` + messages + `}`, "duplicate_key", `"/stream_options/include_usage"`},
		{"Model beside model", `{` + model + `,"Model":"openai/y",` + messages + `}`, "invalid_key_case", `"/Model"`},
		{"Model alone", `{"Model":"openai/x",` + messages + `}`, "invalid_key_case", `"/Model"`},
		{"MESSAGES", `{` + model + `,` + messages + `,"MESSAGES":[]}`, "invalid_key_case", `"/MESSAGES"`},
		{"escaped Stream", `{` + model + `,` + messages + `,"\u0053tream":true}`, "invalid_key_case", `"/Stream"`},
		{"a letter that folds to s", `{` + model + `,` + messages + `,"` + "\u017f" + `tream":true}`, "invalid_key_case", `"/` + "\u017f" + `tream"`},
		{"variants of an unknown member", `{` + model + `,` + messages + `,"x":1,"X":2}`, "invalid_key_case", `"/X"`},
		{"no model", `{` + messages + `}`, "missing_required_parameter", `"model"`},
		{"model null", `{"model":null,` + messages + `}`, "missing_required_parameter", `"model"`},
		{"model a number", `{"model":1,` + messages + `}`, "invalid_value", `"model"`},
		{"model an object", `{"model":{"model":"openai/x"},` + messages + `}`, "invalid_value", `"model"`},
		{"model empty", `{"model":"",` + messages + `}`, "invalid_value", `"model"`},
		{"model too long", `{"model":"openai/` + strings.Repeat("x", 300) + `",` + messages + `}`, "invalid_value", `"model"`},
		{"model with a space", `{"model":"openai/a b",` + messages + `}`, "invalid_value", `"model"`},
		{"model with a line end", `{"model":"openai/a\r\nX: y",` + messages + `}`, "invalid_value", `"model"`},
		{"model with a query", `{"model":"openai/a?key=x",` + messages + `}`, "invalid_value", `"model"`},
		{"model with an escape", `{"model":"openai/a%2e%2e",` + messages + `}`, "invalid_value", `"model"`},
		{"model with a placeholder", `{"model":"openai/{env.HOME}",` + messages + `}`, "invalid_value", `"model"`},
		{"model that climbs", `{"model":"openai/../x",` + messages + `}`, "invalid_value", `"model"`},
		{"model of dots", `{"model":"..",` + messages + `}`, "invalid_value", `"model"`},
		{"stream a string", `{` + model + `,` + messages + `,"stream":"true"}`, "invalid_type", `"stream"`},
		{"stream a number", `{` + model + `,` + messages + `,"stream":1}`, "invalid_type", `"stream"`},
		{"no messages", `{` + model + `}`, "missing_required_parameter", `"messages"`},
		{"no messages but a prompt", `{` + model + `,"input":"hi"}`, "missing_required_parameter", `"messages"`},
		{"messages empty", `{` + model + `,"messages":[ ]}`, "empty_array", `"messages"`},
		{"messages a string", `{` + model + `,"messages":"hi"}`, "invalid_type", `"messages"`},
		{"messages null", `{` + model + `,"messages":null}`, "missing_required_parameter", `"messages"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := g.chat(t, test.body)
			wantError(t, got, http.StatusBadRequest, test.code)
			if !strings.Contains(got.body, `"param":`+test.param+`,`) {
				t.Errorf("answer is %s, want param %s", got.body, test.param)
			}
			equal(t, "X-Should-Retry", got.header.Get("X-Should-Retry"), "false")
			equal(t, "ending", g.record(t).Ending, usage.Refused)
		})
	}
	wantCalls(t, srv, 0)
}

func TestA02OddButLegalRequestsAreServed(t *testing.T) {
	g, srv := single(t, nil)
	for i, body := range []string{
		`{"mod\u0065l":"openai/x","messages":[{"role":"user","content":"hi"}]}`,
		`{"model":"\u006fpenai/x","messages":[{"role":"user","content":"hi"}],"stream":null}`,
		// What is below the members that are read is the provider's to judge.
		`{"model":"openai/x","messages":[{"role":"user","role":"user","Content":"a","content":"hi"}],"tools":[{"model":"openai/y","Model":"z","stream":true}]}`,
		`{"model":"openai/x","messages":[{}],"x":` + strings.Repeat("[", 63) + strings.Repeat("]", 63) + `}`,
		`{"model":"openai/x","stream":false,"messages":[1],"":0," model":1}`,
	} {
		equal(t, "status", g.chat(t, body).status, http.StatusOK)
		call := srv.Calls()[i]
		equal(t, "model", call.Model, "x")
		equal(t, "stream", call.Stream, false)
	}
}
