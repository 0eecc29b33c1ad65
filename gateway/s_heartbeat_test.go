package gateway_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyllm/llmproxy/gateway"
	"github.com/caddyllm/llmproxy/internal/testllm"
	"github.com/caddyllm/llmproxy/providers"
	"github.com/caddyllm/llmproxy/usage"
)

// takesMinutes skips a test where there is no time for it.
func takesMinutes(t *testing.T) {
	t.Helper()
	if os.Getenv("LLMPROXY_LONG") == "" {
		t.Skip("LLMPROXY_LONG is not set: this takes minutes")
	}
}

// thinking is how long the provider keeps silent in the middle of its thoughts.
const thinking = 55 * time.Second

// A thinking model, cut within an event, and what it says after that.
var (
	thinkingStarts = []string{
		"event: message_start\ndata: " + messageStart + "\n\n",
		"event: content_block_start\n" + `data: {"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}` + "\n\n",
		"event: content_block_delta\n" + `data: {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"Hm"}}` + "\n\n" + "event: content_block_delta\ndata: {",
	}
	thinkingGoesOn = []string{
		`"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"!"}}` + "\n\n",
		"event: content_block_delta\n" + `data: {"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"c2ln"}}` + "\n\n",
		"event: content_block_stop\n" + `data: {"type":"content_block_stop","index":0}` + "\n\n",
		"event: content_block_start\n" + `data: {"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}` + "\n\n",
		"event: content_block_delta\n" + `data: {"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"` + foundText + `"}}` + "\n\n",
		"event: content_block_stop\n" + `data: {"type":"content_block_stop","index":1}` + "\n\n",
		"event: message_delta\n" + `data: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":9}}` + "\n\n",
		"event: message_stop\n" + `data: {"type":"message_stop"}` + "\n\n",
	}
)

// beats are the signs of life in each client's stream; Gemini's clients have none.
var beats = map[string]string{
	"chat": ": keep-alive\n\n", "responses": ": keep-alive\n\n", "messages": "event: ping\ndata: {\"type\":\"ping\"}\n\n",
}

// arrival is what came in one piece, and when.
type arrival struct {
	after time.Duration
	text  string
}

// readTimed reads a stream to its end, and when each piece came.
func readTimed(r io.Reader, began time.Time) (arrivals []arrival, err error) {
	memory := make([]byte, 64<<10)
	for {
		n, err := r.Read(memory)
		if n > 0 {
			arrivals = append(arrivals, arrival{time.Since(began), string(memory[:n])})
		}
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return arrivals, err
		}
	}
}

// thinkInSilence asks a model that thinks for a long time, and checks that the
// client gets signs of life at the times when it should, and nothing else amiss.
func thinkInSilence(t *testing.T, dialect int, inMemory bool, tolerance time.Duration) {
	t.Helper()
	d := dialects[dialect]
	var srv *testllm.Server
	var more []string
	if inMemory {
		srv, more = testllm.Serve(t, listenPipe()), []string{overPipes}
	} else {
		srv = testllm.New(t)
	}
	g := setup{
		upstreams: []*providers.Upstream{load(t, "claude", "anthropic", srv.URL, more...)},
		change: func(g *gateway.Gateway) {
			g.Surface = gateway.Surface{OpenAI: true, Anthropic: true, Gemini: true}
			g.Stream.Heartbeat = gateway.DefaultHeartbeat
		},
		inMemory: inMemory,
	}.start(t)
	srv.Script(testllm.Reply{RawEvents: append(thinkingStarts[:3:3], thinkingGoesOn...), StallAfter: 3})
	began := time.Now()
	released := time.AfterFunc(thinking, srv.Release)
	defer released.Stop()
	response, err := g.open(t.Context(), http.MethodPost, forModel(d.streamPath, "claude/claude-opus-4-5"), forModel(d.streamBody, "claude/claude-opus-4-5"), d.header...)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	arrivals, err := readTimed(response.Body, began)
	equal(t, "how the stream ended", err, nil)

	beat, text := beats[d.name], ""
	var at []time.Duration
	for _, a := range arrivals {
		if beat != "" && a.text == beat && a.after > time.Second {
			at = append(at, a.after)
			continue
		}
		text += a.text
	}
	want := []time.Duration{15 * time.Second, 30 * time.Second, 45 * time.Second}
	if beat == "" {
		want = nil
	}
	if len(at) != len(want) {
		t.Errorf("signs of life came after %v: %+v", at, arrivals)
	}
	for i := range min(len(at), len(want)) {
		if late := at[i] - want[i]; late < 0 || late > tolerance {
			t.Errorf("a sign of life came after %v, not %v", at[i], want[i])
		}
	}
	wantText(t, answer{status: response.StatusCode, body: text}, foundText)
	wantText(t, answer{status: response.StatusCode, body: text}, d.ends)
	if strings.Contains(text, `"error":{`) || beat != "" && strings.Count(text, beat) > 0 {
		t.Errorf("the stream is %s", text)
	}
	if d.name == "messages" { // its own format: every byte is the provider's
		equal(t, "the stream without signs of life", text, strings.Join(thinkingStarts, "")+strings.Join(thinkingGoesOn, ""))
	}
	r := g.record(t)
	equal(t, "ending", r.Ending, usage.Complete)
	if late := r.Duration - thinking; late < 0 || late > tolerance {
		t.Errorf("it took %v", r.Duration)
	}
}

func TestS12SilentThinkingIsKeptAlive(t *testing.T) {
	for dialect, d := range dialects {
		t.Run(d.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { thinkInSilence(t, dialect, true, 0) })
		})
	}
}

func TestS12SilentThinkingIsKeptAliveInRealTime(t *testing.T) {
	takesMinutes(t)
	for dialect, d := range dialects {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			thinkInSilence(t, dialect, false, 2*time.Second)
		})
	}
}

// Before its first content a stream has not begun for the client, so that another
// provider may still take over: it gets nothing, and its first bytes are the answer's.
func TestS12NothingIsSaidBeforeTheAnswerBegins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, a, _ := virtual(t, false, func(g *gateway.Gateway) { g.Stream.Heartbeat = gateway.DefaultHeartbeat })
		a.Script(testllm.Reply{RawEvents: []string{skeletonChunk, textChunk(foundText), finishChunk, doneEvent}, StallAfter: 1})
		time.AfterFunc(thinking, a.Release)
		began := time.Now()
		got := g.chat(t, askStream("m"))
		equal(t, "stream", got.body, skeletonChunk+textChunk(foundText)+finishChunk+doneEvent)
		equal(t, "it took", fmt.Sprint(time.Since(began)), fmt.Sprint(thinking))
	})
}
