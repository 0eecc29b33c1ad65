package main

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"time"
)

// latency measures what the gateway adds to the time of an answer at 60 % of the
// load that it can bear, to the first event of a stream, and to each later one.
func latency(r *report, st *stack) error {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2)) // one of them is asleep most of the time
	most, err := throughput(st)
	if err != nil {
		return err
	}
	rate := .6 * most
	targets := []string{st.provider.addr, st.bare.addr, st.ours.addr}
	answer := scenario{bytes: 1 << 10, conns: 64, model: "openai", bare: "bench"}
	var p50, p99 [3]time.Duration
	if err := inTurns(targets, 5, &p50, &p99, func(i int) ([]time.Duration, error) {
		return atRate(answer.of(i), targets[i], rate, 2*time.Second)
	}); err != nil {
		return err
	}
	r.added(fmt.Sprintf("JSON, 1 KB, at 60 %% load (%.0f calls/s), p50", rate), p50, 150*time.Microsecond)
	r.added("the same, p99", p99, time.Millisecond)

	stream := scenario{bytes: 1 << 10, stream: true, conns: 4, model: "openai-c100-d10ms-ts", bare: "bench-c100-d10ms-ts"}
	var first, firstLate, each, eachLate [3]time.Duration
	var events [3][]time.Duration
	if err := inTurns(targets, 5, &first, &firstLate, func(i int) ([]time.Duration, error) {
		begun, way, err := stamped(stream.of(i), targets[i])
		events[i] = append(events[i], way...)
		return begun, err
	}); err != nil {
		return err
	}
	for i := range events {
		each[i], eachLate[i] = percentile(events[i], .5), percentile(events[i], .99)
	}
	r.added("to the first event of a stream, p50", first, 200*time.Microsecond)
	r.added("the way of an event, p50", each, 50*time.Microsecond)
	r.added("the same, p99", eachLate, 0)
	return nil
}

// of is the scenario as the i-th target is asked: the last is llm_proxy.
func (s scenario) of(i int) scenario {
	if i < 2 {
		return s.forBare()
	}
	return s
}

func (r *report) added(what string, t [3]time.Duration, goal time.Duration) {
	added := t[2] - t[0]
	bound, met := "", ""
	if goal > 0 {
		bound, met = "≤ "+ms(goal), verdict(added <= goal)
	}
	r.row(what, ms(t[0]), ms(t[1]), ms(t[2]), ms(added), bound, met)
}

func ms(d time.Duration) string { return fmt.Sprintf("%.3f ms", float64(d.Nanoseconds())/1e6) }

// inTurns lets the targets take turns, and takes the medians over the rounds of
// their percentiles.
func inTurns(targets []string, rounds int, p50, p99 *[3]time.Duration, run func(i int) ([]time.Duration, error)) error {
	var middles, lates [3][]float64
	for round := range rounds {
		for k := range targets {
			i := (k + round) % len(targets)
			times, err := run(i)
			if err != nil {
				return err
			}
			middles[i] = append(middles[i], float64(percentile(times, .5)))
			lates[i] = append(lates[i], float64(percentile(times, .99)))
		}
	}
	for i := range targets {
		p50[i], p99[i] = time.Duration(median(middles[i])), time.Duration(median(lates[i]))
	}
	return nil
}

func percentile(times []time.Duration, p float64) time.Duration {
	if len(times) == 0 {
		return 0
	}
	times = slices.Sorted(slices.Values(times))
	return times[min(len(times)-1, int(p*float64(len(times))))]
}

// throughput is how many calls a second llm_proxy answers at most, with the load
// and the provider on the same machine.
func throughput(st *stack) (float64, error) {
	const d = 2 * time.Second
	_, n, err := measure(scenario{bytes: 1 << 10, conns: 64, model: "openai", bare: "bench"}, st.ours, st.ours.addr, d)
	return float64(n) / d.Seconds(), err
}

// atRate makes calls at a rate that does not depend on how fast they are answered.
// A call that must wait for a connection counts from when it was due.
func atRate(s scenario, addr string, rate float64, d time.Duration) ([]time.Duration, error) {
	due := make(chan time.Time, 1+int(rate*d.Seconds()))
	var mu sync.Mutex
	var all []time.Duration
	var errs []error
	var workers sync.WaitGroup
	for range s.conns {
		workers.Go(func() {
			times, err := callsDue(s, addr, due)
			mu.Lock()
			defer mu.Unlock()
			all, errs = append(all, times...), append(errs, err)
		})
	}
	every := time.Duration(float64(time.Second) / rate)
	begin := time.Now()
	for at := begin; at.Before(begin.Add(d)); at = at.Add(every) {
		sleepUntil(at)
		due <- at
	}
	close(due)
	workers.Wait()
	return all, errors.Join(errs...)
}

func callsDue(s scenario, addr string, due <-chan time.Time) (times []time.Duration, err error) {
	c, err := dial(addr)
	if err != nil {
		return nil, err
	}
	defer c.conn.Close()
	request := s.request(addr).text
	for at := range due {
		if err := c.call(request, s.stream); err != nil {
			return nil, err
		}
		times = append(times, time.Since(at))
	}
	return times, nil
}

// stamped opens a few streams whose events say when they were sent, and tells how
// long the first event took from the request on, and the others from the provider on.
func stamped(s scenario, addr string) (first, way []time.Duration, err error) {
	var mu sync.Mutex
	var errs []error
	var workers sync.WaitGroup
	for range s.conns {
		workers.Go(func() {
			c, err := dial(addr)
			if err == nil {
				defer c.conn.Close()
				c.timed = true
				var own []time.Duration
				c.event = func(piece []byte, _ int) {
					if sent, ok := stampIn(piece); ok {
						own = append(own, time.Since(time.Unix(0, sent)))
					}
				}
				begun := time.Now()
				err = c.call(s.request(addr).text, true)
				mu.Lock()
				defer mu.Unlock()
				first, way = append(first, c.begun.Sub(begun)), append(way, own...)
			}
			errs = append(errs, err)
		})
		time.Sleep(3 * time.Millisecond)
	}
	workers.Wait()
	return first, way, errors.Join(errs...)
}

// stampIn finds the time that the provider put into an event.
func stampIn(piece []byte) (int64, bool) {
	_, rest, found := bytes.Cut(piece, []byte("@"))
	if !found || len(rest) < len(stampZero)-1 {
		return 0, false
	}
	n, err := strconv.ParseInt(string(rest[:len(stampZero)-1]), 10, 64)
	return n, err == nil
}
