package answers

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os/exec"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/rueidis"
)

// redisServer is a server of one test.
type redisServer struct {
	port int
	cmd  *exec.Cmd
	dir  string
}

func startRedis(t testing.TB) *redisServer {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Skip("redis-server is not installed: the tests against a real server are left out")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &redisServer{port: l.Addr().(*net.TCPAddr).Port, dir: t.TempDir()}
	l.Close()
	s.start(t)
	t.Cleanup(s.kill)
	return s
}

func (s *redisServer) start(t testing.TB) {
	s.cmd = exec.Command("redis-server", "--port", fmt.Sprint(s.port), "--bind", "127.0.0.1", "--save", "", "--dir", s.dir)
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool {
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", s.port))
		if err == nil {
			c.Close()
		}
		return err == nil
	})
}

func (s *redisServer) kill() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}

func (s *redisServer) url() string { return fmt.Sprintf("redis://127.0.0.1:%d", s.port) }

// do is what an operator types into redis-cli.
func (s *redisServer) do(t testing.TB, words ...string) rueidis.RedisResult {
	t.Helper()
	o, err := rueidis.ParseURL(s.url())
	if err != nil {
		t.Fatal(err)
	}
	o.ForceSingleClient, o.DisableCache = true, true
	c, err := rueidis.NewClient(o)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	r := c.Do(t.Context(), c.B().Arbitrary(words...).Build())
	if err := r.Error(); err != nil {
		t.Fatalf("%v: %v", words, err)
	}
	return r
}

func eventually(t testing.TB, is func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it did not happen in time")
		}
	}
}

