package gateway

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/usage"
)

// relayAnswer reads a whole JSON answer before any of it goes to the client, so
// that one that breaks off can still be had elsewhere.
func (a *attempt) relayAnswer(ctx context.Context, response *http.Response) *failure {
	if framing, ok := a.framingOf(response.Header); ok {
		return a.relayCollected(ctx, response.Body, framing)
	}
	if mediaType(response.Header) == "text/event-stream" {
		return failureOf(errUpstreamProtocol, ambiguous)
	}
	in := newBuffer()
	defer in.release()
	if failed := a.readWhole(ctx, response, in); failed != nil {
		return failed
	}
	a.heard(time.Now())
	if a.op == opChat && a.endpoint.Codec.Format() == transform.Gemini && isArrayText(in.bytes) {
		return a.relayCollected(ctx, bytes.NewReader(in.bytes), transform.FramingArray)
	}
	contentType := contentType(a.same, response.Header)
	out, summary, failed := a.renderAnswer(in.bytes, contentType)
	if failed != nil {
		return failed
	}
	a.note(summary)
	if failed := a.worthless(summary); failed != nil {
		return failed
	}
	if a.forNobody() {
		return a.heardOut()
	}
	if a.makesPins() {
		a.pinResponse(jsonbytes.Parse(in.bytes))
	}
	a.commitAnswer(out, contentType)
	return nil
}

// readWhole reads the body of an answer, which is bounded.
func (a *attempt) readWhole(ctx context.Context, response *http.Response, in *buffer) *failure {
	limit := int64(a.g.Limits.Answer)
	if n := response.ContentLength; n > limit {
		return failureOf(errAnswerTooLarge, ambiguous)
	} else if n >= int64(cap(in.bytes)) {
		in.bytes = make([]byte, 0, n+1)
	}
	var err error
	if in.bytes, err = readAll(in.bytes, response.Body, limit); err != nil {
		a.delivered = usage.EstimateBytes(len(in.bytes)) // which the provider has written, and will charge for
		if errors.Is(err, errTooMuch) {
			return failureOf(errAnswerTooLarge, ambiguous)
		}
		a.delivered = usage.EstimateBytes(len(in.bytes)) // the provider made it all, and more
		return a.sendFailure(ctx, err)
	}
	a.look(in.bytes)
	return nil
}

func isArrayText(body []byte) bool {
	body = bytes.TrimLeft(body, " \t\r\n")
	return len(body) > 0 && body[0] == '['
}

// renderAnswer is the answer as the client gets it: the provider's bytes, or a translation.
func (a *attempt) renderAnswer(body []byte, contentType []string) ([]byte, transform.Summary, *failure) {
	var summary transform.Summary
	var err error
	out := body
	switch {
	case a.same && a.op == opCount:
		err = a.checkCount(body)
	case a.same:
		summary, err = a.endpoint.Codec.InspectResponse(body)
	case a.op == opEmbeddings:
		out, summary, err = a.translateEmbeddings(body)
	case a.op == opCount:
		out, err = a.translateCount(body)
	default:
		out, summary, err = a.translateAnswer(body)
	}
	if err == nil {
		return out, summary, nil
	}
	var e *transform.Error
	if !errors.As(err, &e) {
		a.record.Cause = err.Error()
		return nil, summary, failureOf(errUpstreamProtocol, ambiguous)
	}
	return nil, summary, a.insideFailure(e, a.readable(body), contentType)
}

// readable is an error's body if the client's SDK can read it, else nil.
func (a *attempt) readable(body []byte) []byte {
	if a.client.IsError(body) {
		return body
	}
	return nil
}

// insideFailure is a provider's error in an answer whose status says 200, and
// how it was said, if that is known.
func (a *attempt) insideFailure(e *transform.Error, said []byte, contentType []string) *failure {
	inner := *e
	a.hideEchoes(&inner)
	failed := failureOf(&inner, verdictOf(e.HTTPStatus(), e.Kind))
	failed.ofKey = blamesKey(e.Kind)
	switch {
	case failed.hideCredential():
	case a.same && said != nil && a.mayPass(said):
		failed.inItsOwnWords(http.StatusOK, contentType, bytes.Clone(said))
	default:
		a.putIntoOurWords(&inner)
	}
	return failed
}

func (a *attempt) translateAnswer(body []byte) ([]byte, transform.Summary, error) {
	answer, err := a.endpoint.Codec.DecodeResponse(body)
	if err != nil {
		return nil, transform.Summary{}, err
	}
	a.remember(answer)
	out := a.client.AppendResponse(nil, answer, a.decoded.chat)
	if a.remembersItems() {
		a.rememberItems(jsonbytes.Parse(out))
	}
	return out, answer.Summary(), nil
}

func (a *attempt) translateEmbeddings(body []byte) ([]byte, transform.Summary, error) {
	codec, ok := a.endpoint.Codec.(transform.EmbeddingProvider)
	if !ok {
		return nil, transform.Summary{}, errNoEmbeddings
	}
	answer, err := codec.DecodeEmbeddingResponse(body)
	if err != nil {
		return nil, transform.Summary{}, err
	}
	if !answer.Usage.Known {
		answer.Usage.Input, answer.Usage.Estimated = a.estimateInput(), true
	}
	if answer.Model == "" {
		answer.Model = a.target.Model
	}
	client, ok := a.client.(transform.EmbeddingClient)
	if !ok {
		return nil, transform.Summary{}, errNoEmbeddings
	}
	out, err := client.AppendEmbeddingResponse(nil, answer, a.decoded.embedding)
	return out, transform.Summary{Usage: answer.Usage}, err
}

// contentType is the provider's where its bytes are passed on.
func contentType(same bool, h http.Header) []string {
	value := h["Content-Type"]
	if !same || len(value) != 1 {
		return headerJSON
	}
	// Nothing else is shown under the gateway's own origin, such as HTML.
	switch mediaType(h) {
	case "application/json", "text/event-stream":
		return value
	}
	return headerJSON
}

// commit sends the header of an answer. There is no way back from here.
func (a *attempt) commit(status int, contentType []string, length int) {
	a.committed = true
	a.watch.commit()
	h := a.w.Header()
	h["Content-Type"] = contentType
	if length >= 0 {
		h["Content-Length"] = []string{strconv.Itoa(length)}
	}
	a.answerHeader()
	a.announceCost(length)
	a.record.Status = status
	a.answered()
	a.w.WriteHeader(status)
}

// write sends bytes of an answer to the client.
func (c *call) write(p []byte) error {
	n, err := c.w.Write(p)
	c.record.BytesOut += int64(n)
	return err
}
