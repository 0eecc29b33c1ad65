package llmproxy_test

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyllm/llmproxy/internal/testllm"
)

// badNetwork passes connections on to an address, and cuts some of them: the
// first after so many bytes from there, and so on. Those that follow are whole.
func badNetwork(t *testing.T, to string, cuts ...int64) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var connections sync.WaitGroup
	t.Cleanup(connections.Wait)
	t.Cleanup(func() { listener.Close() })
	connections.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", to)
			if err != nil {
				client.Close()
				continue
			}
			var answer io.Reader = server
			if len(cuts) > 0 {
				answer, cuts = io.LimitReader(server, cuts[0]), cuts[1:]
			}
			connections.Go(func() {
				_, _ = io.Copy(client, answer)
				client.Close()
				server.Close()
			})
			connections.Go(func() {
				_, _ = io.Copy(server, client)
				server.Close()
			})
		}
	})
	return "http://" + listener.Addr().String()
}

func testResumable(t *testing.T, e *example) {
	e.start(t)
	testResumeAfterReload(t, e)
	testClientOfTheReadme(t, e)
}

// The gateway that began a stream may have been replaced when the client comes back.
func testResumeAfterReload(t *testing.T, e *example) {
	e.provider.Script(testllm.Reply{Chunks: []string{"one ", "two ", "three"}, StallAfter: 3})
	first := openStream(t, badNetwork(t, strings.TrimPrefix(e.base, "http://"), 1000), chatBody("openai/m", "go", true))
	id := first.response.Header.Get("X-Llm-Stream-Id")
	var had []string
	for {
		data, err := first.next()
		if err != nil {
			break // the network's doing
		}
		had = append(had, data)
	}
	reload := command(t, e.dir, append(exampleEnv, e.cmd.Env...), "reload", "--config", "examples/resumable.Caddyfile", "--force")
	if output, err := reload.CombinedOutput(); err != nil {
		t.Fatalf("caddy reload: %v\n%s", err, output)
	}
	again := openStream(t, e.base, "", "X-Llm-Stream-Id", id, "Last-Event-ID", "1")
	e.provider.Release()
	whole := slices.Concat(had[:1], again.rest(t))
	if text := strings.Join(whole, ""); !strings.Contains(text, `"two "`) || !strings.Contains(text, `"three"`) || whole[len(whole)-1] != "[DONE]" {
		t.Errorf("the halves make %q", whole)
	}
	if calls := e.provider.Calls(); len(calls) != 1 {
		t.Errorf("the provider was asked %d times", len(calls))
	}
	e.await(t, "http.handlers.llm_proxy.usage", `"operation":"resume"`, `"output_tokens":0`)
	e.await(t, "http.handlers.llm_proxy.usage", `"operation":"chat"`, `"ending":"client_gone"`, `"output_tokens":12`)
	exchange(t, e.client, http.MethodPost, e.base+"/v1/chat/completions", "", "X-Llm-Stream-Id", "str_unknown").says(t, 404, "stream_not_found", "5m0s")
}

// The client of the README gets every event once, whatever the network does.
func testClientOfTheReadme(t *testing.T, e *example) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Log("without node the README's client is not run")
		return
	}
	e.provider.Script(testllm.Reply{Chunks: strings.SplitAfter(strings.Repeat("word ", 40), " "), ChunkDelay: 2 * time.Millisecond})
	url := badNetwork(t, strings.TrimPrefix(e.base, "http://"), 900, 0, 2500, 1300) + "/v1/chat/completions"
	body, err := json.Marshal(chatBody("openai/m", "go", true))
	if err != nil {
		t.Fatal(err)
	}
	script := fences(t, "js")[0] + "\nfor await (const data of resilient(" + string(must(json.Marshal(url))) + ", {}, " + string(body) + ")) console.log(data);\n"
	file := filepath.Join(t.TempDir(), "client.mjs")
	if err := os.WriteFile(file, []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	before := len(e.provider.Calls())
	output, err := exec.Command(node, file).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	if text := string(output); strings.Count(text, `"word "`) != 40 || strings.Count(text, "[DONE]") != 1 {
		t.Errorf("the client got %s", text)
	}
	if n := len(e.provider.Calls()) - before; n != 1 {
		t.Errorf("the provider was asked %d times", n)
	}
}

func must(text []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return text
}
