package limits

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"
)

// Redis counts in a Redis or Valkey server (6.2 or later), for all instances that share it.
//
// A step is one script, told the time by the server. No call takes longer than 60 ms:
// after a failure, and at once while the server is known to be away, each instance
// holds callers to its own share of a limit, and budgets refuse with [ErrUnavailable].
// It comes back by itself within two seconds.
//
// Counts live as long as the server keeps them: it should write them to disk (appendonly)
// and not evict (maxmemory-policy noeviction). All keys carry one hash tag, so that in a
// cluster they lie in one shard.
//
// A user of the server needs no more than
//
//	~<prefix>* +evalsha +script|load +time +hmget +hget +hset +hdel +del +pexpire
//	+zadd +zrem +zcount +zremrangebyscore
type Redis struct {
	o       RedisOptions
	client  rueidis.ClientOption
	scripts scripts
	local   *Memory
	slots   chan struct{} // calls under way
	link    link
	backlog backlog
	stats   counts
	cancel  context.CancelFunc
	done    sync.WaitGroup
	once    sync.Once
}

// RedisOptions are for [NewRedis].
type RedisOptions struct {
	// URL is redis://[user:password@]host:port[/db], or rediss:// for TLS.
	URL string
	// Prefix begins all keys; default "llm_proxy:". Keys go on with a hash tag.
	Prefix string
	// Instances is by how many a limit is divided while the server is away; default 1.
	Instances int64
	// TTL is when a reservation that nobody settles or renews expires; default 11 minutes.
	TTL time.Duration
	// Cluster looks for a cluster behind the URL; its user needs +cluster|slots or +cluster|shards too.
	Cluster bool

	// Patience is what a step may take; default 50 ms.
	Patience time.Duration

	// Of tests: how scripts read the time, the clock of this instance.
	clock string
	now   func() int64
}

const (
	// callTime is what a step may take if nothing else is said.
	callTime = 50 * time.Millisecond
	// maxCalls bounds the steps under way, below what the client queues without blocking.
	maxCalls = 512
	// endTime is how long Redis remembers that a reservation has ended: longer than
	// anything is sent again.
	endTime = 120 * time.Second
	// maxPrefix keeps keys within 128 bytes.
	maxPrefix = 64
	hashTag   = "{limits}:"
)

var errAddress = errors.New("the address of Redis must be like redis://user:password@host:6379/0") // which may hold a password

// Check finds what is wrong with the options. It asks no network.
func (o RedisOptions) Check() error {
	if _, err := rueidis.ParseURL(o.URL); err != nil {
		return errAddress
	}
	if len(o.Prefix) > maxPrefix || strings.ContainsAny(o.Prefix, "{} \r\n") {
		return fmt.Errorf("the prefix of keys in Redis has at most %d bytes, and no braces or spaces", maxPrefix)
	}
	return nil
}

// NewRedis makes the store. It connects in the background; calls within the first moments
// wait for that.
func NewRedis(o RedisOptions) (*Redis, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	client, err := rueidis.ParseURL(o.URL)
	if err != nil {
		return nil, errAddress
	}
	if o.Prefix == "" {
		o.Prefix = "llm_proxy:"
	}
	if o.clock == "" {
		o.clock = serverTime
	}
	if o.Patience == 0 {
		o.Patience = callTime
	}
	o.Instances, o.TTL = max(o.Instances, 1), ttlOr(o.TTL)
	local, err := NewMemory(MemoryOptions{TTL: o.TTL, now: o.now})
	if err != nil {
		return nil, err
	}
	client.ForceSingleClient = !o.Cluster
	client.DisableRetry = true
	client.DisableCache = true
	client.ClientSetInfo = rueidis.DisableClientSetInfo
	client.Dialer.Timeout = time.Second // of the background; calls have their own
	client.Dialer.KeepAlive = 5 * time.Second
	client.ConnWriteTimeout = time.Second
	s := &Redis{o: o, client: client, scripts: newScripts(o.clock), local: local, slots: make(chan struct{}, maxCalls)}
	s.link.ready = make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	s.done.Go(func() { s.watch(ctx) })
	return s, nil
}

