package gateway_test

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/caddyllm/llmproxy/internal/testllm"
	"github.com/caddyllm/llmproxy/providers"
	"github.com/caddyllm/llmproxy/usage"
)

// fate is what becomes of a request at a provider of HTTP/2.
type fate int

const (
	answered  fate = iota
	refused        // the stream, before anything was done
	broken         // the stream, when something may have been done
	goingAway      // the connection goes away, and does not count this stream any more
	lastOfAll      // the connection goes away after this stream, which it breaks
)

// framer is a provider that speaks HTTP/2 frame by frame. It keeps count of the
// requests by their marks.
type framer struct {
	t       *testing.T
	address string
	// decide is asked for every request, with its mark and how often it came.
	decide func(mark string, times int) fate

	mu   sync.Mutex
	came map[string]int
	done map[string]int

	listener net.Listener
	conns    map[net.Conn]bool
	running  sync.WaitGroup
}

var marks = regexp.MustCompile(`mark-\d+`)

func startFramer(t *testing.T, decide func(mark string, times int) fate) *framer {
	t.Helper()
	borrowed := httptest.NewTLSServer(nil) // for its certificate
	config := borrowed.TLS.Clone()
	borrowed.Close()
	config.NextProtos = []string{"h2"}
	listener, err := tls.Listen("tcp", "127.0.0.1:0", config)
	if err != nil {
		t.Fatal(err)
	}
	f := &framer{
		t: t, address: "https://" + listener.Addr().String(), decide: decide, listener: listener,
		came: make(map[string]int), done: make(map[string]int), conns: make(map[net.Conn]bool),
	}
	f.running.Go(f.accept)
	t.Cleanup(f.close)
	return f
}

func (f *framer) close() {
	_ = f.listener.Close()
	f.mu.Lock()
	for conn := range f.conns {
		_ = conn.Close()
	}
	f.mu.Unlock()
	f.running.Wait()
}

func (f *framer) accept() {
	for {
		conn, err := f.listener.Accept()
		if err != nil {
			return
		}
		f.mu.Lock()
		f.conns[conn] = true
		f.mu.Unlock()
		f.running.Go(func() {
			f.serve(conn)
			_ = conn.Close()
		})
	}
}

// load makes a provider of it, reached by Caddy's own transport.
func (f *framer) load(name string) *providers.Upstream {
	return load(f.t, name, "openai", f.address+"/v1", `,"transport":{"protocol":"http","tls":{"insecure_skip_verify":true}}`)
}

// serve serves one connection until it ends.
func (f *framer) serve(conn net.Conn) {
	preface := make([]byte, len(http2.ClientPreface))
	if _, err := io.ReadFull(conn, preface); err != nil {
		return
	}
	frames := http2.NewFramer(conn, conn)
	_ = frames.WriteSettings(http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 100})
	bodies := make(map[uint32]*bytes.Buffer)
	leaving, counted := false, uint32(0)
	for {
		frame, err := frames.ReadFrame()
		if err != nil {
			return
		}
		switch frame := frame.(type) {
		case *http2.SettingsFrame:
			if !frame.IsAck() {
				_ = frames.WriteSettingsAck()
			}
		case *http2.PingFrame:
			if !frame.IsAck() {
				_ = frames.WritePing(true, frame.Data)
			}
		case *http2.HeadersFrame:
			bodies[frame.StreamID] = new(bytes.Buffer)
		case *http2.DataFrame:
			id := frame.StreamID
			bodies[id].Write(frame.Data())
			if !frame.StreamEnded() {
				continue
			}
			switch f.judge(bodies[id].String(), leaving) {
			case answered:
				counted = id
				f.answer(frames, id)
			case refused:
				_ = frames.WriteRSTStream(id, http2.ErrCodeRefusedStream)
			case broken:
				_ = frames.WriteRSTStream(id, http2.ErrCodeInternal)
			case goingAway:
				leaving = true
				_ = frames.WriteGoAway(counted, http2.ErrCodeNo, nil)
				if id < counted { // it would wait
					_ = frames.WriteRSTStream(id, http2.ErrCodeRefusedStream)
				}
			case lastOfAll:
				_ = frames.WriteGoAway(id, http2.ErrCodeInternal, nil)
				return
			}
		}
	}
}

// judge counts a request. One that comes after the connection went away is not seen.
func (f *framer) judge(body string, leaving bool) fate {
	mark := marks.FindString(body)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.came[mark]++
	if leaving {
		return goingAway
	}
	verdict := f.decide(mark, f.came[mark])
	if verdict == answered || verdict == broken || verdict == lastOfAll {
		f.done[mark]++
	}
	return verdict
}

