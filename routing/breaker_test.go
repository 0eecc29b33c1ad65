package routing_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyllm/llmproxy/providers"
	"github.com/caddyllm/llmproxy/routing"
)

// watched is a target whose breaker is under test, in virtual time.
type watched struct {
	t       *testing.T
	breaker routing.Breaker
	*routing.State
}

// watch runs a test in virtual time.
func watch(t *testing.T, do func(w *watched)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		do(&watched{t, routing.DefaultBreaker, new(routing.Health).Model("m")})
	})
}

var noKeys = make([]providers.Fingerprint, 1)

// call makes a whole attempt, if the target can be asked.
func (w *watched) call(outcomes ...routing.Outcome) {
	w.t.Helper()
	for _, outcome := range outcomes {
		w.begin()(outcome)
	}
}

// begin begins an attempt that must be allowed, and returns what ends it.
func (w *watched) begin() func(routing.Outcome) {
	w.t.Helper()
	began := time.Now()
	probe, ok := w.Begin(false, began)
	if !ok {
		w.t.Fatal("the target is not available")
	}
	return func(outcome routing.Outcome) { w.end(outcome, probe, began) }
}

func (w *watched) end(outcome routing.Outcome, probe bool, began time.Time) {
	w.End(&w.breaker, routing.Report{Outcome: outcome, Probe: probe, Began: began}, time.Now())
}

// want checks whether the target can be asked, and how long it cannot.
func (w *watched) want(obstacle routing.Obstacle, wait time.Duration) {
	w.t.Helper()
	found := w.Available(noKeys, time.Now())
	got := time.Duration(0)
	if !found.Until.IsZero() {
		got = time.Until(found.Until)
	}
	if found.Obstacle != obstacle || got != wait {
		w.t.Errorf("obstacle is %d for %v, want %d for %v", found.Obstacle, got, obstacle, wait)
	}
	if _, ok := w.Begin(false, time.Now()); ok != (obstacle == routing.Clear) {
		w.t.Errorf("an attempt may begin: %v", ok)
	} else if ok {
		w.end(routing.Neutral, true, time.Now())
	}
}

// trip opens a breaker that is closed.
func (w *watched) trip() {
	w.t.Helper()
	for range w.breaker.Consecutive {
		w.call(routing.Failed)
	}
	if w.Available(noKeys, time.Now()).Obstacle == routing.Clear {
		w.t.Fatal("the breaker did not open")
	}
}

const (
	neutral     = routing.Neutral
	succeeded   = routing.Succeeded
	throttled   = routing.Throttled
	failed      = routing.Failed
	unreachable = routing.Unreachable
)

func TestFailuresInARowOpenTheBreaker(t *testing.T) {
	watch(t, func(w *watched) {
		w.call(failed, failed, failed, failed)
		w.want(routing.Clear, 0)
		w.call(failed)
		w.want(routing.Open, 5*time.Second)
	})
}

func TestASuccessEndsTheRow(t *testing.T) {
	watch(t, func(w *watched) {
		w.call(succeeded, succeeded, succeeded, succeeded, failed, failed, failed, failed, succeeded, failed)
		w.want(routing.Clear, 0)
		w.call(failed)
		w.want(routing.Open, 5*time.Second) // for its share
	})
}

func TestNeutralOutcomesAreNoEvidence(t *testing.T) {
	watch(t, func(w *watched) {
		for range 100 {
			w.call(neutral)
		}
		w.want(routing.Clear, 0)
		w.call(failed, failed, neutral, failed, failed, neutral)
		w.want(routing.Clear, 0)
		w.call(failed)
		w.want(routing.Open, 5*time.Second)
	})
}

func TestAPoorShareOpensTheBreaker(t *testing.T) {
	watch(t, func(w *watched) {
		for range 4 {
			w.call(failed, succeeded)
		}
		w.call(failed)
		w.want(routing.Clear, 0) // too few
		w.call(failed)
		w.want(routing.Open, 5*time.Second)
	})
	watch(t, func(w *watched) {
		for range 50 { // half of them is not below one half
			w.call(succeeded, failed)
		}
		w.want(routing.Clear, 0)
	})
}

