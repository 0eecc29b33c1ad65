package http1

import (
	"fmt"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"
)

// socket is a TCP connection that counts what it takes, and can be asked without
// waiting what it has.
type socket struct {
	*net.TCPConn
	raw syscall.RawConn
	// taken is how many bytes the system took since the beginning.
	taken atomic.Int64
	// probing makes reads return at once, with what TLS holds of earlier ones.
	probing bool
	ask     question
}

func newSocket(c net.Conn) (*socket, error) {
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		return nil, fmt.Errorf("%T is no TCP connection", c)
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return nil, err
	}
	s := &socket{TCPConn: tcp, raw: raw}
	s.ask.init()
	return s, nil
}

// Read implements [net.Conn].
func (s *socket) Read(p []byte) (int, error) {
	if s.probing {
		// A timeout, which TLS does not take for the end.
		return 0, os.ErrDeadlineExceeded
	}
	return s.TCPConn.Read(p)
}

// Write implements [net.Conn].
func (s *socket) Write(p []byte) (int, error) {
	n, err := s.TCPConn.Write(p)
	s.taken.Add(int64(n))
	return n, err
}

var longAgo = time.Unix(1, 0)

// interrupt ends every wait, now and later.
func (s *socket) interrupt() { _ = s.SetDeadline(longAgo) }
