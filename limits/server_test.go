package limits

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if name := os.Getenv("LIMITS_TEST_CHILD"); name != "" {
		spendUntilKilled(name)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		if shared.server != nil {
			shared.server.kill()
		}
		os.Exit(code)
	}))
}

// redisServer is a server of a test.
type redisServer struct {
	port int
	dir  string
	args []string
	cmd  *exec.Cmd
}

var shared struct {
	once   sync.Once
	server *redisServer
}

// sharedRedis is one server for all tests that do it no harm.
func sharedRedis(t testing.TB) *redisServer {
	needRedis(t)
	shared.once.Do(func() {
		dir, err := os.MkdirTemp("", "limits")
		if err != nil {
			t.Fatal(err)
		}
		shared.server = startRedis(t, dir)
	})
	if shared.server == nil {
		t.Fatal("the shared redis-server did not start")
	}
	return shared.server
}

// ownRedis is a server that the test may treat badly.
func ownRedis(t testing.TB, args ...string) *redisServer {
	needRedis(t)
	s := startRedis(t, t.TempDir(), args...)
	t.Cleanup(s.kill)
	return s
}

func needRedis(t testing.TB) {
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Skip("redis-server is not installed: the tests against a real server are left out")
	}
}

func freePort(t testing.TB) int {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func startRedis(t testing.TB, dir string, args ...string) *redisServer {
	s := &redisServer{port: freePort(t), dir: dir, args: args}
	s.start(t)
	return s
}

func (s *redisServer) start(t testing.TB) {
	t.Helper()
	args := append([]string{"--port", fmt.Sprint(s.port), "--bind", "127.0.0.1", "--save", "", "--dir", s.dir,
		"--logfile", filepath.Join(s.dir, "log")}, s.args...)
	s.cmd = exec.Command("redis-server", args...)
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, 10*time.Second, func() bool {
		c, err := net.Dial("tcp", s.addr())
		if err == nil {
			c.Close()
		}
		return err == nil
	})
}

func (s *redisServer) kill() {
	s.cmd.Process.Kill()
	s.cmd.Wait()
}

func (s *redisServer) addr() string { return fmt.Sprintf("127.0.0.1:%d", s.port) }
func (s *redisServer) url() string  { return "redis://" + s.addr() }

// admin is a client of the test's own.
func (s *redisServer) admin(t testing.TB) rueidis.Client {
	o, err := rueidis.ParseURL(s.url())
	if err != nil {
		t.Fatal(err)
	}
	o.ForceSingleClient, o.DisableCache, o.DisableRetry = true, true, true
	c, err := rueidis.NewClient(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func do(t testing.TB, c rueidis.Client, words ...string) rueidis.RedisResult {
	t.Helper()
	r := c.Do(context.Background(), c.B().Arbitrary(words...).Build())
	if err := r.Error(); err != nil && !rueidis.IsRedisNil(err) {
		t.Fatalf("%v: %v", words, err)
	}
	return r
}

// patient is what a step may take where the test is not about that.
const patient = 10 * time.Second

var prefixes atomic.Int64

func newPrefix() string { return fmt.Sprintf("t%d:", prefixes.Add(1)) }

// openRedis makes a store over a server, and waits until it is connected.
func openRedis(t testing.TB, o RedisOptions) *Redis {
	t.Helper()
	s, err := NewRedis(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	<-s.link.ready
	return s
}

func eventually(t testing.TB, within time.Duration, is func() bool) {
	t.Helper()
	for end := time.Now().Add(within); ; time.Sleep(5 * time.Millisecond) {
		if is() {
			return
		}
		if time.Now().After(end) {
			t.Fatal("it did not happen in time")
		}
	}
}
