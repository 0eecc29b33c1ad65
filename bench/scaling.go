package main

import (
	"fmt"
	"time"
)

// scale measures what changes with the number of things: nothing should.
func (o *options) scale(r *report, st *stack) error {
	parts := []struct {
		name string
		run  func(*report, *stack) error
	}{{"connections", o.connections}, {"sizes", o.sizes}, {"config", loading}, {"streams", manyStreams}}
	for _, p := range parts {
		if !o.wants(p.name) {
			continue
		}
		if err := p.run(r, st); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	return nil
}

// connections compares the cost of a call by how many are under way.
func (o *options) connections(r *report, st *stack) error {
	r.section("JSON, 1 KB, by calls under way at once", "load", "connections", "reverse_proxy", "llm_proxy", "ratio", "spread", "goal", "")
	for _, n := range []int{1, 4, 16, 64, 256} {
		s := scenarios[0]
		s.conns = n
		c, err := compare(s, st, o.rounds, o.duration)
		if err != nil {
			return err
		}
		r.comparison(c)
	}
	return nil
}

// sizes compares the cost of a call by the size of the configuration, of which the
// calls use all in turn.
func (o *options) sizes(r *report, st *stack) error {
	r.section("JSON, 1 KB, by what is configured, all of which is used", "keys, providers, aliases", "llm_proxy, µs", "beside the smallest")
	sizes := []setup{plain, {100, 1, 1, ""}, {10000, 1, 1, ""}, {1, 20, 20, ""}, {1, 200, 200, ""}, {1, 1, 500, ""}, {10000, 200, 500, ""}}
	costs := make([][]float64, len(sizes))
	for range o.rounds {
		for i, size := range sizes {
			if err := st.startOurs(size); err != nil {
				return err
			}
			s := scenarios[0]
			s.keys, s.models = size.keys, size.models
			for _, d := range []time.Duration{time.Second, o.duration} { // the first one warms up
				cost, _, err := measure(s, st.ours, st.ours.addr, d)
				if err != nil {
					return err
				}
				if d == o.duration {
					costs[i] = append(costs[i], cost)
				}
			}
		}
	}
	for i, size := range sizes {
		ratios := make([]float64, len(costs[i]))
		for k := range ratios {
			ratios[k] = costs[i][k] / costs[0][k]
		}
		r.row(fmt.Sprintf("%d, %d, %d", size.keys, size.providers, size.models), fmt.Sprintf("%.1f", median(costs[i])), fmt.Sprintf("%.2f", median(ratios)))
	}
	return st.startOurs(plain)
}

// manyStreams holds 5000 streams with 20 events a second each.
func manyStreams(r *report, st *stack) error {
	r.section("5000 streams, an event each 50 ms", "", "events/s", "CPU", "per event", "memory", "goal", "")
	s := scenario{bytes: 1 << 10, stream: true, conns: 5000, model: "openai-c200-d50ms", bare: "bench-c200-d50ms",
		delay: 50 * time.Millisecond, ramp: 10 * time.Second}
	if err := st.startOurs(plain); err != nil {
		return err
	}
	const d = 10 * time.Second
	cost, n, err := measure(s, st.ours, st.ours.addr, d)
	if err != nil {
		return err
	}
	peak, err := st.ours.peak()
	if err != nil {
		return err
	}
	r.row("llm_proxy", fmt.Sprintf("%.0f of 100000", float64(n)/d.Seconds()), fmt.Sprintf("%.2f cores", cost*float64(n)/1e6/d.Seconds()),
		fmt.Sprintf("%.1f µs", cost), mib(peak), "≤ 600 MiB", verdict(peak <= 600<<20))
	return nil
}
