package gateway

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/caddyllm/llmproxy/transform"
)

// watchdog cancels an attempt that keeps silent for too long.
type watchdog struct {
	timer  *time.Timer
	reason atomic.Pointer[transform.Error]
	// deadline bounds every expectation until the answer commits.
	deadline  time.Time
	unbounded bool
}

func newWatchdog(cancel context.CancelCauseFunc, deadline time.Time) *watchdog {
	w := &watchdog{deadline: deadline}
	w.timer = time.AfterFunc(time.Until(deadline), func() {
		if reason := w.reason.Load(); reason != nil {
			cancel(reason)
		} else {
			cancel(errUpstreamTimeout)
		}
	})
	return w
}

// expect gives the provider so much time for its next sign of life.
func (w *watchdog) expect(within time.Duration, otherwise *transform.Error) {
	w.reason.Store(otherwise)
	if !w.unbounded {
		within = min(within, time.Until(w.deadline))
	}
	w.timer.Reset(within)
}

// pause expects nothing until the next expect.
func (w *watchdog) pause() { w.timer.Stop() }

// commit lifts the deadline: an answer that has begun may take as long as it
// keeps coming.
func (w *watchdog) commit() { w.unbounded = true }

func (w *watchdog) stop() { w.timer.Stop() }
