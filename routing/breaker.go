package routing

import "time"

// Breaker says when a target that keeps failing is left alone.
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
	consecutive int
	window      [buckets]struct{ good, bad int }
	newest      int64 // number of the bucket that counts at present
	// until is when a probe may be made; zero: the circuit is closed.
	until time.Time
	// trips counts how often it opened without staying closed in between.
	trips    int
	closedAt time.Time
	// probing tells that a probe is on its way.
	probing bool
	// unreachable tells that the latest failure was a refused connection.
	unreachable bool
}

func (c *circuit) open() bool { return !c.until.IsZero() }

// report counts an outcome. probe tells that the attempt was the circuit's probe.
func (c *circuit) report(b *Breaker, outcome Outcome, probe bool, now time.Time) {
	if probe {
		c.probing = false
	}
	if outcome == Neutral {
		return
	}
	c.unreachable = outcome == Unreachable
	c.count(b, outcome == Succeeded, now)
	switch {
	case outcome == Succeeded:
		c.consecutive = 0
		if c.open() {
			c.close(now)
		}
	case outcome != Throttled:
		c.consecutive++
	}
	switch {
	case b.Off:
	case c.open():
		if probe {
			c.trip(b, now)
		}
	case c.consecutive >= b.Consecutive, c.poor(b):
		if now.Sub(c.closedAt) > 2*b.Window {
			c.trips = 0 // it has been well for long
		}
		c.trip(b, now)
	}
}

func (c *circuit) close(now time.Time) {
	c.until, c.closedAt = time.Time{}, now
	clear(c.window[:])
}

func (c *circuit) trip(b *Breaker, now time.Time) {
	pause := b.MaxOpen
	if c.trips < 30 { // above, the shift would overflow
		pause = min(pause, b.Open<<c.trips)
	}
	c.trips++
	c.until = now.Add(pause)
	c.consecutive = 0
}

func (c *circuit) count(b *Breaker, good bool, now time.Time) {
	width := max(1, int64(b.Window)/buckets)
	number := now.UnixNano() / width
	if number-c.newest >= buckets || number < c.newest {
		clear(c.window[:])
		c.newest = number
	}
	for ; c.newest < number; c.newest++ {
		c.window[(c.newest+1)%buckets] = struct{ good, bad int }{}
	}
	if good {
		c.window[number%buckets].good++
	} else {
		c.window[number%buckets].bad++
	}
}

// poor tells whether too few calls of the window went well.
func (c *circuit) poor(b *Breaker) bool {
	good, all := 0, 0
	for _, bucket := range c.window {
		good += bucket.good
		all += bucket.good + bucket.bad
	}
	return all >= b.Samples && float64(good) < b.Share*float64(all)
}
