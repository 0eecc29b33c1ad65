package limits

import (
	"net/http"
	"strconv"
	"time"
)

// names are the fields of a format: limit, remaining and reset, of requests and of tokens.
type names [2][3]string

var (
	openAINames = names{
		{"X-Ratelimit-Limit-Requests", "X-Ratelimit-Remaining-Requests", "X-Ratelimit-Reset-Requests"},
		{"X-Ratelimit-Limit-Tokens", "X-Ratelimit-Remaining-Tokens", "X-Ratelimit-Reset-Tokens"},
	}
	anthropicNames = names{
		{"Anthropic-Ratelimit-Requests-Limit", "Anthropic-Ratelimit-Requests-Remaining", "Anthropic-Ratelimit-Requests-Reset"},
		{"Anthropic-Ratelimit-Tokens-Limit", "Anthropic-Ratelimit-Tokens-Remaining", "Anthropic-Ratelimit-Tokens-Reset"},
	}
)

// SetOpenAI writes x-ratelimit-limit, -remaining and -reset for requests and for tokens,
// with durations as OpenAI writes them (6m0s, 120ms): of several limits the one with least left. A degraded decision has none.
func SetOpenAI(h http.Header, d *Decision) {
	d.set(h, &openAINames, func(to []byte, reset time.Duration) []byte {
		return append(to, ceil(reset, time.Millisecond).String()...)
	})
}

// SetAnthropic writes anthropic-ratelimit-requests-* and -tokens-*, with the time of the reset
// as RFC 3339.
func SetAnthropic(h http.Header, d *Decision, now time.Time) {
	d.set(h, &anthropicNames, func(to []byte, reset time.Duration) []byte {
		at := now.Add(reset + time.Second - 1).UTC().Truncate(time.Second)
		return at.AppendFormat(to, time.RFC3339)
	})
}

// set writes all fields into one piece of memory.
func (d *Decision) set(h http.Header, names *names, appendReset func([]byte, time.Duration) []byte) {
	var memory [160]byte
	var ends [6]int
	text, n := memory[:0], 0
	end := func() { ends[n] = len(text); n++ }
	var told [2]bool
	for k, kind := range [...]Kind{Requests, Tokens} {
		s := d.tightest(kind)
		if told[k] = s != nil; !told[k] {
			continue
		}
		text = strconv.AppendInt(text, s.Limit.Amount, 10)
		end()
		text = strconv.AppendInt(text, s.Remaining, 10)
		end()
		text = appendReset(text, s.Reset)
		end()
	}
	if n == 0 {
		return
	}
	whole, values := string(text), make([]string, n)
	begin, at := 0, 0
	for k := range told {
		if !told[k] {
			continue
		}
		for _, name := range names[k] {
			values[at] = whole[begin:ends[at]]
			begin = ends[at]
			h[name] = values[at : at+1 : at+1]
			at++
		}
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
