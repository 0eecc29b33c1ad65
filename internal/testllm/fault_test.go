package testllm_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/caddyllm/llmproxy/internal/testllm"
)

func eachStream(t *testing.T, reply testllm.Reply, check func(*testing.T, target, *testllm.Server)) {
	for _, tg := range streams {
		t.Run(tg.name, func(t *testing.T) { check(t, tg, serve(t, reply)) })
	}
}

func TestErrorStatus(t *testing.T) {
	reply := testllm.Reply{
		Status: 429,
		Error:  testllm.Error{Message: "slow down"},
		Header: http.Header{"Retry-After": {"7"}},
	}
	kinds := []string{"rate_limit_error", "rate_limit_error", "RESOURCE_EXHAUSTED"}
	for i, tg := range wholes {
		srv := serve(t, reply)
		response, body, _ := post(t, srv, tg.path, tg.body)
		failure := tree{parse(t, body).at("error")}
		equal(t, "status", response.StatusCode, 429)
		equal(t, "header", response.Header.Get("Retry-After"), "7")
		equal(t, "message", failure.at("message"), "slow down")
		kind := failure.at("type")
		if kind == nil {
			kind = failure.at("status")
		}
		equal(t, "type", kind, kinds[i])
		equal(t, "prompt billed", srv.Calls()[0].Prompt, 0)
	}
}

func TestRawBody(t *testing.T) {
	srv := serve(t,
		testllm.Reply{Status: 502, Body: []byte("<html>"), ContentType: "text/html"},
		testllm.Reply{Body: []byte{}},
		testllm.Reply{Status: 204},
		testllm.Reply{RawEvents: []string{": hello\n\n", "data: {\n"}},
	)
	response, body, _ := post(t, srv, openAIPath, wholes[0].body)
	equal(t, "html", body+response.Header.Get("Content-Type"), "<html>text/html")
	equal(t, "empty", mustPost(t, srv, openAIPath, wholes[0].body), "")
	equal(t, "no content", mustPost(t, srv, openAIPath, wholes[0].body), "")
	equal(t, "raw events", mustPost(t, srv, anthropicPath, streams[1].body), ": hello\n\ndata: {\n")
	for _, call := range srv.Calls() {
		equal(t, "billed", call.Prompt+call.Completion, 0)
		equal(t, "finished", call.Finished, true)
	}
}

func TestCutAfter(t *testing.T) {
	for _, how := range []testllm.Cut{testllm.FIN, testllm.Reset} {
		eachStream(t, testllm.Reply{CutAfter: 2, Cut: how}, func(t *testing.T, tg target, srv *testllm.Server) {
			_, body, err := post(t, srv, tg.path, tg.body)
			want := isCut
			if how == testllm.Reset {
				want = func(err error) bool { return errors.Is(err, syscall.ECONNRESET) }
			}
			if !want(err) {
				t.Errorf("ended with %v", err)
			}
			if tg.path != geminiArray {
				equal(t, "events", len(dataOf(t, tg, body)), 2)
			}
			equal(t, "cancelled", srv.WaitFinished(t, 1)[0].Cancelled, false)
		})
	}
	eachStream(t, testllm.Reply{CutAfter: testllm.AtOnce}, func(t *testing.T, tg target, srv *testllm.Server) {
		response, body, err := post(t, srv, tg.path, tg.body)
		if response.StatusCode != 200 || body != "" || !isCut(err) {
			t.Errorf("got %d, %q, %v", response.StatusCode, body, err)
		}
	})
}

func TestCutBytes(t *testing.T) {
	for _, tg := range append(wholes, streams...) {
		srv := serve(t, testllm.Reply{CutBytes: 20})
		_, body, err := post(t, srv, tg.path, tg.body)
		if len(body) != 20 || !isCut(err) {
			t.Errorf("%s: got %d bytes, %v", tg.name, len(body), err)
		}
	}
}

func TestResetConnection(t *testing.T) {
	srv := serve(t, testllm.Reply{ResetConnection: true})
	_, err := newClient(t).Post(srv.URL+openAIPath, "application/json", strings.NewReader("{}"))
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("ended with %v", err)
	}
	equal(t, "billed", srv.WaitFinished(t, 1)[0].Prompt, 0)
}

