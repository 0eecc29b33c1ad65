package llmproxy_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyllm/llmproxy/internal/testllm"
)

// startSite runs Caddy with a Caddyfile, in which names are replaced.
func startSite(t *testing.T, caddyfile string, oldnew ...string) *server {
	t.Helper()
	config := filepath.Join(t.TempDir(), "Caddyfile")
	if err := os.WriteFile(config, []byte(strings.NewReplacer(oldnew...).Replace(caddyfile)), 0o600); err != nil {
		t.Fatal(err)
	}
	return start(t, filepath.Dir(config), nil, "--config", config)
}

// clientOf is a client of one version of HTTP, 1 or 2. It takes what comes as it is.
func clientOf(t *testing.T, version int) *http.Client {
	transport := &http.Transport{
		DisableCompression: true, ForceAttemptHTTP2: version == 2,
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // Caddy's own test certificate
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// ask posts a request and returns the answer's beginning.
func ask(t *testing.T, client *http.Client, version int, url, body string, header ...string) *http.Response {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 4*patience)
	t.Cleanup(cancel)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	response, err := client.Do(request)
	for err != nil && strings.Contains(err.Error(), "tls: internal error") { // Caddy has no certificate yet
		request.Body, _ = request.GetBody()
		response, err = client.Do(request)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { response.Body.Close() })
	if response.StatusCode != http.StatusOK || response.ProtoMajor != version {
		t.Fatalf("the answer is %s %s", response.Proto, response.Status)
	}
	return response
}

const silentSite = `{
	auto_https disable_redirects
	skip_install_trust
	servers {
		%TIMEOUTS%
	}
}
(gateway) {
	tls internal
	llm_proxy {
		auth anonymous
		stream {
			heartbeat {args[0]}
		}
		provider fake openai {
			base_url %PROVIDER%/v1
			api_key k
		}
	}
}
https://localhost:%SILENT% {
	import gateway off
}
https://localhost:%LIVELY% {
	import gateway %HEARTBEAT%
}
`

// Caddy bounds how long the reading of a request's body or one write of an answer
// may stall, a minute by default. A provider that is silent for longer is neither,
// with this version of Caddy: no stream is reset and no request is cancelled,
// heartbeats or not. It has not always been so, and an operator's write timeout
// still cuts every answer, so that the heartbeats are on by default.
func silence(t *testing.T, version int) {
	timeouts, quiet, heartbeat := "timeouts {\n\t\t\tread_body_idle 1s\n\t\t\twrite_idle 1s\n\t\t\tread_header 1s\n\t\t}", 2*time.Second, "200ms"
	if os.Getenv("LLMPROXY_LONG") != "" {
		timeouts, quiet, heartbeat = "", 70*time.Second, "15s"
	}
	provider := testllm.New(t)
	provider.On(func(call *testllm.Call) testllm.Reply {
		switch {
		case strings.Contains(string(call.Body), "think first"):
			return testllm.Reply{Text: "well said", Delay: quiet}
		case call.Stream:
			event := func(text string) string {
				return fmt.Sprintf("data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":%q},\"finish_reason\":null}]}\n\n", text)
			}
			return testllm.Reply{RawEvents: []string{event("well "), event("said") + "data: [DONE]\n\n"}, ChunkDelay: quiet}
		}
		return testllm.Reply{Text: "well said", Delay: quiet}
	})
	silent, lively := freePort(t), freePort(t)
	s := startSite(t, silentSite, "%TIMEOUTS%", timeouts, "%PROVIDER%", provider.URL, "%SILENT%", silent, "%LIVELY%", lively, "%HEARTBEAT%", heartbeat)
	client := clientOf(t, version)
	var callers sync.WaitGroup
	for _, test := range []struct {
		name, port, text string
		stream           bool
	}{
		{"in the middle of a stream, without heartbeats", silent, "go on", true},
		{"in the middle of a stream, with heartbeats", lively, "go on", true},
		{"before a stream", silent, "think first", true},
		{"before an answer", silent, "think first", false},
	} {
		callers.Go(func() {
			began := time.Now()
			response := ask(t, client, version, "https://localhost:"+test.port+"/v1/chat/completions", chatBody("fake/m", test.text, test.stream), "Content-Type", "application/json")
			text, err := io.ReadAll(response.Body)
			passed := time.Since(began)
			if err != nil || !strings.Contains(string(text), "said") || strings.Contains(string(text), "error") || test.stream && !strings.HasSuffix(string(text), "data: [DONE]\n\n") {
				t.Errorf("%s: after %v the answer is %q (%v)", test.name, passed, text, err)
			}
			if beats := strings.Count(string(text), ": keep-alive\n\n"); (beats > 1) != (test.port == lively) || passed < quiet {
				t.Errorf("%s: there were %d signs of life in %v", test.name, beats, passed)
			}
		})
	}
	callers.Wait()
	for deadline := time.Now().Add(patience); strings.Count(s.text(), `"ending":"complete"`) < 4 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond) // the records come after the answers
	}
	if log := s.text(); strings.Count(log, `"ending":"complete"`) != 4 || strings.Contains(log, "client_gone") {
		t.Error("not all calls are complete by their records")
	}
	for _, call := range provider.Calls() {
		if call.Cancelled {
			t.Errorf("a call was cancelled: %s", call.Body)
		}
	}
}

