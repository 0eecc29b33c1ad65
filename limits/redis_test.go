package limits

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// L-01: two instances, each with 200 calls at once, admit exactly what the limit says.
func TestL01TwoInstancesAdmitExactlyTheLimit(t *testing.T) {
	run := func(t *testing.T, a, b Store) {
		limit := &Limit{Name: "rpm", Kind: Requests, Amount: 50, Window: PerMinute}
		claims := []Claim{claim("a", limit, 1), claim("a", tpm, 1), claim("b", rpm, 1)}
		var admitted atomic.Int64
		var calls sync.WaitGroup
		for i := range 400 {
			s := a
			if i%2 == 0 {
				s = b
			}
			calls.Go(func() {
				d, err := s.Reserve(t.Context(), NewID(), claims)
				if err != nil || d.Degraded {
					t.Errorf("%+v, %v", d, err)
				} else if d.Granted() {
					admitted.Add(1)
				}
			})
		}
		calls.Wait()
		if n := admitted.Load(); n != 50 {
			t.Errorf("%d admitted, want 50", n)
		}
		if x, y := left(t, a, claims[1]), left(t, b, claims[2]); x != 950 || y != 10 {
			t.Errorf("others have %d and %d left", x, y)
		}
	}
	t.Run("memory", func(t *testing.T) {
		m := clockedMemory(t)
		run(t, m, m)
	})
	t.Run("redis", func(t *testing.T) {
		o := RedisOptions{Patience: patient, URL: sharedRedis(t).url(), Prefix: newPrefix()}
		run(t, openRedis(t, o), openRedis(t, o))
	})
}

// away makes calls while the server is away, which go by the limits' policies, and
// returns what each step took.
func away(t *testing.T, s *Redis, times int) (took []time.Duration) {
	t.Helper()
	step := func(do func()) {
		start := time.Now()
		do()
		took = append(took, time.Since(start))
	}
	for range times {
		var d Decision
		var err error
		step(func() {
			d, err = s.Reserve(t.Context(), NewID(), []Claim{claim(NewID(), rpm, 1), claim(NewID(), conc, 1)})
		})
		if err != nil || !d.Granted() || !d.Degraded {
			t.Fatalf("rates are not held locally: %+v, %v", d, err)
		}
		step(func() { settle(t, s, d.Reservation, used(1, 1)) })
		step(func() {
			_, err = s.Reserve(t.Context(), NewID(), []Claim{claim("a", rpm, 1), claim("a", budget, 1)})
		})
		if !errors.Is(err, ErrUnavailable) {
			t.Fatalf("a budget is not refused: %v", err)
		}
	}
	return took
}

// within holds steps to a time, but for those in which the machine did something else.
func within(t *testing.T, took []time.Duration, most time.Duration) {
	t.Helper()
	slices.Sort(took)
	late := len(took) - 1 - len(took)/5
	t.Logf("%d steps: the median took %v, the longest %v", len(took), took[len(took)/2], took[len(took)-1])
	if took[late] > most || took[len(took)-1] > most+500*time.Millisecond {
		t.Errorf("steps took up to %v, want %v", took[late:], most)
	}
}

// back waits until the server decides again, which must be soon.
func back(t *testing.T, s *Redis) {
	t.Helper()
	start := time.Now()
	eventually(t, 10*time.Second, func() bool {
		d, err := s.Reserve(context.Background(), NewID(), []Claim{claim(NewID(), budget, 1)})
		return err == nil && !d.Degraded && d.Granted()
	})
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("it took %v to come back", took)
	}
}

func TestL04RedisIsAway(t *testing.T) {
	for _, test := range []struct {
		name string
		args []string
		harm func(t *testing.T, s *redisServer) (heal func())
	}{
		{"SIGSTOP", nil, func(t *testing.T, s *redisServer) func() {
			s.cmd.Process.Signal(syscall.SIGSTOP)
			return func() { s.cmd.Process.Signal(syscall.SIGCONT) }
		}},
		{"SIGKILL", nil, func(t *testing.T, s *redisServer) func() {
			s.kill()
			return func() { s.start(t) }
		}},
		{"OOM", nil, func(t *testing.T, s *redisServer) func() {
			admin := s.admin(t)
			do(t, admin, "CONFIG", "SET", "maxmemory-policy", "noeviction")
			do(t, admin, "CONFIG", "SET", "maxmemory", "1")
			return func() { do(t, admin, "CONFIG", "SET", "maxmemory", "0") }
		}},
		{"READONLY", nil, func(t *testing.T, s *redisServer) func() {
			admin := s.admin(t)
			do(t, admin, "REPLICAOF", "127.0.0.1", "1")
			return func() { do(t, admin, "REPLICAOF", "NO", "ONE") }
		}},
		{"LOADING", []string{"--enable-debug-command", "local", "--key-load-delay", "2000", "--loading-process-events-interval-bytes", "1024"}, load},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := ownRedis(t, test.args...)
			s := openRedis(t, RedisOptions{URL: server.url(), Prefix: newPrefix()})
			back(t, s)
			heal := test.harm(t, server)
			within(t, away(t, s, maxFailures), 60*time.Millisecond)
			eventually(t, time.Second, s.Degraded)
			within(t, away(t, s, 50), time.Millisecond) // nothing is asked any more
			heal()
			back(t, s)
			if s.Degraded() {
				t.Error("it is away still")
			}
		})
	}
}

