package answers

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestStatusIsSaidAsRFC9211WantsIt(t *testing.T) {
	now := time.Now()
	for _, test := range []struct {
		status     Status
		want, word string
	}{
		{HitStatus(entryOf(10*time.Second, now), now), "llm_proxy; hit; ttl=50", "hit"},
		{HitStatus(entryOf(90*time.Second, now), now), "llm_proxy; hit; ttl=-30", "stale"},
		{HitStatus(entryOf(60500*time.Millisecond, now), now), "llm_proxy; hit; ttl=-1", "stale"},
		{Status{Forward: ForwardMiss}, "llm_proxy; fwd=miss", "miss"},
		{Status{Forward: ForwardMiss, Stored: true}, "llm_proxy; fwd=miss; stored", "miss"},
		{Status{Forward: ForwardMiss, Collapsed: true}, "llm_proxy; fwd=miss; collapsed", "collapsed"},
		{Status{Forward: ForwardStale, Stored: true}, "llm_proxy; fwd=stale; stored", "miss"},
		{Status{Forward: ForwardRequest}, "llm_proxy; fwd=request", "bypass"},
		{Status{Forward: ForwardBypass, Detail: ServerTools}, "llm_proxy; fwd=bypass; detail=server_tools", "bypass"},
	} {
		if got := test.status.String(); got != test.want || test.status.Word() != test.word {
			t.Errorf("%q %q, want %q %q", got, test.status.Word(), test.want, test.word)
		}
	}
	h := http.Header{}
	e := entryOf(10*time.Second, now)
	e.Key = Key{0xab, 0xcd}
	hit := HitStatus(e, now)
	hit.SetHeader(h, e, now)
	if h.Get("Age") != "10" || strings.Contains(strings.ToLower(h.Get("Cache-Status")), "abcd") {
		t.Errorf("%v", h)
	}
	miss := Status{Forward: ForwardMiss}
	miss.SetHeader(h, nil, now)
	if h.Get("Cache-Status") != "llm_proxy; fwd=miss" {
		t.Errorf("%v", h)
	}
	e.Usage.Input, e.Usage.Cost = 9, 5
	if got := e.Served(); got.Input != 9 || got.Cost != 0 || !got.CostKnown {
		t.Errorf("a hit is booked as %+v", got)
	}
	if age := entryOf(-time.Hour, now).Age(now); age != 0 {
		t.Errorf("an answer of the future is %v old", age)
	}
}