func TestThrottlingCountsAgainstTheShareAndNotTheRow(t *testing.T) {
	watch(t, func(w *watched) {
		for range 9 {
			w.call(throttled)
		}
		w.want(routing.Clear, 0)
		w.call(throttled)
		w.want(routing.Open, 5*time.Second)
	})
	watch(t, func(w *watched) {
		w.call(failed, failed, throttled, failed, throttled, failed)
		w.want(routing.Clear, 0) // four in a row, for throttling does not end it
		w.call(failed)
		w.want(routing.Open, 5*time.Second)
	})
}

func TestUnreachableTargetsAreToldApart(t *testing.T) {
	watch(t, func(w *watched) {
		w.call(failed, failed, failed, failed, unreachable)
		w.want(routing.Refusing, 5*time.Second)
	})
	watch(t, func(w *watched) {
		w.call(unreachable, unreachable, unreachable, unreachable, failed)
		w.want(routing.Open, 5*time.Second)
	})
}

// Arrivals that come all at once and those that are spread out within the window
// reach the same verdict.
func TestVerdictDoesNotDependOnTheRate(t *testing.T) {
	for _, test := range []struct {
		name     string
		outcomes []routing.Outcome
		obstacle routing.Obstacle
	}{
		{"all fail", []routing.Outcome{failed, failed, failed, failed, failed}, routing.Open},
		{"four fail", []routing.Outcome{failed, failed, failed, failed}, routing.Clear},
		{"poor", []routing.Outcome{succeeded, failed, failed, succeeded, failed, failed, succeeded, failed, failed, failed}, routing.Open},
		{"just good enough", []routing.Outcome{succeeded, failed, failed, succeeded, failed, failed, succeeded, failed, succeeded, succeeded}, routing.Clear},
		{"few", []routing.Outcome{failed, failed, succeeded, failed, failed, failed, throttled, failed, neutral}, routing.Clear},
		{"throttled", []routing.Outcome{throttled, throttled, throttled, throttled, succeeded, throttled, throttled, throttled, throttled, throttled}, routing.Open},
	} {
		for _, gap := range []time.Duration{0, time.Millisecond, time.Second, 2900 * time.Millisecond} {
			watch(t, func(w *watched) {
				for i, outcome := range test.outcomes {
					if i > 0 {
						time.Sleep(gap)
					}
					w.call(outcome)
				}
				if got := w.Available(noKeys, time.Now()).Obstacle; got != test.obstacle {
					t.Errorf("%s, one every %v: obstacle is %d, want %d", test.name, gap, got, test.obstacle)
				}
			})
		}
		watch(t, func(w *watched) { // all on their way at once
			var ends []func(routing.Outcome)
			for range test.outcomes {
				ends = append(ends, w.begin())
			}
			time.Sleep(time.Second)
			for i, end := range ends {
				end(test.outcomes[i])
			}
			if got := w.Available(noKeys, time.Now()).Obstacle; got != test.obstacle {
				t.Errorf("%s, at once: obstacle is %d, want %d", test.name, got, test.obstacle)
			}
		})
	}
}

func TestIdlenessEmptiesTheWindow(t *testing.T) {
	watch(t, func(w *watched) {
		for range 4 {
			w.call(failed, failed, succeeded)
			time.Sleep(40 * time.Second)
		}
		w.want(routing.Clear, 0)
	})
	watch(t, func(w *watched) { // which slides: what is old does not count
		for range 100 {
			w.call(failed, succeeded, failed)
			time.Sleep(12 * time.Second)
		}
		w.want(routing.Clear, 0)
	})
}

func TestPausesDoubleUpToTheirMost(t *testing.T) {
	watch(t, func(w *watched) {
		w.trip()
		for _, pause := range []time.Duration{5, 10, 20, 40, 80, 160, 300, 300, 300} {
			w.want(routing.Open, pause*time.Second)
			time.Sleep(pause*time.Second - time.Nanosecond)
			if _, ok := w.Begin(false, time.Now()); ok {
				t.Fatalf("a probe began before the pause of %v s was over", pause)
			}
			time.Sleep(time.Nanosecond)
			w.call(failed) // the probe
		}
	})
	watch(t, func(w *watched) { // for ever, without the shift overflowing
		w.trip()
		for range 100 {
			time.Sleep(w.breaker.MaxOpen)
			w.call(failed)
			if found := w.Available(noKeys, time.Now()); time.Until(found.Until) <= 0 {
				t.Fatalf("the pause is %v", time.Until(found.Until))
			}
		}
	})
}