// openRedis makes a store, with time enough for a machine that does other things.
func openRedis(t testing.TB, o RedisOptions) *Redis {
	t.Helper()
	if o.patience == 0 {
		o.patience = 5 * time.Second
	}
	s, err := NewRedis(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	<-s.conn.Ready()
	return s
}

func TestRedisKeepsWhatItIsGiven(t *testing.T) {
	server := startRedis(t)
	a, b := openRedis(t, RedisOptions{URL: server.url(), Secret: []byte("s")}), openRedis(t, RedisOptions{URL: server.url(), Secret: []byte("s")})
	for i, body := range [][]byte{[]byte("{}"), chatAnswer(1000), chatStream(1000), noise(1<<20, 1)} {
		e := numbered(i, "key a", body)
		if !a.Put(t.Context(), e) {
			t.Fatal("it is not kept")
		}
		got := b.Get(t.Context(), e.Key)
		if got == nil || !bytes.Equal(got.Body, body) || got.Scope != e.Scope || got.Key != e.Key {
			t.Errorf("%d: the other instance finds another one", i)
		}
		if ttl, _ := server.do(t, "PTTL", a.key(e.Key)).AsInt64(); ttl < 3_500_000 || ttl > 3_600_000 {
			t.Errorf("it is kept for %d ms", ttl)
		}
	}
	if n, _ := server.do(t, "STRLEN", a.key(numbered(2, "", nil).Key)).AsInt64(); n > 20_000 {
		t.Errorf("a stream of %d bytes takes %d", len(chatStream(1000)), n)
	}
	first := numbered(0, "", nil).Key
	b.Delete(t.Context(), first)
	if a.Get(t.Context(), first) != nil {
		t.Error("it is still there")
	}
	if s := a.Stats(); s.Stored != 4 || s.Misses != 1 || s.Altered != 0 || s.Failures != 0 {
		t.Errorf("%+v", s)
	}
	old := numbered(9, "key a", []byte("{}"))
	old.Created = time.Now().Add(-2 * time.Hour)
	if a.Put(t.Context(), old) {
		t.Error("an entry was kept that is over")
	}
}

func TestPurgeOfRedis(t *testing.T) {
	server := startRedis(t)
	s := openRedis(t, RedisOptions{URL: server.url(), Prefix: "x:"})
	server.do(t, "SET", "x:other", "not ours")
	server.do(t, "SET", "llm_proxy:a1:y", "not ours")
	testPurge(t, s)
	for i := range 1000 {
		s.Put(t.Context(), numbered(i, "key a", []byte("{}")))
	}
	server.do(t, "RPUSH", "x:a1:odd", "1")
	if n, err := s.Purge(t.Context(), Filter{Scope: "key a"}); n != 1001 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if n, _ := server.do(t, "DBSIZE").AsInt64(); n != 2 {
		t.Errorf("%d keys are left", n)
	}
}

func TestUserWithFewRights(t *testing.T) {
	server := startRedis(t)
	server.do(t, "ACL", "SETUSER", "cache", "on", ">pw", "~llm_proxy:*", "+get", "+set", "+unlink", "+getrange", "+scan", "+ping")
	s := openRedis(t, RedisOptions{URL: fmt.Sprintf("redis://cache:pw@127.0.0.1:%d", server.port)})
	testPurge(t, s)
	s.Put(t.Context(), numbered(1, "key a", []byte("{}")))
	s.Delete(t.Context(), numbered(1, "", nil).Key)
	if got := s.Stats(); got.Failures != 0 || got.Away {
		t.Errorf("%+v", got)
	}
}

// TestC05AlteredValuesAreMisses does to values in the server what somebody with
// redis-cli can do.
func TestC05AlteredValuesAreMisses(t *testing.T) {
	server := startRedis(t)
	s := openRedis(t, RedisOptions{URL: server.url(), Secret: []byte("secret")})
	a, b := numbered(1, "key a", chatAnswer(50)), numbered(2, "key b", chatAnswer(500))
	keyA, keyB := s.key(a.Key), s.key(b.Key)
	forger := sealer{secret: []byte("guess")}
	for name, harm := range map[string]func(){
		"swapped":       func() { server.do(t, "COPY", keyB, keyA, "REPLACE") },
		"a byte":        func() { server.do(t, "SETRANGE", keyA, "120", "X") },
		"the first":     func() { server.do(t, "SETRANGE", keyA, "0", "X") },
		"longer":        func() { server.do(t, "APPEND", keyA, "x") },
		"another type":  func() { server.do(t, "DEL", keyA); server.do(t, "RPUSH", keyA, "x") },
		"text":          func() { server.do(t, "SET", keyA, "hello") },
		"nothing":       func() { server.do(t, "SET", keyA, "") },
		"forged":        func() { server.do(t, "SET", keyA, string(forger.encode(nil, a))) },
		"other's, ours": func() { server.do(t, "SET", keyA, string(s.sealer.encode(nil, b))) },
	} {
		s.Put(t.Context(), a)
		s.Put(t.Context(), b)
		before := s.Stats()
		harm()
		if got := s.Get(t.Context(), a.Key); got != nil {
			t.Errorf("%s: it was served", name)
		}
		if after := s.Stats(); after.Altered != before.Altered+1 || after.Misses != before.Misses+1 || after.Failures != 0 || after.Away {
			t.Errorf("%s: %+v", name, after)
		}
		if !s.Put(t.Context(), a) || s.Get(t.Context(), a.Key) == nil {
			t.Errorf("%s: a new answer does not take its place", name)
		}
		server.do(t, "FLUSHALL")
	}
}

// TestRedisIsAway: whatever becomes of the server, callers find a miss, soon.
func TestRedisIsAway(t *testing.T) {
	for name, harm := range map[string]func(*testing.T, *redisServer) func(){
		"SIGSTOP": func(_ *testing.T, s *redisServer) func() {
			_ = s.cmd.Process.Signal(syscall.SIGSTOP)
			return func() { _ = s.cmd.Process.Signal(syscall.SIGCONT) }
		},
		"SIGKILL": func(t *testing.T, s *redisServer) func() { s.kill(); return func() { s.start(t) } },
	} {
		t.Run(name, func(t *testing.T) {
			server := startRedis(t)
			s := openRedis(t, RedisOptions{URL: server.url(), patience: 50 * time.Millisecond})
			e := numbered(1, "key a", []byte("{}"))
			eventually(t, func() bool { return s.Put(t.Context(), e) && s.Get(t.Context(), e.Key) != nil })
			heal := harm(t, server)
			var took []time.Duration
			for range 50 {
				begun := time.Now()
				if s.Get(t.Context(), e.Key) != nil || s.Put(t.Context(), e) {
					t.Fatal("a server that is away answered")
				}
				took = append(took, time.Since(begun))
			}
			slices.Sort(took)
			t.Logf("the median took %v, the longest %v", took[len(took)/2], took[len(took)-1])
			if took[len(took)/2] > 5*time.Millisecond || took[len(took)-1] > 600*time.Millisecond || !s.Stats().Away {
				t.Errorf("%+v", s.Stats())
			}
			heal()
			begun := time.Now()
			eventually(t, func() bool { return s.Put(t.Context(), e) && s.Get(t.Context(), e.Key) != nil })
			if back := time.Since(begun); back > 4*time.Second {
				t.Errorf("it took %v to come back", back)
			}
		})
	}
}

func TestServerThatIsNotThere(t *testing.T) {
	s, err := NewRedis(RedisOptions{URL: "redis://127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	if s.Get(t.Context(), Key{1}) != nil || s.Put(t.Context(), numbered(1, "", nil)) {
		t.Error("it answers")
	}
	if _, err := s.Purge(t.Context(), Filter{}); err == nil {
		t.Error("nothing tells that nothing was purged")
	}
	s.Close()
	s.Close()
	if s.Get(t.Context(), Key{1}) != nil {
		t.Error("it answers when it is closed")
	}
}

func TestRedisOptionsAreChecked(t *testing.T) {
	for _, o := range []RedisOptions{{URL: "nonsense"}, {URL: "http://user:secret@x"}, {URL: "redis://x", Prefix: "a*"}, {URL: "redis://x", Prefix: "a b"}} {
		s, err := NewRedis(o)
		if err == nil {
			s.Close()
			t.Errorf("%+v was taken", o)
		} else if bytes.Contains([]byte(err.Error()), []byte("secret")) {
			t.Errorf("the error tells a password: %v", err)
		}
	}
}

// TestCallersWhoLeaveHarmNobody cancels requests at any time: no one gets what
// another asked for.
func TestCallersWhoLeaveHarmNobody(t *testing.T) {
	server := startRedis(t)
	s := openRedis(t, RedisOptions{URL: server.url()})
	for i := range 50 {
		s.Put(t.Context(), numbered(i, "key a", fmt.Appendf(nil, "body %d", i)))
	}
	var all sync.WaitGroup
	for caller := range 20 {
		all.Go(func() {
			for i := range 200 {
				ctx, cancel := context.WithCancel(context.Background())
				if i%3 == 0 {
					go cancel()
				}
				n := (caller + i) % 50
				if e := s.Get(ctx, numbered(n, "", nil).Key); e != nil && string(e.Body) != fmt.Sprintf("body %d", n) {
					t.Errorf("asked for %d, got %s", n, e.Body)
				}
				cancel()
			}
		})
	}
	all.Wait()
	if s.Stats().Altered != 0 {
		t.Errorf("%+v", s.Stats())
	}
}

func BenchmarkRedis(b *testing.B) {
	server := startRedis(b)
	s := openRedis(b, RedisOptions{URL: server.url(), Secret: []byte("s")})
	for _, test := range []struct {
		name string
		body []byte
	}{{"json 9 KB", chatAnswer(1000)}, {"stream 28 KB", chatStream(100)}} {
		e := numbered(1, "key a", test.body)
		b.Run("put "+test.name, func(b *testing.B) {
			for b.Loop() {
				s.Put(context.Background(), e)
			}
		})
		b.Run("get "+test.name, func(b *testing.B) {
			for b.Loop() {
				if s.Get(context.Background(), e.Key) == nil {
					b.Fatal("gone")
				}
			}
		})
	}
}
