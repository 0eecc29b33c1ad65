package gateway

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/internal/sse"
	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/usage"
)

// maxHeld is how many bytes may wait for the first content of a stream. A
// provider that sends more skeleton than this is answering.
const maxHeld = 64 << 10

// lastWords is how long a provider may take to close a stream after its end.
const lastWords = 2 * time.Second

// passage is how the events of a provider become the bytes of the client: as
// they are, or translated.
type passage interface {
	// take appends to out what becomes of an event, and says what it means.
	take(out []byte, e *sse.Event) ([]byte, transform.Sign, error)
	// end appends what closes a stream that ended well.
	end(out []byte) []byte
	// fail appends the error that closes a stream that did not.
	fail(out []byte, e *transform.Error) []byte
	ended() bool
	summary() transform.Summary
}

// relay moves one stream from a provider to the client.
type relay struct {
	*attempt
	passage
	in  eventReader
	out []byte // what waits to be written: whole events only
	// filled is when the provider's latest bytes came, until the answer commits.
	filled time.Time
	// delivered guesses the answer's tokens, should the provider not tell.
	delivered usage.StreamEstimate
	// done tells that the provider has said [DONE]: no choice comes after it.
	done bool
	// torn tells that the last event came without its blank line.
	torn bool
	// broken is the error that ends the stream, once there is one.
	broken *transform.Error
}

var streamBuffers = sync.Pool{New: func() any { return new(streamBuffer) }}

type streamBuffer struct {
	in  sse.Buffer
	out []byte
}

// relayStream moves the provider's stream to the client: whole events only, as
// soon as they are there, and nothing before the first content, so that up to
// there another target can take over unseen.
func (a *attempt) relayStream(ctx context.Context, response *http.Response) *failure {
	if !a.framed(response.Header) || a.endpoint.Framing == transform.FramingArray && beginsObject(response) {
		return a.unframed(ctx, response)
	}
	memory := streamBuffers.Get().(*streamBuffer)
	r := &relay{attempt: a, in: a.eventReader(&memory.in), out: memory.out[:0], passage: a.passage()}
	defer func() {
		memory.in.Reset()
		if memory.out = r.out; cap(memory.out) > maxHeld {
			memory.out = nil
		}
		streamBuffers.Put(memory)
	}()
	defer func() {
		a.note(r.summary())
		a.delivered = r.delivered.Tokens()
	}()
	return r.run(ctx, response.Body, contentType(a.same, response.Header))
}

func (r *relay) run(ctx context.Context, body io.Reader, contentType []string) *failure {
	for {
		_, err := r.in.Fill(body)
		if !r.committed {
			r.filled = time.Now()
		}
		content := r.takeEvents()
		if err != nil && r.broken == nil {
			r.broken = r.readEnd(ctx, err)
		}
		r.passLastWords(body, err)
		over := err != nil || r.broken != nil
		if !r.committed {
			if failed := r.mayOpen(content, over, contentType); failed != nil {
				return failed
			}
		}
		if over {
			r.finish()
			return nil
		}
		r.watch.pause() // a client that reads slowly is not the provider's silence
		if r.committed && !r.flush() {
			return nil
		}
		r.expectMore() // which depends on the events, and on the commitment
	}
}

// mayOpen commits the stream once it has content, or has ended.
func (r *relay) mayOpen(content, over bool, contentType []string) *failure {
	if r.broken != nil {
		return r.lost(contentType)
	}
	if r.forNobody() {
		if r.out = r.out[:0]; over {
			return r.heardOut()
		}
		return nil
	}
	nothing := r.worthless(r.summary())
	if over && nothing != nil {
		return nothing
	}
	if content && nothing == nil || over || len(r.out) >= maxHeld {
		r.open(contentType)
	}
	return nil
}

// passLastWords passes on what a provider says after an error in the client's own
// format, such as the event that closes the stream. read is how the last read ended.
func (r *relay) passLastWords(body io.Reader, read error) {
	if _, said := r.passage.(saidItself); !said {
		return
	}
	r.watch.expect(lastWords, errStreamStalled)
	for {
		for event, ok := r.in.Next(); ok && r.mayPass(event.Raw); event, ok = r.in.Next() {
			if event.Data == nil {
				r.out, _, _ = r.take(r.out, &event)
			} else {
				r.out = append(r.out, event.Raw...)
			}
		}
		if read != nil || len(r.out) >= maxHeld {
			return
		}
		_, read = r.in.Fill(body)
	}
}

// expectMore gives the provider time for its next words.
func (r *relay) expectMore() {
	if r.ended() && (r.done || !r.saysDone()) {
		r.watch.expect(lastWords, errStreamStalled)
		return
	}
	r.watch.expect(r.timeouts.Idle, errStreamStalled)
}

