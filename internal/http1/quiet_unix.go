//go:build unix

package http1

import (
	"errors"

	"golang.org/x/sys/unix"
)

// question asks the system whether a socket has anything to read, its end
// included, or for what there is. It is made once for each socket, so that asking
// allocates nothing.
type question struct {
	poll  [1]unix.PollFd
	put   func(fd uintptr)
	quiet bool

	read func(fd uintptr) bool
	into []byte
	n    int
}

func (q *question) init() {
	q.put = func(fd uintptr) {
		for {
			q.poll[0] = unix.PollFd{Fd: int32(fd), Events: unix.POLLIN} //nolint:gosec // descriptors are small
			n, err := unix.Poll(q.poll[:], 0)
			if !errors.Is(err, unix.EINTR) {
				q.quiet = n == 0 && err == nil
				return
			}
		}
	}
	q.read = func(fd uintptr) bool {
		if n, err := unix.Read(int(fd), q.into); err == nil { //nolint:gosec // descriptors are small
			q.n = n
		}
		return true // whatever it was: there is no waiting
	}
}

// readReady reads what has arrived, and does not wait. An end or an error comes
// again at the next read.
func (s *socket) readReady(p []byte) int {
	s.ask.into, s.ask.n = p, 0
	_ = s.raw.Read(s.ask.read)
	s.ask.into = nil
	return s.ask.n
}

// isQuiet tells that nothing came, not even the end.
func (s *socket) isQuiet() bool {
	s.ask.quiet = false
	err := s.raw.Control(s.ask.put)
	return err == nil && s.ask.quiet
}
