package chatclient_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/caddyllm/llmproxy/internal/chatclient"
	"github.com/caddyllm/llmproxy/internal/testllm"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// output is what a session writes, read while it writes.
type output struct {
	mu      sync.Mutex
	text    strings.Builder
	changed chan struct{} // closed at every change, then replaced
}

func newOutput() *output { return &output{changed: make(chan struct{})} }

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	close(o.changed)
	o.changed = make(chan struct{})
	return o.text.Write(p)
}

func (o *output) look() (string, <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String(), o.changed
}

func (o *output) String() string {
	text, _ := o.look()
	return text
}

// await waits until the text is there so many times.
func (o *output) await(t *testing.T, part string, times int) {
	t.Helper()
	timeout := time.After(10 * time.Second)
	for {
		text, changed := o.look()
		if strings.Count(text, part) >= times {
			return
		}
		select {
		case <-changed:
		case <-timeout:
			t.Fatalf("no %q in %q", part, text)
		}
	}
}

func newClient(t *testing.T, address, key string) *chatclient.Client {
	t.Helper()
	client, err := chatclient.New(address, key)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

// talk is a session whose user types.
type talk struct {
	*chatclient.Session
	provider   *testllm.Server
	out, notes *output
	keyboard   *io.PipeWriter
	interrupt  chan os.Signal
	done       chan error
}

func newTalk(t *testing.T) *talk {
	provider := testllm.New(t)
	typed, keyboard := io.Pipe()
	s := &talk{provider: provider, out: newOutput(), notes: newOutput(), keyboard: keyboard, interrupt: make(chan os.Signal), done: make(chan error, 1)}
	s.Session = &chatclient.Session{
		Client: newClient(t, provider.URL+"/v1/", "secret-of-the-client"), Model: "m", System: "Be brief.",
		In: typed, Out: s.out, Notes: s.notes, Interrupts: s.interrupt,
	}
	go func() { s.done <- s.Talk(context.Background()) }()
	t.Cleanup(func() { _ = keyboard.Close() })
	return s
}

func (s *talk) type_(t *testing.T, line string) {
	t.Helper()
	if _, err := io.WriteString(s.keyboard, line+"\n"); err != nil {
		t.Fatal(err)
	}
}

func (s *talk) end(t *testing.T) {
	t.Helper()
	_ = s.keyboard.Close()
	if err := <-s.done; err != nil {
		t.Error(err)
	}
}

// said is the conversation that a call has, as "role: text" lines.
func said(t *testing.T, body []byte) (model, conversation string) {
	t.Helper()
	var ask struct {
		Model    string
		Messages []chatclient.Message
	}
	if err := json.Unmarshal(body, &ask); err != nil {
		t.Fatal(err)
	}
	for _, m := range ask.Messages {
		conversation += m.Role + ": " + m.Content + "\n"
	}
	return ask.Model, conversation
}

func TestAConversationIsKeptUntilItIsCleared(t *testing.T) {
	s := newTalk(t)
	s.provider.Script(testllm.Reply{Text: "one"}, testllm.Reply{Text: "two\n"}, testllm.Reply{Text: "three"})
	s.type_(t, "first")
	s.notes.await(t, "tokens in", 1)
	s.type_(t, "/model other")
	s.type_(t, "second")
	s.notes.await(t, "tokens in", 2)
	s.type_(t, "/clear")
	s.type_(t, "third")
	s.notes.await(t, "tokens in", 3)
	s.end(t)
	if got := s.out.String(); got != "one\ntwo\nthree\n" {
		t.Errorf("the answers are %q", got)
	}
	calls := s.provider.Calls()
	want := []struct{ model, said string }{
		{"m", "system: Be brief.\nuser: first\n"},
		{"other", "system: Be brief.\nuser: first\nassistant: one\nuser: second\n"},
		{"other", "system: Be brief.\nuser: third\n"},
	}
	for i, w := range want {
		if model, conversation := said(t, calls[i].Body); model != w.model || conversation != w.said {
			t.Errorf("call %d is of %s: %s", i, model, conversation)
		}
		if calls[i].Header.Get("Authorization") != "Bearer secret-of-the-client" {
			t.Errorf("the credential is %q", calls[i].Header.Get("Authorization"))
		}
	}
	if notes := s.notes.String(); !strings.Contains(notes, "[9 tokens in, 12 out, ") || !strings.HasSuffix(notes, "> \n") {
		t.Errorf("the notes are %q", notes)
	}
}

func TestAnInterruptEndsTheAnswerAndKeepsTheConversation(t *testing.T) {
	s := newTalk(t)
	s.provider.Script(testllm.Reply{Chunks: []string{"half ", "and more"}, StallAfter: 2}, testllm.Reply{Text: "whole"})
	s.type_(t, "first")
	s.out.await(t, "half ", 1)
	s.interrupt <- os.Interrupt
	s.notes.await(t, "[stopped]", 1)
	s.interrupt <- os.Interrupt // nothing is under way
	s.notes.await(t, "Ctrl-D or /quit ends.", 1)
	s.type_(t, "second")
	s.notes.await(t, "tokens in", 1)
	s.type_(t, "/quit")
	if err := <-s.done; err != nil {
		t.Error(err)
	}
	if _, conversation := said(t, s.provider.Calls()[1].Body); conversation != "system: Be brief.\nuser: first\nassistant: half \nuser: second\n" {
		t.Errorf("the conversation is %s", conversation)
	}
}

func TestAnErrorTakesTheQuestionBack(t *testing.T) {
	s := newTalk(t)
	s.provider.Script(testllm.Reply{Status: 429, Error: testllm.Error{Message: "slow\x1b[2J down"}}, testllm.Reply{Text: "well"})
	s.type_(t, "first")
	s.notes.await(t, "Error: slow[2J down\n", 1)
	s.type_(t, "/nonsense")
	s.type_(t, "second")
	s.notes.await(t, "tokens in", 1)
	s.end(t)
	if _, conversation := said(t, s.provider.Calls()[1].Body); conversation != "system: Be brief.\nuser: second\n" {
		t.Errorf("the conversation is %s", conversation)
	}
}

// once asks one question of a server.
func once(t *testing.T, handler http.HandlerFunc) (out string, err error) {
	t.Helper()
	server := httptest.NewServer(handler)
	defer server.Close()
	var answer, notes bytes.Buffer
	session := &chatclient.Session{Client: newClient(t, server.URL, ""), Model: "m", Out: &answer, Notes: &notes}
	err = session.Once(t.Context(), "hi")
	return answer.String(), err
}

func TestOneAnswerIsNothingButText(t *testing.T) {
	events := func(text ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != "" {
				t.Error("a credential came from nowhere")
			}
			for _, event := range text {
				_, _ = io.WriteString(w, event+"\n\n")
			}
		}
	}
	const word = `data: {"choices":[{"delta":{"content":"a\u001b[31mb\u0007"}}]}`
	for _, test := range []struct {
		name      string
		handler   http.HandlerFunc
		out, fail string
	}{
		{"whole", events(": hello", word, `data: {"choices":[{"delta":{},"finish_reason":"stop"}]}`, "data: [DONE]"), "a[31mb\n", ""},
		{"broken", events(word), "a[31mb\n", "broke off"},
		{"failed", events(word, `data: {"error":{"message":"no more"}}`), "a[31mb\n", "no more"},
		{"nonsense", events("data: {"), "", "reading the answer"},
		{"an error", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(401)
			_, _ = io.WriteString(w, `{"error":{"message":"write a key"}}`)
		}, "", "write a key"},
		{"elsewhere", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://elsewhere.example/", http.StatusPermanentRedirect)
		}, "", "leads to https://elsewhere.example/"},
		{"no gateway", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) }, "", "HTTP 404"},
	} {
		out, err := once(t, test.handler)
		if out != test.out || (err == nil) != (test.fail == "") || err != nil && !strings.Contains(err.Error(), test.fail) {
			t.Errorf("%s: %q, %v", test.name, out, err)
		}
	}
}

