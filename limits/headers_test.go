package limits

import (
	"fmt"
	"net/http"
	"testing"
	"time"
)

func TestRateHeaders(t *testing.T) {
	rph := &Limit{Name: "rph", Kind: Requests, Amount: 1000, Window: PerHour}
	r := new(Reservation)
	now := time.Date(2026, 5, 4, 3, 2, 1, 500_000_000, time.FixedZone("", 3600))
	for _, test := range []struct {
		name                      string
		d                         Decision
		openai, anthropic, reties string
	}{
		{"nothing to tell", Decision{Reservation: r, States: []State{{Limit: conc}, {Limit: budget}}}, "map[]", "map[]", "map[]"},
		{"degraded", Decision{Reservation: r, Degraded: true, States: []State{{Limit: rpm}}}, "map[]", "map[]", "map[]"},
		{
			"the tightest of two", Decision{Reservation: r, States: []State{
				{Limit: rph, Remaining: 700, Reset: 6 * time.Minute}, {Limit: rpm, Remaining: 12, Reset: 119500 * time.Microsecond},
				{Limit: tpm, Remaining: 30, Reset: 6 * time.Minute},
			}},
			"map[X-Ratelimit-Limit-Requests:[60] X-Ratelimit-Limit-Tokens:[1000] X-Ratelimit-Remaining-Requests:[12] X-Ratelimit-Remaining-Tokens:[30] X-Ratelimit-Reset-Requests:[120ms] X-Ratelimit-Reset-Tokens:[6m0s]]",
			"map[Anthropic-Ratelimit-Requests-Limit:[60] Anthropic-Ratelimit-Requests-Remaining:[12] Anthropic-Ratelimit-Requests-Reset:[2026-05-04T02:02:02Z] Anthropic-Ratelimit-Tokens-Limit:[1000] Anthropic-Ratelimit-Tokens-Remaining:[30] Anthropic-Ratelimit-Tokens-Reset:[2026-05-04T02:08:02Z]]",
			"map[]",
		},
		{
			"refused", Decision{States: []State{{Limit: rpm, Refused: true, RetryAfter: time.Second + time.Microsecond}, {Limit: conc, Refused: true, RetryAfter: time.Second}}},
			"map[X-Ratelimit-Limit-Requests:[60] X-Ratelimit-Remaining-Requests:[0] X-Ratelimit-Reset-Requests:[0s]]",
			"map[Anthropic-Ratelimit-Requests-Limit:[60] Anthropic-Ratelimit-Requests-Remaining:[0] Anthropic-Ratelimit-Requests-Reset:[2026-05-04T02:02:02Z]]",
			"map[Retry-After:[2] Retry-After-Ms:[1001]]",
		},
		{"refused for ever", Decision{States: []State{{Limit: conc, Refused: true, Never: true}}}, "map[]", "map[]", "map[]"},
	} {
		openai, anthropic, retries := http.Header{}, http.Header{}, http.Header{}
		SetOpenAI(openai, &test.d)
		SetAnthropic(anthropic, &test.d, now)
		SetRetryAfter(retries, &test.d)
		for got, want := range map[string]string{fmt.Sprint(openai): test.openai, fmt.Sprint(anthropic): test.anthropic, fmt.Sprint(retries): test.reties} {
			if got != want {
				t.Errorf("%s:\n got  %s\n want %s", test.name, got, want)
			}
		}
	}
}

func TestRetryAfterIsNeverEarlier(t *testing.T) {
	for wait, want := range map[time.Duration]string{
		-time.Hour: "1 1", 0: "1 1", 1: "1 1", time.Second: "1 1000", time.Second + 1: "2 1001", 90 * time.Minute: "5400 5400000",
		1<<63 - 1: "9223372036 9223372036854",
	} {
		seconds, millis := RetryAfter(wait)
		if got := seconds + " " + millis; got != want {
			t.Errorf("%v: %s, want %s", wait, got, want)
		}
	}
}

func TestWindowsAreReadAndWritten(t *testing.T) {
	for text, want := range map[string]Window{"second": PerSecond, "minute": PerMinute, "Hour": PerHour, "day": PerDay, "week": PerWeek, "month": PerMonth, "90m": {Length: 90 * time.Minute}, "60s": PerMinute} {
		got, err := ParseWindow(text)
		if err != nil || got != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
		if back, err := ParseWindow(got.String()); err != nil || back != got {
			t.Errorf("%s: back it is %v, %v", text, back, err)
		}
	}
	for _, text := range []string{"", "year", "10", "10ms", "-5s", "9000h", "0s"} {
		if w, err := ParseWindow(text); err == nil {
			t.Errorf("%q is taken for %v", text, w)
		}
	}
}

func TestLimitsThatCantBe(t *testing.T) {
	for name, l := range map[string][]Limit{
		"negative":              {{Kind: Requests, Amount: -1, Window: PerMinute}},
		"beyond what is exact":  {{Kind: Money, Amount: 1 << 60, Window: PerDay}},
		"no window":             {{Kind: Tokens, Amount: 1}},
		"both windows":          {{Kind: Tokens, Amount: 1, Window: Window{Calendar: Day, Length: time.Hour}}},
		"a window of places":    {{Kind: Concurrency, Amount: 1, Window: PerDay}},
		"unknown":               {{Kind: 9, Amount: 1, Window: PerDay}},
		"twice for one window":  {{Kind: Requests, Amount: 1, Window: PerDay}, {Kind: Requests, Amount: 2, Window: PerDay}},
		"too many at same time": {{Kind: Concurrency, Amount: 1 << 40}},
	} {
		if ValidateAll(l) == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if err := ValidateAll([]Limit{*rpm, *tpm, *conc, *budget}); err != nil {
		t.Error(err)
	}
}
