package answers

import (
	"context"
	"errors"
	"sync"

	"github.com/caddyllm/llmproxy/internal/broadcast"
)

// Flights are the calls under way whose answers others wait for: who asks the same
// while a call is made follows that call. The key says whose it is, so that nobody
// follows a call of another tenant.
type Flights struct {
	o FlightOptions

	mu    sync.Mutex
	byKey map[Key]*Flight
	bytes int
	stats FlightStats
}

// FlightOptions bound [Flights]. Zeros stand for the defaults.
type FlightOptions struct {
	// Flights is how many there may be; 1024. Callers beyond go alone.
	Flights int
	// Bytes bounds what is held of all streams; 64 MiB.
	Bytes int
	// Answer bounds what is held of one; 8 MiB. Who follows a stream that grows
	// larger loses it there.
	Answer int
}

// FlightStats are counts since the start, and what is there now.
type FlightStats struct {
	// Led and Followed count calls, Alone those for which there was no room.
	Led, Followed, Alone int64
	// Dropped counts flights that nobody can follow any more, for want of room.
	Dropped int64
	// Flights and Bytes are what is there now.
	Flights, Bytes int
}

// Presence is who listens to a leader's call. Both methods must be quick, and no
// lock that they take may be held by who calls [Flights] or a [Flight].
type Presence interface {
	// Join is a listener more. It is false if the call is given up already.
	Join() bool
	// Leave is one fewer. When there is none the call may be given up; the leader's own
	// client is one of them.
	Leave()
}

// NewFlights makes a set without flights.
func NewFlights(o FlightOptions) *Flights {
	if o.Flights <= 0 {
		o.Flights = 1024
	}
	if o.Bytes <= 0 {
		o.Bytes = 64 << 20
	}
	if o.Answer <= 0 {
		o.Answer = 8 << 20
	}
	return &Flights{o: o, byKey: make(map[Key]*Flight)}
}

// Join leads or follows the call for a key. A leader gets a flight, which it must
// close, a follower one to follow, which it must leave. Both are nil for a caller
// that must go alone.
func (f *Flights) Join(key Key, leader Presence) (*Flight, *Follower) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if flight := f.byKey[key]; flight != nil {
		if flight.presence == nil || flight.presence.Join() {
			flight.followers++
			f.stats.Followed++
			return nil, &Follower{flight: flight}
		}
		f.remove(flight) // its leader has given up and will say so
	}
	if len(f.byKey) >= f.o.Flights {
		f.stats.Alone++
		return nil, nil
	}
	flight := &Flight{set: f, key: key, presence: leader, opened: make(chan struct{}), over: make(chan struct{})}
	flight.log = broadcast.New(f.o.Answer, func(bytes int) bool { return f.grow(flight, bytes) })
	f.byKey[key] = flight
	f.stats.Led++
	return flight, nil
}

// Stats counts.
func (f *Flights) Stats() FlightStats {
	f.mu.Lock()
	defer f.mu.Unlock()
	stats := f.stats
	stats.Flights, stats.Bytes = len(f.byKey), f.bytes
	return stats
}

// grow makes room for more of a stream. Those that nobody follows give way.
func (f *Flights) grow(flight *Flight, bytes int) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if flight.dropped {
		return false
	}
	for f.bytes+bytes > f.o.Bytes {
		victim := f.unfollowed(flight)
		if victim == nil {
			f.drop(flight)
			return false
		}
		f.drop(victim)
	}
	f.bytes += bytes
	flight.bytes += bytes
	return true
}

// unfollowed is a flight that holds something for nobody, other than the one.
func (f *Flights) unfollowed(other *Flight) *Flight {
	for _, flight := range f.byKey {
		if flight != other && flight.followers == 0 && flight.bytes > 0 {
			return flight
		}
	}
	return nil
}

// drop lets nobody else follow a flight. Its log ends with the next event.
func (f *Flights) drop(flight *Flight) {
	if !flight.dropped {
		flight.dropped = true
		f.stats.Dropped++
	}
	f.remove(flight)
	f.release(flight)
}

