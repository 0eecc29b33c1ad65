package gateway_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/caddyllm/llmproxy/internal/testllm"
	"github.com/caddyllm/llmproxy/usage"
)

func TestClientThatLeavesIsNotServedAnyFurther(t *testing.T) {
	for _, test := range []struct {
		name, request string
		reply         testllm.Reply
		begin         string // what the client reads before it leaves
		status        int
	}{
		{"before the header of an answer", ask("m"), testllm.Reply{Hold: true}, "", 499},
		{"before the end of an answer", ask("m"), testllm.Reply{Header: http.Header{"Content-Length": nil}, StallAfter: 1}, "", 499},
		{"before the header of a stream", askStream("m"), testllm.Reply{Hold: true}, "", 499},
		{"before the first event", askStream("m"), testllm.Reply{StallAfter: testllm.AtOnce}, "", 499},
		{"before the first content", askStream("m"), testllm.Reply{RawEvents: []string{skeletonChunk, doneEvent}, StallAfter: 1}, "", 499},
		{"in the middle of a stream", askStream("m"), testllm.Reply{RawEvents: []string{begun, doneEvent}, StallAfter: 1}, begun, 200},
		{"while a stream goes on", askStream("m"), testllm.Reply{RawEvents: []string{begun, begun, begun, begun, doneEvent}, ChunkDelay: time.Second}, begun, 200},
	} {
		t.Run(test.name, func(t *testing.T) {
			g, a, b := pair(t, nil)
			a.Script(test.reply)
			ctx, leave := context.WithCancel(t.Context())
			left := make(chan error)
			go func() {
				response, err := g.open(ctx, http.MethodPost, chatPath, test.request)
				if err == nil {
					_, err = io.ReadFull(response.Body, make([]byte, len(test.begin)))
					leave()
					response.Body.Close()
				}
				left <- err
			}()
			a.WaitCalls(t, 1)
			if test.begin == "" {
				leave()
			}
			if err := <-left; (err == nil) != (test.begin != "") {
				t.Fatalf("the client's call ended with %v", err)
			}
			since := time.Now()
			a.WaitCancelled(t, 1)
			if late := time.Since(since); late > 500*time.Millisecond {
				t.Errorf("the provider worked on for %v", late)
			}
			record := g.record(t)
			equal(t, "ending", record.Ending, usage.ClientGone)
			equal(t, "error", record.Error, "client_closed_request")
			equal(t, "status", record.Status, test.status)
			equal(t, "attempts", record.Attempts, 1)
			came := test.reply.Header != nil && record.Tokens.Output > 0 // some of an answer, which depends on the moment
			if !record.Tokens.Estimated || record.Tokens.Input == 0 || (record.Tokens.Output > 0) != (test.begin != "") && !came {
				t.Errorf("tokens are %+v", record.Tokens)
			}
			wantCalls(t, b, 0)
		})
	}
}

func TestClientThatLeavesBeforeItsRequestIsWhole(t *testing.T) {
	g, a, _ := pair(t, nil)
	connection, err := net.Dial("tcp", strings.TrimPrefix(g.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	_, _ = io.WriteString(connection, "POST "+chatPath+" HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"+ask("m"))
	<-g.began
	connection.Close()
	record := g.record(t)
	equal(t, "ending", record.Ending, usage.ClientGone)
	equal(t, "tokens", record.Tokens, usage.Tokens{})
	wantCalls(t, a, 0)
}
