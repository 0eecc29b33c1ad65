package transform_test

import (
	"runtime"
	"testing"

	"github.com/caddyllm/llmproxy/transform"
)

// eachPair runs a benchmark or a test for every client's format with every provider's.
func eachPair[T interface {
	Run(string, func(T)) bool
}](t T, run func(t T, c *client, p *provider)) {
	for i := range clients {
		for j := range providers {
			t.Run(clients[i].name+"_to_"+providers[j].name, func(t T) { run(t, &clients[i], &providers[j]) })
		}
	}
}

// BenchmarkPairsRequest translates a conversation of eleven messages with a
// system prompt and two tools. Places of losses count: they are walked too.
func BenchmarkPairsRequest(b *testing.B) {
	eachPair(b, func(b *testing.B, c *client, p *provider) {
		body := c.ask(conversation(11))
		var out []byte
		b.ReportAllocs()
		b.SetBytes(int64(len(body)))
		for b.Loop() {
			var lost transform.Losses
			r, err := c.codec.DecodeRequest(body, &lost)
			if err != nil {
				b.Fatal(err)
			}
			if out, err = p.codec.AppendRequest(out[:0], r, p.to, &lost); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkPairsAnswer translates a whole answer of a text and a call.
func BenchmarkPairsAnswer(b *testing.B) {
	eachPair(b, func(b *testing.B, c *client, p *provider) {
		r := asked(b, c)
		body := []byte(p.answer)
		var out []byte
		b.ReportAllocs()
		b.SetBytes(int64(len(body)))
		for b.Loop() {
			a, err := p.codec.DecodeResponse(body)
			if err != nil {
				b.Fatal(err)
			}
			out = c.codec.AppendResponse(out[:0], a, r)
		}
	})
}

// BenchmarkPairsStream translates a stream of a hundred words, a call and usage.
// The figures are those of one event; beginning and end of the stream are shared out.
func BenchmarkPairsStream(b *testing.B) {
	eachPair(b, func(b *testing.B, c *client, p *provider) {
		w := newWire(p.stream(100))
		r := asked(b, c)
		var s stream
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for b.Loop() {
			s.translate(b, c, p, r, w)
		}
		runtime.ReadMemStats(&after)
		events := float64(b.N) * float64(len(w))
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/events, "ns/event")
		b.ReportMetric(float64(after.Mallocs-before.Mallocs)/events, "allocs/event")
		b.ReportMetric(float64(after.TotalAlloc-before.TotalAlloc)/events, "B/event")
	})
}

// asked is a client's request.
func asked(t testing.TB, c *client) *transform.Request {
	r, err := c.codec.DecodeRequest(c.ask(conversation(3)), new(transform.Losses))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// wireEvent is an event as decoders get it.
type wireEvent struct{ name, data []byte }

func newWire(list []event) []wireEvent {
	wire := make([]wireEvent, len(list))
	for i, e := range list {
		if wire[i].data = []byte(e.data); e.name != "" {
			wire[i].name = []byte(e.name)
		}
	}
	return wire
}

// stream is memory that is used again, as the gateway does from event to event.
type stream struct {
	deltas []transform.Delta
	out    []byte
}

// translate runs a stream that ends well; out holds what the last event became.
func (s *stream) translate(t testing.TB, c *client, p *provider, r *transform.Request, wire []wireEvent) {
	decoder, encoder := p.codec.NewStreamDecoder(), c.codec.NewStreamEncoder(r)
	var err error
	for i := range wire {
		s.out = s.out[:0]
		if s.deltas, err = decoder.Decode(s.deltas[:0], wire[i].name, wire[i].data); err != nil {
			t.Fatalf("%v: %s", err, wire[i].data)
		}
		for j := range s.deltas {
			s.out = encoder.Append(s.out, &s.deltas[j])
		}
	}
	if !decoder.Ended() {
		t.Fatal("the stream has not ended")
	}
	s.out = encoder.AppendEnd(s.out)
}

// TestStreamedEventsCostLittle bounds what an event of a translated stream may
// allocate. Long streams differ from short ones by ordinary events alone.
func TestStreamedEventsCostLittle(t *testing.T) {
	const more = 1000
	eachPair(t, func(t *testing.T, c *client, p *provider) {
		r := asked(t, c)
		short, long := newWire(p.stream(100)), newWire(p.stream(100+more))
		var s stream
		s.translate(t, c, p, r, long) // grows what is used again
		cost := func(wire []wireEvent) float64 {
			return testing.AllocsPerRun(3, func() { s.translate(t, c, p, r, wire) })
		}
		base := cost(short)
		if each := (cost(long) - base) / more; each > 0.1 {
			t.Errorf("%.2f allocations per word", each)
		}
		if base > 100 {
			t.Errorf("%.0f allocations of a short stream", base)
		}
	})
}
