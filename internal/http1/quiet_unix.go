//go:build unix

package http1

import (
	"errors"

	"golang.org/x/sys/unix"
)

// question asks the system whether a socket has anything to read, its end
// included. It is made once for each socket, so that asking allocates nothing.
type question struct {
	poll  [1]unix.PollFd
	put   func(fd uintptr)
	quiet bool
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
}

// isQuiet tells that nothing came, not even the end.
func (s *socket) isQuiet() bool {
	s.ask.quiet = false
	err := s.raw.Control(s.ask.put)
	return err == nil && s.ask.quiet
}
