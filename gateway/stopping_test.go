package gateway_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/caddyllm/llmproxy/gateway"
	"github.com/caddyllm/llmproxy/internal/testllm"
	"github.com/caddyllm/llmproxy/providers"
	"github.com/caddyllm/llmproxy/usage"
)

func TestS20CallsAreRefusedWhenTheProcessStops(t *testing.T) {
	streams := new(gateway.Streams)
	g, srv := vendors(t, func(g *gateway.Gateway) { g.Streams, g.Surface.Health = streams, true })
	streams.Refuse()
	for _, d := range dialects {
		got := g.do(t, http.MethodPost, forModel(d.path, "chat/m"), forModel(d.body, "chat/m"), d.header...)
		want := http.StatusServiceUnavailable
		if d.name == "messages" {
			want = 529 // Anthropic's own word for it
		}
		if got.status != want || got.header.Get("Retry-After") != "1" || !strings.Contains(got.body, "gateway_stopping") {
			t.Errorf("%s: %+v", d.name, got)
		}
		r := g.record(t)
		equal(t, "ending", r.Ending, usage.Refused)
		equal(t, "error", r.Error, "gateway_stopping")
	}
	wantCalls(t, srv, 0)
	equal(t, "readiness", g.do(t, http.MethodGet, "/health/ready", "").status, http.StatusServiceUnavailable)
	equal(t, "life", g.do(t, http.MethodGet, "/health/live", "").status, http.StatusOK)
}

func TestS20CallsThatAreUnderWayGoOnUntilTheirTimeIsUp(t *testing.T) {
	streams := new(gateway.Streams)
	g, a, _ := pair(t, func(g *gateway.Gateway) { g.Streams = streams })
	a.Script(testllm.Reply{Text: "fine", Hold: true})
	answered := make(chan answer, 1)
	begin := func() {
		calls := len(a.Calls())
		go func() { answered <- g.chat(t, ask("m")) }()
		a.WaitCalls(t, calls+1)
	}
	begin()
	streams.Refuse()
	a.Release()
	wantText(t, <-answered, "fine")
	g.record(t)

	streams = new(gateway.Streams)
	var b *testllm.Server
	g, a, b = pair(t, func(g *gateway.Gateway) { g.Streams = streams })
	a.Script(testllm.Reply{Hold: true})
	begin()
	streams.End()
	got := <-answered
	wantError(t, got, http.StatusServiceUnavailable, "gateway_stopping")
	equal(t, "retry after", got.header.Get("Retry-After"), "1")
	wantCalls(t, b, 0)
	r := g.record(t)
	if r.Error != "gateway_stopping" || r.Tokens.Input == 0 {
		t.Errorf("record is %+v", r)
	}
	begun := time.Now()
	streams.Wait(patience)
	if took := time.Since(begun); took > patience/2 {
		t.Errorf("waited %v for nobody", took)
	}
}

func TestS20ForwardedBytesAreCutAndSettled(t *testing.T) {
	hold := make(chan struct{})
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "audio/mpeg")
		_, _ = io.WriteString(w, "sound")
		_ = http.NewResponseController(w).Flush()
		select {
		case <-hold:
		case <-r.Context().Done():
		}
	}))
	defer upstream.Close()
	defer close(hold)
	streams := new(gateway.Streams)
	g := setup{
		upstreams: []*providers.Upstream{load(t, "openai", "openai", upstream.URL+"/v1")},
		change:    func(g *gateway.Gateway) { g.Streams = streams },
	}.start(t)
	response, err := g.open(t.Context(), http.MethodPost, "/v1/audio/speech", speech)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if _, err := io.ReadFull(response.Body, make([]byte, len("sound"))); err != nil {
		t.Fatal(err)
	}
	streams.End()
	if _, err := io.ReadAll(response.Body); err == nil {
		t.Error("what was cut reads as whole")
	}
	r := g.record(t)
	equal(t, "ending", r.Ending, usage.Broken)
	equal(t, "error", r.Error, "gateway_stopping")
	if r.Tokens.Input == 0 {
		t.Errorf("tokens are %+v", r.Tokens)
	}
}

func TestWaitEndsWhenTheTimeIsUp(t *testing.T) {
	streams := new(gateway.Streams)
	g, srv := single(t, func(g *gateway.Gateway) { g.Streams = streams })
	srv.Script(testllm.Reply{Hold: true})
	done := make(chan answer, 1)
	go func() { done <- g.chat(t, ask("openai/x")) }()
	srv.WaitCalls(t, 1)
	streams.Wait(20 * time.Millisecond)
	wantCalls(t, srv, 1)
	srv.Release()
	<-done
	g.record(t)
	streams.Wait(patience)
}
