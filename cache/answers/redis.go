package answers

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	"github.com/caddyllm/llmproxy/internal/redisconn"
)

// Redis keeps entries in a Redis or Valkey server, for all instances that share it.
// The server bounds them: it should have a maxmemory, and a maxmemory-policy that
// evicts, such as allkeys-lfu.
//
// A value carries its own key and a code that tells whether it was altered: what
// does not fit is a miss, and counted. A server that is away is a miss too, at once
// or after 50 ms.
//
// A user of the server needs no more than
//
//	~<prefix>* +get +set +unlink +getrange +scan +ping
type Redis struct {
	conn   *redisconn.Conn
	prefix string
	limit  int
	sealer sealer
	counts redisCounts
}

type redisCounts struct {
	hits, misses, stored, rejected, purged, altered, failures atomic.Int64
}

// RedisOptions are for [NewRedis].
type RedisOptions struct {
	// URL is redis://[user:password@]host:port[/db], or rediss:// for TLS.
	URL string
	// Cluster looks for a cluster behind the URL.
	Cluster bool
	// Prefix begins all keys; default "llm_proxy:".
	Prefix string
	// Secret lets nobody who may write to the server make answers. All instances need
	// the same; another one finds none of the old answers.
	Secret []byte
	// MaxEntry bounds the body of an entry; 0: 32 MiB.
	MaxEntry int

	patience time.Duration // of tests
}

const (
	// keySpace goes on with the version of what is stored: another one has keys of its own.
	keySpace = "a1:"
	// maxRedisEntry is what nothing in the server may be larger than.
	maxRedisEntry = 32 << 20
	maxPrefix     = 64
	// scanStep is how many keys a purge asks for at a time.
	scanStep = 256
)

// NewRedis makes the store. It connects in the background.
func NewRedis(o RedisOptions) (*Redis, error) {
	if o.Prefix == "" {
		o.Prefix = "llm_proxy:"
	}
	if len(o.Prefix) > maxPrefix || strings.ContainsAny(o.Prefix, "{}*?[]^\\ \r\n") {
		return nil, fmt.Errorf("the prefix of keys in Redis has at most %d bytes, and no braces, spaces or wildcards", maxPrefix)
	}
	if o.MaxEntry <= 0 {
		o.MaxEntry = maxRedisEntry
	}
	conn, err := redisconn.Open(redisconn.Options{URL: o.URL, Cluster: o.Cluster, Patience: o.patience})
	if err != nil {
		return nil, err
	}
	return &Redis{conn: conn, prefix: o.Prefix + keySpace, limit: o.MaxEntry, sealer: sealer{secret: o.Secret}}, nil
}

func (s *Redis) key(key Key) string { return s.prefix + base64.RawURLEncoding.EncodeToString(key[:]) }

// Get implements Store.
func (s *Redis) Get(ctx context.Context, key Key) *Entry {
	var data []byte
	altered := false
	err := s.conn.Do(ctx, func(ctx context.Context, c rueidis.Client) (err error) {
		data, err = c.Do(ctx, c.B().Get().Key(s.key(key)).Build()).AsBytes()
		if rueidis.IsRedisNil(err) {
			return nil
		}
		if said, ok := rueidis.IsRedisErr(err); ok && strings.HasPrefix(said.Error(), "WRONGTYPE") {
			altered = true
			return nil
		}
		return err
	})
	switch {
	case err != nil:
		s.failed(err)
		s.counts.misses.Add(1)
		return nil
	case data == nil && !altered:
		s.counts.misses.Add(1)
		return nil
	}
	var e *Entry
	if !altered {
		e, err = s.sealer.decode(key, data, s.limit)
		altered = errors.Is(err, errAltered)
	}
	if e == nil {
		if altered {
			s.counts.altered.Add(1)
		}
		s.counts.misses.Add(1)
		return nil // the next answer takes its place
	}
	if e.kept(time.Now()) <= 0 { // clocks differ
		s.counts.misses.Add(1)
		return nil
	}
	s.counts.hits.Add(1)
	return e
}

func (s *Redis) failed(err error) {
	if !errors.Is(err, redisconn.ErrAway) {
		s.counts.failures.Add(1)
	}
}

