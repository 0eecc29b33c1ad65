package llmproxy_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyllm/llmproxy/internal/testllm"
)

// stormSite is a config that differs in its retries from reload to reload.
const stormSite = `{
	grace_period 2s
}
http://127.0.0.1:%s {
	llm_proxy {
		id gw
		config %s
		retries %d
		auth anonymous
		breaker {
			open 300s
		}
		provider fake openai {
			base_url %s/v1
			api_key k
		}
	}
}
`

// storm is a gateway whose config is changed over and over while it serves.
type storm struct {
	t        *testing.T
	gateway  *server
	provider *testllm.Server
	port     string
	yaml     string // the watched file
	edits    int
}

func newStorm(t *testing.T) *storm {
	s := &storm{t: t, provider: testllm.New(t), port: freePort(t), yaml: filepath.Join(t.TempDir(), "models.yaml")}
	s.provider.On(func(c *testllm.Call) testllm.Reply {
		switch {
		case c.Model == "busy":
			return testllm.Reply{Status: http.StatusServiceUnavailable, Header: http.Header{"Retry-After": {"300"}}}
		case c.Model == "broken":
			return testllm.Reply{Status: http.StatusInternalServerError}
		case strings.Contains(string(c.Body), "wait"):
			return testllm.Reply{Chunks: []string{"one ", "two ", "three"}, StallAfter: 2}
		}
		return testllm.Reply{Chunks: strings.SplitAfter(strings.Repeat("word ", 20), " "), ChunkDelay: 2 * time.Millisecond}
	})
	s.writeYAML("models: { storm: { to: fake/m0 } }")
	config := filepath.Join(t.TempDir(), "Caddyfile")
	if err := os.WriteFile(config, []byte(s.caddyfile(1)), 0o600); err != nil {
		t.Fatal(err)
	}
	s.gateway = start(t, filepath.Dir(config), nil, "--config", config)
	return s
}

func (s *storm) base() string { return "http://127.0.0.1:" + s.port }

func (s *storm) caddyfile(retries int) string {
	return fmt.Sprintf(stormSite, s.port, s.yaml, retries, s.provider.URL)
}

