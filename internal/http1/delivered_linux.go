package http1

import (
	"time"

	"golang.org/x/sys/unix"
)

// knowsWhatArrived tells that tookNothing can be true.
const knowsWhatArrived = true

// tookNothing tells that the peer, which has ended the connection, had done so
// before any byte after the first so many came to it. What carried its end
// acknowledged all that had come until then: not these. They were answered with a
// reset, since nobody was there to read them.
//
// A reset alone would show nothing: it may come from one who has read them.
func (s *socket) tookNothing(after int64) bool {
	const patience = 200 * time.Millisecond
	for wait := time.Millisecond; ; wait *= 2 {
		var info *unix.TCPInfo
		err := s.raw.Control(func(fd uintptr) {
			info, _ = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO) //nolint:gosec // a descriptor
		})
		// The beginning of the connection counts as one byte.
		if err != nil || info == nil || info.Bytes_acked == 0 || info.Bytes_acked > uint64(after)+1 { //nolint:gosec // a count
			return false
		}
		if info.State == unix.BPF_TCP_CLOSE {
			return true
		}
		if wait > patience {
			return false
		}
		time.Sleep(wait)
	}
}
