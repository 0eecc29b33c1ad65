package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// provider is a cheap stand-in for OpenAI's chat completions.
type provider struct {
	*http.Server
	Addr string
}

const chunkCount = 100

var (
	answer = []byte(`{"id":"chatcmpl-1","object":"chat.completion","created":1700000000,"model":"bench-upstream","choices":[{"index":0,"message":{"role":"assistant","content":"` +
		strings.Repeat("All work and no play. ", 30) + `","refusal":null},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":256,"completion_tokens":160,"total_tokens":416}}`)
	chunk     = []byte(`data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000000,"model":"bench-upstream","choices":[{"index":0,"delta":{"content":" word and"},"logprobs":null,"finish_reason":null}]}` + "\n\n")
	lastChunk = []byte(`data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000000,"model":"bench-upstream","choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}]}` + "\n\n")
	usageLast = []byte(`data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000000,"model":"bench-upstream","choices":[],"usage":{"prompt_tokens":256,"completion_tokens":100,"total_tokens":356}}` + "\n\n")
	done      = []byte("data: [DONE]\n\n")
)

func startProvider() (*provider, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &provider{Server: &http.Server{Handler: http.HandlerFunc(answerChat), ReadHeaderTimeout: time.Minute}, Addr: listener.Addr().String()}
	go func() { _ = p.Serve(listener) }() // ends with Close
	return p, nil
}

func answerChat(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	if !bytes.Contains(body, []byte(`"stream":true`)) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", strconv.Itoa(len(answer)))
		_, _ = w.Write(answer)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	control := http.NewResponseController(w)
	for i := range chunkCount {
		_, _ = w.Write(chunk)
		if i%10 == 9 { // events come in small bursts, as they do from a busy provider
			_ = control.Flush()
		}
	}
	_, _ = w.Write(lastChunk)
	if bytes.Contains(body, []byte(`"include_usage":true`)) {
		_, _ = w.Write(usageLast)
	}
	_, _ = w.Write(done)
}

// requestBody is a conversation of about so many bytes.
func requestBody(s scenario) []byte {
	var b bytes.Buffer
	b.WriteString(`{"model":"bench","messages":[{"role":"system","content":"Be brief."}`)
	for i := 0; b.Len() < s.bytes-200; i++ {
		role := [...]string{"user", "assistant"}[i%2]
		fmt.Fprintf(&b, `,{"role":%q,"content":"%s"}`, role, strings.Repeat("Tell me about the sea. ", min(20, 1+(s.bytes-b.Len())/40)))
	}
	fmt.Fprintf(&b, `,{"role":"user","content":"Go on."}],"temperature":0.7,"stream":%t`, s.stream)
	if s.stream {
		// Asked for on both sides, so that both carry the same bytes.
		b.WriteString(`,"stream_options":{"include_usage":true}`)
	}
	b.WriteString("}")
	return b.Bytes()
}

// load keeps s.conns connections busy as long as more says so, and counts the
// calls. more is asked before each call, with the number of those begun.
func load(s scenario, addr string, more func(begun int) bool) (int, error) {
	body := requestBody(s)
	head := fmt.Sprintf("POST /v1/chat/completions HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nAccept: application/json\r\n"+
		"Authorization: Bearer %s\r\nUser-Agent: bench\r\nContent-Length: %d\r\n\r\n", addr, clientKey, len(body))
	request := append([]byte(head), body...)
	var begun, calls atomic.Int64
	next := func() bool { return more(int(begun.Add(1) - 1)) }
	errs := make([]error, s.conns)
	var workers sync.WaitGroup
	for i := range s.conns {
		workers.Go(func() { errs[i] = work(next, addr, request, s.stream, &calls) })
	}
	workers.Wait()
	n := int(calls.Load())
	if n == 0 {
		errs = append(errs, errors.New("not one call was answered"))
	}
	return n, errors.Join(errs...)
}

// work sends the request again and again on one connection. A call counts when
// its answer is whole.
func work(more func() bool, addr string, request []byte, stream bool, calls *atomic.Int64) error {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	reader := bufio.NewReaderSize(conn, 32<<10)
	var body bytes.Buffer
	for more() {
		if _, err := conn.Write(request); err != nil {
			return err
		}
		response, err := http.ReadResponse(reader, nil)
		if err != nil {
			return err
		}
		body.Reset()
		if _, err := body.ReadFrom(response.Body); err != nil {
			return err
		}
		want := []byte(`"finish_reason":"stop"`)
		if stream {
			want = done
		}
		if response.StatusCode != http.StatusOK || !bytes.Contains(body.Bytes(), want) {
			return fmt.Errorf("status %d: %.200s", response.StatusCode, body.Bytes())
		}
		calls.Add(1)
	}
	return nil
}