// Close implements Store. What Redis was not told yet it is told, if it answers.
func (s *Redis) Close() error {
	s.once.Do(func() {
		s.cancel()
		s.done.Wait()
		s.flush()
		if c := s.link.client.Load(); c != nil {
			(*c).Close()
		}
		s.local.Close()
	})
	return nil
}

// counts are the numbers behind Stats.
type counts struct {
	granted, refused, unavailable, settled, late, disbelieved, degraded, lost atomic.Int64
}

// Stats implements Store. Expired, Buckets and Open are those of this instance alone.
func (s *Redis) Stats() Stats {
	local, c := s.local.Stats(), &s.stats
	return Stats{
		Granted: c.granted.Load(), Refused: c.refused.Load(), Unavailable: c.unavailable.Load(),
		Settled: c.settled.Load(), Late: c.late.Load(), Disbelieved: c.disbelieved.Load(),
		Degraded: c.degraded.Load(), Lost: c.lost.Load(),
		Expired: local.Expired, Buckets: local.Buckets, Open: local.Open,
	}
}

// Degraded tells whether the server is away.
func (s *Redis) Degraded() bool { return !s.link.usable() }

var errAway = errors.New("limits: Redis is away")

// call runs a script, with the time that a call has. It tells whether the server may have run
// it although there is an error.
func (s *Redis) call(ctx context.Context, run *script, keys, args []string) (out []int64, maybe bool, err error) {
	if !s.link.usable() && !s.link.starting() {
		return nil, false, errAway
	}
	// A client that leaves must not leave doubt behind: the step is short.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.o.Patience)
	defer cancel()
	client := s.link.get(ctx)
	if client == nil {
		return nil, false, errAway
	}
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-ctx.Done():
		return nil, false, errAway // crowded: no word about the server
	}
	out, maybe, err = eval(ctx, client, run, keys, args)
	s.link.record(err)
	return out, maybe, err
}

// eval runs a script, loads it where it is missing, and sends it once more if the
// connection broke: every script may be repeated.
func eval(ctx context.Context, client rueidis.Client, run *script, keys, args []string) (out []int64, maybe bool, err error) {
	for range 3 {
		command := client.B().Evalsha().Sha1(run.sha).Numkeys(int64(len(keys))).Key(keys...).Arg(args...).Build()
		if out, err = client.Do(ctx, command).AsIntSlice(); err == nil {
			return out, false, nil
		}
		said, fromServer := rueidis.IsRedisErr(err)
		switch {
		case ctx.Err() != nil:
			return nil, true, err
		case !fromServer:
			maybe = true
		case said.IsNoScript():
			for _, node := range client.Nodes() {
				if err = node.Do(ctx, node.B().ScriptLoad().Script(run.text).Build()).Error(); err != nil {
					return nil, maybe, err
				}
			}
		default:
			return nil, maybe, err
		}
	}
	return nil, maybe, err
}

// keyOf is the key of a reservation, and its member in leases.
func (s *Redis) keyOf(id string) (key, member string) {
	sum := sha256.Sum256([]byte(id))
	member = hex.EncodeToString(sum[:16])
	return s.o.Prefix + hashTag + "r:" + member, member
}

func (s *Redis) bucketKey(b Bucket) string {
	key := make([]byte, 0, 128)
	key = append(key, s.o.Prefix...)
	key = append(key, hashTag...)
	key = append(key, "b:"...)
	return string(b.appendKey(key))
}

// word is the span as scripts read it.
func (g *grant) word() string {
	if g.kind == Concurrency {
		return "l"
	}
	switch g.span.calendar {
	case Day:
		return "d"
	case Week:
		return "w"
	case Month:
		return "m"
	}
	return itoa(g.span.width)
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

func microseconds(d time.Duration) string { return itoa(int64(d / time.Microsecond)) }

var _ Store = (*Redis)(nil)

// scaled is a claim on this instance's share of its limit.
func (s *Redis) scaled(claim *Claim) Claim {
	limit := *claim.Limit
	if limit.Amount > 0 {
		limit.Amount = max(1, limit.Amount/s.o.Instances)
	}
	mine := *claim
	mine.Limit = &limit
	return mine
}

// away is what becomes of the limit while the store can't be reached.
func (l *Limit) away() Away {
	switch {
	case l.Away != AwayDefault:
		return l.Away
	case l.Kind == Money:
		return AwayDeny
	}
	return AwayLocal
}