func TestASuccessfulProbeClosesTheBreaker(t *testing.T) {
	watch(t, func(w *watched) {
		w.trip()
		time.Sleep(5 * time.Second)
		w.call(succeeded)
		w.want(routing.Clear, 0)
		w.call(failed, failed, failed, failed) // the window and the row are new
		w.want(routing.Clear, 0)
		w.call(failed)
		w.want(routing.Open, 10*time.Second) // but not forgotten
	})
}

func TestPausesAreForgottenAfterBeingWell(t *testing.T) {
	for _, test := range []struct{ well, pause time.Duration }{{time.Minute, 10}, {time.Minute + 1, 5}} {
		watch(t, func(w *watched) {
			w.trip()
			time.Sleep(5 * time.Second)
			w.call(succeeded)
			time.Sleep(test.well)
			w.trip()
			w.want(routing.Open, test.pause*time.Second)
		})
	}
}

func TestThrottledProbeKeepsTheBreakerOpen(t *testing.T) {
	watch(t, func(w *watched) {
		w.trip()
		time.Sleep(5 * time.Second)
		w.call(throttled)
		w.want(routing.Open, 10*time.Second)
	})
}

func TestOneProbeAtATime(t *testing.T) {
	watch(t, func(w *watched) {
		w.trip()
		time.Sleep(5 * time.Second)
		began := time.Now()
		probes := 0
		for range 100 {
			if probe, ok := w.Begin(false, time.Now()); ok != probe {
				t.Fatal("something but a probe began")
			} else if probe {
				probes++
			}
		}
		time.Sleep(time.Minute) // a probe takes as long as it takes
		if _, ok := w.Begin(false, time.Now()); ok {
			probes++
		}
		if probes != 1 {
			t.Errorf("%d probes began", probes)
		}
		w.end(failed, true, began)
		w.want(routing.Open, 10*time.Second)
	})
}

func TestNeutralProbeMakesRoomForAnother(t *testing.T) {
	watch(t, func(w *watched) {
		w.trip()
		time.Sleep(5 * time.Second)
		for range 3 {
			end := w.begin()
			if _, ok := w.Begin(false, time.Now()); ok {
				t.Fatal("a second probe began")
			}
			end(neutral)
		}
		w.call(succeeded)
		w.want(routing.Clear, 0)
	})
}

// What began before the breaker opened or closed tells how the target was, not
// how it is: streams last for minutes.
func TestAttemptsFromBeforeAreNoEvidence(t *testing.T) {
	watch(t, func(w *watched) {
		old := w.begin()
		older := w.begin()
		time.Sleep(time.Second)
		w.trip()
		old(succeeded)
		w.want(routing.Open, 5*time.Second)
		time.Sleep(5 * time.Second)
		w.call(failed)
		older(failed)
		w.want(routing.Open, 10*time.Second)
	})
	watch(t, func(w *watched) {
		var old []func(routing.Outcome)
		for range 10 {
			old = append(old, w.begin())
		}
		w.trip()
		time.Sleep(5 * time.Second)
		w.call(succeeded)
		for _, end := range old {
			end(failed)
		}
		w.want(routing.Clear, 0)
	})
	watch(t, func(w *watched) { // nor does it tell that connections are refused
		old := w.begin()
		time.Sleep(time.Second)
		w.trip()
		old(unreachable)
		w.want(routing.Open, 5*time.Second)
	})
}

func TestForcedAttemptsCloseTheBreakerAndDoNotProlongThePause(t *testing.T) {
	watch(t, func(w *watched) {
		w.trip()
		time.Sleep(time.Second)
		for _, outcome := range []routing.Outcome{failed, throttled, neutral, unreachable} {
			probe, ok := w.Begin(true, time.Now())
			if probe || !ok {
				t.Fatalf("a forced attempt began: %v, as a probe: %v", ok, probe)
			}
			w.end(outcome, probe, time.Now())
			if found := w.Available(noKeys, time.Now()); time.Until(found.Until) != 4*time.Second {
				t.Errorf("after %d the pause lasts %v", outcome, time.Until(found.Until))
			}
		}
		w.want(routing.Refusing, 4*time.Second)
		_, _ = w.Begin(true, time.Now())
		w.end(succeeded, false, time.Now())
		w.want(routing.Clear, 0)
	})
}