// Put implements Store.
func (s *Redis) Put(ctx context.Context, e *Entry) bool {
	kept := e.kept(time.Now()).Milliseconds()
	if kept <= 0 || len(e.Body) > s.limit {
		s.counts.rejected.Add(1)
		return false
	}
	value := s.sealer.encode(make([]byte, 0, headerStart+maxHeader+len(e.Body)/4), e)
	err := s.conn.Do(ctx, func(ctx context.Context, c rueidis.Client) error {
		return c.Do(ctx, c.B().Set().Key(s.key(e.Key)).Value(rueidis.BinaryString(value)).PxMilliseconds(kept).Build()).Error()
	})
	if err != nil {
		s.failed(err)
		s.counts.rejected.Add(1)
		return false
	}
	s.counts.stored.Add(1)
	return true
}

// Delete implements Store.
func (s *Redis) Delete(ctx context.Context, key Key) {
	err := s.conn.Do(ctx, func(ctx context.Context, c rueidis.Client) error {
		return c.Do(ctx, c.B().Unlink().Key(s.key(key)).Build()).Error()
	})
	if err != nil {
		s.failed(err)
	}
}

// Purge implements Store.
func (s *Redis) Purge(ctx context.Context, f Filter) (n int, err error) {
	err = s.conn.Slowly(ctx, func(ctx context.Context, c rueidis.Client) error {
		for _, node := range c.Nodes() {
			removed, err := s.purgeNode(ctx, c, node, f)
			n += removed
			if err != nil {
				return err
			}
		}
		return nil
	})
	s.counts.purged.Add(int64(n))
	if err != nil {
		return n, fmt.Errorf("purging the cache in Redis: %w", err)
	}
	return n, nil
}

// purgeNode goes through the keys of one node, which may be a replica: what is done
// to them is for the client to send to the right one.
func (s *Redis) purgeNode(ctx context.Context, c, node rueidis.Client, f Filter) (n int, err error) {
	for cursor := uint64(0); ; {
		page, err := node.Do(ctx, node.B().Scan().Cursor(cursor).Match(s.prefix+"*").Count(scanStep).Build()).AsScanEntry()
		if err != nil {
			return n, err
		}
		doomed, err := s.fitting(ctx, c, page.Elements, f)
		if err != nil {
			return n, err
		}
		for _, r := range c.DoMulti(ctx, unlinks(c, doomed)...) {
			removed, err := r.AsInt64()
			if err != nil {
				return n, err
			}
			n += int(removed)
		}
		if cursor = page.Cursor; cursor == 0 {
			return n, nil
		}
	}
}

// unlinks is a command for each key: in a cluster no command may have two.
func unlinks(c rueidis.Client, keys []string) (commands rueidis.Commands) {
	for _, key := range keys {
		commands = append(commands, c.B().Unlink().Key(key).Build())
	}
	return commands
}

// fitting are the keys of entries that the filter says. What is no entry goes too.
func (s *Redis) fitting(ctx context.Context, c rueidis.Client, keys []string, f Filter) (doomed []string, err error) {
	if f == (Filter{}) || len(keys) == 0 {
		return keys, nil
	}
	commands := make(rueidis.Commands, len(keys))
	for i, key := range keys {
		commands[i] = c.B().Getrange().Key(key).Start(0).End(int64(headerStart + maxHeader - 1)).Build()
	}
	for i, r := range c.DoMulti(ctx, commands...) {
		head, err := r.AsBytes()
		if _, said := rueidis.IsRedisErr(err); err != nil && !said {
			return nil, err
		}
		if len(head) < headerStart {
			doomed = append(doomed, keys[i])
			continue
		}
		if e, _, _, err := decodeHeader(head[headerStart:]); err != nil || f.fits(e) {
			doomed = append(doomed, keys[i])
		}
	}
	return doomed, nil
}

// Stats implements Store.
func (s *Redis) Stats() Stats {
	c := &s.counts
	return Stats{
		Hits: c.hits.Load(), Misses: c.misses.Load(), Stored: c.stored.Load(), Rejected: c.rejected.Load(), Purged: c.purged.Load(),
		Altered: c.altered.Load(), Failures: c.failures.Load(), Entries: -1, Bytes: -1, Capacity: -1, Away: s.conn.Away(),
	}
}

// Close implements Store.
func (s *Redis) Close() error {
	s.conn.Close()
	return nil
}

var _ Store = (*Redis)(nil)
