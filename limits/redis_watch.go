package limits

import (
	"context"
	"sync"
	"time"

	"github.com/redis/rueidis"
)

// ending is the end of a reservation, as the server is to be told.
type ending struct {
	keys, args []string
	made       time.Time
	sent       bool // it may have been heard
}

// What the server says of an ending.
const (
	saidDone = iota
	saidLate
	saidRepeated
	saidNone
	unsaid = -1
)

// backlog holds the endings that the server was not told yet.
type backlog struct {
	mu  sync.Mutex
	all []*ending
}

const (
	maxBacklog = 8192
	// An ending that was heard may only be repeated as long as the server remembers that;
	// one that was not, as long as it speaks of times that count.
	repeatTime  = 100 * time.Second
	backlogTime = 10 * time.Minute
)

// tell tells the server of an ending, or keeps it for later.
func (s *Redis) tell(ctx context.Context, e *ending) int64 {
	said, ok := s.try(ctx, e)
	if !ok {
		s.keep(e)
	}
	return said
}

func (s *Redis) try(ctx context.Context, e *ending) (said int64, ok bool) {
	out, maybe, err := s.call(ctx, &s.scripts.finish, e.keys, e.args)
	if err == nil && len(out) == 1 {
		return out[0], true
	}
	if e.made.IsZero() || maybe && !e.sent {
		e.made = time.Now()
	}
	e.sent = e.sent || maybe
	return unsaid, false
}

func (s *Redis) keep(e *ending) {
	s.backlog.mu.Lock()
	defer s.backlog.mu.Unlock()
	if len(s.backlog.all) >= maxBacklog {
		s.stats.lost.Add(1) // the estimate stays, the lease ends by itself
		return
	}
	s.backlog.all = append(s.backlog.all, e)
}

// flush tells the server what it was not told, until it does not answer.
func (s *Redis) flush() {
	s.backlog.mu.Lock()
	all := s.backlog.all
	s.backlog.all = nil
	s.backlog.mu.Unlock()
	for i, e := range all {
		age := time.Since(e.made)
		if age > backlogTime || e.sent && age > repeatTime {
			s.stats.lost.Add(1)
			continue
		}
		if _, ok := s.try(context.Background(), e); !ok {
			for _, left := range all[i:] {
				s.keep(left)
			}
			return
		}
	}
}

// watch connects, looks whether a server that was away is back, and tells it what it missed.
func (s *Redis) watch(ctx context.Context) {
	tick := time.NewTicker(probeGap)
	defer tick.Stop()
	s.connect(ctx)
	s.link.started.Store(true)
	close(s.link.ready)
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if s.link.down.Load() {
			s.connect(ctx)
		}
		if !s.link.down.Load() {
			s.flush()
		}
	}
}

// connect makes the client if there is none, and tries whether the server does its work:
// that it can write, which a replica or a full one can't.
func (s *Redis) connect(ctx context.Context) {
	s.link.down.Store(s.probe(ctx) != nil)
	s.link.failures.Store(0)
}

func (s *Redis) probe(ctx context.Context) error {
	client := s.link.client.Load()
	if client == nil {
		made, err := rueidis.NewClient(s.client)
		if err != nil {
			return err
		}
		client = &made
		s.link.client.Store(client)
	}
	ctx, cancel := context.WithTimeout(ctx, s.o.Patience)
	defer cancel()
	key, member := s.keyOf(NewID())
	keys := []string{key, s.o.Prefix + hashTag + "probe"}
	args := []string{"1000000", "1000000", member, itoa(PerSecond.span().width), itoa(maxAmount), "1", "1"}
	_, _, err := eval(ctx, *client, &s.scripts.reserve, keys, args)
	return err
}