// load makes the server read a large data set slowly.
func load(t *testing.T, s *redisServer) (heal func()) {
	admin := s.admin(t)
	do(t, admin, "EVAL", "for i = 1, 3000 do redis.call('SET', 'filler' .. i, string.rep('x', 100)) end", "0")
	do(t, admin, "CONFIG", "SET", "key-load-delay", "2000")
	reloaded := make(chan struct{})
	go func() {
		defer close(reloaded)
		admin.Do(context.Background(), admin.B().Arbitrary("DEBUG", "RELOAD").Build())
	}()
	other := s.admin(t)
	eventually(t, 5*time.Second, func() bool {
		err := other.Do(context.Background(), other.B().Get().Key("filler1").Build()).Error()
		return err != nil && strings.HasPrefix(err.Error(), "LOADING")
	})
	return func() {
		other.Do(context.Background(), other.B().Arbitrary("CONFIG", "SET", "key-load-delay", "0").Build())
		<-reloaded
	}
}

func TestL04ScriptsThatRedisForgotAreLoadedAgain(t *testing.T) {
	server := ownRedis(t)
	s := openRedis(t, RedisOptions{URL: server.url(), Prefix: newPrefix(), Patience: patient})
	admin := server.admin(t)
	c := claim("a", rpm, 1)
	for range 3 {
		do(t, admin, "SCRIPT", "FLUSH")
		r := granted(t, s, c)
		do(t, admin, "SCRIPT", "FLUSH")
		settle(t, s, r, Actual{})
		do(t, admin, "SCRIPT", "FLUSH")
		left(t, s, c)
	}
	if got := left(t, s, c); got != 57 || s.Stats().Degraded != 0 {
		t.Errorf("%d left, %+v", got, s.Stats())
	}
}

func TestServerThatIsNotThereAtTheStart(t *testing.T) {
	needRedis(t)
	server := &redisServer{port: freePort(t), dir: t.TempDir()}
	s, err := NewRedis(RedisOptions{URL: server.url(), Instances: 3})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	within(t, away(t, s, 5), 60*time.Millisecond)
	c := claim("a", rpm, 1)
	for range 20 { // a third
		granted(t, s, c)
	}
	refused(t, s, c)
	server.start(t)
	defer server.kill()
	back(t, s)
}

func TestPoliciesOfLimitsWhileRedisIsAway(t *testing.T) {
	s, err := NewRedis(RedisOptions{URL: fmt.Sprintf("redis://127.0.0.1:%d", freePort(t))})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, test := range []struct {
		away  Away
		calls int // of one a minute that are admitted; -1: refused as unavailable
	}{{AwayDefault, 1}, {AwayLocal, 1}, {AwayAllow, 3}, {AwayDeny, -1}} {
		limit := &Limit{Name: "rpm", Kind: Requests, Amount: 1, Window: PerMinute, Away: test.away}
		n := 0
		for range 3 {
			d, err := s.Reserve(t.Context(), NewID(), []Claim{claim(itoa(int64(test.away)), limit, 1)})
			if errors.Is(err, ErrUnavailable) {
				n = -1
			} else if d.Granted() {
				n++
			}
		}
		if n != test.calls {
			t.Errorf("policy %d: %d", test.away, n)
		}
	}
}

// What ends while the server is away is told when it is back.
func TestEndsAreToldLater(t *testing.T) {
	server := ownRedis(t)
	o := RedisOptions{URL: server.url(), Prefix: newPrefix(), Patience: time.Second}
	s := openRedis(t, o)
	o.Patience = patient
	other := openRedis(t, o)
	tokens, place := claim("a", tpm, 100), claim("a", conc, 1)
	a, b := granted(t, s, tokens, place), granted(t, s, tokens, place)
	server.cmd.Process.Signal(syscall.SIGSTOP)
	settle(t, s, a, used(300, 0))
	release(t, s, b, RefundAll)
	// Reserved unheard: the server has it in its socket.
	d, err := s.Reserve(t.Context(), NewID(), []Claim{claim("b", tpm, 100), claim("b", conc, 1)})
	if err != nil || !d.Degraded {
		t.Fatal(d, err)
	}
	settle(t, s, d.Reservation, used(250, 0))
	server.cmd.Process.Signal(syscall.SIGCONT)
	eventually(t, 4*time.Second, func() bool {
		return left(t, other, tokens) == 700 && left(t, other, place) == 2
	})
	eventually(t, 4*time.Second, func() bool {
		n := left(t, other, claim("b", tpm, 0))
		return left(t, other, claim("b", conc, 0)) == 2 && (n == 750 || n == 1000)
	})
	if n := s.Stats().Lost; n != 0 {
		t.Errorf("%d ends were lost", n)
	}
}

