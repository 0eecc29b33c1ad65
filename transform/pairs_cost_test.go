package transform_test

import (
	"testing"
	"time"

	"github.com/caddyllm/llmproxy/transform"
)

// A translated event costs a few times what one costs that is only looked at, and
// not a few dozen times. Both are measured in the same run, the best of several tries.
func TestATranslatedEventCostsAFewPassedOnOnes(t *testing.T) {
	wires := make([][]wireEvent, len(providers))
	inspect := make([]time.Duration, len(providers))
	for j := range providers {
		wires[j], inspect[j] = newWire(providers[j].stream(500)), time.Hour
	}
	try := func(best *time.Duration, f func()) {
		for range 5 {
			begun := time.Now()
			f()
			*best = min(*best, time.Since(begun))
		}
	}
	passed := time.Hour // of the format that is the dearest to look at
	var dearest time.Duration
	for j := range providers {
		try(&inspect[j], func() {
			inspector := providers[j].codec.NewStreamInspector()
			for i := range wires[j] {
				if _, err := inspector.Inspect(wires[j][i].name, wires[j][i].data); err != nil {
					t.Fatal(err)
				}
			}
		})
		dearest = max(dearest, inspect[j]/time.Duration(len(wires[j])))
	}
	passed = min(passed, dearest)
	eachPair(t, func(t *testing.T, c *client, p *provider) {
		r := asked(t, c)
		var s stream
		wire := newWire(p.stream(500))
		best := time.Hour
		try(&best, func() { s.translate(t, c, p, r, wire) })
		if each := best / time.Duration(len(wire)); each > 20*passed {
			t.Errorf("%v per event, %v if it is passed on", each, passed)
		}
	})
}

// A whole request and a whole answer may allocate what their parts take, which is
// told by how they grow with the conversation.
func TestTranslatedMessagesAllocateLittle(t *testing.T) {
	eachPair(t, func(t *testing.T, c *client, p *provider) {
		cost := func(messages int) float64 {
			body := c.ask(conversation(messages))
			var out []byte
			return testing.AllocsPerRun(3, func() {
				var lost transform.Losses
				r, err := c.codec.DecodeRequest(body, &lost)
				if err != nil {
					t.Fatal(err)
				}
				if out, err = p.codec.AppendRequest(out[:0], r, p.to, &lost); err != nil {
					t.Fatal(err)
				}
			})
		}
		t.Logf("%.1f per message, %.0f of eleven", (cost(111)-cost(11))/100, cost(11))
	})
}
