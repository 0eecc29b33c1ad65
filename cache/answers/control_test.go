package answers

import (
	"net/http"
	"testing"
	"time"
)

func insists(n time.Duration) Seconds { return Seconds{n, true} }

func TestControlIsReadAsRFC9111WantsIt(t *testing.T) {
	for _, test := range []struct {
		header []string
		want   Control
	}{
		{nil, Control{}},
		{[]string{""}, Control{}},
		{[]string{" , ,, "}, Control{}},
		{[]string{"no-store"}, Control{NoStore: true}},
		{[]string{"No-Cache, ONLY-IF-CACHED"}, Control{NoCache: true, OnlyIfCached: true}},
		{[]string{"max-age=60"}, Control{MaxAge: insists(time.Minute)}},
		{[]string{"max-age=0"}, Control{MaxAge: insists(0)}},
		{[]string{`max-age="60" , no-store`}, Control{MaxAge: insists(time.Minute), NoStore: true}},
		{[]string{`x="a, no-store, \" no-cache", max-stale`}, Control{MaxStale: insists(Forever)}},
		{[]string{"max-stale=5", "min-fresh=10"}, Control{MaxStale: insists(5 * time.Second), MinFresh: insists(10 * time.Second)}},
		{[]string{"max-age=60, max-age=30, max-age=90"}, Control{MaxAge: insists(30 * time.Second)}},
		{[]string{"max-stale, max-stale=7"}, Control{MaxStale: insists(7 * time.Second)}},
		{[]string{"min-fresh=1, min-fresh=3"}, Control{MinFresh: insists(3 * time.Second)}},
		{[]string{"stale-if-error=4"}, Control{StaleIfError: insists(4 * time.Second)}},
		{[]string{"max-age=99999999999999999999999"}, Control{MaxAge: insists(maxSeconds * time.Second)}},
		// What is no number is as strict as can be.
		{[]string{"max-age"}, Control{MaxAge: insists(0)}},
		{[]string{"max-age=-1"}, Control{MaxAge: insists(0)}},
		{[]string{"max-age=1.5"}, Control{MaxAge: insists(0)}},
		{[]string{"max-stale=x"}, Control{MaxStale: insists(0)}},
		{[]string{"min-fresh="}, Control{MinFresh: insists(Forever)}},
		{[]string{"no-transform, private, unknown=1"}, Control{}},
		{[]string{"no-store-x, xno-store"}, Control{}},
		{[]string{`max-age="60`}, Control{MaxAge: insists(time.Minute)}},
	} {
		if got := ParseControl(test.header); got != test.want {
			t.Errorf("%q is %+v, want %+v", test.header, got, test.want)
		}
	}
}

// entryOf is a stored answer of some age, fresh for a minute and kept for two more.
func entryOf(age time.Duration, now time.Time) *Entry {
	return &Entry{Key: Key{1}, Scope: "key a", TTL: time.Minute, Stale: 2 * time.Minute, Created: now.Add(-age), Body: []byte("{}")}
}

