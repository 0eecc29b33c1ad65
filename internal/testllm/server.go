package testllm

import (
	"io"
	"log"
	"net"
	"net/http"
	"runtime/debug"
	"sync"
	"testing"
)

// Server is one fake provider. All methods may be called concurrently.
type Server struct {
	// URL is the root, without a trailing slash: the base of Anthropic and
	// Gemini clients. OpenAI clients use URL+"/v1".
	URL string

	t       testing.TB
	http    *http.Server
	ledger  *ledger
	closing chan struct{}
	close   sync.Once
	running sync.WaitGroup // accept loop, connections and handlers

	mu     sync.Mutex
	script []Reply
	next   int
	decide func(*Call) Reply
	models []string
	gate   chan struct{} // closed by Release, then replaced
}

// New starts a server on 127.0.0.1. It is closed when the test ends, which
// fails if a handler panicked.
func New(t testing.TB) *Server {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("testllm: listen: %v", err)
	}
	return Serve(t, listener)
}

// Serve is New on a listener of the caller's, such as one of memory, where tests
// can wait in virtual time.
func Serve(t testing.TB, listener net.Listener) *Server {
	t.Helper()
	s := &Server{
		URL:     "http://" + listener.Addr().String(),
		t:       t,
		ledger:  newLedger(),
		closing: make(chan struct{}),
		models:  []string{defaultModel},
		gate:    make(chan struct{}),
	}
	s.http = &http.Server{
		Handler:   http.HandlerFunc(s.handle),
		ErrorLog:  log.New(io.Discard, "", 0),
		ConnState: s.track,
	}
	s.running.Go(func() { _ = s.http.Serve(listener) })
	t.Cleanup(s.Close)
	return s
}

// track counts connections, so that Close leaves no goroutine behind.
func (s *Server) track(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		s.running.Add(1)
	case http.StateClosed, http.StateHijacked:
		s.running.Done()
	}
}

// Close drops every connection and stops listening: later dials are refused.
// It waits for the handlers to end and may be called more than once.
func (s *Server) Close() {
	s.close.Do(func() {
		close(s.closing)
		_ = s.http.Close()
	})
	s.running.Wait()
}

// Script sets the answers, given in order; the last repeats. It replaces an
// earlier Script or On. Model lists do not consume it (see SetModels). Without
// replies the default answer returns.
func (s *Server) Script(replies ...Reply) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.script, s.next, s.decide = replies, 0, nil
}

// On has a function decide each answer, model lists included (return Reply{}
// for the ordinary one). It runs on the handler's goroutine, possibly several
// at a time, with a private copy of the call, and replaces an earlier Script.
func (s *Server) On(decide func(*Call) Reply) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.script, s.next, s.decide = nil, 0, decide
}

// SetModels sets what the model lists name; "test-model" by default.
func (s *Server) SetModels(names ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.models = names
}

// Release lets go of every call received so far that is, or is about to be,
// in Hold or StallAfter. A reply with both needs two releases.
func (s *Server) Release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.gate)
	s.gate = make(chan struct{})
}

func (s *Server) currentGate() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.gate
}

func (s *Server) replyTo(call Call) Reply {
	s.mu.Lock()
	decide := s.decide
	var reply Reply
	if decide == nil && len(s.script) > 0 && call.Operation != Models {
		reply = s.script[min(s.next, len(s.script)-1)]
		s.next++
	}
	s.mu.Unlock()
	if decide != nil {
		return decide(&call)
	}
	return reply
}

func (s *Server) modelNames() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.models
}

func (s *Server) handle(w http.ResponseWriter, r *http.Request) {
	s.running.Add(1)
	defer s.running.Done()
	defer func() {
		if reason := recover(); reason != nil {
			s.t.Errorf("testllm: handler panicked: %v\n%s", reason, debug.Stack())
			panic(http.ErrAbortHandler)
		}
	}()
	// The body must be read to its end: only then does net/http watch the
	// connection and cancel the context when the client leaves.
	body, err := io.ReadAll(r.Body)
	// Taken before the call shows in the ledger, so that a Release that
	// follows WaitCalls reaches this call wherever it has got to.
	gate := s.currentGate()
	request := recognise(r, body)
	call := s.ledger.add(newCall(r, body, request))
	p := &player{server: s, w: w, ctx: r.Context(), index: call.Index, gate: gate}
	if err != nil {
		p.lose()
		return
	}
	p.answer(s.replyTo(call), request)
}
