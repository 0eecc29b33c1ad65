package gateway

import (
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyllm/llmproxy/internal/sse"
	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/usage"
)

// outlet is where a streamed answer leaves the gateway: to the client while that
// is there, and into the log of a stream to which clients may come back.
type outlet struct {
	// opening orders the header's coming early and its coming with content.
	opening sync.Mutex
	early   *time.Timer
	shut    bool
	// writer is nil until the header is sent.
	writer *streamWriter
	// kept is the stream as it is kept, nil if it is not.
	kept atomic.Pointer[keptStream]
	// numbers tells that events get ids, events how many there were.
	numbers  bool
	events   int
	numbered []byte
	// hasEnd tells that the stream got an end of its own, or an error event;
	// endedBy is that error.
	hasEnd  bool
	endedBy *transform.Error
}

// comment is a sign of life that every parser of server-sent events skips.
var comment = []byte(": keep-alive\n\n")

// heartbeat is the sign of life that clients of the format can take; nil: none.
func (c *call) heartbeat() []byte {
	if own, ok := c.client.(interface{ Heartbeat() []byte }); ok {
		return own.Heartbeat()
	}
	return comment
}

// commitEarly has the header and a sign of life sent after so much silence, so
// that nothing on the way to the client takes it for dead. Nothing of an answer
// is sent: other targets may still be tried, and an error becomes an event of
// the stream.
func (c *call) commitEarly() {
	wait := c.g.Stream.CommitEarly
	if wait <= 0 || !c.routing.stream || c.op != opChat || c.heartbeat() == nil {
		return
	}
	c.opening.Lock()
	defer c.opening.Unlock()
	route := c.plan.Label // of the first plan: another may be made meanwhile
	c.early = time.AfterFunc(time.Until(c.record.Start.Add(wait)), func() {
		c.opening.Lock()
		defer c.opening.Unlock()
		if c.shut || c.writer != nil || c.gone() {
			return
		}
		c.sendStreamHeader(headerStreamUTF8, route)
		_, _ = c.writer.write(c.heartbeat()) // the next write finds the error
	})
}

// commitStream commits a stream. Its header may have gone out already.
func (a *attempt) commitStream(contentType []string) {
	a.opening.Lock()
	defer a.opening.Unlock()
	a.stopEarly()
	if a.writer == nil {
		a.answerHeader()
		a.sendStreamHeader(contentType, a.plan.Label)
	}
	a.committed = true
	a.releaseRequest()
	a.watch.commit()
	a.record.Status = http.StatusOK
	a.opened(contentType)
	a.answered()
}

// tell writes what the header tells. One that has gone out early takes no more.
func (c *call) tell(write func(h http.Header)) {
	c.opening.Lock()
	defer c.opening.Unlock()
	if c.writer == nil {
		write(c.w.Header())
	}
}

// stopEarly keeps the header from being sent early from now on.
func (c *call) stopEarly() {
	c.shut = true
	if c.early != nil {
		c.early.Stop()
	}
}

// sendStreamHeader sends the header of a stream, and its name if it is kept.
func (c *call) sendStreamHeader(contentType []string, route string) {
	h := c.w.Header()
	setStreamHeader(h, contentType)
	if c.mayBeKept() {
		if kept := c.g.Kept.begin(c, contentType, route); kept != nil {
			h[headerStreamID] = []string{kept.id}
			c.kept.Store(kept)
			c.numbers = c.client.Format() != transform.Gemini // whose SDKs take no ids
		}
	}
	c.announceCost(unknownLength)
	c.w.WriteHeader(http.StatusOK)
	c.writer = newStreamWriter(c.w, c.g.Stream.Heartbeat, c.heartbeat())
}

func setStreamHeader(h http.Header, contentType []string) {
	h["Content-Type"] = contentType
	h["Cache-Control"] = headerNoCache
	h["X-Accel-Buffering"] = headerNo
}

// send writes whole events to whoever listens. It is false once nobody is to
// hear the rest.
func (c *call) send(events []byte) bool {
	if len(events) == 0 {
		return true
	}
	if c.endedBy == nil { // those who follow are told of an error by their own calls
		c.cache.append(events)
	}
	events = c.keepEvents(events)
	if !c.gone() {
		write := c.writer.write
		if c.hasEnd && !c.lingers() {
			c.writer.limit = c.g.Limits.WriteStall
			write = c.writer.writeLast
		}
		n, err := write(events)
		c.record.BytesOut += int64(n)
		if err == nil {
			return true
		}
	}
	c.depart()
	return !c.isForsaken()
}

// keepEvents writes events into the log, and gives them the ids under which they
// are found there.
func (c *call) keepEvents(events []byte) []byte {
	kept := c.kept.Load()
	if kept == nil && !c.numbers {
		return events
	}
	out := c.numbered[:0]
	for block := range sse.Blocks(events) {
		begin := len(out)
		if !sse.HasData(block) {
			out = append(out, block...) // a comment is for now
			continue
		}
		c.events++
		if c.numbers {
			out = sse.AppendNumbered(out, block, c.events)
		} else {
			out = append(out, block...)
		}
		if kept != nil && !kept.log.Append(out[begin:]) {
			kept = nil
			c.stopKeeping()
		}
	}
	if c.numbered = out; cap(out) > maxHeld {
		c.numbered = nil
	}
	return out
}

// stopKeeping forgets a stream that has grown too large. Who listens to the rest
// of it can be counted no more.
func (c *call) stopKeeping() {
	if kept := c.kept.Swap(nil); kept != nil {
		c.g.Kept.forget(kept)
		c.reconsider()
	}
}

// failInStream writes an error as the stream's end, if the stream has begun.
func (c *call) failInStream(e *transform.Error) bool {
	c.opening.Lock()
	c.stopEarly()
	begun := c.writer != nil
	c.opening.Unlock()
	if !begun {
		return false
	}
	c.record.Status = http.StatusOK
	if e != errClientGone { //nolint:errorlint // a sentinel of this package
		c.endStream(c.client.AppendStreamError(nil, e, c.record.RequestID), e)
	}
	return true
}

// lingers tells whether the handler may have something to do at the end that the
// client need not wait for, or whether the end can't be bounded as over HTTP/1.
func (c *call) lingers() bool {
	if c.cache != nil || c.payload != nil || c.r.ProtoMajor != 1 {
		return true
	}
	if c.g.Quotas == nil {
		return false
	}
	limiter := c.limiter()
	return limiter != nil && limiter.Remote()
}

// endStream writes the last events of a stream: its own end, or an error.
func (c *call) endStream(events []byte, by *transform.Error) {
	c.hasEnd, c.endedBy = true, by
	c.send(events)
	if c.gone() {
		c.record.Ending, c.record.Error = usage.ClientGone, errClientGone.Class()
	}
}

// closeStream ends what goes on beside the call. It runs deferred, before the call is settled.
func (c *call) closeStream() {
	c.opening.Lock()
	c.stopEarly()
	c.opening.Unlock()
	c.disperse()
	if c.writer != nil {
		c.writer.stop()
	}
	kept := c.kept.Load()
	switch {
	case kept == nil:
	case c.hasEnd:
		c.g.Kept.end(kept, c.endedBy, c.g.Stream.Resumable)
	default: // given up, or a panic
		c.g.Kept.forget(kept)
	}
}