// ended tells whether the stream may stop here. Where several answers were asked
// for, those that have begun may have ended before the others begin.
func (r *relay) ended() bool {
	return r.passage.ended() && (r.done || !r.saysDone() || !r.routing.several)
}

// saysDone tells whether the stream's own end is [DONE], to be waited for because
// it is passed on.
func (r *relay) saysDone() bool { return r.same && r.client.Format() == transform.OpenAIChat }

// takeEvents passes on every whole event that has arrived.
func (r *relay) takeEvents() (content bool) {
	for r.broken == nil {
		event, ok := r.in.Next()
		if !ok {
			return content
		}
		content = r.takeEvent(&event) || content
	}
	return content
}

func (r *relay) takeEvent(event *sse.Event) (content bool) {
	held := len(r.out)
	r.look(event.Data)
	r.done = r.done || string(event.Data) == "[DONE]"
	out, sign, err := r.take(r.out, event)
	switch {
	case err != nil:
		r.broken, r.record.Cause = errUpstreamProtocol, err.Error()
	case sign.Err != nil:
		r.broken = sign.Err
		if r.same && !ofCredential(sign.Err) && r.mayPass(event.Raw) {
			// The provider's error in the client's own format says it best.
			r.out, r.passage = out, saidItself{r.passage}
			return false
		}
		if r.same { // a translation has written what came before the error, and nothing of that
			out = out[:held]
		}
	}
	if sign.Content {
		r.delivered.Add(len(event.Data))
	}
	r.out = out
	return sign.Content
}

// readEnd judges the end of the provider's bytes. What it did not end well, it
// did not end.
func (r *relay) readEnd(ctx context.Context, err error) *transform.Error {
	switch tail, ok := r.in.Tail(); {
	case !errors.Is(err, io.EOF):
	case !ok && r.same:
		r.out = append(r.out, tail.Raw...) // the rest of a blank line that came in two pieces
	case ok && wholeData(tail.Data):
		r.takeEvent(&tail) // some providers leave out the last blank line
		r.torn = r.same
	}
	switch {
	case r.broken != nil:
		return r.broken
	case r.ended():
		return nil
	}
	return r.streamError(ctx, err)
}

// wholeData tells a last event without its blank line from half an event.
func wholeData(data []byte) bool {
	return string(data) == "[DONE]" || len(data) > 0 && jsonbytes.Check(data, 0) == nil
}

// lost is a stream that failed before any of it went to the client.
func (r *relay) lost(contentType []string) *failure {
	if r.unheard() {
		return r.clientGone()
	}
	switch r.broken {
	case errStopping:
		return failureOf(r.broken, final)
	case errStreamBroken, errStreamStalled, errUpstreamTimeout, errUpstreamProtocol, errEventTooLarge:
		return failureOf(r.broken, ambiguous)
	}
	var said []byte
	if _, ok := r.passage.(saidItself); ok && r.endpoint.Framing == transform.FramingSSE {
		said = r.out
	}
	return r.insideFailure(r.broken, said, contentType)
}

// open commits the answer.
func (r *relay) open(contentType []string) {
	if !r.same || r.endpoint.Framing == transform.FramingAWSChunks {
		contentType = r.streamType()
	}
	r.heard(r.filled)
	r.commitStream(contentType)
}

// streamType is the content type of a stream that the gateway writes itself.
func (a *attempt) streamType() []string {
	if isArray(a.client) {
		return headerJSON
	}
	return headerStreamUTF8
}

var (
	headerStreamUTF8 = []string{"text/event-stream; charset=utf-8"}
	// no-transform keeps Caddy's encode from holding events back in a compressor.
	headerNoCache = []string{"no-cache, no-transform"}
	headerNo      = []string{"no"}
)

// flush writes what waits. It is false once nobody is to hear the rest.
func (r *relay) flush() bool {
	goesOn := r.send(r.out)
	r.out = r.out[:0]
	if !goesOn {
		r.noteGone()
	}
	return goesOn
}

// finish writes the end of the stream, or the error that stands in its place.
func (r *relay) finish() {
	switch r.broken {
	case nil:
		r.out = r.end(r.out)
		r.record.Ending, r.whole = usage.Complete, true
		r.call.endStream(r.out, nil)
	case errClientGone:
		r.noteGone()
	default:
		failed := r.insideFailure(r.broken, nil, nil)
		if _, said := r.passage.(saidItself); r.torn && !said {
			r.out = append(r.out, "\n\n"...) // or the error would be part of that event
		}
		r.out = r.fail(r.out, failed.err)
		r.record.Ending, r.record.Error = usage.Broken, failed.err.Class()
		r.call.endStream(r.out, failed.err)
	}
	r.out = r.out[:0]
}
