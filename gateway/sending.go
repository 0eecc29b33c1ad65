package gateway

import (
	"errors"
	"io"

	"github.com/caddyllm/llmproxy/transform"
)

// The transport may send a request again by itself, but only what it knows that
// the provider did not act on: a dead connection never took it, a connection that
// goes away does not count it, or the stream was refused. It asks for the body
// anew then.

// open gives the transport the body.
func (a *attempt) open(body *buffer) io.ReadCloser {
	reader := &a.reader
	if a.lent {
		reader = new(bodyReader) // the transport may still have the first
	}
	a.lent = true
	a.sending.Store(body.read(reader))
	return reader
}

// releaseUpstream gives up what the provider was sent.
func (a *attempt) releaseUpstream() {
	a.upstream.release()
	a.upstream = nil
}

// releaseRequest gives up what was asked, once the answer streams: it may be long,
// and nobody is asked again. A translation goes on looking at it, and so does the
// memory for items of the Responses API.
func (a *attempt) releaseRequest() {
	a.releaseUpstream()
	if !a.same || a.op != opChat || a.client.Format() == transform.Responses {
		return
	}
	a.estimateInput() // of which the bill may have need
	a.record.BytesIn = int64(len(a.body.bytes))
	a.body.release()
	a.body, a.routing.members = nil, nil
}

// sent tells whether anything was sent that the provider could act on: before the
// transport began to read the body, nothing was.
func (a *attempt) sent() bool {
	reader := a.sending.Load()
	return reader != nil && reader.touched.Load()
}

// errResent ends an attempt whose request was turned away twice.
var errResent = errors.New("the provider turned the request away twice")

// reopen gives the transport the body once more. Once is enough: it would wait for
// longer and longer, while the next target may have room.
func (a *attempt) reopen(body *buffer) (io.ReadCloser, error) {
	if a.sent() {
		a.sending.Store(nil)
		if a.resent {
			return nil, errResent
		}
		a.resent = true
	}
	return a.open(body), nil
}
