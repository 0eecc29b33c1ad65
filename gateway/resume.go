package gateway

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/caddyllm/llmproxy/internal/broadcast"
	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/usage"
)

// A client that lost the connection comes back with the stream's name in
// X-Llm-Stream-Id and the last event that it got in Last-Event-ID, by the same
// method, on the same path and with the same key. It gets the rest of the same
// answer, live; no provider is asked, and nothing is charged but a request.

// headerStreamID names a stream, to the client and by the client.
const headerStreamID = "X-Llm-Stream-Id"

// asksToResume tells whether the client came back to a stream: no such request
// ever begins a new answer.
func (c *call) asksToResume() bool {
	return c.r.Header[headerStreamID] != nil && (c.op == opChat || c.path == completionsPath)
}

// mayBeKept tells whether the stream is one to which clients may come back.
// Those that take an array have no events to count.
func (c *call) mayBeKept() bool {
	return c.g.Stream.Resumable > 0 && c.g.Kept != nil && !isArray(c.client)
}

var errLastEvent = &transform.Error{
	Kind: transform.ErrBadRequest, Code: "invalid_value", NoRetry: true,
	Message: "Last-Event-ID must be the number of the last event that arrived, or be left out for all of them.",
}

// streamNotFound says the same of every stream that the caller cannot have.
func streamNotFound(kept time.Duration) *transform.Error {
	message := "This gateway keeps no streams: ask again without X-Llm-Stream-Id."
	if kept > 0 {
		message = "There is no such stream, or no such event of it: ask again without X-Llm-Stream-Id. Streams are kept for " + kept.String() + "."
	}
	return &transform.Error{Kind: transform.ErrNotFound, Code: "stream_not_found", Message: message, NoRetry: true}
}

// errNoFurther ends the reading of a stream that is not kept any longer.
var errNoFurther = &transform.Error{
	Kind: transform.ErrUpstream, Code: "stream_not_kept", NoRetry: true,
	Message: "The stream has grown larger than this gateway keeps: the rest of it went to the first connection only.",
}

// resume serves the rest of a stream that another call makes.
func (c *call) resume() error {
	c.resumed, c.record.Stream = true, true
	after, err := c.lastEvent()
	if err != nil {
		return err
	}
	if err := c.skipBody(); err != nil {
		return err
	}
	c.guard()
	if c.g.Kept == nil {
		return streamNotFound(0)
	}
	stream, live := c.g.Kept.join(c.r.Header.Get(headerStreamID), c)
	if stream == nil {
		return streamNotFound(c.g.Stream.Resumable)
	}
	defer c.g.Kept.leave(stream)
	if live != nil {
		live.join()
		defer live.leave()
	}
	reader, err := stream.log.NewReader(after)
	if err != nil {
		return streamNotFound(c.g.Stream.Resumable)
	}
	if err := c.reserveRequest(); err != nil {
		return err
	}
	c.record.RequestedModel, c.record.Route = stream.model, stream.route
	c.follow(reader, stream)
	return nil
}

// lastEvent is how many events the client has.
func (c *call) lastEvent() (int, error) {
	text := c.r.Header.Get("Last-Event-Id")
	if text == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0, errLastEvent
	}
	return n, nil
}

// skipBody reads the request to its end, without which net/http does not notice
// that a client leaves. What it says does not matter.
func (c *call) skipBody() error {
	_, err := io.Copy(io.Discard, http.MaxBytesReader(c.w, c.r.Body, c.g.Limits.Body))
	return bodyError(err)
}

// follow writes events as they come, until the stream ends.
func (c *call) follow(from *broadcast.Reader, stream *keptStream) {
	h := c.w.Header()
	setStreamHeader(h, stream.contentType)
	h[headerStreamID] = []string{stream.id}
	c.committed, c.record.Status = true, http.StatusOK
	begin := time.Now()
	defer func() { c.record.Waited += time.Since(begin) }() // all of it is another call's time
	c.w.WriteHeader(http.StatusOK)
	c.writer = newStreamWriter(c.w, c.g.Stream.Heartbeat, c.heartbeat())
	_, failed := c.writer.write(nil) // the header, should the stream be silent
	for failed == nil {
		events, err := from.Next(c.r.Context())
		if err != nil {
			c.followed(err)
			return
		}
		var n int
		n, failed = c.writer.write(events)
		c.record.BytesOut += int64(n)
	}
	c.followed(context.Canceled)
}

// followed notes how the reading of a stream ended.
func (c *call) followed(outcome error) {
	var e *transform.Error
	switch {
	case errors.Is(outcome, io.EOF):
		c.record.Ending = usage.Complete
		return
	case errors.Is(outcome, broadcast.ErrTruncated):
		e = c.say(errNoFurther)
	case errors.Is(outcome, errForgotten):
		e = c.say(errStreamBroken)
	case !errors.As(outcome, &e):
		c.record.Ending, c.record.Error = usage.ClientGone, errClientGone.Class()
		return
	}
	c.record.Ending, c.record.Error = usage.Broken, e.Class()
}

// say writes an error that is not in the stream itself.
func (c *call) say(e *transform.Error) *transform.Error {
	n, _ := c.writer.write(c.client.AppendStreamError(nil, e, c.record.RequestID)) // nobody is left to tell
	c.record.BytesOut += int64(n)
	return e
}
