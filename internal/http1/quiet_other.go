//go:build !unix

package http1

import (
	"errors"
	"os"
	"time"
)

type question struct{}

func (*question) init() {}

// readReady reads what has arrived, which cannot be done here without waiting.
func (*socket) readReady([]byte) int { return 0 }

// isQuiet tells that nothing came, not even the end. Where the system cannot be
// asked, a read waits for as short as can be.
func (s *socket) isQuiet() bool {
	var one [1]byte
	_ = s.SetReadDeadline(time.Now().Add(time.Millisecond))
	_, err := s.TCPConn.Read(one[:])
	return errors.Is(err, os.ErrDeadlineExceeded) && s.SetReadDeadline(time.Time{}) == nil
}
