package gateway

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/usage"
)

// settle books a call. It runs deferred, so that it does after a panic too.
func (c *call) settle() {
	c.record.Operation = c.operationName()
	c.record.Duration = sinceStart(&c.record)
	if c.body != nil {
		c.record.BytesIn = int64(len(c.body.bytes))
	}
	c.record.Tokens = c.bill().Plus(c.wasted)
	if c.record.Ending == "" {
		c.record.Ending = c.ending()
		if c.record.Error == "" { // a panic, which goes on from here
			c.record.Error, c.record.ErrorStatus = errInternal.Class(), http.StatusInternalServerError
		}
	}
	if c.endsWithCost {
		c.tellCost(&c.record.Tokens)
	}
	c.settleQuota()
	c.body.release()
	c.endTrace()
	c.g.Observer.Settled(c.r, &c.record)
	c.payload.log(c)
}

func (c *call) ending() usage.Ending {
	switch {
	case c.committed:
		return usage.Broken
	case c.record.Attempts > 0:
		return usage.Failed
	}
	return usage.Refused
}

// bill is what the call consumed. One that a provider accepted is never free:
// where the provider did not say, or could not because the answer broke off,
// what was sent and delivered is estimated.
func (c *call) bill() usage.Tokens {
	tokens := c.record.Tokens.Clamp()
	if !c.accepted || c.op == opCount {
		return tokens
	}
	// A count of an answer that broke off was made before its end: some
	// providers begin with one token. A count of nothing is none.
	sure := tokens.Known && tokens.Total() > 0 && (c.record.Ending == usage.Complete || c.whole)
	tokens.Estimated = tokens.Estimated || !tokens.Known
	if tokens.Input == 0 {
		tokens.Input, tokens.Estimated = c.estimateInput(), true
	}
	if output := c.estimateOutput(); !sure && output > tokens.Output {
		tokens.Output, tokens.Estimated = output, true
	}
	return c.priced(tokens)
}

// bookFailure books an attempt that came to nothing, under the target that it was
// made to. What it consumed is not lost on the call.
func (t *tries) bookFailure(f *failure) {
	if f.verdict == skipped || f.kind == transform.ErrCancelled {
		return // the target was not asked, or it is the client who gave up
	}
	spent, sent := t.bill(), t.record.Attempts > t.booked
	t.booked = t.record.Attempts
	if f.verdict == ambiguous && !t.accepted && t.quota != nil {
		t.quota.doubtful = t.quota.doubtful.Plus(t.inDoubt())
	}
	t.record.Failures = append(t.record.Failures, usage.Failure{
		Provider: t.record.Provider, Model: t.record.Model, Kind: f.kind.String(), Error: f.err.Class(), Cause: t.record.Cause,
		Sent: sent, Tokens: spent,
	})
	t.wasted = t.wasted.Plus(spent)
	t.accepted, t.delivered, t.record.Tokens = false, 0, usage.Tokens{}
}

func (c *call) estimateOutput() int64 {
	switch {
	case c.op != opChat && c.path != completionsPath:
		return 0
	case c.record.Stream || !c.committed:
		return c.delivered
	}
	return usage.EstimateBytes(int(c.record.BytesOut))
}

// note keeps what a provider said of its answer.
func (c *call) note(s transform.Summary) {
	c.record.Tokens = s.Usage
	c.record.Finish = s.Finish.String()
	c.cache.note(s)
}

func sinceStart(r *usage.Record) time.Duration { return time.Since(r.Start) }

// newRequestID is a name for a request that nobody can guess the next of.
func newRequestID() string {
	var id [16]byte
	binary.LittleEndian.PutUint64(id[:8], rand.Uint64()) //nolint:gosec // a name, not a secret
	binary.LittleEndian.PutUint64(id[8:], rand.Uint64()) //nolint:gosec // a name, not a secret
	text := make([]byte, 0, 4+2*len(id))
	return string(hex.AppendEncode(append(text, "req_"...), id[:]))
}

// answerHeader adds what every answer of a provider tells of its way.
func (c *call) answerHeader() {
	h := c.w.Header()
	if c.record.UpstreamRequestID != "" {
		c.names[1] = c.record.UpstreamRequestID
		h["X-Upstream-Request-Id"] = c.names[1:]
	}
	if len(c.record.Dropped) > 0 {
		h["X-Llm-Dropped"] = []string{joinPointers(c.record.Dropped)}
	}
}

// maxDroppedHeader keeps the header far below what clients accept.
const maxDroppedHeader = 2 << 10

// joinPointers lists JSON pointers for a header. A pointer holds member names
// of the client's choice: all but visible ASCII is percent-encoded.
func joinPointers(pointers []string) string {
	const hexDigits = "0123456789ABCDEF"
	var out []byte
	for i, pointer := range pointers {
		if len(out)+len(pointer) > maxDroppedHeader {
			return string(append(out, ", ..."...))
		}
		if i > 0 {
			out = append(out, ", "...)
		}
		for _, b := range []byte(pointer) {
			if b <= ' ' || b >= 0x7f || b == ',' || b == '%' {
				out = append(out, '%', hexDigits[b>>4], hexDigits[b&15])
			} else {
				out = append(out, b)
			}
		}
	}
	return string(out)
}

// writeError answers with an error in the client's format.
func (c *call) writeError(err error) {
	e, status, body := c.errorAnswer(err)
	h := c.w.Header()
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	switch status {
	case http.StatusUnauthorized:
		if h["Www-Authenticate"] == nil { // which another handler may have set
			h["Www-Authenticate"] = []string{"Bearer"}
		}
	case http.StatusUnsupportedMediaType:
		h["Accept-Encoding"] = []string{"identity, gzip, zstd"}
	}
	if e.RetryAfter > 0 {
		h["Retry-After"] = []string{strconv.FormatInt(int64((e.RetryAfter+time.Second-1)/time.Second), 10)}
	}
	if e.NoRetry {
		h["X-Should-Retry"] = []string{"false"}
	}
	c.answerHeader()
	if c.g.CostHeader {
		spent := c.bill().Plus(c.wasted)
		c.tellCost(&spent)
	}
	c.record.Status = status
	c.w.WriteHeader(status)
	_ = c.write(body) // nobody is left to tell
}

// errorAnswer is the provider's own error where that can be shown, else ours.
func (c *call) errorAnswer(err error) (e *transform.Error, status int, body []byte) {
	if !errors.As(err, &e) {
		e = errInternal
	}
	h := c.w.Header()
	var failed *failure
	if errors.As(err, &failed) && failed.body != nil {
		h["Content-Type"] = failed.contentType
		return e, failed.status, failed.body
	}
	h["Content-Type"] = headerJSON
	return e, c.client.Status(e), c.client.AppendError(nil, e, c.record.RequestID)
}
