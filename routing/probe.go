package routing

import (
	"context"
	"slices"
	"sync"
	"time"
)

// Probe asks a provider from time to time whether it is well.
type Probe struct {
	// Check asks once. It must end soon after its context does.
	Check func(context.Context) error
	// Every is the time between two checks.
	Every time.Duration
	// Tolerance is how many failures in a row mean that the provider is down; at least 1.
	Tolerance int
	// Changed is told when the provider goes down, with the reason, and when it is
	// up again, with nil.
	Changed func(reason error)
}

// probing is what the probes of a provider have found.
type probing struct {
	mu sync.Mutex
	// watchers are all who want the provider probed, running is the one who does it.
	watchers []*watcher
	running  *watcher
	failures int
	// checked is when the latest check ended.
	checked time.Time
	// until is when the next check of a provider that is down is due; zero: it is up.
	until time.Time
}

// watcher is one who wants a provider probed.
type watcher struct {
	Probe
	cancel context.CancelFunc
	ended  sync.WaitGroup
}

// Watch has the provider probed until stop is called, which waits for a check that
// is on its way. Where several watch one provider, such as sites, or the configs of
// before and after a reload, the latest alone does it. When the last one stops, the
// provider is up as far as is known.
func (h *Health) Watch(p Probe) (stop func()) {
	w := &watcher{Probe: p}
	h.probes.mu.Lock()
	defer h.probes.mu.Unlock()
	h.probes.watchers = append(h.probes.watchers, w)
	h.probes.run(w)
	return sync.OnceFunc(func() { h.unwatch(w) })
}

func (h *Health) unwatch(w *watcher) {
	p := &h.probes
	p.mu.Lock()
	p.watchers = slices.DeleteFunc(p.watchers, func(other *watcher) bool { return other == w })
	if p.running == w {
		if n := len(p.watchers); n > 0 {
			p.run(p.watchers[n-1])
		} else {
			w.cancel()
			p.running, p.failures, p.until = nil, 0, time.Time{}
		}
	}
	p.mu.Unlock()
	w.ended.Wait()
}

// run makes a watcher the one who probes. It does not ask sooner than the one
// before it would have.
func (p *probing) run(w *watcher) {
	if p.running != nil {
		p.running.cancel()
	}
	ctx, cancel := context.WithCancel(context.Background())
	p.running, w.cancel = w, cancel
	first := time.Duration(0)
	if !p.checked.IsZero() {
		first = max(0, w.Every-time.Since(p.checked))
	}
	w.ended.Go(func() { p.loop(ctx, w, first) })
}

func (p *probing) loop(ctx context.Context, w *watcher, wait time.Duration) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		p.found(ctx, w, w.Check(ctx))
		timer.Reset(w.Every)
	}
}

// found notes what a check has shown, unless another watcher has taken over.
func (p *probing) found(ctx context.Context, w *watcher, err error) {
	p.mu.Lock()
	if ctx.Err() != nil || p.running != w {
		p.mu.Unlock()
		return
	}
	was := !p.until.IsZero()
	p.checked = time.Now()
	if err == nil {
		p.failures, p.until = 0, time.Time{}
	} else if p.failures++; p.failures >= w.Tolerance || was {
		p.until = p.checked.Add(w.Every)
	}
	is := !p.until.IsZero()
	p.mu.Unlock()
	if was != is && w.Changed != nil {
		w.Changed(err)
	}
}

// down is when the next check of a provider that is down is due, zero if it is up.
func (p *probing) down() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.until
}

func (p *probing) reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failures, p.until = 0, time.Time{}
}