func (f *Flights) remove(flight *Flight) {
	if f.byKey[flight.key] == flight {
		delete(f.byKey, flight.key)
	}
}

// release gives the memory back of a flight that nobody reads.
func (f *Flights) release(flight *Flight) {
	if flight.followers == 0 {
		f.bytes -= flight.bytes
		flight.bytes = 0
	}
}

// unfollow is a follower fewer.
func (f *Flights) unfollow(flight *Flight) {
	f.mu.Lock()
	defer f.mu.Unlock()
	flight.followers--
	if flight.dropped {
		f.release(flight)
	}
}

// Flight is a leader's side of a call. All its methods may be called on nil, by a
// caller that goes alone. It is for one goroutine at a time.
type Flight struct {
	set      *Flights
	key      Key
	presence Presence
	log      *broadcast.Log
	size     int
	lost     bool // the log does not hold all of it

	// What followers find, written before the channel is closed that says so.

	opened chan struct{} // the stream has begun
	head   Head
	over   chan struct{} // the call is over
	entry  *Entry
	err    error // which is shared
	landed bool
	ended  bool

	// The rest belongs to the set.

	followers, bytes int
	dropped          bool
}

// Head is what is known of a stream when it begins.
type Head struct {
	Manner          Manner
	ContentType     string
	Provider, Model string
}

// Open tells that the stream begins. Without it followers wait for its end.
func (f *Flight) Open(h Head) {
	if f == nil || f.isOpen() || f.ended {
		return
	}
	f.head = h
	close(f.opened)
}

func (f *Flight) isOpen() bool {
	select {
	case <-f.opened:
		return true
	default:
		return false
	}
}

// Append adds whole events of a stream, as they go to the leader's client.
func (f *Flight) Append(events []byte) {
	if f == nil || f.lost || f.ended || len(events) == 0 {
		return
	}
	if f.size += len(events); !f.log.Append(events) {
		f.lost = true
		f.set.mu.Lock()
		defer f.set.mu.Unlock()
		f.set.drop(f)
	}
}

// Body is all that was appended, for an entry. It is false if that is not held.
func (f *Flight) Body() ([]byte, bool) {
	if f == nil || f.lost {
		return nil, false
	}
	reader, err := f.log.NewReader(0)
	body := make([]byte, 0, f.size)
	for err == nil && len(body) < f.size {
		var events []byte
		events, err = reader.Next(context.Background()) // which has nothing to wait for
		body = append(body, events...)
	}
	if err != nil {
		return nil, false
	}
	return body, true
}

// Land ends a call that ended well. The entry is what it gave, whether it may be
// stored or not; nil: only those who follow the stream have it.
func (f *Flight) Land(e *Entry) {
	if f == nil || f.ended {
		return
	}
	f.entry, f.landed = e, true
	f.end(nil)
}

// Fail ends a call that did not. A shared error is the answer for all who wait;
// nil, for one that another call may not meet, sends them their own ways.
// Those who follow a stream find that it broke off.
func (f *Flight) Fail(shared error) {
	if f == nil || f.ended {
		return
	}
	f.err = shared
	f.end(ErrBroken)
}

// ErrBroken is the end of a stream that did not end well.
var ErrBroken = errors.New("answers: the stream that was followed broke off")

func (f *Flight) end(outcome error) {
	f.ended = true
	close(f.over) // first: who has read to the end may ask what it was
	f.log.Close(outcome)
}

// Close ends the flight for those who come later: they find the answer in the
// store. It must be called, after that is there. What was neither landed nor failed has failed.
func (f *Flight) Close() {
	if f == nil {
		return
	}
	f.Fail(nil)
	f.set.mu.Lock()
	defer f.set.mu.Unlock()
	f.set.remove(f)
	f.dropped = true
	f.set.release(f)
}

// Followers counts those who follow.
func (f *Flight) Followers() int {
	if f == nil {
		return 0
	}
	f.set.mu.Lock()
	defer f.set.mu.Unlock()
	return f.followers
}
