package main

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// load keeps the connections of a scenario busy.
type load struct {
	scenario
	addr string
	// more is asked before each call, with the number of those begun.
	more func(begun int) bool

	begun, calls, events atomic.Int64

	mu      sync.Mutex
	clients []*client
	stopped bool
}

// run returns when no more calls are wanted, or the load was stopped, and none is under way.
func (l *load) run() error {
	errs := make([]error, l.conns)
	var workers sync.WaitGroup
	for i := range l.conns {
		workers.Go(func() { errs[i] = l.work(i) })
	}
	workers.Wait()
	if l.calls.Load() == 0 && l.events.Load() == 0 {
		errs = append(errs, errors.New("not one call was answered"))
	}
	return errors.Join(errs...)
}

// stop breaks off the calls that are under way.
func (l *load) stop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stopped = true
	for _, c := range l.clients {
		_ = c.conn.SetDeadline(time.Unix(1, 0))
	}
}

func (l *load) over() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stopped
}

// work makes one call after the other on one connection.
func (l *load) work(number int) error {
	if l.delay > 0 && l.conns > 1 { // streams do not all begin at once
		time.Sleep(l.ramp * time.Duration(number) / time.Duration(l.conns))
	}
	c, err := dial(l.addr)
	if err != nil {
		return err
	}
	defer c.conn.Close()
	l.mu.Lock()
	l.clients = append(l.clients, c)
	stopped := l.stopped
	l.mu.Unlock()
	if l.stream {
		c.event = func(_ []byte, n int) { l.events.Add(int64(n)) }
	}
	request := l.request(l.addr)
	for !stopped {
		n := int(l.begun.Add(1) - 1)
		if !l.more(n) {
			return nil
		}
		err := c.call(request.of(n), l.stream)
		if stopped = l.over(); err != nil && !stopped {
			return err
		}
		if err == nil {
			l.calls.Add(1)
		}
	}
	return nil
}

// request is what is sent, with the places in it that differ from call to call.
type request struct {
	text       []byte
	key, model int // where their numbers stand
	scenario
}

// numbered is how a key or a model is told from the others.
const numbered = "00000"

// clientKey is what the load sends and the gateway checks, before its number.
const clientKey = "bench-key-0123456789abcdef-"

// request is the request that the scenario is about.
func (s scenario) request(addr string) *request {
	body := s.body()
	head := fmt.Sprintf("POST /v1/chat/completions HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nAccept: */*\r\n"+
		"Authorization: Bearer %s%s\r\nUser-Agent: bench\r\nContent-Length: %d\r\n\r\n", addr, clientKey, numbered, len(body))
	text := head + body
	r := &request{text: []byte(text), scenario: s}
	r.key = strings.Index(text, clientKey) + len(clientKey)
	alias := s.model + "."
	r.model = strings.Index(text, alias+numbered) + len(alias)
	return r
}

// of is the n-th request: keys and models take turns.
func (r *request) of(n int) []byte {
	if r.keys > 1 {
		number(r.text[r.key:], n%r.keys)
	}
	if r.models > 1 {
		number(r.text[r.model:], n%r.models)
	}
	return r.text
}

func number(at []byte, n int) {
	for i := len(numbered) - 1; i >= 0; i-- {
		at[i] = '0' + byte(n%10)
		n /= 10
	}
}

// body is a conversation of about so many bytes.
func (s scenario) body() string {
	var b strings.Builder
	fmt.Fprintf(&b, `{"model":%q,"messages":[{"role":"system","content":"You are a careful assistant."}`, s.asks())
	after := `],"temperature":0.7,"max_tokens":1024`
	if s.user != "" {
		after += fmt.Sprintf(`,"user":%q`, s.user)
	}
	if s.stream {
		// Asked for on both sides, so that both carry the same bytes.
		after += `,"stream":true,"stream_options":{"include_usage":true}`
	}
	const most = 1500
	for i := 0; ; i++ {
		left := s.bytes - b.Len() - len(after) - 50
		text := strings.Repeat(words, most/len(words)+1)[:min(most, max(left, 16))]
		role := [...]string{"user", "assistant"}[i%2]
		if role == "user" {
			text = text[:len(text)-14] + `\n\"quoted\"\n`
		}
		fmt.Fprintf(&b, `,{"role":%q,"content":"%s"}`, role, text)
		if left <= most && role == "user" {
			break
		}
	}
	return b.String() + after + "}"
}