func TestTheCostOfAnAnswerIsTold(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Trailer", "X-Llm-Cost")
		_, _ = io.WriteString(w, "data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}]}\n\ndata: [DONE]\n\n")
		_ = http.NewResponseController(w).Flush()
		w.Header().Set("X-Llm-Cost", "0.0042")
	}))
	defer server.Close()
	answer, err := newClient(t, server.URL, "").Ask(t.Context(), "m", nil, func(string) {})
	if err != nil || answer.Cost != "0.0042" || answer.Text != "x" {
		t.Errorf("%v: %+v", err, answer)
	}
}

func TestAddresses(t *testing.T) {
	for address, ok := range map[string]bool{
		"localhost:8080": true, "127.0.0.1": true, "https://llm.example.com/llm/v1": true, "llm.example.com": true,
		"ftp://x": false, "": false, "https://user:secret@x": false, "http://x/?key=secret": false, "http://%zz": false,
	} {
		if _, err := chatclient.New(address, ""); (err == nil) != ok || err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", address, err)
		}
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("enough")
	cancel(cause)
	if _, err := newClient(t, "localhost:1", "").Models(ctx); !errors.Is(err, cause) {
		t.Error(err)
	}
}

func TestModelsAreListed(t *testing.T) {
	provider := testllm.New(t)
	provider.SetModels("a", "b")
	names, err := newClient(t, provider.URL, "k").Models(t.Context())
	if err != nil || strings.Join(names, " ") != "a b" {
		t.Errorf("%v: %v", names, err)
	}
}
