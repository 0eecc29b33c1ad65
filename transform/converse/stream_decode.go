package converse

import (
	"errors"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/transform/blocks"
)

var errBadEvent = errors.New("the stream has an event that is not in Converse's format")

// NewStreamDecoder reads the events of a stream: messageStart, the blocks,
// messageStop, and then metadata, which has the usage. Their names stand beside
// their data; exceptions come as exception:<type>.
func (c Codec) NewStreamDecoder() transform.StreamDecoder { return &streamDecoder{vendor: c.vendor()} }

type streamDecoder struct {
	vendor transform.Vendor
	blocks blocks.Stream

	started, finished, measured, failed bool
}

// Decode reads one event.
func (d *streamDecoder) Decode(dst []transform.Delta, name, data []byte) ([]transform.Delta, error) {
	if d.failed || d.Ended() {
		return dst, nil
	}
	if typ, ok := exceptionOf(name); ok {
		d.failed = true
		return append(dst, transform.Delta{Kind: transform.DeltaError, Err: decodeException(typ, data)}), nil
	}
	if !isEvent(name) {
		return dst, nil
	}
	if jsonbytes.Check(data, 0) != nil {
		return dst, errBadEvent
	}
	event := jsonbytes.Parse(data)
	if event.Kind() != jsonbytes.Object {
		return dst, errBadEvent
	}
	dst = d.start(dst)
	switch string(name) {
	case "contentBlockDelta":
		return d.delta(dst, event)
	case "contentBlockStart":
		return d.blockStart(dst, number(event.Get("contentBlockIndex")), event.Get("start"))
	case "contentBlockStop":
		return d.blockStop(dst, number(event.Get("contentBlockIndex"))), nil
	case "messageStop":
		return d.messageStop(dst, event), nil
	case "metadata":
		d.measured = true
		if counted := event.Get("usage"); counted.Kind() == jsonbytes.Object {
			dst = append(dst, transform.Delta{
				Kind: transform.DeltaUsage, Usage: tokensOf(counted), ServiceTier: serviceTier(event.Get("serviceTier")),
			})
		}
	}
	return dst, nil
}

// Ended tells whether both messageStop and metadata were seen.
func (d *streamDecoder) Ended() bool { return d.finished && d.measured && !d.failed }

func isEvent(name []byte) bool {
	switch string(name) {
	case "contentBlockDelta", "contentBlockStart", "contentBlockStop", "messageStart", "messageStop", "metadata":
		return true
	}
	return false
}

// start opens the answer with whatever event comes first.
func (d *streamDecoder) start(dst []transform.Delta) []transform.Delta {
	if d.started {
		return dst
	}
	d.started = true
	return append(dst, transform.Delta{Kind: transform.DeltaStart})
}

// number is a small count, 0 for anything else.
func number(value jsonbytes.Value) int {
	n, _ := value.Int()
	return int(min(max(n, 0), 1<<30))
}

func (d *streamDecoder) messageStop(dst []transform.Delta, event jsonbytes.Value) []transform.Delta {
	if d.finished {
		return dst
	}
	d.finished = true
	reason := event.Get("stopReason")
	if e := spoiled(reason); e != nil {
		d.failed = true
		return append(dst, transform.Delta{Kind: transform.DeltaError, Err: e})
	}
	return append(dst, transform.Delta{
		Kind: transform.DeltaFinish, Finish: blocks.Finish(reason, d.blocks.Calls > 0),
		StopSequence: stopSequence(event.Get("additionalModelResponseFields")),
	})
}

// delta reads {"contentBlockIndex":0,"delta":{"text":"…"},"p":"<padding>"}.
func (d *streamDecoder) delta(dst []transform.Delta, event jsonbytes.Value) ([]transform.Delta, error) {
	index := 0
	var delta jsonbytes.Value
	for name, value := range event.Members() {
		switch string(name) {
		case "contentBlockIndex":
			index = number(value)
		case "delta":
			delta = value
		}
	}
	for name, value := range delta.Members() {
		switch string(name) {
		case "text":
			if value.HasText() {
				dst = d.blocks.Text(dst, index, value)
			}
		case "toolUse":
			if piece := value.Get("input"); piece.HasText() {
				dst = d.blocks.Arguments(dst, index, piece)
			}
		case "reasoningContent":
			dst = d.reasoning(dst, index, value)
		case "citation":
			if err := d.cite(index, citationOf(value)); err != nil {
				return dst, err
			}
		}
	}
	return dst, nil
}

func (d *streamDecoder) reasoning(dst []transform.Delta, index int, value jsonbytes.Value) []transform.Delta {
	for name, piece := range value.Members() {
		if !piece.HasText() {
			continue
		}
		switch string(name) {
		case "text":
			dst = append(dst, transform.Delta{Kind: transform.DeltaReasoning, Part: index, Text: piece})
		case "signature":
			o := transform.Opaque{Vendor: d.vendor, Kind: transform.OpaqueSignature, Data: piece}
			dst = append(dst, transform.Delta{Kind: transform.DeltaOpaque, Part: index, Opaque: o})
		case "redactedContent":
			if o := redacted(d.vendor, piece); o.Data != nil {
				dst = append(dst, transform.Delta{Kind: transform.DeltaOpaque, Part: index, Opaque: o})
			}
		}
	}
	return dst
}

// blockStart opens a content block. Texts and reasoning have no such event.
func (d *streamDecoder) blockStart(dst []transform.Delta, index int, start jsonbytes.Value) ([]transform.Delta, error) {
	var ok bool
	if use := start.Get("toolUse"); use.Kind() == jsonbytes.Object && !use.Get("type").Is(serverCall) {
		dst, ok = d.blocks.BeginCall(dst, index, use.Get("toolUseId"), use.Get("name"))
	} else {
		ok = d.blocks.Ignore(index)
	}
	if !ok {
		return dst, errBadEvent
	}
	return dst, nil
}

// cite keeps a citation. It is what a block of text is known by until it ends.
func (d *streamDecoder) cite(index int, citation []byte) error {
	if citation == nil {
		return nil
	}
	if !d.blocks.IsOpen(index) && !d.blocks.Begin(index) {
		return errBadEvent
	}
	d.blocks.Cite(index, citation)
	return nil
}

// blockStop closes a content block.
func (d *streamDecoder) blockStop(dst []transform.Delta, index int) []transform.Delta {
	if !d.blocks.IsOpen(index) {
		return append(dst, transform.Delta{Kind: transform.DeltaPartEnd, Part: index})
	}
	return d.blocks.End(dst, index)
}
