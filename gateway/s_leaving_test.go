package gateway_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyllm/llmproxy/gateway"
	"github.com/caddyllm/llmproxy/internal/testllm"
	"github.com/caddyllm/llmproxy/providers"
	"github.com/caddyllm/llmproxy/usage"
)

// Where a call may be when its client leaves.
var whereabouts = []string{"queue", "dial", "header", "backoff", "skeleton", "stream", "flowing"}

// crossing is a gateway whose calls get stuck at each of these.
type crossing struct {
	*gate
	gw        *gateway.Gateway
	srv       *testllm.Server
	upstreams []*providers.Upstream
	arrivals  sync.Map // channels by mark, closed once the provider has the call
}

// startCrossing starts it, for so many calls.
func startCrossing(t *testing.T, inMemory, http2 bool, n int) *crossing {
	t.Helper()
	c := new(crossing)
	var more []string
	stuck := ""
	if inMemory {
		c.srv, more = testllm.Serve(t, listenPipe()), []string{overPipes}
		l := listenPipe() // which nobody accepts from
		t.Cleanup(func() { _ = l.Close() })
		stuck = "http://" + l.address
	} else {
		c.srv = testllm.New(t)
		stuck = "https://" + holdConnections(t) // which waits for the handshake
	}
	c.srv.On(c.reply)
	c.upstreams = []*providers.Upstream{load(t, "p", "openai", c.srv.URL+"/v1", more...), load(t, "stuck", "openai", stuck+"/v1", more...)}
	var aliases []alias // each with a retry budget of its own
	for i := range n {
		name := fmt.Sprint("backoff-", i)
		aliases = append(aliases, alias{name: name, to: []string{"p/" + name}})
	}
	c.gate = setup{upstreams: c.upstreams, aliases: aliases, http2: http2, inMemory: inMemory, change: func(g *gateway.Gateway) {
		g.Queue = &gateway.Queue{Wait: time.Hour, Length: 1000}
		g.Backoff.Most = time.Minute
		c.gw = g
	}}.start(t)
	c.chat(t, ask("p/queue")) // after which there is no room
	c.record(t)
	<-c.began
	return c
}

// reply keeps a call where its model says.
func (c *crossing) reply(call *testllm.Call) testllm.Reply {
	if arrived, ok := c.arrivals.Load(marks.FindString(string(call.Body))); ok {
		close(arrived.(chan struct{}))
	}
	switch where, _, _ := strings.Cut(call.Model, "-"); where {
	case "header":
		return testllm.Reply{Hold: true}
	case "backoff":
		return testllm.Reply{Status: 503, Header: http.Header{"Retry-After": {"20"}}}
	case "skeleton":
		return testllm.Reply{RawEvents: []string{skeletonChunk, doneEvent}, StallAfter: 1}
	case "stream":
		return testllm.Reply{RawEvents: []string{begun, doneEvent}, StallAfter: 1}
	case "flowing":
		return testllm.Reply{RawEvents: append(slices.Repeat([]string{begun}, 10_000), doneEvent), ChunkDelay: time.Millisecond}
	}
	return testllm.Reply{Header: left(0, "30m")}
}

// holdConnections is the address of a listener that keeps what it accepts.
func holdConnections(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var accepting sync.WaitGroup
	var held []net.Conn
	accepting.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			held = append(held, conn)
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		accepting.Wait()
		for _, conn := range held {
			_ = conn.Close()
		}
	})
	return listener.Addr().String()
}

// departure is a call whose client left: where it was then, its mark, and when.
type departure struct {
	where, mark string
	at          time.Time
}

// visit makes a call that gets stuck, and leaves it a little later.
func (c *crossing) visit(t *testing.T, where string, n int, pause time.Duration) departure {
	t.Helper()
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	d := departure{where: where, mark: fmt.Sprintf("mark-%d", n)}
	arrived, opened, read := make(chan struct{}), make(chan struct{}), make(chan struct{})
	c.arrivals.Store(d.mark, arrived)
	provider, model := "p/", where
	switch where {
	case "dial": // whose model shows that it is on its way
		provider, model = "stuck/", fmt.Sprint("dial-", n)
	case "backoff": // a target that asked for time is not asked by the next call
		provider, model = "", fmt.Sprint("backoff-", n)
	}
	stream := where != "header" && where != "backoff" || n%2 == 0
	gone := make(chan error, 1)
	go func() {
		ctx := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{Got100Continue: func() { close(read) }})
		response, err := c.open(ctx, http.MethodPost, chatPath, string(testllm.ChatRequest(provider+model, stream, d.mark)), "Expect", "100-continue")
		if err == nil {
			close(opened)
			_, err = io.Copy(io.Discard, response.Body)
			_ = response.Body.Close()
		}
		gone <- err
	}()
	ready := arrived
	switch where {
	case "queue", "dial": // the provider never sees it, but the gateway reads it
		ready = read
	case "stream", "flowing":
		ready = opened
	}
	select {
	case <-ready:
	case <-time.After(patience):
		t.Errorf("the call did not get to %s", where)
	}
	time.Sleep(pause)
	for state := c.gw.Routes.Health(c.upstreams[1]).Model(model); where == "dial" && state.InFlight() == 0; {
		time.Sleep(time.Millisecond)
	}
	d.at = time.Now()
	leave()
	if err := <-gone; err == nil {
		t.Errorf("the call at %s ended before its client left", where)
	}
	return d
}

