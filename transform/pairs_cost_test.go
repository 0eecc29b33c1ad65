//go:build !race

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

// What a request allocates is bounded, for each message that is added to it. Chat
// Completions, which most clients speak, has the least.
func TestTranslatedRequestsAllocateLittle(t *testing.T) {
	most := map[string]float64{"openai": 6, "responses": 16, "anthropic": 14, "gemini": 21}
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
		few, many := cost(11), cost(111)
		if each := (many - few) / 100; each > most[c.name] {
			t.Errorf("%.1f allocations per message", each)
		}
		if few > 40+20*most[c.name] {
			t.Errorf("%.0f allocations for eleven messages and two tools", few)
		}
	})
}

func TestTranslatedAnswersAllocateLittle(t *testing.T) {
	eachPair(t, func(t *testing.T, c *client, p *provider) {
		r, body := asked(t, c), []byte(p.answer)
		var out []byte
		if n := testing.AllocsPerRun(10, func() {
			a, err := p.codec.DecodeResponse(body)
			if err != nil {
				t.Fatal(err)
			}
			out = c.codec.AppendResponse(out[:0], a, r)
		}); n > 45 {
			t.Errorf("%v allocations", n)
		}
	})
}
