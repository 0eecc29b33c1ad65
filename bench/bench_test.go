package main

import (
	"os"
	"sync"
	"sync/atomic"
	"testing"
)

// started tells that the stack is there to be stopped.
var started atomic.Bool

var shared = sync.OnceValues(func() (*stack, error) { return startStack("", plain) })

func TestMain(m *testing.M) {
	beProvider()
	code := m.Run()
	if started.Load() {
		if s, err := shared(); err == nil {
			s.stop()
		}
	}
	os.Exit(code)
}

// BenchmarkCall reports what a call costs the Caddy process, as cpu-us/call.
// ns/op is of the whole machine, load generator and provider included. For a
// comparison that the machine's mood does not spoil, use the command.
func BenchmarkCall(b *testing.B) {
	for _, s := range scenarios {
		if s.delay > 0 { // whose time says nothing
			continue
		}
		b.Run(s.name+"/reverse_proxy", func(b *testing.B) {
			call(b, s.forBare(), func(st *stack) (*process, string) { return st.bare, st.bare.addr })
		})
		b.Run(s.name+"/llm_proxy", func(b *testing.B) {
			call(b, s, func(st *stack) (*process, string) { return st.ours, st.address(s) })
		})
	}
}

func call(b *testing.B, s scenario, of func(*stack) (*process, string)) {
	started.Store(true)
	st, err := shared()
	if err != nil {
		b.Fatal(err)
	}
	caddy, addr := of(st)
	before, err := caddy.cpu()
	if err != nil {
		b.Skip(err)
	}
	l := &load{scenario: s, addr: addr, more: func(begun int) bool { return begun < b.N }}
	b.ResetTimer()
	if err := l.run(); err != nil {
		b.Fatal(err)
	}
	b.StopTimer()
	after, err := caddy.cpu()
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64((after-before).Microseconds())/float64(b.N), "cpu-us/call")
}