func TestNoTerminator(t *testing.T) {
	eachStream(t, testllm.Reply{NoTerminator: true}, func(t *testing.T, tg target, srv *testllm.Server) {
		body := mustPost(t, srv, tg.path, tg.body)
		dataOf(t, tg, body)
		for _, end := range []string{"[DONE]", "message_stop", "finishReason"} {
			if strings.Contains(body, end) {
				t.Errorf("found %s", end)
			}
		}
	})
}

func TestErrorWithinStream(t *testing.T) {
	const all = 1000
	for _, after := range []int{testllm.AtOnce, 2, all} {
		reply := testllm.Reply{Chunks: []string{"a", "b", "c"}, ErrorAfter: after}
		text := map[int]string{2: "ab", all: "abc"}[after]
		eachStream(t, reply, func(t *testing.T, tg target, srv *testllm.Server) {
			response, body, err := post(t, srv, tg.path, tg.body)
			if response.StatusCode != 200 || err != nil {
				t.Fatalf("got %d, %v", response.StatusCode, err)
			}
			data := dataOf(t, tg, body)
			equal(t, "text", textOf(t, data), text)
			equal(t, "message", parse(t, data[len(data)-1]).at("error", "message"), "overloaded")
			equal(t, "completion", srv.Calls()[0].Completion, 4*len(text))
			if after == testllm.AtOnce {
				equal(t, "events", len(data), 1)
			}
		})
	}
}

func TestWritesOf(t *testing.T) {
	for _, tg := range append(wholes, streams...) {
		plain := mustPost(t, serve(t, rich), tg.path, tg.body)
		for _, size := range []int{1, 100, 1 << 20} {
			reply := rich
			reply.WritesOf, reply.StallAfter = size, 1
			srv := serve(t, reply)
			done := make(chan struct{})
			go func() {
				defer close(done)
				srv.WaitCalls(t, 1)
				srv.Release()
			}()
			equal(t, tg.name, mustPost(t, srv, tg.path, tg.body), plain)
			<-done
			equal(t, "completion", srv.Calls()[0].Completion, 50)
		}
	}
}

func TestStallThenRelease(t *testing.T) {
	eachStream(t, testllm.Reply{Text: "a b", StallAfter: 1}, func(t *testing.T, tg target, srv *testllm.Server) {
		response := open(t, srv, tg.path, tg.body)
		if _, err := io.ReadFull(response.Body, make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		call := srv.Calls()[0]
		equal(t, "ended", call.Finished || call.Cancelled, false)
		srv.Release()
		if _, err := io.ReadAll(response.Body); err != nil {
			t.Error(err)
		}
		equal(t, "finished", srv.Calls()[0].Finished, true)
	})
}

func TestStallUntilClientLeaves(t *testing.T) {
	for _, after := range []int{testllm.AtOnce, 2, 1000} {
		eachStream(t, testllm.Reply{StallAfter: after}, func(t *testing.T, tg target, srv *testllm.Server) {
			response := open(t, srv, tg.path, tg.body)
			response.Body.Close()
			equal(t, "finished", srv.WaitCancelled(t, 1)[0].Finished, false)
		})
	}
}

func TestHoldAndDelay(t *testing.T) {
	const delay = 20 * time.Millisecond
	srv := serve(t, testllm.Reply{Hold: true, Delay: delay, ChunkDelay: time.Millisecond})
	start := time.Now()
	done := make(chan string)
	go func() {
		response, err := newClient(t).Post(srv.URL+openAIPath, "", strings.NewReader(string(streams[0].body)))
		if err != nil {
			t.Error(err)
			close(done)
			return
		}
		defer response.Body.Close()
		body, _ := io.ReadAll(response.Body)
		done <- string(body)
	}()
	call := srv.WaitCalls(t, 1)[0]
	equal(t, "finished", call.Finished, false)
	srv.Release()
	if body := <-done; !strings.HasSuffix(body, "data: [DONE]\n\n") || time.Since(start) < delay {
		t.Errorf("got %q after %v", body, time.Since(start))
	}
}
