package limits

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"
)

// link is the connection to the server, and what is known of its health.
type link struct {
	client   atomic.Pointer[rueidis.Client]
	ready    chan struct{} // closed after the first attempt to connect
	failures atomic.Int32
	down     atomic.Bool
	started  atomic.Bool
}

const (
	// maxFailures in a row close the way to the server.
	maxFailures = 5
	// probeGap is how often a server that is away is tried.
	probeGap = time.Second
)

func (l *link) usable() bool { return l.started.Load() && !l.down.Load() }

func (l *link) starting() bool { return !l.started.Load() }

// get is the client, nil if there is none in time.
func (l *link) get(ctx context.Context) rueidis.Client {
	select {
	case <-l.ready:
	case <-ctx.Done():
		return nil
	}
	if c := l.client.Load(); c != nil && !l.down.Load() {
		return *c
	}
	return nil
}

func (l *link) record(err error) {
	if err == nil {
		if l.failures.Load() != 0 {
			l.failures.Store(0)
		}
		return
	}
	if l.failures.Add(1) >= maxFailures {
		l.down.Store(true)
	}
}
