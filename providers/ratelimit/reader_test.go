package ratelimit

import (
	"net/http"
	"testing"
	"time"
)

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// fields makes a header as net/http hands it out.
func fields(pairs ...string) http.Header {
	h := http.Header{}
	for i := 0; i < len(pairs); i += 2 {
		h.Add(pairs[i], pairs[i+1])
	}
	return h
}

func in(d time.Duration) time.Time { return now.Add(d) }

func budget(remaining, limit int64, reset time.Time) Budget {
	return Budget{Known: true, Remaining: remaining, Limit: limit, Reset: reset}
}

var never time.Time

func TestEveryProviderIsRead(t *testing.T) {
	for _, test := range []struct {
		provider string
		header   http.Header
		want     Headroom
	}{
		{"openai", fields(
			"x-ratelimit-limit-requests", "10000", "x-ratelimit-remaining-requests", "9999", "x-ratelimit-reset-requests", "8.64s",
			"x-ratelimit-limit-tokens", "200000", "x-ratelimit-remaining-tokens", "1500", "x-ratelimit-reset-tokens", "23h18m29.144s",
		), Headroom{Requests: budget(9999, 10000, in(8640*time.Millisecond)), Tokens: budget(1500, 200000, in(23*time.Hour+18*time.Minute+29144*time.Millisecond))}},
		{"groq", fields("x-ratelimit-remaining-requests", "5", "x-ratelimit-reset-requests", "2m59.56s"), Headroom{Requests: budget(5, 0, in(179560*time.Millisecond))}},
		{"azure_openai", fields(
			"x-ratelimit-remaining-requests", "79", "x-ratelimit-limit-tokens", "80000", "x-ratelimit-remaining-tokens", "61353", "x-ratelimit-reset-tokens", "55",
		), Headroom{Requests: budget(79, 0, never), Tokens: budget(61353, 80000, in(55*time.Second))}},
		{"azure_openai", fields("x-ratelimit-limit-tokens", "-1", "x-ratelimit-remaining-tokens", "-1", "x-ratelimit-reset-tokens", "0"), Headroom{}},
		{"anthropic", fields(
			"anthropic-ratelimit-requests-limit", "4000", "anthropic-ratelimit-requests-remaining", "3999", "anthropic-ratelimit-requests-reset", "2026-01-02T03:04:06Z",
			"anthropic-ratelimit-tokens-limit", "2400000", "anthropic-ratelimit-tokens-remaining", "2399000", "anthropic-ratelimit-tokens-reset", "2026-01-02T03:04:07Z",
			"anthropic-ratelimit-input-tokens-limit", "2000000", "anthropic-ratelimit-input-tokens-remaining", "0", "anthropic-ratelimit-input-tokens-reset", "2026-01-02T05:04:35+02:00",
			"anthropic-ratelimit-output-tokens-limit", "400000", "anthropic-ratelimit-output-tokens-remaining", "399000", "anthropic-ratelimit-output-tokens-reset", "2026-01-02T03:04:05Z",
		), Headroom{
			Requests: budget(3999, 4000, in(time.Second)), Tokens: budget(2399000, 2400000, in(2*time.Second)),
			Input: budget(0, 2000000, in(30*time.Second)), Output: budget(399000, 400000, now),
		}},
		{"mistral", fields(
			"x-ratelimit-limit-req-minute", "720", "x-ratelimit-remaining-req-minute", "717",
			"x-ratelimit-limit-tokens-minute", "5000000", "x-ratelimit-remaining-tokens-minute", "4999911", "x-ratelimit-tokens-query-cost", "52",
		), Headroom{Requests: budget(717, 720, never), Tokens: budget(4999911, 5000000, never)}},
		{"mistral", fields("ratelimitbysize-limit", "500000", "ratelimitbysize-remaining", "499900", "ratelimitbysize-reset", "28"),
			Headroom{Tokens: budget(499900, 500000, in(28*time.Second))}},
		{"cerebras", fields(
			"x-ratelimit-limit-requests-day", "14400", "x-ratelimit-remaining-requests-day", "14399", "x-ratelimit-reset-requests-day", "33011.382867",
			"x-ratelimit-limit-requests-minute", "30", "x-ratelimit-remaining-requests-minute", "29", "x-ratelimit-reset-requests-minute", "45.5",
			"x-ratelimit-limit-tokens-minute", "60000", "x-ratelimit-remaining-tokens-minute", "59000", "x-ratelimit-reset-tokens-minute", "11.4",
		), Headroom{Requests: budget(29, 30, in(45500*time.Millisecond)), Tokens: budget(59000, 60000, in(11400*time.Millisecond))}},
		{"sambanova", fields(
			"x-ratelimit-limit-requests", "60", "x-ratelimit-remaining-requests", "59", "x-ratelimit-reset-requests", "1767323105",
			"x-ratelimit-limit-requests-day", "1500", "x-ratelimit-remaining-requests-day", "7", "x-ratelimit-reset-requests-day", "4h17m",
		), Headroom{Requests: budget(7, 1500, in(4*time.Hour+17*time.Minute))}},
		{"openrouter", fields("X-RateLimit-Limit", "20", "X-RateLimit-Remaining", "0", "X-RateLimit-Reset", "1767323105250"),
			Headroom{Requests: budget(0, 20, in(60250*time.Millisecond))}},
		{"together", fields("x-ratelimit-limit", "10", "x-ratelimit-remaining", "9", "x-ratelimit-reset", "1", "x-tokenlimit-limit", "3333.33", "x-tokenlimit-remaining", "3000.5"),
			Headroom{Requests: budget(9, 10, in(time.Second)), Tokens: budget(3000, 3333, never)}},
		{"fireworks", fields(
			"x-ratelimit-limit-requests", "600", "x-ratelimit-remaining-requests", "599",
			"x-ratelimit-limit-tokens-prompt", "60000", "x-ratelimit-remaining-tokens-prompt", "59000",
			"x-ratelimit-limit-tokens-generated", "12000", "x-ratelimit-remaining-tokens-generated", "11000", "x-ratelimit-over-limit", "no",
		), Headroom{Requests: budget(599, 600, never), Input: budget(59000, 60000, never), Output: budget(11000, 12000, never)}},
		{"cohere", fields("x-endpoint-monthly-call-limit", "1000", "x-trial-endpoint-call-limit", "20", "x-trial-endpoint-call-remaining", "19"), Headroom{Requests: budget(19, 20, never)}},
		{"huggingface", fields("RateLimit", `"api";r=495;t=140`, "RateLimit-Policy", `"fixed window";"api";q=500;w=300`), Headroom{Requests: budget(495, 500, in(140*time.Second))}},
		{"gemini", fields("x-ratelimit-remaining-requests", "0"), Headroom{}},
	} {
		if test.want != (Headroom{}) {
			test.want.At = now
		}
		if got := For(test.provider).Read(test.header, now); got != test.want {
			t.Errorf("%s: %v\ngot  %+v\nwant %+v", test.provider, test.header, got, test.want)
		}
	}
}

