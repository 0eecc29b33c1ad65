package main

import "time"

// scenario is one kind of load.
type scenario struct {
	name   string
	title  string
	bytes  int    // of the request's body
	stream bool   // events count, not calls
	conns  int    // calls under way at once
	model  string // what llm_proxy is asked for; the number of an alias follows
	bare   string // what reverse_proxy is asked for: the provider's own name
	cached bool   // of the site that keeps answers
	goal   float64

	delay time.Duration // between the events of a stream
	ramp  time.Duration // over which streams begin

	keys, models int // how many take turns
	user         string
}

// scenarios are compared with the bare reverse_proxy, which is always asked for
// the same in OpenAI's format.
var scenarios = []scenario{
	{name: "json1k", title: "JSON, 1 KB", bytes: 1 << 10, conns: 16, model: "openai", bare: "bench", goal: .75},
	{name: "json64k", title: "JSON, a conversation of 64 KB", bytes: 64 << 10, conns: 16, model: "openai", bare: "bench", goal: .75},
	{name: "sse100", title: "stream, 100 events at once", bytes: 1 << 10, stream: true, conns: 64, model: "openai-c100", bare: "bench-c100", goal: .95},
	{name: "sse10ms", title: "200 streams, an event each 10 ms", bytes: 1 << 10, stream: true, conns: 200, model: "openai-c200-d10ms", bare: "bench-c200-d10ms",
		delay: 10 * time.Millisecond, ramp: 500 * time.Millisecond, goal: .95},
	{name: "anthropic", title: "to Anthropic, JSON, 1 KB", bytes: 1 << 10, conns: 16, model: "anthropic", bare: "bench", goal: 1},
	{name: "anthropic-sse", title: "to Anthropic, stream, 100 events", bytes: 1 << 10, stream: true, conns: 64, model: "anthropic-c100", bare: "bench-c100", goal: 1.8},
	{name: "gemini", title: "to Gemini, JSON, 1 KB", bytes: 1 << 10, conns: 16, model: "gemini", bare: "bench", goal: 1.1},
	{name: "gemini-sse", title: "to Gemini, stream, 100 events", bytes: 1 << 10, stream: true, conns: 64, model: "gemini-c100", bare: "bench-c100", goal: 1.8},
	{name: "cached", title: "JSON, 1 KB, from the cache", bytes: 1 << 10, conns: 16, model: "openai", bare: "bench", cached: true, goal: .45},
}

// asks is the model that is asked for.
func (s scenario) asks() string {
	if s.model == s.bare {
		return s.model
	}
	return s.model + "." + numbered
}

// forBare is the same load for reverse_proxy.
func (s scenario) forBare() scenario {
	s.model, s.keys, s.models = s.bare, 0, 0
	return s
}
