package testllm

import (
	"context"
	"maps"
	"net"
	"net/http"
	"time"
)

// player answers one call and keeps its ledger entry true.
type player struct {
	server *Server
	w      http.ResponseWriter
	ctx    context.Context
	index  int
	gate   <-chan struct{}
}

func (p *player) answer(r Reply, q request) {
	if r.Hold {
		if !p.await(p.gate) {
			return
		}
		// A stall later on waits for a release of its own.
		p.gate = p.server.currentGate()
	}
	if !p.pause(r.Delay) {
		return
	}
	if r.ResetConnection {
		p.finish()
		disconnect(p.w, Reset)
		return
	}
	p.play(newPlan(r, q, p.index, p.server.modelNames()), r.ChunkDelay)
}

func (p *player) play(plan plan, chunkDelay time.Duration) {
	maps.Copy(p.w.Header(), plan.header)
	p.w.WriteHeader(plan.status)
	// An ordinary body travels together with its headers: a client that closes
	// it unread has still received it.
	if plan.early && p.flush() != nil {
		p.lose()
		return
	}
	sent := 0
	for i, write := range plan.writes {
		if i == plan.stall && !p.await(p.gate) {
			return
		}
		if i > 0 && !p.pause(chunkDelay) {
			return
		}
		if p.ctx.Err() != nil {
			p.lose()
			return
		}
		sent += write.content
		// The ledger is brought up to date before the write, so that a client
		// that has read something finds it there.
		last := i == len(plan.writes)-1 && plan.stall <= i
		p.bill(plan, sent, last)
		if p.write(write.data) != nil {
			p.lose()
			return
		}
	}
	if plan.stall == len(plan.writes) && !p.await(p.gate) {
		return
	}
	p.finish()
	if plan.ending != 0 {
		disconnect(p.w, plan.ending)
	}
}

func (p *player) write(data []byte) error {
	if len(data) == 0 {
		return nil // a status without body refuses even an empty write
	}
	if _, err := p.w.Write(data); err != nil {
		return err
	}
	return p.flush()
}

func (p *player) flush() error { return http.NewResponseController(p.w).Flush() }

func (p *player) bill(plan plan, sent int, last bool) {
	p.server.ledger.update(p.index, func(c *Call) {
		c.Prompt = plan.usage.Input
		c.Completion = share(plan.usage.Output, sent, plan.content)
		c.Finished = last
	})
}

func (p *player) finish() {
	p.server.ledger.update(p.index, func(c *Call) { c.Finished = true })
}

// lose ends a call whose client has left or whose server is closing. The
// connection is closed lest a client that left only half of it sees an end
// that looks proper.
func (p *player) lose() {
	select {
	case <-p.server.closing:
		p.server.ledger.update(p.index, func(c *Call) { c.Finished = false })
	default:
		p.server.ledger.update(p.index, func(c *Call) { c.Finished, c.Cancelled = false, true })
	}
	disconnect(p.w, FIN)
}

// await waits for a channel to close; false ends the call.
func (p *player) await(ready <-chan struct{}) bool {
	select {
	case <-ready:
		return true
	case <-p.ctx.Done():
	case <-p.server.closing:
	}
	p.lose()
	return false
}

func (p *player) pause(delay time.Duration) bool {
	if delay <= 0 {
		return true
	}
	elapsed := make(chan struct{})
	timer := time.AfterFunc(delay, func() { close(elapsed) })
	defer timer.Stop()
	return p.await(elapsed)
}

// disconnect closes the connection under the response. Nothing of the request
// is left unread, so an orderly close really sends FIN.
func disconnect(w http.ResponseWriter, how Cut) {
	connection, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	if tcp, ok := connection.(*net.TCPConn); ok && how == Reset {
		_ = tcp.SetLinger(0)
	}
	_ = connection.Close()
}
