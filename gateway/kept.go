package gateway

import (
	"container/list"
	"crypto/rand"
	"errors"
	"sync"
	"time"

	"github.com/caddyllm/llmproxy/auth"
	"github.com/caddyllm/llmproxy/internal/broadcast"
	"github.com/caddyllm/llmproxy/transform"
)

// What is kept of streams to which clients may come back.
const (
	maxKeptStream  = 8 << 20
	maxKeptBytes   = 64 << 20
	maxKeptStreams = 1024
	// keptShare is the part of it that one principal may fill: a quarter.
	keptShare = 4
)

// KeptStreams are the streams to which clients may come back, of all configs
// together. When they take too much, those that ended first give way.
type KeptStreams struct {
	mu         sync.Mutex
	byID       map[string]*keptStream
	principals map[string]*kept
	all        kept
	ended      list.List // the one that ended first is the first
}

// kept counts streams and the memory that they take.
type kept struct{ streams, bytes int }

func (k *kept) add(streams, bytes int) {
	k.streams += streams
	k.bytes += bytes
}

// within tells whether so much fits into a part of what may be kept.
func (k *kept) within(streams, bytes, part int) bool {
	return k.streams+streams <= maxKeptStreams/part && k.bytes+bytes <= maxKeptBytes/part
}

// keptStream is one stream. Who owns it and how it is served do not change.
type keptStream struct {
	id, owner   string
	client      transform.Format
	op          operation
	path        string
	contentType []string
	// model is what was asked for, route the alias that claimed it.
	model, route string
	log          *broadcast.Log

	// The rest belongs to KeptStreams.

	// live is the call that makes the stream, nil once that is over.
	live    *call
	readers int
	bytes   int
	// forgotten tells that no one else may read it. It counts until the last
	// reader has gone.
	forgotten bool
	expiry    *time.Timer
	place     *list.Element // among those that have ended
}

// NewKeptStreams makes a store without streams.
func NewKeptStreams() *KeptStreams {
	return &KeptStreams{byID: make(map[string]*keptStream), principals: make(map[string]*kept)}
}

// ownerOf names a principal. A key may be called anonymous.
func ownerOf(p *auth.Principal) string {
	if p.Anonymous {
		return "anonymous"
	}
	return "key " + p.ID
}

// begin begins to keep the stream of a call; nil: there is no room for one more.
func (k *KeptStreams) begin(c *call, contentType []string, route string) *keptStream {
	s := &keptStream{
		id: "str_" + rand.Text(), owner: ownerOf(c.principal), client: c.client.Format(), op: c.op, path: c.path, contentType: contentType,
		model: c.routing.model, route: route, live: c,
	}
	s.log = broadcast.New(maxKeptStream, func(bytes int) bool { return k.grow(s, bytes) })
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.makeRoom(s.owner, 1, 0) {
		return nil
	}
	k.byID[s.id] = s
	k.count(s, 1, 0)
	return s
}

func (k *KeptStreams) count(s *keptStream, streams, bytes int) {
	s.bytes += bytes
	k.all.add(streams, bytes)
	own := k.principals[s.owner]
	if own == nil {
		own = new(kept)
		k.principals[s.owner] = own
	}
	if own.add(streams, bytes); *own == (kept{}) {
		delete(k.principals, s.owner)
	}
}

// makeRoom lets ended streams give way until so much more fits: the owner's own
// if these are too much, else anyone's.
func (k *KeptStreams) makeRoom(owner string, streams, bytes int) bool {
	for {
		own := kept{}
		if counted := k.principals[owner]; counted != nil {
			own = *counted
		}
		var victim *keptStream
		switch {
		case !own.within(streams, bytes, keptShare):
			victim = k.firstEnded(owner)
		case !k.all.within(streams, bytes, 1):
			victim = k.firstEnded("")
		default:
			return true
		}
		if victim == nil {
			return false
		}
		k.drop(victim)
	}
}

// firstEnded is the stream that ended first of those that nobody reads, of one
// owner or of all.
func (k *KeptStreams) firstEnded(owner string) *keptStream {
	for e := k.ended.Front(); e != nil; e = e.Next() {
		if s := e.Value.(*keptStream); s.readers == 0 && (owner == "" || s.owner == owner) {
			return s
		}
	}
	return nil
}

func (k *KeptStreams) grow(s *keptStream, bytes int) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if s.forgotten || !k.makeRoom(s.owner, 0, bytes) {
		return false
	}
	k.count(s, 0, bytes)
	return true
}

// end keeps a stream that is over for a while.
func (k *KeptStreams) end(s *keptStream, by *transform.Error, ttl time.Duration) {
	if by == nil {
		s.log.Close(nil)
	} else {
		s.log.Close(by)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	s.live = nil
	if s.forgotten {
		return
	}
	s.place = k.ended.PushBack(s)
	s.expiry = time.AfterFunc(ttl, func() { k.forget(s) })
}

// errForgotten is the outcome of a stream that has no end.
var errForgotten = errors.New("the stream was given up")

// forget drops a stream. One that is not over ends there for its readers.
func (k *KeptStreams) forget(s *keptStream) {
	s.log.Close(errForgotten)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.drop(s)
}

func (k *KeptStreams) drop(s *keptStream) {
	if s.forgotten {
		return
	}
	s.forgotten, s.live = true, nil
	delete(k.byID, s.id)
	if s.place != nil {
		k.ended.Remove(s.place)
	}
	if s.expiry != nil {
		s.expiry.Stop()
	}
	if s.readers == 0 {
		k.count(s, -1, -s.bytes)
	}
}

// join finds the stream that a client came back to, and the call that still makes
// it; nil if there is none that the client may have. leave must follow.
func (k *KeptStreams) join(id string, c *call) (*keptStream, *call) {
	k.mu.Lock()
	defer k.mu.Unlock()
	s := k.byID[id]
	if s == nil || s.owner != ownerOf(c.principal) || !c.principal.MayUse(s.model) || !s.isOf(c) {
		return nil, nil
	}
	s.readers++
	return s, s.live
}

// isOf tells whether a stream is what the client's path gives.
func (s *keptStream) isOf(c *call) bool {
	return s.client == c.client.Format() && s.op == c.op && s.path == c.path && !isArray(c.client)
}

func (k *KeptStreams) leave(s *keptStream) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if s.readers--; s.readers == 0 && s.forgotten {
		k.count(s, -1, -s.bytes)
	}
}

// Destruct forgets everything.
func (k *KeptStreams) Destruct() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, s := range k.byID {
		k.drop(s)
	}
	return nil
}
