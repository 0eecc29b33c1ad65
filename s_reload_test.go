package llmproxy_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// standing is what GET /llm_proxy/status tells of a process with one handler and
// one provider.
type standing struct {
	InFlight    int64 `json:"in_flight"`
	Generations int64
	Handlers    []struct {
		Providers []struct {
			InFlight int64 `json:"in_flight"`
			Targets  []struct {
				Model, State string
			}
		}
	}
}

func (s *storm) standing() (found standing) {
	s.t.Helper()
	status, text := s.gateway.configure(s.t, http.MethodGet, "/llm_proxy/status", "")
	if err := json.Unmarshal([]byte(text), &found); err != nil || status != http.StatusOK || len(found.Handlers) != 1 || len(found.Handlers[0].Providers) != 1 {
		s.t.Fatalf("the status is %d %s (%v)", status, text, err)
	}
	return found
}

// wantKept checks that what is known of a provider is still known.
func (s *storm) wantKept(streams int64) {
	s.t.Helper()
	provider := s.standing().Handlers[0].Providers[0]
	states := make(map[string]string)
	for _, target := range provider.Targets {
		states[target.Model] = target.State
	}
	if provider.InFlight < streams || states["busy"] != "busy" || states["broken"] != "open" {
		s.t.Errorf("%d attempts are on their way of %d, and the targets are %v", provider.InFlight, streams, states)
	}
}

func TestS19ReloadsUnderLoad(t *testing.T) {
	t.Parallel()
	streams, reloads, every := 100, 30, 50*time.Millisecond
	if os.Getenv("LLMPROXY_LONG") != "" {
		streams, reloads, every = 500, 600, 100*time.Millisecond
	}
	s := newStorm(t)
	openStream(t, s.base(), chatBody("storm", "go", true)).rest(t)
	goroutines, files, heap := s.goroutines(), s.openFiles(), s.heap()
	for range 5 {
		exchange(t, http.DefaultClient, http.MethodPost, s.base()+"/v1/chat/completions", chatBody("fake/broken", "hi", false))
	}
	exchange(t, http.DefaultClient, http.MethodPost, s.base()+"/v1/chat/completions", chatBody("fake/busy", "hi", false))

	held := make([]*stream, streams)
	for i := range held {
		held[i] = openStream(t, s.base(), chatBody("storm", "wait", true))
	}
	s.wantKept(int64(streams))
	stop := make(chan struct{})
	errs := make([]error, 4)
	var workers sync.WaitGroup
	for i := range errs {
		workers.Go(func() { errs[i] = s.keepStreaming(stop) })
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for i := range reloads {
		s.load(s.caddyfile(i+2), true)
		<-tick.C
	}
	close(stop)
	workers.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Error(err)
	}
	s.wantKept(int64(streams))
	s.provider.Release()
	for _, h := range held {
		if events := h.rest(t); len(events) == 0 || events[len(events)-1] != "[DONE]" {
			t.Errorf("a stream that outlived %d reloads ended in %q", reloads, events)
		}
	}
	s.awaitOne()
	s.awaitRest(goroutines, files)
	s.heap() // a pool keeps what it has until the second collection
	if grown := s.heap() - heap; grown > 8<<20 {
		t.Errorf("the heap has grown by %d bytes over %d reloads", grown, reloads)
	}
	s.wantKept(0)
}

// awaitOne waits until the configs that were replaced are over. They stay for a
// while, for requests that are on their way to them.
func (s *storm) awaitOne() {
	s.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		found := s.standing()
		if found.Generations == 1 && found.InFlight == 0 {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("%d configs and %d calls are left", found.Generations, found.InFlight)
		}
	}
}

func TestS16GaugesFallWhenClientsLeave(t *testing.T) {
	t.Parallel()
	const clients = 20
	s := newStorm(t)
	for range clients {
		openStream(t, s.base(), chatBody("storm", "wait", true)).response.Body.Close()
	}
	s.provider.WaitCancelled(t, clients)
	s.awaitOne()
	if n := s.standing().Handlers[0].Providers[0].InFlight; n != 0 {
		t.Errorf("%d attempts count as on their way", n)
	}
	if _, metrics := s.gateway.configure(t, http.MethodGet, "/metrics", ""); !strings.Contains(metrics, "caddy_llm_proxy_requests_in_flight 0\n") {
		t.Error("the gauge of calls has not fallen")
	}
	if log := s.gateway.text(); strings.Count(log, `"ending":"client_gone"`) != clients {
		t.Errorf("%d records say that the client was gone", strings.Count(log, `"ending":"client_gone"`))
	}
}