func TestAnUnknownProviderIsReadAsTheUsualOnes(t *testing.T) {
	for _, test := range []struct {
		name   string
		header http.Header
		want   Headroom
	}{
		{"OpenAI's", fields("x-ratelimit-remaining-tokens", "5", "x-ratelimit-limit-tokens", "9"), Headroom{Tokens: budget(5, 9, never)}},
		{"plain", fields("x-ratelimit-remaining", "5", "x-ratelimit-limit", "9", "x-ratelimit-reset", "1767323065"), Headroom{Requests: budget(5, 9, in(20*time.Second))}},
		{"the draft's", fields("RateLimit", `"rpm";r=12;t=30, "day";r=4;t=69076`, "RateLimit-Policy", `"rpm";q=60;w=60, "day";q=5000;w=86400`), Headroom{Requests: budget(4, 5000, in(69076*time.Second))}},
		{"the draft's for tokens", fields("RateLimit", `"tpm";r=500;t=3`, "RateLimit-Policy", `"tpm";q=60000;w=60`), Headroom{Tokens: budget(500, 60000, in(3*time.Second))}},
		{"the draft's with a unit", fields("RateLimit", `"a";r=500`, "RateLimit-Policy", `"b";q=1, "a";q=60000;qu="x-tokens"`), Headroom{Tokens: budget(500, 60000, never)}},
		{"the draft's of what is not counted", fields("RateLimit", `"c";r=1;t=1`, "RateLimit-Policy", `"c";q=5;qu="concurrent-requests"`), Headroom{}},
		{"the draft's with a separator in a name", fields("RateLimit", `"a,\";r=9";r=3;t=1`), Headroom{Requests: budget(3, 0, in(time.Second))}},
		{"the draft's before", fields("RateLimit", "limit=100, remaining=50, reset=5", "RateLimit-Policy", "100;w=10"), Headroom{Requests: budget(50, 100, in(5*time.Second))}},
		{"the draft's three fields", fields("RateLimit-Limit", "20, 20;w=60", "RateLimit-Remaining", "19", "RateLimit-Reset", "32"), Headroom{Requests: budget(19, 20, in(32*time.Second))}},
		{"nothing", fields("content-type", "application/json", "retry-after", "5"), Headroom{}},
	} {
		if test.want != (Headroom{}) {
			test.want.At = now
		}
		if got := Read(test.header, now); got != test.want {
			t.Errorf("%s\ngot  %+v\nwant %+v", test.name, got, test.want)
		}
	}
}