// writeYAML replaces the watched file as editors do.
func (s *storm) writeYAML(text string) {
	s.t.Helper()
	draft := s.yaml + ".draft"
	if err := os.WriteFile(draft, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	if err := os.Rename(draft, s.yaml); err != nil {
		s.t.Fatal(err)
	}
}

// load loads a Caddyfile, which is good or must be refused.
func (s *storm) load(caddyfile string, good bool) {
	s.t.Helper()
	got := exchange(s.t, s.gateway.admin, http.MethodPost, "http://localhost/load", caddyfile, "Content-Type", "text/caddyfile")
	if (got.status == http.StatusOK) != good {
		s.t.Fatalf("loading answered %d: %s", got.status, got.body)
	}
}

func (s *storm) patch(value string, good bool) {
	s.t.Helper()
	status, answer := s.gateway.configure(s.t, http.MethodPatch, "/id/gw/retries", value)
	if (status == http.StatusOK) != good {
		s.t.Fatalf("patching answered %d: %s", status, answer)
	}
}

func (s *storm) editYAML(text, logged string) {
	s.t.Helper()
	mark := s.gateway.mark()
	s.writeYAML(text)
	s.gateway.awaitAfter(s.t, mark, logged)
}

// change changes the config in one of the ways that there are, some of which
// must be refused.
func (s *storm) change(i int) {
	s.t.Helper()
	switch i % 10 {
	case 0, 4, 6, 8:
		s.load(s.caddyfile(i+2), true)
	case 1:
		s.load(strings.Replace(s.caddyfile(1), "retries", "retires", 1), false)
	case 2:
		s.patch(strconv.Itoa(1000+i), true)
	case 3:
		s.patch(`"many"`, false)
	case 5:
		s.load(strings.Replace(s.caddyfile(1), "auth anonymous", "", 1), false)
	case 7:
		s.load(strings.Replace(s.caddyfile(1), "openai {", "openai {\n\t\t\ttransport http {\n\t\t\t\ttls_trust_pool nothing\n\t\t\t}", 1), false)
	case 9:
		if s.edits++; s.edits%2 == 0 {
			s.editYAML("models: { storm: { to: nobody/m } }", "models.yaml:1:11: ")
		}
		s.editYAML(fmt.Sprintf("models: { storm: { to: fake/m%d } }", i), "config file reloaded")
	}
}

func (s *storm) openFiles() int { return openFiles(strconv.Itoa(s.gateway.cmd.Process.Pid)) }

var goroutineTotal = regexp.MustCompile(`total (\d+)`)

func (s *storm) goroutines() int {
	s.t.Helper()
	return s.profiled("goroutine?debug=1", goroutineTotal)
}

// profiled is the number that a profile of the process says.
func (s *storm) profiled(profile string, number *regexp.Regexp) int {
	s.t.Helper()
	_, text := s.gateway.configure(s.t, http.MethodGet, "/debug/pprof/"+profile, "")
	found := number.FindStringSubmatch(text)
	if found == nil {
		s.t.Fatalf("no profile: %.200s", text)
	}
	n, err := strconv.Atoi(found[1])
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

// awaitRest waits until the process holds no more than it did at rest.
func (s *storm) awaitRest(goroutines, files int) {
	s.t.Helper()
	http.DefaultClient.CloseIdleConnections()
	const tolerance = 8 // connections of the admin client and of the last request
	for deadline := time.Now().Add(patience); ; {
		g, f := s.goroutines(), s.openFiles()
		if g <= goroutines+tolerance && f <= files+tolerance {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("%d goroutines and %d files are left, of %d and %d before", g, f, goroutines, files)
		}
		runtime.Gosched()
	}
}

// keepStreaming asks for one stream after another until stop is closed, and
// checks that each ends well.
func (s *storm) keepStreaming(stop <-chan struct{}) error {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for {
		select {
		case <-stop:
			return nil
		default:
		}
		response, err := client.Post(s.base()+"/v1/chat/completions", "application/json", strings.NewReader(chatBody("storm", "go", true)))
		if err != nil {
			// The old server's socket took its backlog along when it closed: the
			// request was never read, and no answer to it begun.
			continue
		}
		text, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil {
			return fmt.Errorf("a stream broke: %w", err)
		}
		if response.StatusCode != http.StatusOK || strings.Count(string(text), "word ") != 20 || !strings.HasSuffix(string(text), "data: [DONE]\n\n") {
			return fmt.Errorf("a stream with status %d ended in %q", response.StatusCode, text[max(0, len(text)-300):])
		}
	}
}

func TestReloadsBreakNoStreamAndLeaveNothingBehind(t *testing.T) {
	t.Parallel()
	s := newStorm(t)
	first := openStream(t, s.base(), chatBody("storm", "go", true))
	first.rest(t)
	goroutines, files := s.goroutines(), s.openFiles()

	const waiting, streaming, changes = 8, 4, 100
	held := make([]*stream, waiting)
	for i := range held {
		held[i] = openStream(t, s.base(), chatBody("storm", "wait", true))
	}
	stop := make(chan struct{})
	errs := make([]error, streaming)
	var workers sync.WaitGroup
	for i := range errs {
		workers.Go(func() { errs[i] = s.keepStreaming(stop) })
	}
	for i := range changes {
		s.change(i)
	}
	close(stop)
	workers.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Error(err)
	}
	s.provider.Release()
	for _, h := range held {
		if events := h.rest(t); len(events) == 0 || events[len(events)-1] != "[DONE]" {
			t.Errorf("a stream that outlived %d reloads ended in %q", changes, events)
		}
	}
	s.awaitRest(goroutines, files)
	s.endHonestly()
}

// endHonestly stops the process while streams are open: they get an error, not
// a cut and not a made-up end.
func (s *storm) endHonestly() {
	s.t.Helper()
	before := openStream(s.t, s.base(), chatBody("storm", "wait", true))
	s.load(s.caddyfile(5), true) // one stream is of a config that is gone
	after := openStream(s.t, s.base(), chatBody("storm", "wait", true))
	s.gateway.stop(s.t)
	for name, stream := range map[string]*stream{"before": before, "after": after} {
		events := stream.rest(s.t)
		if len(events) == 0 || !strings.Contains(events[len(events)-1], "gateway_stopping") {
			s.t.Errorf("the stream from %s the last reload ended in %q", name, events)
		}
	}
}