func TestBreakerThatIsOff(t *testing.T) {
	watch(t, func(w *watched) {
		w.breaker.Off = true
		for range 100 {
			w.call(failed)
		}
		w.want(routing.Clear, 0)
	})
	watch(t, func(w *watched) { // by a config that came after it had opened
		w.trip()
		time.Sleep(5 * time.Second)
		w.breaker.Off = true
		w.call(failed)
		first, second := w.begin(), w.begin()
		first(failed)
		second(failed)
		w.want(routing.Clear, 0)
	})
}

func TestRulesThatAreNotSetDoNotOpenTheBreaker(t *testing.T) {
	watch(t, func(w *watched) {
		w.breaker = routing.Breaker{}
		for range 100 {
			w.call(failed, succeeded, throttled)
		}
		w.want(routing.Clear, 0)
	})
}

// answer begins an attempt whose answer begins at once, and returns what ends it.
func (w *watched) answer() func(routing.Outcome) {
	w.t.Helper()
	r := routing.Report{Began: time.Now()}
	var ok bool
	if r.Probe, ok = w.Begin(false, r.Began); !ok {
		w.t.Fatal("the target is not available")
	}
	w.Answered(&w.breaker, r, time.Now())
	r.Answered = true
	return func(outcome routing.Outcome) {
		r.Outcome = outcome
		w.End(&w.breaker, r, time.Now())
	}
}

// Answers count when they begin: those that take long would let the failures
// between them seem to come in a row.
func TestAnswersCountWhenTheyBegin(t *testing.T) {
	watch(t, func(w *watched) {
		var ends []func(routing.Outcome)
		for range 20 {
			ends = append(ends, w.answer(), w.answer())
			w.call(failed)
		}
		w.want(routing.Clear, 0)
		for _, end := range ends { // and once
			end(succeeded)
		}
		for range 19 {
			w.call(failed, throttled)
			w.answer()(succeeded)
		}
		w.want(routing.Clear, 0) // 59 of 117
		w.call(failed)
		w.want(routing.Clear, 0) // 59 of 118
		w.call(throttled)
		w.want(routing.Open, 5*time.Second)
	})
	watch(t, func(w *watched) { // so a probe that answers lets others in at once
		w.trip()
		time.Sleep(5 * time.Second)
		end := w.answer()
		w.want(routing.Clear, 0)
		end(failed)
		w.want(routing.Clear, 0)
	})
}

func TestAnswersThatBreakOffOpenTheBreaker(t *testing.T) {
	watch(t, func(w *watched) {
		for range 20 {
			w.answer()(succeeded)
		}
		for range 4 {
			w.answer()(failed)
		}
		w.answer()(succeeded)
		w.want(routing.Clear, 0)
		for range 4 {
			w.answer()(failed)
			w.answer()(neutral) // the client left
		}
		w.want(routing.Clear, 0)
		w.answer()(failed)
		w.want(routing.Open, 5*time.Second)
	})
	watch(t, func(w *watched) { // also by their share
		for range 5 {
			w.answer()(failed)
			w.answer()(succeeded)
		}
		w.want(routing.Clear, 0)
		w.answer()(failed)
		w.want(routing.Open, 5*time.Second)
	})
}

// Callers take the time before they report: it does not come in order.
func TestReportsOutOfOrderDoNotEmptyTheWindow(t *testing.T) {
	watch(t, func(w *watched) {
		time.Sleep(3*time.Second - time.Duration(time.Now().UnixNano()%int64(3*time.Second))) // a bucket begins
		for range 9 {
			w.call(throttled)
		}
		probe, _ := w.Begin(false, time.Now())
		w.End(&w.breaker, routing.Report{Outcome: throttled, Probe: probe, Began: time.Now()}, time.Now().Add(-1))
		w.want(routing.Open, 5*time.Second-1)
	})
}