// inFlight counts the attempts that the gateway believes to be on their way.
func (c *crossing) inFlight(departures ...departure) (n int64) {
	for _, d := range departures {
		for _, u := range c.upstreams {
			health := c.gw.Routes.Health(u)
			n += health.Model(d.where).InFlight() + health.Model(d.where+strings.Replace(d.mark, "mark", "", 1)).InFlight()
		}
	}
	return n
}

// wantRecord checks the record of a call whose client left.
func (c *crossing) wantRecord(t *testing.T) {
	t.Helper()
	r := c.record(t)
	where, _, _ := strings.Cut(r.RequestedModel[strings.Index(r.RequestedModel, "/")+1:], "-")
	status, attempts := 499, 1
	switch where {
	case "queue", "": // or while its request was read
		attempts = 0
	case "stream", "flowing":
		status = http.StatusOK
	}
	if r.Ending != usage.ClientGone || r.Error != "client_closed_request" || r.Status != status || r.Attempts != attempts {
		t.Errorf("the record of a call at %s is %+v", where, r)
	}
	accepted := r.Tokens.Input > 0
	switch {
	case where == "backoff": // or before that
	case where == "" || where == "queue" || where == "dial":
		equal(t, "tokens of a call at "+where, r.Tokens, usage.Tokens{})
	case !accepted || !r.Tokens.Estimated || (r.Tokens.Output > 0) != (status == http.StatusOK):
		t.Errorf("a call at %s that was accepted took %+v", where, r.Tokens)
	}
}

// lateness is how long the provider was left to work on each of the calls.
func (c *crossing) lateness(t *testing.T, departures []departure) (late []time.Duration) {
	t.Helper()
	calls := make(map[string]testllm.Call)
	for _, call := range c.srv.Calls() {
		calls[marks.FindString(string(call.Body))] = call
	}
	for _, d := range departures {
		call, came := calls[d.mark]
		switch {
		case d.where == "queue" || d.where == "dial":
			equal(t, "whether the provider got a call at "+d.where, came, false)
		case d.where == "backoff" && call.Finished:
		case !call.Cancelled:
			t.Errorf("the provider works on at %s", d.where)
		default:
			late = append(late, call.Ended.Sub(d.at))
		}
	}
	return late
}

// In virtual time nothing may take any: what waits is woken, and does not look
// now and then.
func TestS16ClientsThatLeaveAreNoticedAtOnce(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		for n, where := range whereabouts {
			for _, n := range []int{2 * n, 2*n + 1} {
				t.Run(fmt.Sprintf("%s, HTTP/2 %t, %d", where, http2, n%2), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						c := startCrossing(t, true, http2, n+1)
						d := c.visit(t, where, n, 3*time.Second/2)
						synctest.Wait()
						c.wantRecord(t)
						equal(t, "in flight", c.inFlight(d), 0)
						for _, late := range c.lateness(t, []departure{d}) {
							equal(t, "lateness", late, 0)
						}
						equal(t, "time that it took", time.Since(d.at), 0)
					})
				})
			}
		}
	}
}

// kills is how many clients leave at random in one go.
func kills() (rounds, each int) {
	if os.Getenv("LLMPROXY_LONG") != "" {
		return 5, 1000
	}
	return 1, 200
}

func TestS16ClientsMayLeaveAtAnyTime(t *testing.T) {
	rounds, each := kills()
	for round := range rounds {
		for _, http2 := range []bool{false, true} {
			t.Run(fmt.Sprintf("round %d, HTTP/2 %t", round, http2), func(t *testing.T) { killAtRandom(t, http2, each/2) })
		}
	}
}

func killAtRandom(t *testing.T, http2 bool, n int) {
	c := startCrossing(t, false, http2, n)
	departures := make([]departure, n)
	var workers sync.WaitGroup
	next := make(chan int)
	for range 8 {
		workers.Go(func() {
			for i := range next {
				departures[i] = c.visit(t, whereabouts[rand.IntN(len(whereabouts))], i, rand.N(4*time.Millisecond)) //nolint:gosec // any will do
				<-c.began
				c.wantRecord(t) // of this call or of another
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	workers.Wait()
	equal(t, "in flight", c.inFlight(departures...), 0)
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if !slices.ContainsFunc(c.srv.Calls(), func(call testllm.Call) bool { return !call.Finished && !call.Cancelled }) {
			break
		}
	}
	late := c.lateness(t, departures)
	slices.Sort(late)
	t.Logf("the provider was left to work for %v at the median, %v at most", late[len(late)/2], late[len(late)-1])
	// All of them would say more of the machine than of the gateway.
	if most := late[len(late)*95/100]; most > 100*time.Millisecond {
		t.Errorf("the provider was left to work on one call of twenty for %v or longer", most)
	}
}
