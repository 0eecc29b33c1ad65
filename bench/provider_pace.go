package main

import (
	"net"
	"sync/atomic"
	"time"
)

// pacer writes the events of all streams of one delay. That they have it in
// common keeps them in order in a queue: one goroutine does for thousands.
type pacer struct {
	delay time.Duration
	queue chan *paced
}

// paced is a stream that is being played.
type paced struct {
	conn   net.Conn
	script *script
	user   string
	next   int
	due    time.Time
	over   atomic.Bool
}

// mostPaced is how many streams of one delay there may be.
const mostPaced = 1 << 16

func (p *provider) pacer(delay time.Duration) *pacer {
	if found, ok := p.pacers.Load(delay); ok {
		return found.(*pacer)
	}
	found, loaded := p.pacers.LoadOrStore(delay, &pacer{delay: delay, queue: make(chan *paced, mostPaced)})
	if !loaded {
		go found.(*pacer).run()
	}
	return found.(*pacer)
}

func (p *pacer) run() {
	var out []byte
	for s := range p.queue {
		if s.over.Load() {
			continue
		}
		if wait := time.Until(s.due); wait > 0 {
			time.Sleep(wait)
		}
		last := s.next == len(s.script.frames)-1
		if last {
			s.over.Store(true) // before the client can ask for the next one
		}
		out = s.script.appendFrame(out[:0], s.next)
		if _, err := s.conn.Write(out); err != nil || last {
			continue // who closed the connection is noted by its session
		}
		s.next++
		s.due = s.due.Add(p.delay)
		p.queue <- s
	}
}
