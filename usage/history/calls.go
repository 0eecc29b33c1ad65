package history

import (
	"strings"
	"time"

	"github.com/caddyllm/llmproxy/usage"
)

// What is kept of calls: so many of them, and so many failed attempts of each.
const (
	MaxCalls    = 200
	maxFailures = 4
)

// Call is what is shown of a call. Its texts are cut to 128 bytes.
type Call struct {
	// Time is when it began.
	Time      time.Time `json:"time"`
	RequestID string    `json:"request_id"`
	Key       string    `json:"key,omitempty"`
	Operation string    `json:"operation"`
	// RequestedModel is in the client's words.
	RequestedModel string       `json:"requested_model,omitempty"`
	Provider       string       `json:"provider,omitempty"`
	Model          string       `json:"model,omitempty"`
	Stream         bool         `json:"stream"`
	Status         int          `json:"status"`
	Ending         usage.Ending `json:"ending"`
	Error          string       `json:"error,omitempty"`
	Attempts       int          `json:"attempts"`
	// Failures are the first failed attempts.
	Failures []Failure `json:"failures,omitempty"`
	Input    int64     `json:"input"`
	Output   int64     `json:"output"`
	// Cost is left out where it is not known.
	Cost       *Dollars `json:"cost,omitempty"`
	Cache      string   `json:"cache,omitempty"`
	TTFTMs     float64  `json:"ttft_ms,omitempty"`
	DurationMs float64  `json:"duration_ms"`
}

// Failure is an attempt that came to nothing.
type Failure struct {
	Provider string `json:"provider"`
	Model    string `json:"model"`
	Kind     string `json:"kind"`
}

// ring keeps the last calls.
type ring struct {
	calls []Call
	next  int
}

func (k *ring) add(r *usage.Record) {
	if len(k.calls) < MaxCalls {
		k.calls = append(k.calls, callOf(r))
		return
	}
	k.calls[k.next] = callOf(r)
	k.next = (k.next + 1) % MaxCalls
}

// newest lists the calls, the last first.
func (k *ring) newest() []Call {
	list := make([]Call, 0, len(k.calls))
	for i := range k.calls {
		list = append(list, k.calls[(k.next+len(k.calls)-1-i)%len(k.calls)])
	}
	return list
}

func callOf(r *usage.Record) Call {
	c := Call{
		Time: r.Start.UTC().Truncate(time.Millisecond), RequestID: kept(r.RequestID), Key: kept(r.Principal), Operation: kept(r.Operation),
		RequestedModel: kept(r.RequestedModel), Provider: kept(r.Provider), Model: kept(r.Model),
		Stream: r.Stream, Status: r.Status, Ending: r.Ending, Error: kept(r.Error), Attempts: r.Attempts,
		Input: r.Tokens.Input, Output: r.Tokens.Output, Cache: kept(r.Cache),
		DurationMs: milliseconds(r.Duration),
	}
	if cost, known := r.Cost(); known {
		dollars := Dollars(cost)
		c.Cost = &dollars
	}
	if r.FirstToken > 0 {
		c.TTFTMs = milliseconds(r.FirstToken)
	}
	for i := range r.Failures[:min(len(r.Failures), maxFailures)] {
		f := &r.Failures[i]
		c.Failures = append(c.Failures, Failure{kept(f.Provider), kept(f.Model), kept(f.Kind)})
	}
	return c
}

// kept is a text that holds nothing else in memory.
func kept(text string) string { return strings.Clone(clip(text)) }

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
