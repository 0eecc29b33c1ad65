package gateway

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"

	"github.com/caddyllm/llmproxy/internal/awsstream"
	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/internal/sse"
	"github.com/caddyllm/llmproxy/providers"
	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/usage"
)

// Answers that come in another manner than they were asked for: whole in place of
// a stream, or as a stream in place of a whole one. Some providers do not know the
// other manner, some ignore what they are asked. The client gets what it asked for.

// chatEndpoint is where a call to a model goes. One that knows one manner only is
// asked in that.
func (a *attempt) chatEndpoint() providers.Endpoint {
	call := a.ask()
	endpoint := a.target.Upstream.Chat(call)
	if call.Stream && endpoint.Whole || !call.Stream && endpoint.StreamOnly {
		call.Stream = !call.Stream
		endpoint = a.target.Upstream.Chat(call)
	}
	a.streams = call.Stream
	return endpoint
}

// otherManner asks for it in a request that is passed on.
func (a *attempt) otherManner(patch *jsonbytes.Patch) {
	patch.Set("stream", strconv.AppendBool(nil, a.streams))
	if !a.streams && a.has("stream_options") {
		patch.Remove("stream_options") // which belong to streams
	}
}

// unframed is an answer to a streaming request that does not come as the stream
// that was expected.
func (a *attempt) unframed(ctx context.Context, response *http.Response) *failure {
	if framing, ok := a.framingOf(response.Header); ok {
		return a.relayCollected(ctx, response.Body, framing)
	}
	in := newBuffer()
	defer in.release()
	a.watch.expect(a.timeouts.Total, errUpstreamTimeout) // it comes when it is whole
	if failed := a.readWhole(ctx, response, in); failed != nil {
		return failed
	}
	var answer *transform.Response
	err := error(errUpstreamProtocol)
	if a.op == opChat && mediaType(response.Header) == "application/json" {
		answer, err = a.endpoint.Codec.DecodeResponse(in.bytes)
	} else if _, failed := a.endpoint.Codec.InspectResponse(in.bytes); failed != nil {
		err = failed
	}
	if err != nil {
		return a.unreadable(err, in.bytes, contentType(true, response.Header))
	}
	return a.relayResponse(answer)
}

// unreadable is an answer that is none: usually an error that says 200.
func (a *attempt) unreadable(err error, body []byte, contentType []string) *failure {
	var e *transform.Error
	switch {
	case err == error(errUpstreamProtocol): //nolint:errorlint // a sentinel of this package
	case errors.As(err, &e):
		return a.insideFailure(e, a.readable(body), contentType)
	default:
		a.record.Cause = err.Error()
	}
	return failureOf(errUpstreamProtocol, ambiguous)
}

// framingOf tells how a stream is framed that was not expected; false if the
// answer is none, or not of a model.
func (a *attempt) framingOf(h http.Header) (transform.Framing, bool) {
	if a.op != opChat {
		return 0, false
	}
	switch mediaType(h) {
	case "text/event-stream":
		return transform.FramingSSE, true
	case "application/x-ndjson", "application/ndjson", "application/jsonl":
		return transform.FramingNDJSON, true
	case "application/vnd.amazon.eventstream":
		if a.endpoint.Codec.Format() == transform.Converse {
			return transform.FramingAWS, true
		}
		return transform.FramingAWSChunks, true
	}
	return 0, false
}

// beginsObject tells whether a body that should be an array is one object instead.
// What is read of it stays in the body.
func beginsObject(response *http.Response) bool {
	var read []byte
	for {
		var next [1]byte
		n, err := response.Body.Read(next[:])
		read = append(read, next[:n]...)
		space := n == 1 && bytes.IndexByte([]byte(" \t\r\n"), next[0]) >= 0
		if err == nil && (n == 0 || space) && len(read) < maxHeld {
			continue
		}
		response.Body = struct {
			io.Reader
			io.Closer
		}{io.MultiReader(bytes.NewReader(read), response.Body), response.Body}
		return n == 1 && next[0] == '{'
	}
}

// relayCollected gathers a stream and answers with what it says.
func (a *attempt) relayCollected(ctx context.Context, body io.Reader, framing transform.Framing) *failure {
	g := gatherer{attempt: a, decoder: a.endpoint.Codec.NewStreamDecoder(), said: transform.Collector{Max: a.g.Limits.Answer}}
	in := a.eventReaderOf(framing, new(sse.Buffer))
	if failed := g.gather(ctx, in, body); failed != nil {
		a.delivered = g.estimate.Tokens()
		return failed
	}
	return a.relayResponse(g.said.Response())
}

