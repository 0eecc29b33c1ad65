package routing_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyllm/llmproxy/providers/ratelimit"
	"github.com/caddyllm/llmproxy/routing"
)

func TestSnapshotsTellTheLatestErrorAndWhatIsLeftOfEachKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := new(routing.Health)
		s := h.Model("m")
		report(s, routing.Report{Outcome: failed, Error: "overloaded"})
		time.Sleep(time.Second)
		report(s, routing.Report{Outcome: throttled, Key: keyB, Error: "rate_limit_exceeded"})
		at := time.Now()
		time.Sleep(time.Second)
		report(s, routing.Report{Outcome: succeeded})
		s.Observe(keyB, ratelimit.Headroom{Requests: ratelimit.Budget{Known: true, Remaining: 3, Limit: 10}, At: time.Now()})
		found := h.Snapshot(keysABC, time.Now()).Models
		if len(found) != 1 || found[0].Failed != (routing.LastError{Class: "rate_limit_exceeded", At: at}) {
			t.Fatalf("the snapshot is %+v", found)
		}
		if room := found[0].Headroom; len(room) != 1 || room[0].Index != 1 || room[0].Requests.Remaining != 3 || room[0].At != time.Now() {
			t.Errorf("the headroom is %+v", room)
		}
	})
}
