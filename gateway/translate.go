package gateway

import (
	"slices"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/providers"
	"github.com/caddyllm/llmproxy/routing"
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
	if err := c.decodeInto(d); err != nil {
		return err
	}
	if d.chat != nil {
		d.chat.Model, d.chat.Stream = c.routing.model, c.routing.stream
		c.recall(d.chat)
		d.chat.PairResults(&d.lost)
	}
	c.decoded = d
	return nil
}

func (c *call) decodeInto(d *decodedRequest) (err error) {
	switch c.op {
	case opEmbeddings:
		client, ok := c.client.(transform.EmbeddingClient)
		if !ok {
			return errNoEmbeddings
		}
		d.embedding, err = client.DecodeEmbeddingRequest(c.body.bytes, &d.lost)
	case opCount:
		client, ok := c.client.(transform.CountClient)
		if !ok {
			return errUnknownPath
		}
		d.chat, err = client.DecodeCountRequest(c.body.bytes, &d.lost)
	default:
		d.chat, err = c.client.DecodeRequest(c.body.bytes, &d.lost)
	}
	return err
}

// translate writes the request in the provider's format. What is advisory and
// has no place there is left out and reported; what is essential is refused,
// unless the route says otherwise.
func (a *attempt) translate(out *buffer) error {
	if err := a.decode(); err != nil {
		return err
	}
	lost, err := a.encode(out)
	if len(lost.Refused) > 0 && a.g.Media != nil && a.decoded.chat != nil {
		fetched, failed := a.fetchMedia(lost.Refused)
		if failed != nil {
			return failed
		}
		if fetched {
			lost, err = a.encode(out)
		}
	}
	// What was refused may be why the encoder found nothing left to write.
	if refused := slices.Concat(a.decoded.lost.Refused, lost.Refused); len(refused) > 0 && a.onUnsupported() != routing.DropUnsupported {
		return unsupported(refused, a.endpoint.Codec.Format())
	}
	if err != nil {
		return err
	}
	a.dropped(a.decoded.lost.Dropped...)
	a.dropped(lost.Dropped...)
	if edits := a.endpoint.Edits; edits != nil {
		a.complete(out, edits)
	}
	return nil
}

// encode writes the neutral request for the target.
func (a *attempt) encode(out *buffer) (lost transform.Losses, err error) {
	out.bytes = out.bytes[:0]
	to := transform.Target{Model: a.target.Model, Stream: a.streams, Vendor: a.endpoint.Vendor}
	switch a.op {
	case opEmbeddings:
		codec, ok := a.endpoint.Codec.(transform.EmbeddingProvider)
		if !ok {
			return lost, errNoEmbeddings
		}
		out.bytes, err = codec.AppendEmbeddingRequest(out.bytes, a.decoded.embedding, to, &lost)
	case opCount:
		codec, ok := a.endpoint.Codec.(transform.CountProvider)
		if !ok {
			return lost, errInternal
		}
		out.bytes, err = codec.AppendCountRequest(out.bytes, a.decoded.chat, to, &lost)
	default:
		out.bytes, err = a.endpoint.Codec.AppendRequest(out.bytes, a.decoded.chat, to, &lost)
	}
	return lost, err
}

// complete adds to a translated request what the provider wants beside its
// format, and leaves out what it takes from elsewhere.
func (a *attempt) complete(out *buffer, edits *providers.Edits) {
	if len(edits.Set) == 0 && len(edits.Omit) == 0 && edits.Betas == "" {
		return
	}
	members, err := jsonbytes.Scan(nil, out.bytes, 0)
	if err != nil {
		return // an encoder's mistake, which the provider will name
	}
	var patch jsonbytes.Patch
	for _, m := range edits.Set {
		patch.Set(m.Name, m.Value)
	}
	if edits.Betas != "" && a.sameFormat() {
		if betas := a.betas(); betas != nil {
			patch.Set(edits.Betas, betas)
		}
	}
	for _, name := range edits.Omit {
		patch.Remove(name)
	}
	out.bytes = patch.Append(nil, out.bytes, members)
}
