package limits

import (
	"net/http"
	"strconv"
	"time"
)

// SetOpenAI writes x-ratelimit-limit, -remaining and -reset for requests and for tokens,
// with durations as OpenAI writes them (6m0s, 120ms): of several limits the one with least left. A degraded decision has none.
func SetOpenAI(h http.Header, d *Decision) {
	for _, kind := range [...]Kind{Requests, Tokens} {
		s := d.tightest(kind)
		if s == nil {
			continue
		}
		of := "Requests"
		if kind == Tokens {
			of = "Tokens"
		}
		h["X-Ratelimit-Limit-"+of] = []string{itoa(s.Limit.Amount)}
		h["X-Ratelimit-Remaining-"+of] = []string{itoa(s.Remaining)}
		h["X-Ratelimit-Reset-"+of] = []string{ceil(s.Reset, time.Millisecond).String()}
	}
}

// SetAnthropic writes anthropic-ratelimit-requests-* and -tokens-*, with the time of the reset
// as RFC 3339.
func SetAnthropic(h http.Header, d *Decision, now time.Time) {
	for _, kind := range [...]Kind{Requests, Tokens} {
		s := d.tightest(kind)
		if s == nil {
			continue
		}
		of := "Anthropic-Ratelimit-Requests-"
		if kind == Tokens {
			of = "Anthropic-Ratelimit-Tokens-"
		}
		reset := now.Add(s.Reset + time.Second - 1).UTC().Truncate(time.Second)
		h[of+"Limit"] = []string{itoa(s.Limit.Amount)}
		h[of+"Remaining"] = []string{itoa(s.Remaining)}
		h[of+"Reset"] = []string{reset.Format(time.RFC3339)}
	}
}

// SetRetryAfter writes retry-after, in whole seconds and at least 1, and retry-after-ms. A call
// that will never be granted gets neither.
func SetRetryAfter(h http.Header, d *Decision) {
	r := d.Refusal()
	if r == nil || r.Never {
		return
	}
	seconds, millis := RetryAfter(r.RetryAfter)
	h["Retry-After"] = []string{seconds}
	h["Retry-After-Ms"] = []string{millis}
}

// RetryAfter renders a wait as the values of retry-after and retry-after-ms: never earlier, and never nothing.
func RetryAfter(wait time.Duration) (seconds, millis string) {
	return strconv.FormatInt(max(1, int64(ceil(wait, time.Second)/time.Second)), 10),
		strconv.FormatInt(max(1, int64(ceil(wait, time.Millisecond)/time.Millisecond)), 10)
}

// tightest is the state of a kind that leaves least, nil if there is none to tell.
func (d *Decision) tightest(kind Kind) *State {
	var least *State
	if d.Degraded {
		return nil
	}
	for i := range d.States {
		s := &d.States[i]
		if s.Limit.Kind == kind && (least == nil || s.Remaining < least.Remaining || s.Remaining == least.Remaining && s.Reset > least.Reset) {
			least = s
		}
	}
	return least
}

// ceil rounds up; what is not positive is nothing.
func ceil(d, unit time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	if rest := d % unit; rest != 0 {
		if d > 1<<63-1-unit {
			return d - rest
		}
		d += unit - rest
	}
	return d
}
