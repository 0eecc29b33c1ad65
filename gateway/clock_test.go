package gateway

import (
	"bytes"
	"context"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// reasonAfter starts a watchdog, lets it expect something, and says after how
// long it cancelled and why.
func reasonAfter(t *testing.T, total time.Duration, watch func(w *watchdog)) (elapsed time.Duration, reason error) {
	t.Helper()
	synctest.Test(t, func(*testing.T) {
		ctx, cancel := context.WithCancelCause(context.Background())
		defer cancel(nil)
		start := time.Now()
		w := new(watchdog)
		w.start(cancelFunc(cancel), start.Add(total))
		defer w.stop()
		watch(w)
		<-ctx.Done()
		elapsed, reason = time.Since(start), context.Cause(ctx)
	})
	return elapsed, reason
}

func TestWatchdog(t *testing.T) {
	for _, test := range []struct {
		name   string
		watch  func(w *watchdog)
		after  time.Duration
		reason error
	}{
		{"nothing expected", func(*watchdog) {}, time.Minute, errUpstreamTimeout},
		{"silence", func(w *watchdog) { w.expect(time.Second, errStreamStalled) }, time.Second, errStreamStalled},
		{"patience ends at the deadline", func(w *watchdog) { w.expect(time.Hour, errUpstreamTimeout) }, time.Minute, errUpstreamTimeout},
		{"each sign of life counts anew", func(w *watchdog) {
			for range 5 {
				w.expect(10*time.Second, errStreamStalled)
				time.Sleep(9 * time.Second)
			}
			w.expect(2*time.Second, errUpstreamTimeout)
		}, 47 * time.Second, errUpstreamTimeout},
		{"signs of life do not lift the deadline", func(w *watchdog) {
			for range 6 {
				w.expect(20*time.Second, errStreamStalled)
				time.Sleep(9 * time.Second)
			}
		}, time.Minute, errStreamStalled},
		{"a shorter time counts at once", func(w *watchdog) {
			w.expect(30*time.Second, errUpstreamTimeout)
			w.expect(2*time.Second, errStreamStalled)
		}, 2 * time.Second, errStreamStalled},
		{"a pause does not count", func(w *watchdog) {
			w.commit()
			w.expect(10*time.Second, errStreamStalled)
			time.Sleep(9 * time.Second)
			w.pause()
			time.Sleep(time.Hour)
			w.expect(10*time.Second, errStreamStalled)
		}, time.Hour + 19*time.Second, errStreamStalled},
		{"commitment lifts the deadline", func(w *watchdog) {
			w.commit()
			w.expect(time.Hour, errStreamStalled)
		}, time.Hour, errStreamStalled},
	} {
		t.Run(test.name, func(t *testing.T) {
			after, reason := reasonAfter(t, time.Minute, test.watch)
			if after != test.after || !errors.Is(reason, test.reason) {
				t.Errorf("it barked after %v because %q, want %v because %q", after, reason, test.after, test.reason)
			}
		})
	}
}

func TestWatchdogThatIsStoppedKeepsQuiet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(context.Background())
		defer cancel(nil)
		w := new(watchdog)
		w.start(cancelFunc(cancel), time.Now().Add(time.Minute))
		w.stop()
		time.Sleep(time.Hour)
		if ctx.Err() != nil {
			t.Error("it barked")
		}
	})
}

func TestS12HeartbeatFillsSilenceOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := httptest.NewRecorder()
		s := newStreamWriter(client, 15*time.Second, comment)
		var want bytes.Buffer
		say := func(text string) {
			want.WriteString(text)
			if n, err := s.write([]byte(text)); n != len(text) || err != nil {
				t.Errorf("wrote %d (%v)", n, err)
			}
		}
		expect := func(beats int) {
			t.Helper()
			for range beats {
				want.Write(comment)
			}
			synctest.Wait()
			s.mu.Lock()
			defer s.mu.Unlock()
			if client.Body.String() != want.String() {
				t.Errorf("the client got %q, want %q", client.Body, want.String())
			}
		}
		for range 10 { // a stream that is never silent for long
			say("data: x\n\n")
			time.Sleep(14 * time.Second)
		}
		expect(0)
		time.Sleep(time.Second)
		expect(1)
		time.Sleep(15 * time.Second)
		expect(1)
		time.Sleep(14 * time.Second)
		say("data: y\n\n")
		time.Sleep(14 * time.Second)
		expect(0)
		time.Sleep(time.Second)
		expect(1)
		s.stop()
		s.beat() // one that was on its way already
		time.Sleep(time.Hour)
		expect(0)
		if !client.Flushed {
			t.Error("nothing was flushed")
		}
	})
}

func TestNoHeartbeatWhereThereShallBeNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := httptest.NewRecorder()
		s := newStreamWriter(client, 0, comment)
		time.Sleep(time.Hour)
		s.stop()
		if client.Body.Len() > 0 {
			t.Errorf("the client got %q", client.Body)
		}
	})
}

// The race detector is the judge of what the bytes do not show.
func TestS13HeartbeatFallsBetweenEvents(t *testing.T) {
	client := httptest.NewRecorder()
	s := newStreamWriter(client, time.Microsecond, comment)
	const event = "data: x\n\n"
	for range 5000 {
		_, _ = s.write([]byte(event))
	}
	s.stop()
	body := client.Body.String() // nothing may write any more
	events, beats := strings.Count(body, event), strings.Count(body, string(comment))
	if events != 5000 || len(body) != events*len(event)+beats*len(comment) {
		t.Errorf("the client got %d events and %d signs of life in %d bytes", events, beats, len(body))
	}
}