// TestC07ClientsDecideWhatTheyTake: which stored answer is served under which
// Cache-Control, and why a provider is asked.
func TestC07ClientsDecideWhatTheyTake(t *testing.T) {
	now := time.Now()
	for _, test := range []struct {
		control string
		age     time.Duration
		serves  bool
		spare   bool
		forward Forward
	}{
		{"", 0, true, false, ""},
		{"", 59 * time.Second, true, false, ""},
		{"", time.Minute, false, true, ForwardStale},
		{"", 4 * time.Minute, false, false, ForwardMiss},
		{"no-store", 0, false, false, ForwardRequest},
		{"no-cache", 0, false, false, ForwardRequest},
		{"max-age=0", time.Second, false, true, ForwardRequest},
		{"max-age=30", 29 * time.Second, true, false, ""},
		{"max-age=30", 31 * time.Second, false, true, ForwardRequest},
		{"max-age=3600", 61 * time.Second, false, true, ForwardStale},
		{"min-fresh=30", 29 * time.Second, true, false, ""},
		{"min-fresh=30", 31 * time.Second, false, true, ForwardRequest},
		{"max-stale", 150 * time.Second, true, false, ""},
		{"max-stale=10", 65 * time.Second, true, false, ""},
		{"max-stale=10", 75 * time.Second, false, true, ForwardStale},
		{"max-stale=100, max-age=60", 70 * time.Second, false, true, ForwardStale},
		{"only-if-cached", 10 * time.Second, true, false, ""},
		{"only-if-cached, max-age=5", 10 * time.Second, false, true, ForwardRequest},
		{"stale-if-error=10", 65 * time.Second, false, true, ForwardStale},
		{"stale-if-error=10", 75 * time.Second, false, false, ForwardStale},
	} {
		m := newMemory(t, MemoryOptions{MaxSize: 1 << 20})
		e := entryOf(test.age, now)
		m.Put(t.Context(), e)
		c := ParseControl([]string{test.control})
		l := Look(t.Context(), m, e.Key, &c, now)
		if (l.Entry != nil) != test.serves || (l.Spare != nil) != test.spare || l.Forward != test.forward {
			t.Errorf("%q at %v: %v, spare %v, forward %q", test.control, test.age, l.Entry != nil, l.Spare != nil, l.Forward)
		}
	}
	m := newMemory(t, MemoryOptions{})
	if l := Look(t.Context(), m, Key{9}, &Control{OnlyIfCached: true}, now); l.Entry != nil || l.Forward != ForwardMiss {
		t.Errorf("%+v", l)
	}
	ignoring := Rules{IgnoreClient: true}
	if c := ignoring.Control([]string{"no-store, only-if-cached"}); c != (Control{}) {
		t.Errorf("an operator who forbids it is not obeyed: %+v", c)
	}
}

func TestProvidersMayShortenTheTime(t *testing.T) {
	for _, test := range []struct {
		header          string
		plain, respects time.Duration
	}{
		{"", time.Hour, time.Hour},
		{"max-age=60", time.Minute, time.Minute},
		{"max-age=7200", time.Hour, time.Hour},
		{"max-age=60, s-maxage=30", 30 * time.Second, 30 * time.Second},
		{"no-cache", time.Hour, 0},
		{"no-cache, no-store, no-transform, must-revalidate, private, max-age=0", time.Hour, 0},
		{"private, max-age=0", time.Hour, 0},
		{"no-store, max-age=60", time.Minute, 0},
	} {
		h := http.Header{"Cache-Control": {test.header}}
		if got := lifetime(time.Hour, h, false); got != test.plain {
			t.Errorf("%q: %v, want %v", test.header, got, test.plain)
		}
		if got := lifetime(time.Hour, h, true); got != test.respects {
			t.Errorf("%q respected: %v, want %v", test.header, got, test.respects)
		}
	}
	if lifetime(time.Hour, nil, true) != time.Hour {
		t.Error("no header at all")
	}
}

func FuzzControl(f *testing.F) {
	for _, s := range []string{"no-store", `max-age="6\"0", x`, "max-stale=1,,min-fresh", "=", `a="`, `"`, "a=b=c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a := ParseControl([]string{s})
		if b := ParseControl([]string{s, s}); a != b {
			t.Fatalf("%q: said twice it is %+v, once %+v", s, b, a)
		}
		for _, d := range []Seconds{a.MaxAge, a.MaxStale, a.MinFresh, a.StaleIfError} {
			if d.Duration < 0 {
				t.Fatalf("%q: %+v", s, a)
			}
		}
	})
}

func BenchmarkParseControl(b *testing.B) {
	h := []string{"no-cache, max-age=60, max-stale=10"}
	b.ReportAllocs()
	for b.Loop() {
		ParseControl(h)
	}
}
