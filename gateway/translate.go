package gateway

import (
	"github.com/caddyllm/llmproxy/transform"
)

// decodedRequest is a request in neutral form. It is made once, when the first
// target of another format needs it, and shared by all of them.
type decodedRequest struct {
	chat      *transform.Request
	embedding *transform.EmbeddingRequest
	lost      transform.Losses
}

// decode brings the request into neutral form.
func (c *call) decode() error {
	if c.decoded != nil {
		return nil
	}
	d := new(decodedRequest)
	var err error
	if c.op == opEmbeddings {
		d.embedding, err = c.client.DecodeEmbeddingRequest(c.body.bytes, &d.lost)
	} else if d.chat, err = c.client.DecodeRequest(c.body.bytes, &d.lost); err == nil {
		c.recall(d.chat)
	}
	if err != nil {
		return err
	}
	c.decoded = d
	return nil
}

// translate writes the request in the provider's format. What is advisory and
// has no place there is left out and reported; what is essential is refused.
func (a *attempt) translate(out *buffer) error {
	if err := a.decode(); err != nil {
		return err
	}
	to := transform.Target{Model: a.target.Model, Stream: a.routing.stream, Vendor: a.endpoint.Vendor}
	var lost transform.Losses
	var err error
	if a.op == opEmbeddings {
		codec, ok := a.endpoint.Codec.(transform.EmbeddingProvider)
		if !ok {
			return errNoEmbeddings
		}
		out.bytes, err = codec.AppendEmbeddingRequest(out.bytes, a.decoded.embedding, to, &lost)
	} else {
		out.bytes, err = a.endpoint.Codec.AppendRequest(out.bytes, a.decoded.chat, to, &lost)
	}
	// What was refused may be why the encoder found nothing left to write.
	refused := append(a.decoded.lost.Refused[:len(a.decoded.lost.Refused):len(a.decoded.lost.Refused)], lost.Refused...)
	if len(refused) > 0 {
		return unsupported(refused, a.endpoint.Codec.Format())
	}
	if err != nil {
		return err
	}
	a.dropped(a.decoded.lost.Dropped...)
	a.dropped(lost.Dropped...)
	return nil
}