// L-06: a clock of an instance that jumps changes nothing.
func TestL06ClocksThatJump(t *testing.T) {
	t.Run("memory", func(t *testing.T) {
		// The wall clock is read once; what goes on after is the monotonic clock, of which
		// a jump of the wall clock is no part.
		now := monotonic()
		before := now()
		if gap := now() - before; gap < 0 || gap > 1e6 {
			t.Errorf("the clock moved %d", gap)
		}
	})
	t.Run("redis", func(t *testing.T) {
		var jump atomic.Int64
		o := RedisOptions{Patience: patient, URL: sharedRedis(t).url(), Prefix: newPrefix()}
		b := openRedis(t, o)
		o.now = func() int64 { return time.Now().UnixMicro() + jump.Load() }
		a := openRedis(t, o)
		limit := &Limit{Name: "rpm", Kind: Requests, Amount: 4, Window: PerMinute}
		c, day := claim("a", limit, 1), claim("a", budget, 6*Dollar)
		for _, j := range []time.Duration{0, time.Hour, -time.Hour, 1000 * time.Hour} {
			jump.Store(int64(j / time.Microsecond))
			settle(t, a, granted(t, a, c), Actual{})
		}
		granted(t, a, day)
		for _, s := range []Store{a, b} {
			if r := refused(t, s, c); r.RetryAfter > 61*time.Second || r.RetryAfter < 50*time.Second {
				t.Errorf("%+v", r)
			}
			refused(t, s, day)
		}
	})
}

func TestNoMoreRightsThanTold(t *testing.T) {
	server := sharedRedis(t)
	admin := server.admin(t)
	prefix := newPrefix()
	do(t, admin, strings.Fields("ACL SETUSER limiter on >secret ~"+prefix+"* +evalsha +script|load +time +hmget +hget +hset +hdel +del +pexpire +zadd +zrem +zcount +zremrangebyscore")...)
	s := openRedis(t, RedisOptions{Patience: patient, URL: "redis://limiter:secret@" + server.addr(), Prefix: prefix})
	all := []Claim{claim("a", rpm, 1), claim("a", budget, 1), claim("a", conc, 1)}
	r := granted(t, s, all...)
	if err := s.Renew(t.Context(), []*Reservation{r}); err != nil {
		t.Error(err)
	}
	settle(t, s, r, used(1, 1))
	left(t, s, all[0])
	if s.Stats().Degraded != 0 {
		t.Errorf("%+v", s.Stats())
	}
	// Everything has an end, and short names that tell nothing.
	for _, key := range keysOf(t, server, prefix) {
		ttl, err := do(t, admin, "PTTL", key).AsInt64()
		if err != nil || ttl <= 0 {
			t.Errorf("%s has no end: %d, %v", key, ttl, err)
		}
		if len(key) > 128 || !strings.HasPrefix(key, prefix+hashTag) {
			t.Errorf("key %s", key)
		}
	}
}

func keysOf(t *testing.T, server *redisServer, prefix string) []string {
	keys, err := do(t, server.admin(t), "KEYS", prefix+"*").AsStrSlice()
	if err != nil || len(keys) == 0 {
		t.Fatal(keys, err)
	}
	return keys
}

func TestIdThatWasUsedIsRefused(t *testing.T) {
	s := openRedis(t, RedisOptions{Patience: patient, URL: sharedRedis(t).url(), Prefix: newPrefix()})
	d, err := s.Reserve(t.Context(), "once", []Claim{claim("a", rpm, 1)})
	if err != nil {
		t.Fatal(err)
	}
	settle(t, s, d.Reservation, Actual{})
	if _, err := s.Reserve(t.Context(), "once", []Claim{claim("a", rpm, 1)}); !errors.Is(err, ErrUsed) {
		t.Error(err)
	}
}

func TestClusterKeepsAStepInOneShard(t *testing.T) {
	server := ownRedis(t, "--cluster-enabled", "yes")
	admin := server.admin(t)
	do(t, admin, "CLUSTER", "ADDSLOTSRANGE", "0", "16383")
	eventually(t, 10*time.Second, func() bool {
		info, _ := do(t, admin, "CLUSTER", "INFO").ToString()
		return strings.Contains(info, "cluster_state:ok")
	})
	s := openRedis(t, RedisOptions{Patience: patient, URL: server.url(), Prefix: newPrefix(), Cluster: true})
	r := granted(t, s, claim("a", rpm, 1), claim("a", budget, 1), claim("b", conc, 1))
	settle(t, s, r, used(1, 1))
	if s.Stats().Degraded != 0 {
		t.Errorf("%+v", s.Stats())
	}
}

func TestAddressesThatCantBe(t *testing.T) {
	for _, o := range []RedisOptions{{URL: "http://x:secret@y"}, {URL: "redis://h:1", Prefix: "a{b"}, {URL: "redis://h:1", Prefix: strings.Repeat("x", 65)}} {
		s, err := NewRedis(o)
		if err == nil {
			s.Close()
			t.Errorf("%+v is taken", o)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("%v", err)
		}
	}
}
