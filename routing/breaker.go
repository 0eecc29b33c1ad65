package routing

import "time"

// Breaker says when a target that keeps failing is left alone. A rule that is not
// set opens nothing.
type Breaker struct {
	// Off never leaves one alone.
	Off bool
	// Consecutive failures open the breaker.
	Consecutive int
	// So does a share of successes below Share among at least Samples calls within Window.
	Share   float64
	Samples int
	Window  time.Duration
	// Open is how long it stays open at first. It doubles up to MaxOpen as long as
	// the target fails again.
	Open, MaxOpen time.Duration
}

// DefaultBreaker is the breaker of a config that says nothing.
var DefaultBreaker = Breaker{
	Consecutive: 5, Share: 0.5, Samples: 10, Window: 30 * time.Second,
	Open: 5 * time.Second, MaxOpen: 300 * time.Second,
}

// Outcome is what an attempt showed of its target.
type Outcome uint8

// The outcomes.
const (
	// Neutral: the fault was the client's or the credential's, or the client left.
	Neutral Outcome = iota
	// Succeeded: the target answered.
	Succeeded
	// Throttled: the target takes no more calls for now. It says nothing of its
	// health, but a target that answers so to most calls is of no use.
	Throttled
	// Failed: the target answered with an error, broke off or kept silent.
	Failed
	// Unreachable: no connection could be made.
	Unreachable
)

// buckets is how finely the window is cut.
const buckets = 10

// circuit is the state of one breaker: facts only, its parameters come with each call.
type circuit struct {
	// consecutive counts failures without an answer between them, broken answers
	// that broke off without one between them that did not.
	consecutive, broken int

	window [buckets]struct{ good, bad int }
	newest int64 // number of the bucket that counts at present
	// until is when a probe may be made; zero: the circuit is closed.
	until time.Time
	// trips counts how often it opened without staying closed in between.
	trips int
	// changed is when it opened or closed.
	changed time.Time
	// probing tells that a probe is on its way.
	probing bool
	// unreachable tells that the latest failure was a refused connection.
	unreachable bool
}

func (c *circuit) open() bool { return !c.until.IsZero() }

// Position is where a breaker stands.
type Position uint8

// The positions.
const (
	// BreakerClosed: calls pass.
	BreakerClosed Position = iota
	// BreakerProbing: one call shows whether the target has recovered, or the next will.
	BreakerProbing
	// BreakerOpen: the target is left alone.
	BreakerOpen
)

func (c *circuit) position(now time.Time) Position {
	switch {
	case !c.open():
		return BreakerClosed
	case c.probing || !now.Before(c.until):
		return BreakerProbing
	}
	return BreakerOpen
}

// report counts what an attempt showed: an answer when it begins, and again when
// it ends. What began before the circuit opened or closed shows how the target
// was: streams last for minutes.
func (c *circuit) report(b *Breaker, r *Report, now time.Time) {
	if r.Probe && !r.Answered {
		c.probing = false
	}
	if r.Outcome == Neutral || r.Began.Before(c.changed) {
		return
	}
	c.unreachable = r.Outcome == Unreachable
	switch {
	case r.Outcome != Succeeded:
		c.failed(b, r, now)
	case r.Answered:
		c.broken = 0
	default:
		c.count(b, now).good++
		c.consecutive = 0
		if c.open() {
			c.close(now)
		}
	}
}

func (c *circuit) failed(b *Breaker, r *Report, now time.Time) {
	bucket := c.count(b, now)
	bucket.bad++
	switch {
	case r.Answered: // it was taken for good
		bucket.good--
		c.broken++
	case r.Outcome != Throttled:
		c.consecutive++
	}
	switch {
	case b.Off:
		c.until = time.Time{} // a config before this one may have opened it
	case c.open():
		if r.Probe {
			c.trip(b, now)
		}
	case b.Consecutive > 0 && max(c.consecutive, c.broken) >= b.Consecutive, c.poor(b):
		if now.Sub(c.changed) > 2*b.Window {
			c.trips = 0 // it has been well for long
		}
		c.trip(b, now)
	}
}

func (c *circuit) close(now time.Time) {
	c.until, c.changed = time.Time{}, now
	clear(c.window[:])
}

func (c *circuit) trip(b *Breaker, now time.Time) {
	pause := b.MaxOpen
	if c.trips < 30 { // above, the shift would overflow
		pause = min(pause, b.Open<<c.trips)
	}
	c.trips++
	c.until, c.changed = now.Add(pause), now
	c.consecutive, c.broken = 0, 0
}

// count finds where to count what is reported now.
func (c *circuit) count(b *Breaker, now time.Time) *struct{ good, bad int } {
	width := max(1, int64(b.Window)/buckets)
	number := now.UnixNano() / width
	if number-c.newest >= buckets || c.newest-number >= buckets {
		clear(c.window[:])
		c.newest = number
	}
	number = max(number, c.newest) // reports do not come in the order of their times
	for ; c.newest < number; c.newest++ {
		c.window[(c.newest+1)%buckets] = struct{ good, bad int }{}
	}
	return &c.window[number%buckets]
}

// poor tells whether too few calls of the window went well.
func (c *circuit) poor(b *Breaker) bool {
	good, all := 0, 0
	for _, bucket := range c.window {
		good += bucket.good
		all += bucket.good + bucket.bad
	}
	return b.Samples > 0 && all >= b.Samples && float64(good) < b.Share*float64(all)
}