func TestS14SilenceResetsNoStreamOfHTTP2(t *testing.T) {
	t.Parallel()
	silence(t, 2)
}

func TestS15SilenceCancelsNoRequestOfHTTP1(t *testing.T) {
	t.Parallel()
	silence(t, 1)
}

const encodedSite = `{
	auto_https disable_redirects
	skip_install_trust
}
https://localhost:%PORT% {
	tls internal
	encode gzip zstd
	llm_proxy {
		auth anonymous
		provider fake openai_compatible {
			base_url %PROVIDER%/v1
			api_key k
		}
	}
}
`

// The provider keeps the rest of its stream back until the client has the first word.
func TestS18StreamsAreNotHeldBackByCompression(t *testing.T) {
	t.Parallel()
	const first, last = "the-first-word ", "the-last-word"
	provider := testllm.New(t)
	provider.On(func(call *testllm.Call) testllm.Reply {
		reply := testllm.Reply{Chunks: []string{first, strings.Repeat("word ", 500), last}}
		if call.Stream {
			reply.StallAfter = 2 // the skeleton and the first word
		}
		return reply
	})
	port := freePort(t)
	startSite(t, encodedSite, "%PORT%", port, "%PROVIDER%", provider.URL)
	base := "https://localhost:" + port
	const contents = `{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}`
	for _, version := range []int{1, 2} {
		client := clientOf(t, version)
		for path, body := range map[string]string{
			"/v1/chat/completions": `{"model":"fake/m","stream":true,"messages":[{"role":"user","content":"hi"}]}`,
			"/v1/responses":        `{"model":"fake/m","stream":true,"input":"hi"}`,
			"/v1/messages":         `{"model":"fake/m","stream":true,"max_tokens":9,"messages":[{"role":"user","content":"hi"}]}`,
			"/v1beta/models/fake%2Fm:streamGenerateContent?alt=sse": contents,
			"/v1beta/models/fake%2Fm:streamGenerateContent":         contents,
		} {
			t.Run(fmt.Sprintf("HTTP/%d %s", version, path), func(t *testing.T) {
				response := ask(t, client, version, base+path, body, "Accept-Encoding", "gzip, zstd", "Content-Type", "application/json")
				if coding := response.Header.Get("Content-Encoding"); coding != "" {
					t.Errorf("the stream is compressed: %s", coding)
				}
				var text bytes.Buffer
				for memory := make([]byte, 4096); !strings.Contains(text.String(), first); {
					n, err := response.Body.Read(memory)
					if text.Write(memory[:n]); err != nil {
						t.Fatalf("the stream ended after %q (%v)", text.String(), err)
					}
				}
				if strings.Contains(text.String(), last) {
					t.Error("the provider did not keep anything back")
				}
				provider.Release()
				if _, err := io.Copy(&text, response.Body); err != nil || !strings.Contains(text.String(), last) {
					t.Errorf("the stream is %q (%v)", text.String(), err)
				}
			})
		}
		t.Run(fmt.Sprintf("HTTP/%d, an answer", version), func(t *testing.T) {
			response := ask(t, client, version, base+"/v1/chat/completions", chatBody("fake/m", "hi", false), "Accept-Encoding", "gzip", "Content-Type", "application/json")
			var body io.Reader = response.Body
			if response.Header.Get("Content-Encoding") == "gzip" {
				unzipped, err := gzip.NewReader(body)
				if err != nil {
					t.Fatal(err)
				}
				body = unzipped
			}
			text, err := io.ReadAll(body)
			if err != nil || !strings.Contains(string(text), last) {
				t.Errorf("the answer is %q (%v)", text, err)
			}
		})
	}
}
