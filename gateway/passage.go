package gateway

import (
	"bytes"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/internal/sse"
	"github.com/caddyllm/llmproxy/transform"
)

func (a *attempt) passage() passage {
	var pins *attempt
	if a.makesPins() {
		pins = a
	}
	if a.same {
		return &untouched{
			pins:      pins,
			inspector: a.endpoint.Codec.NewStreamInspector(),
			codec:     a.client, requestID: a.record.RequestID,
			hideUsage: !a.routing.includeUsage, unclosed: a.endpoint.Framing == transform.FramingArray,
		}
	}
	return &translated{
		decoder: a.endpoint.Codec.NewStreamDecoder(),
		encoder: a.client.NewStreamEncoder(a.decoded.chat),
		call:    a.call,
		pins:    pins,
		memory:  a.newSignatureRecorder(),
	}
}

// untouched passes events on byte for byte, but for the usage that the client
// did not ask for.
type untouched struct {
	inspector transform.StreamInspector
	codec     transform.ClientCodec
	requestID string
	hideUsage bool
	// pins is the attempt if what it makes must be remembered; nil: nothing must.
	pins *attempt
	// unclosed tells that the stream is an array whose end has not come yet.
	unclosed bool
}

func (p *untouched) take(out []byte, e *sse.Event) ([]byte, transform.Sign, error) {
	if e.Data == nil { // a comment, or the end of an array
		p.unclosed = p.unclosed && bytes.IndexByte(e.Raw, ']') < 0
		return append(out, e.Raw...), transform.Sign{}, nil
	}
	if p.pins != nil {
		p.pins.pinEvent(e)
	}
	sign, err := p.inspector.Inspect(e.Name, e.Data)
	if err != nil || sign.UsageOnly && p.hideUsage {
		return out, sign, err
	}
	return append(out, e.Raw...), sign, nil
}

func (p *untouched) end(out []byte) []byte {
	if p.unclosed {
		out = append(out, ']') // the provider ended its answer, but not the array
	}
	return out
}

func (p *untouched) fail(out []byte, e *transform.Error) []byte {
	return p.codec.AppendStreamError(out, e, p.requestID)
}

func (p *untouched) ended() bool                { return p.inspector.Ended() }
func (p *untouched) summary() transform.Summary { return p.inspector.Summary() }

// saidItself is the passage of a stream whose error has been passed on already.
type saidItself struct{ passage }

func (p saidItself) fail(out []byte, _ *transform.Error) []byte { return p.end(out) }

// translated decodes events into deltas and writes these in the client's format.
type translated struct {
	*call
	decoder transform.StreamDecoder
	encoder transform.StreamEncoder
	memory  *signatureRecorder
	pins    *attempt
	deltas  []transform.Delta
	found   transform.Summary
}

func (p *translated) take(out []byte, e *sse.Event) ([]byte, transform.Sign, error) {
	var sign transform.Sign
	if e.Data == nil {
		return out, sign, nil
	}
	var err error
	if p.deltas, err = p.decoder.Decode(p.deltas[:0], e.Name, e.Data); err != nil {
		return out, sign, err
	}
	for i := range p.deltas {
		d := &p.deltas[i]
		switch d.Kind {
		case transform.DeltaError:
			sign.Err = d.Err
			return out, sign, nil
		case transform.DeltaPing:
			continue // the heartbeat is ours: a comment in every stream irritates some clients
		case transform.DeltaStart, transform.DeltaUsage:
			p.found.Usage = d.Usage
		case transform.DeltaFinish:
			p.found.Finish = d.Finish
		}
		p.memory.watch(d)
		if p.pins != nil && len(d.Opaque.Data) > 0 {
			p.pins.pinPiece(jsonbytes.Value(d.Opaque.Data))
		}
		sign.Content = sign.Content || d.Content()
		p.found.Content = p.found.Content || d.Says()
		out = p.encoder.Append(out, d)
	}
	return out, sign, nil
}

func (p *translated) end(out []byte) []byte {
	p.memory.keep()
	begin := len(out)
	out = p.encoder.AppendEnd(out)
	if p.remembersItems() {
		p.rememberItems(lastResponse(out[begin:]))
	}
	return out
}

func (p *translated) fail(out []byte, e *transform.Error) []byte {
	return p.encoder.AppendError(out, e, p.record.RequestID)
}

func (p *translated) ended() bool                { return p.decoder.Ended() }
func (p *translated) summary() transform.Summary { return p.found }
