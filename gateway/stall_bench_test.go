package gateway

import (
	"net/http"
	"testing"
	"time"
)

// sink takes everything.
type sink struct{ header http.Header }

func (s *sink) Header() http.Header         { return s.header }
func (s *sink) WriteHeader(int)             {}
func (s *sink) Write(p []byte) (int, error) { return len(p), nil }
func (s *sink) FlushError() error           { return nil }

// BenchmarkS17GuardedStream is what the guard adds to a stream of some writes.
func BenchmarkS17GuardedStream(b *testing.B) {
	for name, limit := range map[string]time.Duration{"guarded": DefaultWriteStall, "unguarded": 0} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			g := &Gateway{Limits: Limits{WriteStall: limit}}
			event := make([]byte, 300)
			client := &sink{header: http.Header{}}
			for b.Loop() {
				c := &call{g: g, w: client}
				c.guard()
				s := newStreamWriter(c.w, 0, nil)
				for range 10 {
					_, _ = s.write(event)
				}
				s.stop()
				c.stall.stop()
			}
		})
	}
}

// BenchmarkCallsUnderWay is what it takes to know them.
func BenchmarkCallsUnderWay(b *testing.B) {
	s := new(Streams)
	for b.Loop() {
		c := new(call)
		s.enter(c)
		s.attach(c, nil)
		s.attach(c, nil)
		s.leave(c)
	}
}
