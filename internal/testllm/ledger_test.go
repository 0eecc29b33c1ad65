package testllm_test

import (
	"context"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyllm/llmproxy/internal/testllm"
)

func TestLedgerAndCanary(t *testing.T) {
	srv := testllm.New(t)
	address := srv.URL + openAIPath + "?q=que%72y-canary"
	body := testllm.ChatRequest("m", true, "body-canary")
	request, _ := http.NewRequest(http.MethodPost, address, strings.NewReader(string(body)))
	request.Header.Set("Authorization", "Bearer header-canary")
	request.Host = "host-canary"
	response, err := newClient(t).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	call := srv.WaitCalls(t, 1)[0]
	for _, canary := range []string{"query-canary", "body-canary", "header-canary", "host-canary", "authorization"} {
		equal(t, canary, call.Has(canary), true)
	}
	equal(t, "absent", call.Has("other-canary"), false)
	got := fmt.Sprint(call.Method, call.Path, call.Format, call.Operation, call.Model, call.Stream, string(call.Body) == string(body))
	equal(t, "entry", got, fmt.Sprint("POST", openAIPath, testllm.OpenAI, testllm.Chat, "m", true, true))
}

func TestScriptInOrderThenRepeats(t *testing.T) {
	srv := serve(t, testllm.Reply{Status: 500}, testllm.Reply{Text: "fine"})
	for _, status := range []int{500, 200, 200} {
		response, _, _ := post(t, srv, openAIPath, wholes[0].body)
		equal(t, "status", response.StatusCode, status)
	}
	srv.On(func(c *testllm.Call) testllm.Reply {
		return testllm.Reply{Text: fmt.Sprintf("%d %s", c.Index, c.Model)}
	})
	body := parse(t, mustPost(t, srv, openAIPath, wholes[0].body))
	equal(t, "decided", body.at("choices", 0, "message", "content"), "3 m")
}

func TestUnacceptable(t *testing.T) {
	srv := testllm.New(t)
	for path, status := range map[string]int{"/v1/unknown": 404, openAIPath: 400, geminiSSE: 400} {
		response, body, _ := post(t, srv, path, []byte("{"))
		equal(t, path, response.StatusCode, status)
		parse(t, body)
	}
}

func TestClientLeavesWhileHeld(t *testing.T) {
	srv := serve(t, testllm.Reply{Hold: true}, testllm.Reply{Delay: time.Hour})
	for n := 1; n <= 2; n++ {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			request, _ := http.NewRequestWithContext(ctx, http.MethodPost, srv.URL+openAIPath, strings.NewReader("{}"))
			if response, err := newClient(t).Do(request); err == nil {
				response.Body.Close()
				t.Error("answered")
			}
		}()
		srv.WaitCalls(t, n)
		cancel()
		<-done
		call := srv.WaitCancelled(t, n)[n-1]
		equal(t, "billed", call.Prompt, 0)
	}
}

func TestClientLeavesMidway(t *testing.T) {
	reply := testllm.Reply{Chunks: []string{"a", "b", "c", "d"}, Usage: testllm.Usage{Input: 7, Output: 40}, StallAfter: 3}
	srv := serve(t, reply)
	response := open(t, srv, openAIPath, streams[0].body)
	var got strings.Builder
	for buffer := make([]byte, 512); strings.Count(got.String(), "\n\n") < 3; {
		n, err := response.Body.Read(buffer)
		if err != nil {
			t.Fatal(err)
		}
		got.Write(buffer[:n])
	}
	response.Body.Close()
	call := srv.WaitCancelled(t, 1)[0]
	equal(t, "prompt", call.Prompt, 7)
	equal(t, "completion", call.Completion, 20)
}

func TestManyAtOnce(t *testing.T) {
	const clients = 40
	srv := serve(t, testllm.Reply{Hold: true})
	client := newClient(t)
	var group sync.WaitGroup
	for range clients {
		group.Go(func() {
			response, err := client.Post(srv.URL+openAIPath, "", strings.NewReader("{}"))
			if err != nil {
				t.Error(err)
				return
			}
			response.Body.Close()
		})
	}
	srv.WaitCalls(t, clients)
	srv.Release()
	group.Wait()
	srv.WaitFinished(t, clients)
}

// recorder stands in for a test that fails.
type recorder struct {
	testing.TB
	failures int
}

func (r *recorder) Helper()               {}
func (r *recorder) Cleanup(func())        {}
func (r *recorder) Errorf(string, ...any) { r.failures++ }

func TestPanicFailsTheTest(t *testing.T) {
	failing := &recorder{TB: t}
	srv := testllm.New(failing)
	srv.On(func(*testllm.Call) testllm.Reply { panic("oops") })
	response, err := newClient(t).Post(srv.URL+openAIPath, "", strings.NewReader("{}"))
	if err == nil {
		response.Body.Close()
		t.Error("answered")
	}
	srv.Close()
	equal(t, "failures", failing.failures, 1)
}

func TestCloseLeavesNothing(t *testing.T) {
	srv := serve(t, testllm.Reply{Hold: true}, testllm.Reply{StallAfter: 2}, testllm.Reply{CutAfter: 1})
	transport := &http.Transport{}
	var group sync.WaitGroup
	for range 9 {
		group.Go(func() {
			client := http.Client{Transport: transport}
			response, err := client.Post(srv.URL+openAIPath, "", strings.NewReader(string(streams[0].body)))
			if err == nil {
				defer response.Body.Close()
				_, _ = response.Body.Read(make([]byte, 1<<20))
			}
		})
	}
	calls := srv.WaitCalls(t, 9)
	srv.Close()
	group.Wait()
	transport.CloseIdleConnections()
	equal(t, "held call ended", calls[0].Finished, false)
	if _, err := http.Get(srv.URL); err == nil {
		t.Error("still listening")
	}
	// Connections are counted out one step before their goroutine returns.
	for deadline := time.Now().Add(5 * time.Second); ; runtime.Gosched() {
		buffer := make([]byte, 1<<20)
		stacks := string(buffer[:runtime.Stack(buffer, true)])
		if !strings.Contains(stacks, "net/http.(*conn)") && !strings.Contains(stacks, "net/http.(*Server)") {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("goroutines left:\n%s", stacks)
		}
	}
}

func TestBody(t *testing.T) {
	for _, size := range []int{0, 100, 1 << 20} {
		body := testllm.Body("m", size)
		equal(t, "model", parse(t, string(body)).at("model"), "m")
		if size > 80 {
			equal(t, "size", len(body), size)
		}
	}
}
