package main

import (
	"fmt"
	"slices"
	"time"
)

// comparison is what a scenario costs, once for each round.
type comparison struct {
	scenario
	bare, ours, ratios []float64 // CPU microseconds for a call, or for an event
	calls              int64
}

// compare lets both take turns, and then both in the other order: what disturbs a
// whole round cancels out of its ratio.
func compare(s scenario, st *stack, rounds int, duration time.Duration) (*comparison, error) {
	c := &comparison{scenario: s}
	for round := range rounds + 1 { // the first one warms up
		var bare, ours float64
		for turn := range 2 {
			var err error
			if (turn+round)%2 == 0 {
				bare, _, err = measure(s.forBare(), st.bare, st.bare.addr, duration)
			} else {
				var n int64
				ours, n, err = measure(s, st.ours, st.address(s), duration)
				c.calls += n
			}
			if err != nil {
				return nil, fmt.Errorf("%s: %w", s.name, err)
			}
		}
		if round > 0 {
			c.bare, c.ours, c.ratios = append(c.bare, bare), append(c.ours, ours), append(c.ratios, ours/bare)
		}
	}
	return c, nil
}

// settling is how long a load runs before it is measured.
const settling = 250 * time.Millisecond

// measure is the CPU microseconds that the process takes for one call of a load,
// or for one event of its streams.
func measure(s scenario, p *process, addr string, duration time.Duration) (float64, int64, error) {
	l := &load{scenario: s, addr: addr}
	l.more = func(int) bool { return !l.over() }
	ended := make(chan error, 1)
	go func() { ended <- l.run() }()
	defer func() { l.stop(); <-ended }()
	if err := l.wait(settling+2*s.ramp, ended); err != nil {
		return 0, 0, err
	}
	before, err := p.cpu()
	if err != nil {
		return 0, 0, err
	}
	calls, events := l.calls.Load(), l.events.Load()
	if err := l.wait(duration, ended); err != nil {
		return 0, 0, err
	}
	after, err := p.cpu()
	if err != nil {
		return 0, 0, err
	}
	calls, events = l.calls.Load()-calls, l.events.Load()-events
	n := calls
	if s.stream {
		n = events
	}
	if n == 0 {
		return 0, 0, fmt.Errorf("nothing was answered")
	}
	return float64((after - before).Nanoseconds()) / 1e3 / float64(n), n, nil
}

// wait waits, or returns the error with which the load ends before.
func (l *load) wait(d time.Duration, ended chan error) error {
	select {
	case err := <-ended:
		ended <- err
		if err == nil {
			err = fmt.Errorf("the load ended early")
		}
		return err
	case <-time.After(d):
		return nil
	}
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	if len(v) == 0 {
		return 0
	}
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}
