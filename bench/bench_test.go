package main

import (
	"os"
	"sync"
	"sync/atomic"
	"testing"
)

// started tells that the stack is there to be stopped.
var started atomic.Bool

var shared = sync.OnceValues(func() (*stack, error) { return startStack("") })

func TestMain(m *testing.M) {
	code := m.Run()
	if started.Load() {
		s, _ := shared()
		s.stop()
	}
	os.Exit(code)
}

// BenchmarkCall reports what a call costs the Caddy process, as cpu-us/call.
// ns/op is of the whole machine, load generator and provider included. For a
// comparison that the machine's mood does not spoil, use the command.
func BenchmarkCall(b *testing.B) {
	for _, s := range scenarios {
		b.Run(s.name+"/reverse_proxy", func(b *testing.B) { call(b, s, func(p *process) string { return p.bare }) })
		b.Run(s.name+"/llm_proxy", func(b *testing.B) { call(b, s, func(p *process) string { return p.ours }) })
	}
}

func call(b *testing.B, s scenario, addr func(*process) string) {
	started.Store(true)
	stack, err := shared()
	if err != nil {
		b.Fatal(err)
	}
	caddy := stack.caddy
	before, err := caddy.cpu()
	if err != nil {
		b.Skip(err)
	}
	b.ResetTimer()
	if _, err := load(s, addr(caddy), func(begun int) bool { return begun < b.N }); err != nil {
		b.Fatal(err)
	}
	b.StopTimer()
	after, err := caddy.cpu()
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64((after-before).Microseconds())/float64(b.N), "cpu-us/call")
}
