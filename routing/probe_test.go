package routing_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyllm/llmproxy/providers"
	"github.com/caddyllm/llmproxy/routing"
)

// patient is a provider's answers to probes, and how often it was asked.
type patient struct {
	ill   atomic.Bool
	asked atomic.Int32
}

func (p *patient) probe(every time.Duration, tolerance int) routing.Probe {
	return routing.Probe{Every: every, Tolerance: tolerance, Check: func(context.Context) error {
		p.asked.Add(1)
		if p.ill.Load() {
			return errors.New("ill")
		}
		return nil
	}}
}

func obstacle(h *routing.Health) routing.Obstacle {
	return h.Model("m").Available([]providers.Fingerprint{{}}, time.Now()).Obstacle
}

func wantObstacle(t *testing.T, h *routing.Health, want routing.Obstacle) {
	t.Helper()
	if got := obstacle(h); got != want {
		t.Errorf("the obstacle is %v, not %v", got, want)
	}
}

func wait(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func TestProbesTakeAProviderOutOfUseAndBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var h routing.Health
		var p patient
		stop := h.Watch(p.probe(10*time.Second, 2))
		wait(time.Second)
		wantObstacle(t, &h, routing.Clear)
		p.ill.Store(true)
		wait(10 * time.Second)
		wantObstacle(t, &h, routing.Clear) // one failure of two
		wait(10 * time.Second)
		wantObstacle(t, &h, routing.Down)
		if _, ok := h.Model("m").Begin(false, time.Now()); ok {
			t.Error("a provider that is down takes a call")
		}
		if until := h.Model("m").Available(nil, time.Now()).Until; !until.Equal(time.Now().Add(9 * time.Second)) {
			t.Errorf("it is down until %v", until)
		}
		p.ill.Store(false)
		wait(10 * time.Second)
		wantObstacle(t, &h, routing.Clear)
		p.ill.Store(true)
		wait(10 * time.Second)
		wantObstacle(t, &h, routing.Clear) // it counts from the start
		stop()
	})
}

func TestProviderIsProbedOnceHoweverManyWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var h routing.Health
		var first, second patient
		stopFirst := h.Watch(first.probe(10*time.Second, 1))
		wait(25 * time.Second) // at 0, 10, 20
		stopSecond := h.Watch(second.probe(10*time.Second, 1))
		wait(4 * time.Second)
		if n := second.asked.Load(); n != 0 {
			t.Errorf("who takes over asks %d times before the time has come", n)
		}
		wait(20 * time.Second) // at 30, 40
		if a, b := first.asked.Load(), second.asked.Load(); a != 3 || b != 2 {
			t.Errorf("the watchers asked %d and %d times", a, b)
		}
		second.ill.Store(true)
		wait(10 * time.Second)
		wantObstacle(t, &h, routing.Down)
		stopSecond()
		wait(10 * time.Second)
		wantObstacle(t, &h, routing.Clear) // as the first one finds
		if n := first.asked.Load(); n != 4 {
			t.Errorf("who is left asked %d times", n)
		}
		stopFirst()
		stopFirst()
		wait(time.Minute)
		if a, b := first.asked.Load(), second.asked.Load(); a != 4 || b != 3 {
			t.Errorf("the watchers asked %d and %d times in the end", a, b)
		}
	})
}

func TestNobodyIsDownWhomNobodyWatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var h routing.Health
		var p patient
		p.ill.Store(true)
		var changes []error
		probe := p.probe(time.Second, 1)
		probe.Changed = func(err error) { changes = append(changes, err) }
		stop := h.Watch(probe)
		wait(5 * time.Second)
		wantObstacle(t, &h, routing.Down)
		stop()
		wantObstacle(t, &h, routing.Clear)
		if len(changes) != 1 || changes[0] == nil {
			t.Errorf("what was told is %v", changes)
		}
	})
}

func TestCheckThatIsCutShortSaysNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var h routing.Health
		stop := h.Watch(routing.Probe{Every: time.Second, Tolerance: 1, Check: func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		}})
		var p patient
		wait(time.Minute)
		stopOther := h.Watch(p.probe(time.Second, 1))
		wait(time.Second)
		wantObstacle(t, &h, routing.Clear)
		stop()
		stopOther()
		wantObstacle(t, &h, routing.Clear)
	})
}
