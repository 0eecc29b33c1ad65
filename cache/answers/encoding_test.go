package answers

import (
	"bytes"
	"errors"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/usage"
)

func sample(body []byte) *Entry {
	return &Entry{
		Key: Key{1, 2, 3}, Scope: "key a", Format: transform.Anthropic, Manner: Stream, ContentType: "text/event-stream; charset=utf-8",
		Route: "smart", Provider: "anthropic", Model: "claude-sonnet-5", Finish: transform.FinishToolCalls,
		Usage: usage.Tokens{
			Input: 1, CacheRead: 2, CacheWrite: 3, CacheWrite1h: 4, AudioInput: 5, Output: 6, Reasoning: 7, AudioOutput: 8,
			Cost: 9, CostKnown: true, Known: true,
		},
		Created: time.UnixMilli(1_760_000_000_123), TTL: time.Hour, Stale: time.Minute, Body: body,
		Dropped: []string{"/seed", "/messages/0/name"},
	}
}

func TestEntriesAreReadAsTheyWereWritten(t *testing.T) {
	for _, s := range []sealer{{}, {secret: []byte("s")}} {
		for _, body := range [][]byte{{}, []byte("{}"), chatAnswer(2000), chatStream(500), noise(5000, 1)} {
			want := sample(body)
			data := s.encode([]byte("before")[:0], want)
			got, err := s.decode(want.Key, data, 1<<20)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got.Body, body) {
				t.Error("the body is another one")
			}
			got.Body, want.Body = nil, nil
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%+v, want %+v", got, want)
			}
			if len(data)-len(body) > maxHeader+headerStart {
				t.Errorf("a header of %d bytes", len(data)-len(body))
			}
		}
	}
}

func TestAlteredValuesAreFoundOut(t *testing.T) {
	s := sealer{secret: []byte("secret")}
	e := sample(chatAnswer(10))
	data := s.encode(nil, e)
	refused := func(what string, key Key, data []byte, by sealer, limit int) {
		t.Helper()
		if _, err := by.decode(key, data, limit); !errors.Is(err, errAltered) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for i := range data {
		other := bytes.Clone(data)
		other[i] ^= 1
		refused("a flipped bit", e.Key, other, s, 1<<20)
	}
	for n := range data {
		refused("a cut value", e.Key, data[:n], s, 1<<20)
	}
	refused("a longer value", e.Key, append(bytes.Clone(data), 0), s, 1<<20)
	refused("another key's value", Key{9}, data, s, 1<<20)
	refused("another secret", e.Key, data, sealer{secret: []byte("other")}, 1<<20)
	refused("no secret", e.Key, sealer{}.encodeOf(e), s, 1<<20)
	refused("a larger one", e.Key, data, s, 10)
	refused("nothing", e.Key, nil, s, 10)
}

func (s sealer) encodeOf(e *Entry) []byte { return s.encode(nil, e) }

func TestNamesThatAreTooLongAreCut(t *testing.T) {
	e := sample([]byte("{}"))
	e.Dropped = []string{"/a", string(make([]byte, maxDropped))}
	if data := new(sealer).encode(nil, e); len(data) > maxHeader {
		t.Errorf("%d bytes", len(data))
	}
	e.Dropped = e.Dropped[:1]
	e.Route, e.Model = string(make([]byte, 5000)), string(make([]byte, 5000))
	data := new(sealer).encode(nil, e)
	got, err := new(sealer).decode(e.Key, data, 100)
	if err != nil || len(got.Route) != maxName || len(data) > maxHeader || !slices.Equal(got.Dropped, e.Dropped) {
		t.Errorf("%v, %d bytes", err, len(data))
	}
}

// FuzzDecode reads what anybody may have put into a store, with the right code.
func FuzzDecode(f *testing.F) {
	var s sealer
	for _, body := range [][]byte{[]byte("{}"), chatStream(50), noise(2000, 1)} {
		f.Add(s.encode(nil, sample(body))[headerStart:])
	}
	f.Fuzz(func(t *testing.T, rest []byte) {
		data := append(append([]byte(magic), s.sum(rest)...), rest...)
		var key Key
		if len(rest) > len(key) {
			copy(key[:], rest[1:])
		}
		e, err := s.decode(key, data, 1<<20)
		if err != nil {
			return
		}
		again, err := s.decode(key, s.encode(nil, e), 1<<20)
		if err != nil || !bytes.Equal(again.Body, e.Body) || again.TTL != e.TTL || again.Usage != e.Usage || !slices.Equal(again.Dropped, e.Dropped[:min(len(e.Dropped), len(again.Dropped))]) {
			t.Fatalf("it is read otherwise: %v", err)
		}
	})
}

func BenchmarkEncoding(b *testing.B) {
	s := sealer{secret: []byte("secret")}
	for name, body := range map[string][]byte{"json 9 KB": chatAnswer(1000), "stream 280 KB": chatStream(1000)} {
		e := sample(body)
		data := s.encode(nil, e)
		b.Run("encode "+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				s.encode(nil, e)
			}
			b.ReportMetric(float64(len(data)), "stored-B")
		})
		b.Run("decode "+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.decode(e.Key, data, 1<<20); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
