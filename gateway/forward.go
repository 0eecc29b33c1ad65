package gateway

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/caddyllm/llmproxy/usage"
)

// Calls that are passed on without being understood: images, audio, moderations,
// rerank, and completions of the old form. A JSON answer is read whole and
// metered like any other; everything else is passed on as it comes.

// completionsPath is of the one operation among them that answers with text of a model.
const completionsPath = "/completions"

// isJSON tells whether an answer is read whole, or event by event.
func (a *attempt) isJSON(h http.Header) bool {
	switch mediaType(h) {
	case "application/json":
		return true
	case "text/event-stream":
		// The one stream among them whose end can be told.
		return a.path == completionsPath
	}
	return false
}

// isWhole tells whether a call that is passed on got one JSON answer in place of
// the stream that it asked for, which not all providers have.
func (a *attempt) isWhole(h http.Header) bool {
	return a.op == opForward && mediaType(h) == "application/json"
}

var copyBuffers = sync.Pool{New: func() any { b := make([]byte, 32<<10); return &b }}

// relayBytes passes sound, images, text and other streams on as they come.
func (a *attempt) relayBytes(ctx context.Context, response *http.Response) *failure {
	contentType := response.Header["Content-Type"]
	if len(contentType) != 1 || !isPassive(mediaType(response.Header)) {
		return failureOf(errUpstreamProtocol, ambiguous)
	}
	memory := copyBuffers.Get().(*[]byte)
	defer copyBuffers.Put(memory)
	control := http.NewResponseController(a.w)
	for {
		a.watch.expect(a.timeouts.Idle, errStreamStalled)
		n, err := response.Body.Read(*memory)
		if err != nil && !errors.Is(err, io.EOF) {
			return a.brokenBytes(ctx, err)
		}
		a.watch.pause()
		if !a.committed {
			a.w.Header()["Cache-Control"] = headerNoCache
			a.commit(http.StatusOK, contentType, unknownLength)
		}
		if n > 0 {
			failed := a.write((*memory)[:n])
			if failed == nil {
				failed = control.Flush()
			}
			if failed != nil {
				a.noteGone()
				return nil
			}
		}
		if err != nil {
			a.record.Ending = usage.Complete
			return nil
		}
	}
}

// brokenBytes ends an answer that broke off. What has no place for an error is cut,
// so that the client sees that it is not whole.
func (a *attempt) brokenBytes(ctx context.Context, err error) *failure {
	if !a.committed {
		return a.sendFailure(ctx, err)
	}
	if a.gone() {
		a.noteGone()
		return nil
	}
	why := timeoutOf(ctx)
	if why == nil {
		why, a.record.Cause = errStreamBroken, err.Error()
	}
	a.record.Ending, a.record.Error = usage.Broken, why.Class()
	panic(http.ErrAbortHandler)
}

// isPassive tells the media that a browser does not take for a page under the
// gateway's own origin.
func isPassive(media string) bool {
	switch media {
	case "application/octet-stream", "application/ogg", "text/event-stream", "text/plain", "text/vtt", "application/x-subrip":
		return true
	}
	return strings.HasPrefix(media, "audio/") || strings.HasPrefix(media, "image/") && media != "image/svg+xml" || strings.HasPrefix(media, "video/")
}
