package limits

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// proxy stands between a store and its server, and cuts connections instead of passing answers on.
type proxy struct {
	net.Listener
	cut atomic.Int32 // so many answers
}

func newProxy(t *testing.T, to string) *proxy {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{Listener: l}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			down, err := l.Accept()
			if err != nil {
				return
			}
			up, err := net.Dial("tcp", to)
			if err != nil {
				down.Close()
				continue
			}
			all.Go(func() { io.Copy(up, down); up.Close() })
			all.Go(func() { p.answers(down, up); down.Close(); up.Close() })
		}
	})
	t.Cleanup(func() { l.Close(); all.Wait() })
	return p
}

func (p *proxy) answers(down, up net.Conn) {
	buf := make([]byte, 64<<10)
	for {
		n, err := up.Read(buf)
		if err != nil {
			return
		}
		// Answers to steps are arrays of numbers; those to the greeting are not.
		if n > 2 && buf[0] == '*' && p.cut.Load() > 0 {
			p.cut.Add(-1)
			return
		}
		if _, err := down.Write(buf[:n]); err != nil {
			return
		}
	}
}

// L-05: the answer is lost after the script ran.
func TestL05LostAnswersCountOnce(t *testing.T) {
	server := sharedRedis(t)
	p := newProxy(t, server.addr())
	prefix := newPrefix()
	s := openRedis(t, RedisOptions{Patience: patient, URL: "redis://" + p.Addr().String(), Prefix: prefix})
	direct := openRedis(t, RedisOptions{Patience: patient, URL: server.url(), Prefix: prefix})
	all := []Claim{claim("a", rpm, 1), claim("a", tpm, 100), claim("a", conc, 1)}
	for round := range int64(5) {
		p.cut.Store(1)
		d := mustReserve(t, s, all...)
		if !d.Granted() || d.Degraded || d.States[1].Charged != 100 {
			t.Fatalf("%+v", d)
		}
		if a, b, c := left(t, direct, all[0]), left(t, direct, all[1]), left(t, direct, all[2]); a != 59-round || b != 900-50*round || c != 1 {
			t.Fatalf("round %d: left %d, %d, %d", round, a, b, c)
		}
		p.cut.Store(1)
		settle(t, s, d.Reservation, used(50, 0))
		if a, b, c := left(t, direct, all[0]), left(t, direct, all[1]), left(t, direct, all[2]); a != 59-round || b != 950-50*round || c != 2 {
			t.Fatalf("round %d: left %d, %d, %d after", round, a, b, c)
		}
	}
	// All answers are lost: this instance decides, and the server's reservation ends with its own.
	p.cut.Store(1000)
	d := mustReserve(t, s, claim("b", tpm, 100), claim("b", conc, 1))
	if !d.Granted() || !d.Degraded || !d.Reservation.uncertain {
		t.Fatalf("%+v", d)
	}
	if got := left(t, direct, claim("b", tpm, 0)); got != 900 {
		t.Errorf("%d left", got)
	}
	settle(t, s, d.Reservation, used(300, 0))
	p.cut.Store(0)
	eventually(t, 4*time.Second, func() bool {
		return left(t, direct, claim("b", tpm, 0)) == 700 && left(t, direct, claim("b", conc, 0)) == 2
	})
	settle(t, s, d.Reservation, used(900, 0))
	if got := left(t, direct, claim("b", tpm, 0)); got != 700 {
		t.Errorf("%d left", got)
	}
}