func (f *framer) answer(frames *http2.Framer, id uint32) {
	var header bytes.Buffer
	encoder := hpack.NewEncoder(&header)
	_ = encoder.WriteField(hpack.HeaderField{Name: ":status", Value: "200"})
	_ = encoder.WriteField(hpack.HeaderField{Name: "content-type", Value: "application/json"})
	_ = frames.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: header.Bytes(), EndHeaders: true})
	_ = frames.WriteData(id, true, []byte(`{"choices":[{"index":0,"message":{"role":"assistant","content":"x"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":1,"total_tokens":4}}`))
}

func marked(model string, n int) string {
	return string(testllm.ChatRequest(model, false, fmt.Sprintf("mark-%d", n)))
}

// burst sends n requests at once and returns their statuses.
func (g *gate) burst(t *testing.T, n int) []int {
	t.Helper()
	statuses := make([]int, n)
	var callers sync.WaitGroup
	for i := range n {
		callers.Go(func() { statuses[i] = g.chat(t, marked("m", i)).status })
	}
	callers.Wait()
	return statuses
}

func TestS23RefusedStreamsAreResentOnce(t *testing.T) {
	const calls = 40
	for name, decide := range map[string]func(mark string, times int) fate{
		"refused streams": func(mark string, times int) fate {
			if strings.HasSuffix(mark, "3") && times == 1 {
				return refused
			}
			return answered
		},
		"going away": func(mark string, times int) fate {
			if strings.HasSuffix(mark, "7") && times == 1 {
				return goingAway
			}
			return answered
		},
	} {
		t.Run(name, func(t *testing.T) {
			f, b := startFramer(t, decide), testllm.New(t)
			g := setup{
				upstreams: []*providers.Upstream{f.load("a"), load(t, "b", "openai", b.URL+"/v1")},
				aliases:   []alias{{name: "m", to: []string{"a/x", "b/x"}}},
			}.start(t)
			for i, status := range g.burst(t, calls) {
				if status != http.StatusOK {
					t.Errorf("call %d was answered %d", i, status)
				}
			}
			for range calls {
				r := g.record(t)
				if r.Ending != usage.Complete || r.Attempts > 2 || r.PossibleDuplicate {
					t.Errorf("record is %+v", r)
				}
			}
			f.mu.Lock()
			defer f.mu.Unlock()
			resent := 0
			for mark, n := range f.came {
				resent += n - 1
				if n > 2 || f.done[mark] > 1 {
					t.Errorf("%s came %d times, and was answered %d times", mark, n, f.done[mark])
				}
			}
			if resent == 0 || len(f.came) != calls {
				t.Errorf("%d were resent of %d", resent, len(f.came))
			}
			equal(t, "answers", len(f.done)+len(b.Calls()), calls)
		})
	}
}

// What the transport does not send again was not done: it may go elsewhere, and is
// no duplicate there.
func TestS23RefusedStreamsCountAsUnsent(t *testing.T) {
	for _, test := range []struct {
		name      string
		fate      fate
		came      int
		duplicate bool
	}{
		{"refused over and over", refused, 2, false},
		{"broken", broken, 1, true},
		{"broken with the connection", lastOfAll, 1, true},
	} {
		for _, fail := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, to be sent elsewhere %t", test.name, !fail), func(t *testing.T) {
				f, b := startFramer(t, func(string, int) fate { return test.fate }), testllm.New(t)
				g := setup{
					upstreams: []*providers.Upstream{f.load("a"), load(t, "b", "openai", b.URL+"/v1")},
					aliases:   []alias{{name: "m", to: []string{"a/x", "b/x"}, edit: onAmbiguous(fail)}},
				}.start(t)
				got := g.chat(t, marked("m", 0))
				r := g.record(t)
				if fail && test.duplicate {
					wantError(t, got, http.StatusBadGateway, "upstream_error")
					wantCalls(t, b, 0)
				} else {
					equal(t, "status", got.status, http.StatusOK)
					equal(t, "possible duplicate", r.PossibleDuplicate, test.duplicate)
					wantCalls(t, b, 1)
				}
				f.mu.Lock()
				defer f.mu.Unlock()
				equal(t, "times that it came", f.came["mark-0"], test.came)
			})
		}
	}
}

// A provider that goes away and is not there any more has done nothing.
func TestS23ProviderThatIsGoneWasNotSentAnything(t *testing.T) {
	var f *framer
	f = startFramer(t, func(string, int) fate {
		_ = f.listener.Close()
		return goingAway
	})
	b := testllm.New(t)
	g := setup{
		upstreams: []*providers.Upstream{f.load("a"), load(t, "b", "openai", b.URL+"/v1")},
		aliases:   []alias{{name: "m", to: []string{"a/x", "b/x"}, edit: onAmbiguous(true)}},
	}.start(t)
	equal(t, "status", g.chat(t, marked("m", 0)).status, http.StatusOK)
	equal(t, "possible duplicate", g.record(t).PossibleDuplicate, false)
}
