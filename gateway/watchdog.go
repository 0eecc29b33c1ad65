package gateway

import (
	"sync"
	"time"

	"github.com/caddyllm/llmproxy/transform"
)

// watchdog cancels an attempt that keeps silent for too long. What is expected is
// written down; the timer is set anew only where that makes it earlier, and looks
// when it fires whether the time is really up: a stream expects something after
// every event.
type watchdog struct {
	what canceler
	// deadline bounds every expectation until the answer commits.
	deadline  time.Time
	unbounded bool

	mu     sync.Mutex
	timer  *time.Timer
	fires  time.Time // when the timer does; zero: it does not run
	until  time.Time // zero: nothing is expected
	reason *transform.Error
}

// start begins to watch. The attempt is cancelled at the deadline at the latest.
func (w *watchdog) start(what canceler, deadline time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.what, w.deadline = what, deadline
	w.until, w.reason = deadline, errUpstreamTimeout
	w.fires = deadline
	w.timer = time.AfterFunc(time.Until(deadline), w.look)
}

// expect gives the provider so much time for its next sign of life.
func (w *watchdog) expect(within time.Duration, otherwise *transform.Error) {
	until := time.Now().Add(within)
	if !w.unbounded && until.After(w.deadline) {
		until = w.deadline
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.until, w.reason = until, otherwise
	if w.fires.IsZero() || until.Before(w.fires) {
		w.fires = until
		w.timer.Reset(time.Until(until))
	}
}

// look cancels the attempt if the time is up.
func (w *watchdog) look() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fires = time.Time{}
	if w.until.IsZero() {
		return
	}
	if rest := time.Until(w.until); rest > 0 {
		w.fires = w.until
		w.timer.Reset(rest)
		return
	}
	w.what.cancel(w.reason)
}

// pause expects nothing until the next expect.
func (w *watchdog) pause() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.until = time.Time{}
}

// commit lifts the deadline: an answer that has begun may take as long as it
// keeps coming.
func (w *watchdog) commit() { w.unbounded = true }

// stop ends the watching.
func (w *watchdog) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.until = time.Time{}
	w.timer.Stop()
}
