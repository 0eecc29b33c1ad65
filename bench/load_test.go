package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func TestEventsAreCountedHoweverTheyAreCut(t *testing.T) {
	stream := "data: a\n\ndata: b\n\n: a comment\n\ndata: [DONE]\n\n"
	for size := 1; size <= len(stream); size++ {
		var c client
		for rest := stream; rest != ""; {
			n := min(size, len(rest))
			c.look([]byte(rest[:n]))
			rest = rest[n:]
		}
		if c.events != 4 || !bytes.HasSuffix(c.tail, []byte("data: [DONE]\n\n")) {
			t.Errorf("pieces of %d: %d events, the last bytes are %q", size, c.events, c.tail)
		}
	}
}

func TestRequestsAreJSONOfTheSizeThatIsAskedFor(t *testing.T) {
	for _, s := range scenarios {
		body := s.body()
		if !json.Valid([]byte(body)) {
			t.Errorf("%s: %s", s.name, body)
		}
		if n := len(body); n < s.bytes*9/10 || n > s.bytes*12/10 {
			t.Errorf("%s: %d bytes", s.name, n)
		}
	}
}

func TestKeysAndModelsTakeTurns(t *testing.T) {
	r := scenario{bytes: 1 << 10, model: "openai", bare: "bench", keys: 300, models: 7}.request("host")
	text := string(r.of(1234))
	if !strings.Contains(text, "Bearer "+clientKey+"00034\r\n") || !strings.Contains(text, `"model":"openai.00002"`) {
		t.Error(text)
	}
}

func TestTheProviderAnswersInThreeFormats(t *testing.T) {
	for _, format := range []string{"openai", "anthropic", "gemini"} {
		q := question{format: format, model: "bench-c3-b100", usage: true}
		_, body, _ := bytes.Cut(q.script().whole, []byte("\r\n\r\n"))
		if !json.Valid(body) {
			t.Errorf("%s: %s", format, body)
		}
		q.stream = true
		for _, e := range q.events("word ", 3) {
			for line := range strings.Lines(e) {
				if data, ok := strings.CutPrefix(line, "data: "); ok && !strings.HasPrefix(data, "[DONE]") && !json.Valid([]byte(data)) {
					t.Errorf("%s: %s", format, data)
				}
			}
		}
	}
}

func TestAModelsNameIsTheShapeOfItsAnswer(t *testing.T) {
	want := shape{chunks: 200, delay: 10 * time.Millisecond, bytes: 680, stamp: true}
	if got := parseShape("bench-c200-d10ms-ts"); got != want {
		t.Errorf("%+v", got)
	}
}

func TestAnEventSaysWhenItWasSent(t *testing.T) {
	s := question{format: "openai", model: "bench-c1-ts", stream: true}.script()
	before := time.Now().UnixNano()
	if at, ok := stampIn(s.appendFrame(nil, 1)); !ok || at < before || at > time.Now().UnixNano() {
		t.Errorf("%d, %v", at, ok)
	}
}
