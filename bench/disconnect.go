package main

import (
	"errors"
	"fmt"
	"time"
)

// disconnect measures how long it takes until the provider learns that a client
// left in the middle of its stream.
func disconnect(r *report, st *stack) error {
	s := scenario{bytes: 1 << 10, stream: true, conns: 1, model: "openai-c200-d10ms", bare: "bench-c200-d10ms"}
	targets := []string{st.provider.addr, st.bare.addr, st.ours.addr}
	var p50, p99 [3]time.Duration
	for i, addr := range targets {
		times, err := departures(s.of(i), st.provider.addr, addr, 200)
		if err != nil {
			return err
		}
		p50[i], p99[i] = percentile(times, .5), percentile(times, .99)
	}
	r.row("a client's leaving reaches the provider, p50", ms(p50[0]), ms(p50[1]), ms(p50[2]))
	r.row("the same, p99", ms(p99[0]), ms(p99[1]), ms(p99[2]), "", "≤ 20 ms", verdict(p99[2] <= 20*time.Millisecond))
	return nil
}

// departures leaves so many streams after some events, and returns how long it took
// until the provider knew.
func departures(s scenario, provider, addr string, n int) (times []time.Duration, err error) {
	if _, err := askGone(provider); err != nil { // who left before
		return nil, err
	}
	left := make(map[string]time.Time, n)
	for i := range n {
		s.user = fmt.Sprintf("leaver-%d", i)
		c, err := dial(addr)
		if err != nil {
			return nil, err
		}
		events := 0
		c.event = func(_ []byte, n int) {
			if events += n; events >= 3 {
				left[s.user] = time.Now()
				_ = c.conn.Close()
			}
		}
		if err := c.call(s.request(addr).text, true); left[s.user].IsZero() {
			return nil, errors.Join(err, errors.New("the stream ended before the client could leave"))
		}
	}
	for deadline := time.Now().Add(10 * time.Second); len(times) < n; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("the provider heard of %d of %d who left", len(times), n)
		}
		list, err := askGone(provider)
		if err != nil {
			return nil, err
		}
		for _, d := range list {
			if at, ok := left[d.User]; ok {
				times = append(times, time.Unix(0, d.At).Sub(at))
			}
		}
	}
	return times, nil
}