func TestNonsenseIsIgnored(t *testing.T) {
	read := func(remaining, limit, reset string) Headroom {
		return For("openai").Read(fields(
			"x-ratelimit-remaining-requests", remaining, "x-ratelimit-limit-requests", limit, "x-ratelimit-reset-requests", reset), now)
	}
	for _, bad := range []string{"", "-1", "+5", "NaN", "Inf", "1e3", "0x10", "5 ", " 5", "five", "5.x", "5.", "1099511627777", "99999999999999999999999999"} {
		if got := read(bad, "10", "5s"); got.Known() {
			t.Errorf("%q remain: %+v", bad, got)
		}
		if got := read("5", bad, "5s").Requests; got.Remaining != 5 || got.Limit != 0 {
			t.Errorf("a limit of %q: %+v", bad, got)
		}
	}
	for _, bad := range []string{"", "-5", "-5s", "NaN", "soon", "5 minutes", "1e3", "99999999999999999999", "999999999s", "800h", "2678401", "1767323105250000", "2026-13-45T99:99:99Z", "2027-01-02T03:04:05Z", "5s5s"} {
		if got := read("0", "10", bad).Requests; !got.Reset.IsZero() {
			t.Errorf("a reset of %q: %v", bad, got.Reset)
		}
	}
	twice := fields("x-ratelimit-remaining-requests", "0", "x-ratelimit-remaining-requests", "9")
	if got := For("openai").Read(twice, now); got.Known() {
		t.Errorf("a field that came twice: %+v", got)
	}
}

func TestResets(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"0": 0, "0s": 0, "7": 7 * time.Second, "12.5": 12500 * time.Millisecond, "120ms": 120 * time.Millisecond, "6m0s": 6 * time.Minute,
		"1d2h":                     maxReset, // cut
		"600h":                     maxReset,
		"172800":                   maxReset,
		"2026-01-02T03:04:35Z":     30 * time.Second,
		"2026-01-02T03:04:05.250Z": 250 * time.Millisecond,
		"2026-01-02T03:03:05Z":     -time.Minute,
		"1767323105":               time.Minute,
		"1767323105.5":             60500 * time.Millisecond,
		"1767323105250":            60250 * time.Millisecond,
		"1767322985":               -time.Minute,
	} {
		if got, ok := reset(text, now); !ok || !got.Equal(in(want)) {
			t.Errorf("%s is %v %v, want %v", text, got, ok, in(want))
		}
	}
}

// hot is a header of usual size.
func hot(more ...string) http.Header {
	h := fields(
		"date", "x", "content-type", "text/event-stream", "openai-processing-ms", "5", "openai-version", "2020-10-01", "x-request-id", "req_1",
		"strict-transport-security", "x", "cf-cache-status", "DYNAMIC", "set-cookie", "x", "x-content-type-options", "nosniff", "server", "x",
		"cf-ray", "x", "alt-svc", "x", "openai-organization", "x", "access-control-expose-headers", "x")
	for i := 0; i < len(more); i += 2 {
		h.Set(more[i], more[i+1])
	}
	return h
}

var six = []string{
	"x-ratelimit-limit-requests", "10000", "x-ratelimit-remaining-requests", "9999", "x-ratelimit-reset-requests", "6ms",
	"x-ratelimit-limit-tokens", "2000000", "x-ratelimit-remaining-tokens", "1999500", "x-ratelimit-reset-tokens", "1m26.4s",
}

func TestReadingDoesNotAllocate(t *testing.T) {
	for name, h := range map[string]http.Header{
		"none": hot(), "six": hot(six...), "draft": hot("ratelimit", `"a";r=5;t=6`, "ratelimit-policy", `"a";q=9`),
		"Anthropic's": hot("anthropic-ratelimit-tokens-remaining", "5", "anthropic-ratelimit-tokens-reset", "2026-01-02T03:04:35Z"),
	} {
		for _, provider := range []string{"openai", "anthropic", "cerebras", "another"} {
			if n := testing.AllocsPerRun(100, func() { For(provider).Read(h, now) }); n != 0 {
				t.Errorf("%s, %s: %v allocations", provider, name, n)
			}
		}
	}
}

func BenchmarkRead(b *testing.B) {
	anthropicAll := []string{}
	for _, s := range anthropic {
		anthropicAll = append(anthropicAll, s.limit, "4000000", s.remaining, "3999000", s.reset, "2026-01-02T03:04:35Z")
	}
	for _, bench := range []struct {
		name, provider string
		header         http.Header
	}{
		{"OpenAI, six", "openai", hot(six...)},
		{"OpenAI, none", "openai", hot()},
		{"unknown, six", "another", hot(six...)},
		{"unknown, none", "another", hot()},
		{"Anthropic, twelve", "anthropic", hot(anthropicAll...)},
	} {
		reader := For(bench.provider)
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				reader.Read(bench.header, now)
			}
		})
	}
}
