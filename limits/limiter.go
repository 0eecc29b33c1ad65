package limits

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// Limiter is a store with what its callers share: calls that wait in line for their
// turn, and the renewal of what is under way. It is a Store itself, and owns the one
// that it was made of.
type Limiter struct {
	store Store
	polls bool // others free what we wait for, and nobody tells us
	lines lines
	kept  renewal
}

// NewLimiter starts the renewal, which Close ends.
func NewLimiter(store Store) *Limiter {
	l := &Limiter{store: store}
	_, l.polls = store.(*Redis)
	l.lines.all = make(map[Bucket]*line)
	l.kept.start(store)
	return l
}

var _ Store = (*Limiter)(nil)

// Reserve implements Store. It does not wait, and does not ask who waits.
func (l *Limiter) Reserve(ctx context.Context, id string, claims []Claim) (Decision, error) {
	d, err := l.store.Reserve(ctx, id, claims)
	if err == nil && d.Granted() {
		l.kept.track(d.Reservation)
	}
	return d, err
}

// Settle implements Store.
func (l *Limiter) Settle(ctx context.Context, r *Reservation, actual Actual) (Settlement, error) {
	l.kept.forget(r)
	s, err := l.store.Settle(ctx, r, actual)
	l.lines.wake(r)
	return s, err
}

// Release implements Store.
func (l *Limiter) Release(ctx context.Context, r *Reservation, refund Refund) error {
	l.kept.forget(r)
	err := l.store.Release(ctx, r, refund)
	l.lines.wake(r)
	return err
}

// Renew implements Store. The limiter does it by itself.
func (l *Limiter) Renew(ctx context.Context, open []*Reservation) error {
	return l.store.Renew(ctx, open)
}

// Peek implements Store.
func (l *Limiter) Peek(ctx context.Context, claims []Claim) ([]State, error) {
	return l.store.Peek(ctx, claims)
}

// Stats implements Store.
func (l *Limiter) Stats() Stats { return l.store.Stats() }

// Remote tells whether the store is elsewhere, so that a step takes a while.
func (l *Limiter) Remote() bool { return l.polls }

// Degraded tells whether the store cannot be reached, so that this instance decides alone.
func (l *Limiter) Degraded() bool {
	remote, ok := l.store.(*Redis)
	return ok && remote.Degraded()
}

// Waiting is how many calls wait in line.
func (l *Limiter) Waiting() int64 { return l.lines.count.Load() }

// Close implements Store.
func (l *Limiter) Close() error {
	l.kept.end()
	return l.store.Close()
}

const (
	// renewGap is a third of a lease: two renewals may fail.
	renewGap = 20 * time.Second
	// maxRenewals, a day of them, is when a reservation counts as forgotten by its owner.
	maxRenewals = 24 * 60 * 60 / 20
)

// renewal renews what is under way, all of it at once, in one goroutine.
type renewal struct {
	parts [16]renewalPart
	next  atomic.Uint32
	stop  context.CancelFunc
	done  sync.WaitGroup
}

type renewalPart struct {
	mu  sync.Mutex
	all []*Reservation
	_   [32]byte
}

func (k *renewal) start(store Store) {
	ctx, cancel := context.WithCancel(context.Background())
	k.stop = cancel
	k.done.Go(func() {
		tick := time.NewTicker(renewGap)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				for i := range k.parts {
					if open := k.parts[i].open(); len(open) > 0 {
						_ = store.Renew(ctx, open) // the next turn is before leases end
					}
				}
			}
		}
	})
}

func (k *renewal) end() {
	k.stop()
	k.done.Wait()
}

// track has a reservation renewed. One that was reserved again is tracked already.
func (k *renewal) track(r *Reservation) {
	if !r.part.CompareAndSwap(0, 1+int32(k.next.Add(1)%uint32(len(k.parts)))) {
		return
	}
	p := &k.parts[r.part.Load()-1]
	p.mu.Lock()
	r.tracked = len(p.all)
	p.all = append(p.all, r)
	p.mu.Unlock()
}

func (k *renewal) forget(r *Reservation) {
	if r.part.Load() == 0 {
		return
	}
	p := &k.parts[r.part.Load()-1]
	p.mu.Lock()
	p.remove(r)
	p.mu.Unlock()
}

func (p *renewalPart) remove(r *Reservation) {
	if r.tracked < 0 {
		return
	}
	last := p.all[len(p.all)-1]
	p.all[r.tracked], last.tracked = last, r.tracked
	p.all[len(p.all)-1] = nil
	p.all = p.all[:len(p.all)-1]
	r.tracked = -1
}

// open is what is to be renewed now.
func (p *renewalPart) open() []*Reservation {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := len(p.all) - 1; i >= 0; i-- {
		if r := p.all[i]; r.renewals >= maxRenewals {
			p.remove(r)
		} else {
			r.renewals++
		}
	}
	return append([]*Reservation(nil), p.all...)
}
