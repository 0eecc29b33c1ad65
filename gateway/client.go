package gateway

import (
	"net/http"
	"sync"
	"time"
)

// streamWriter writes a stream to a client and keeps it alive in silence. It
// writes whole events only, so that a heartbeat always falls between two.
type streamWriter struct {
	w       http.ResponseWriter
	control *http.ResponseController

	// mu orders the writes of the relay and of the heartbeat, of this stream alone.
	mu        sync.Mutex
	stopped   bool
	begun     bool // something went out
	limit     time.Duration
	lastWrite time.Time
	every     time.Duration
	heartbeat []byte
	timer     *time.Timer
}

func newStreamWriter(w http.ResponseWriter, every time.Duration, heartbeat []byte) *streamWriter {
	s := &streamWriter{w: w, control: http.NewResponseController(w), every: every, heartbeat: heartbeat}
	if heartbeat == nil {
		s.every = 0
	}
	if s.every > 0 {
		s.lastWrite = time.Now()
		// Locked, because the timer may fire before it is stored.
		s.mu.Lock()
		s.timer = time.AfterFunc(s.every, s.beat)
		s.mu.Unlock()
	}
	return s
}

// write sends bytes to the client at once.
func (s *streamWriter) write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.every > 0 {
		s.lastWrite = time.Now()
	}
	return s.send(p)
}

// leastStream is what net/http keeps back at most, to give a whole answer a length,
// which is not a stream's: 2 KiB, and 4 over HTTP/2.
const leastStream = 4 << 10

// writeLast writes the last bytes. They go out with the end of the body, in one
// piece, when the handler returns; nothing may be written after them.
func (s *streamWriter) writeLast(p []byte) (int, error) {
	s.stop()
	if !s.begun && len(p) <= leastStream {
		return s.send(p)
	}
	n, err := s.w.Write(p)
	if err == nil && s.limit > 0 {
		// Nobody watches what is written after the handler. net/http lifts this after it.
		_ = s.control.SetWriteDeadline(time.Now().Add(s.limit))
	}
	return n, err
}

func (s *streamWriter) send(p []byte) (int, error) {
	s.begun = true
	n, err := s.w.Write(p)
	if err == nil {
		err = s.control.Flush()
	}
	return n, err
}

// beat sends a sign of life if nothing else was sent for a while. An error is
// left for the next write to find: a dead client cancels the request anyway.
func (s *streamWriter) beat() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return
	}
	next := s.every - time.Since(s.lastWrite)
	if next <= 0 {
		_, _ = s.send(s.heartbeat)
		s.lastWrite, next = time.Now(), s.every
	}
	s.timer.Reset(next)
}

// stop ends the heartbeat: nothing may write once the handler has returned.
func (s *streamWriter) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = true
	if s.timer != nil {
		s.timer.Stop()
	}
}
