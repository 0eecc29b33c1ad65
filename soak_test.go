package llmproxy_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyllm/llmproxy/internal/testllm"
)

// moods are what the provider does in turn under a soak.
var moods = []testllm.Reply{
	{Text: "an ordinary answer of some words"},
	{Text: "an ordinary answer of some words", ChunkDelay: time.Millisecond},
	{Status: http.StatusTooManyRequests},
	{Text: "an answer that is cut", CutAfter: 3, Cut: testllm.Reset},
	{Status: http.StatusInternalServerError, Body: []byte("<html>oh no</html>"), ContentType: "text/html"},
	{Text: "an answer with an error", ErrorAfter: 2},
	{ResetConnection: true},
	{Text: "an answer without the last event", NoTerminator: true},
}

// TestSoak keeps a gateway busy with calls of every kind, a provider of every
// mood, clients that leave, and a config that changes, for five minutes or as
// long as LLMPROXY_LONG says. What is left after that is what was there before.
func TestSoak(t *testing.T) {
	long := os.Getenv("LLMPROXY_LONG")
	if long == "" {
		t.Skip("LLMPROXY_LONG is not set: this takes minutes")
	}
	duration, err := time.ParseDuration(long)
	if err != nil {
		duration = 5 * time.Minute
	}
	s := newStorm(t)
	s.provider.On(func(c *testllm.Call) testllm.Reply { return moods[c.Index%len(moods)] })
	openStream(t, s.base(), chatBody("storm", "go", true)).rest(t)
	goroutines, files, heap := s.goroutines(), s.openFiles(), s.heap()

	over, cancel := context.WithTimeout(t.Context(), duration)
	defer cancel()
	errs := make([]error, 8)
	var workers sync.WaitGroup
	for i := range errs {
		workers.Go(func() {
			for n := i; over.Err() == nil && errs[i] == nil; n++ {
				errs[i] = s.soakCall(n)
			}
		})
	}
	for i := 0; over.Err() == nil; i++ {
		s.change(i)
	}
	workers.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Error(err)
	}
	s.awaitRest(goroutines, files)
	if grown := s.heap() - heap; grown > 32<<20 {
		t.Errorf("the heap has grown by %d bytes over %d calls", grown, len(s.provider.Calls()))
	}
}

var soakClient = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

// soakCall makes one call and sees that its answer is whole, or says that it is not.
func (s *storm) soakCall(n int) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	streamed := n%3 != 0
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.base()+"/v1/chat/completions", strings.NewReader(chatBody("storm", "go", streamed)))
	if err != nil {
		return err
	}
	response, err := soakClient.Do(request)
	if err != nil {
		return nil //nolint:nilerr // a socket that closed in a reload: the request was never read
	}
	defer response.Body.Close()
	if n%7 == 0 {
		_, _ = response.Body.Read(make([]byte, 64))
		return nil // a client that leaves
	}
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return fmt.Errorf("an answer broke: %w", err)
	}
	switch {
	case !streamed || response.StatusCode != http.StatusOK:
		if !json.Valid(text) {
			return fmt.Errorf("the answer with status %d is %q", response.StatusCode, text)
		}
	case !strings.Contains(string(text), `"finish_reason":"stop"`) && !strings.Contains(string(text), `"error":`):
		return fmt.Errorf("a stream ended without saying so: %q", text)
	}
	return nil
}

var heapAlloc = regexp.MustCompile(`# HeapAlloc = (\d+)`)

// heap is what the process holds once its garbage is collected.
func (s *storm) heap() int {
	s.t.Helper()
	return s.profiled("heap?gc=1&debug=1", heapAlloc)
}
