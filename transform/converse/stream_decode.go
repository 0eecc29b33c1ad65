package converse

import (
	"errors"
	"slices"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

var errBadEvent = errors.New("the stream has an event that is not in Converse's format")

// Bounds of what a stream may make us remember.
const (
	maxOpenBlocks = 64
	maxCitations  = 256
)

// NewStreamDecoder reads the events of a stream: messageStart, the blocks,
// messageStop, and then metadata, which has the usage. Their names stand beside
// their data; exceptions come as exception:<type>.
func (c Codec) NewStreamDecoder() transform.StreamDecoder { return &streamDecoder{vendor: c.vendor()} }

type streamDecoder struct {
	vendor transform.Vendor
	blocks []openBlock
	// calls is how many tool calls have begun.
	calls int
	// characters is the length of the text so far.
	characters int

	started, finished, measured, failed bool
}

// openBlock is a content block that had a start, or citations.
type openBlock struct {
	index  int
	kind   openKind
	tool   int
	filled bool // has had some of its arguments
	// start is where its text begins, citations are annotations without their end.
	start     int
	citations [][]byte
}

type openKind uint8

const (
	openText openKind = iota // has no start: it is here for its citations
	openCall
	openAnswer
	openIgnored
)

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
		Kind: transform.DeltaFinish, Finish: finishOf(reason, d.calls > 0),
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
			if hasText(value) {
				d.characters += characters(value)
				dst = append(dst, transform.Delta{Kind: transform.DeltaText, Part: index, Text: value})
			}
		case "toolUse":
			dst = d.input(dst, index, value.Get("input"))
		case "reasoningContent":
			dst = d.reasoning(dst, index, value)
		case "citation":
			if err := d.cite(index, value); err != nil {
				return dst, err
			}
		}
	}
	return dst, nil
}

func (d *streamDecoder) reasoning(dst []transform.Delta, index int, value jsonbytes.Value) []transform.Delta {
	for name, piece := range value.Members() {
		if !hasText(piece) {
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
	if len(d.blocks) == maxOpenBlocks {
		return dst, errBadEvent
	}
	open := openBlock{index: index, kind: openIgnored, start: d.characters}
	if use := start.Get("toolUse"); use.Kind() == jsonbytes.Object && !use.Get("type").Is(serverCall) {
		var call transform.ToolCall
		call.ID, _ = use.Get("toolUseId").Text()
		call.Name, _ = use.Get("name").Text()
		if open.kind = openAnswer; call.Name != answerTool {
			open.kind, open.tool = openCall, d.calls
			d.calls++
			dst = append(dst, transform.Delta{Kind: transform.DeltaToolStart, Part: index, Tool: open.tool, Call: call})
		}
	}
	d.blocks = append(d.blocks, open)
	return dst, nil
}

// input adds a piece of a call's arguments. Those of Bedrock's own tools are not
// for the client.
func (d *streamDecoder) input(dst []transform.Delta, index int, piece jsonbytes.Value) []transform.Delta {
	at := d.find(index)
	if at < 0 || !hasText(piece) || d.blocks[at].kind != openCall && d.blocks[at].kind != openAnswer {
		return dst
	}
	return d.blocks[at].arguments(dst, piece)
}

func (b *openBlock) arguments(dst []transform.Delta, piece transform.Literal) []transform.Delta {
	b.filled = true
	if b.kind == openAnswer {
		return append(dst, transform.Delta{Kind: transform.DeltaText, Part: b.index, Text: piece})
	}
	return append(dst, transform.Delta{Kind: transform.DeltaToolArguments, Part: b.index, Tool: b.tool, Text: piece})
}

// cite keeps a citation until the end of its block is known.
func (d *streamDecoder) cite(index int, citation jsonbytes.Value) error {
	annotation, ok := beginAnnotation(nil, citation)
	if !ok {
		return nil
	}
	at := d.find(index)
	if at < 0 {
		if len(d.blocks) == maxOpenBlocks {
			return errBadEvent
		}
		at = len(d.blocks)
		d.blocks = append(d.blocks, openBlock{index: index, start: d.characters})
	}
	if b := &d.blocks[at]; len(b.citations) < maxCitations {
		b.citations = append(b.citations, annotation)
	}
	return nil
}

var emptyArguments = transform.Literal(`"{}"`)

// blockStop closes a content block.
func (d *streamDecoder) blockStop(dst []transform.Delta, index int) []transform.Delta {
	at := d.find(index)
	if at < 0 {
		return append(dst, transform.Delta{Kind: transform.DeltaPartEnd, Part: index})
	}
	b := &d.blocks[at]
	if b.kind != openIgnored {
		if (b.kind == openCall || b.kind == openAnswer) && !b.filled {
			dst = b.arguments(dst, emptyArguments)
		}
		for _, annotation := range b.citations {
			annotation = endAnnotation(annotation, b.start, d.characters)
			dst = append(dst, transform.Delta{Kind: transform.DeltaCitation, Part: index, Citation: annotation})
		}
		dst = append(dst, transform.Delta{Kind: transform.DeltaPartEnd, Part: index, Tool: b.tool})
	}
	d.blocks = slices.Delete(d.blocks, at, at+1)
	return dst
}

// find is the place of an open block, -1 if there is none.
func (d *streamDecoder) find(index int) int {
	for at := len(d.blocks) - 1; at >= 0; at-- {
		if d.blocks[at].index == index {
			return at
		}
	}
	return -1
}
