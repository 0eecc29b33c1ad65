package main

import (
	"errors"
	"fmt"
	"time"
)

// soak keeps up calls, streams, streams that are left and translations, and looks
// at the memory while it goes on.
func soak(r *report, st *stack, d time.Duration) error {
	r.section("Memory under a mixed load of "+d.String(), "after", "resident", "calls")
	mixed := []scenario{scenarios[0], scenarios[1], scenarios[2], scenarios[3], scenarios[5], scenarios[7], scenarios[8]}
	var loads []*load
	ended := make(chan error, len(mixed))
	for _, s := range mixed {
		s.conns = max(1, s.conns/4)
		l := &load{scenario: s, addr: st.address(s)}
		l.more = func(int) bool { return !l.over() }
		loads = append(loads, l)
		go func() { ended <- l.run() }()
	}
	const looks = 20
	var sizes []int64
	var failed error
	for i := range looks {
		select {
		case failed = <-ended:
		case <-time.After(d / looks):
		}
		if failed != nil {
			break
		}
		size, err := st.ours.resident()
		if err != nil {
			return err
		}
		sizes = append(sizes, size)
		var calls int64
		for _, l := range loads {
			calls += l.calls.Load()
		}
		r.row((d * time.Duration(i+1) / looks).Round(time.Second).String(), mib(size), fmt.Sprint(calls))
	}
	for _, l := range loads {
		l.stop()
	}
	if failed != nil {
		return errors.Join(errors.New("a load ended early"), failed)
	}
	// The first quarter is the time in which buffers and pools come to be.
	early, late := most(sizes[looks/4:looks/2]), most(sizes[looks*3/4:])
	r.row("growth from the second quarter to the last", fmt.Sprintf("%+.1f %%", 100*float64(late-early)/float64(early)), "")
	return nil
}

func most(v []int64) (m int64) {
	for _, n := range v {
		m = max(m, n)
	}
	return m
}