// gatherer reads one stream to its end.
type gatherer struct {
	*attempt
	decoder  transform.StreamDecoder
	said     transform.Collector
	estimate usage.StreamEstimate
	deltas   []transform.Delta
	done     bool // [DONE] was said
}

func (g *gatherer) gather(ctx context.Context, in eventReader, body io.Reader) *failure {
	for {
		within := g.timeouts.Idle
		if g.decoder.Ended() {
			within = lastWords
		}
		g.watch.expect(within, errStreamStalled)
		_, err := in.Fill(body)
		for event, ok := in.Next(); ok; event, ok = in.Next() {
			if failed := g.take(&event); failed != nil {
				return failed
			}
		}
		if err == nil && !g.done {
			continue
		}
		if tail, ok := in.Tail(); errors.Is(err, io.EOF) && ok && wholeData(tail.Data) {
			if failed := g.take(&tail); failed != nil {
				return failed
			}
		}
		switch {
		case g.decoder.Ended():
			return nil
		case g.done:
			err = io.EOF
		case g.isForsaken():
			return g.clientGone()
		}
		return failureOf(g.streamError(ctx, err), ambiguous)
	}
}

func (g *gatherer) take(e *sse.Event) *failure {
	if e.Data == nil {
		return nil
	}
	g.done = g.done || string(e.Data) == "[DONE]"
	g.look(e.Data)
	var err error
	if g.deltas, err = g.decoder.Decode(g.deltas[:0], e.Name, e.Data); err != nil {
		g.record.Cause = err.Error()
		return failureOf(errUpstreamProtocol, ambiguous)
	}
	for i := range g.deltas {
		d := &g.deltas[i]
		if d.Kind == transform.DeltaError {
			return g.insideFailure(d.Err, nil, nil)
		}
		if d.Content() {
			g.estimate.Add(len(e.Data))
		}
		if g.said.Add(d) != nil {
			return failureOf(errAnswerTooLarge, ambiguous)
		}
	}
	return nil
}

// streamError puts into words how a stream broke off.
func (a *attempt) streamError(ctx context.Context, err error) *transform.Error {
	switch {
	case errors.Is(err, sse.ErrTooLarge):
		return errEventTooLarge
	case errors.Is(err, awsstream.ErrCorrupt):
		a.record.Cause = err.Error()
		return errUpstreamProtocol
	case a.isForsaken():
		return errClientGone
	}
	if cause := timeoutOf(ctx); cause != nil {
		return cause
	}
	a.record.Cause = err.Error()
	return errStreamBroken
}

// relayResponse answers with an answer in neutral form, in the manner that the
// client asked for.
func (a *attempt) relayResponse(answer *transform.Response) *failure {
	summary := answer.Summary()
	a.note(summary)
	if failed := a.worthless(summary); failed != nil {
		return failed
	}
	if a.forNobody() {
		return a.heardOut()
	}
	a.remember(answer)
	if a.makesPins() {
		a.pinAnswer(answer)
	}
	_ = a.decode() // whose failure leaves an answer without the request's names
	var chat *transform.Request
	if a.decoded != nil {
		chat = a.decoded.chat
	}
	if a.routing.stream {
		a.commitReplay(a.replay(answer, chat))
		return nil
	}
	out := a.client.AppendResponse(nil, answer, chat)
	if a.remembersItems() {
		a.rememberItems(jsonbytes.Parse(out))
	}
	a.commitAnswer(out, headerJSON)
	return nil
}

// replay is the stream that says the answer.
func (a *attempt) replay(answer *transform.Response, chat *transform.Request) []byte {
	encoder := a.client.NewStreamEncoder(chat)
	var out []byte
	var said usage.StreamEstimate
	deltas := transform.Replay(nil, answer)
	for i := range deltas {
		before := len(out)
		if out = encoder.Append(out, &deltas[i]); deltas[i].Content() {
			said.Add(len(out) - before)
		}
	}
	a.delivered = said.Tokens()
	begin := len(out)
	out = encoder.AppendEnd(out)
	if a.remembersItems() {
		a.rememberItems(lastResponse(out[begin:]))
	}
	return out
}

func (a *attempt) commitReplay(out []byte) {
	a.commitStream(a.streamType())
	a.record.Ending, a.whole = usage.Complete, true
	a.endStream(out, nil)
}

// commitAnswer answers with a whole body.
func (a *attempt) commitAnswer(out []byte, contentType []string) {
	a.whole = true // or what it costs would be taken for a part
	a.commit(http.StatusOK, contentType, len(out))
	a.record.Ending = usage.Complete
	a.landWhole(out, contentType)
	if err := a.write(out); err != nil {
		a.noteGone()
	}
}
