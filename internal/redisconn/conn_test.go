package redisconn

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestErrorsNameNoPassword(t *testing.T) {
	for _, url := range []string{"", "nonsense", "http://user:secret@host", "redis://user:secret@host:x/y"} {
		c, err := Open(Options{URL: url})
		if err == nil {
			c.Close()
			t.Errorf("%q was taken", url)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("%v", err)
		}
	}
}

// TestServerThatSaysNothing takes connections and never answers.
func TestServerThatSaysNothing(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	c, err := Open(Options{URL: "redis://" + silent.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		begun := time.Now()
		err := c.Do(t.Context(), func(context.Context, rueidis.Client) error { t.Error("there is a client"); return nil })
		if !errors.Is(err, ErrAway) || time.Since(begun) > 500*time.Millisecond {
			t.Errorf("%v after %v", err, time.Since(begun))
		}
	}
	begun := time.Now()
	c.Close()
	c.Close()
	if took := time.Since(begun); took > 3*time.Second {
		t.Errorf("it took %v to close", took)
	}
	if err := c.Slowly(t.Context(), nil); !errors.Is(err, ErrAway) {
		t.Errorf("%v", err)
	}
}

// health is a connection without a server, to see what is believed of one.
func health(calls int) *Conn {
	c := &Conn{o: Options{Patience: 20 * time.Millisecond}, ready: make(chan struct{}), slots: make(chan struct{}, calls)}
	var client rueidis.Client
	c.open.Store(&client)
	close(c.ready)
	return c
}

func TestFailuresInARowCloseTheWay(t *testing.T) {
	c, broke := health(1), errors.New("broke")
	call := func(err error) error {
		return c.Do(t.Context(), func(context.Context, rueidis.Client) error { return err })
	}
	for range 3 {
		for range maxFailures - 1 {
			if err := call(broke); !errors.Is(err, broke) {
				t.Fatal(err)
			}
		}
		if err := call(nil); err != nil || c.Away() {
			t.Fatal(err)
		}
	}
	for range maxFailures {
		_ = call(broke)
	}
	if err := call(nil); !errors.Is(err, ErrAway) || !c.Away() {
		t.Errorf("%v", err)
	}
}

func TestCrowdIsNoWordAboutTheServer(t *testing.T) {
	c := health(1)
	entered, leave := make(chan struct{}), make(chan struct{})
	go func() {
		_ = c.Do(context.Background(), func(context.Context, rueidis.Client) error { close(entered); <-leave; return nil })
	}()
	<-entered
	for range 2 * maxFailures {
		if err := c.Do(t.Context(), func(context.Context, rueidis.Client) error { return nil }); !errors.Is(err, ErrAway) {
			t.Fatal(err)
		}
	}
	close(leave)
	if c.Away() {
		t.Error("the server is taken to be away")
	}
}

func TestCallsGoOnWhenTheirCallerLeaves(t *testing.T) {
	c := health(1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := c.Do(ctx, func(ctx context.Context, _ rueidis.Client) error { return ctx.Err() })
	if err != nil {
		t.Errorf("%v", err)
	}
}
