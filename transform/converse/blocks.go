package converse

import (
	"encoding/base64"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// blockKind says what a block is.
type blockKind uint8

const (
	blockText blockKind = iota
	blockReasoning
	blockMedia
	blockToolUse
	blockToolResult
)

// block is one content block, decided but not yet written.
type block struct {
	kind blockKind
	text transform.Literal
	part *transform.Part
	// media is of images, documents, sounds and videos.
	media *media
	// id is of tool calls and results.
	id string
	// content and failed are of tool results.
	content []block
	failed  bool

	cache *transform.CacheMark
}

// systemBlocks appends the blocks of a system turn, one for each text.
func (e *encoder) systemBlocks(dst []block, turn *transform.Turn) []block {
	e.reportName(turn)
	for i := range turn.Parts {
		part := &turn.Parts[i]
		if part.Kind == transform.PartText {
			dst = e.textBlock(dst, part)
		} else {
			e.refusePart(part)
		}
	}
	return dst
}

// userBlocks appends the blocks of a user turn, or those of a tool's result.
func (e *encoder) userBlocks(dst []block, turn *transform.Turn) []block {
	for i := range turn.Parts {
		part := &turn.Parts[i]
		switch part.Kind {
		case transform.PartText, transform.PartRefusal:
			dst = e.textBlock(dst, part)
		case transform.PartImage, transform.PartFile, transform.PartAudio:
			if m := e.placeMedia(part); m != nil {
				dst = append(dst, block{kind: blockMedia, media: m, part: part, cache: part.Cache})
			}
		default:
			e.refusePart(part)
		}
	}
	return dst
}

// assistantBlocks returns the blocks of an assistant turn. Its reasoning comes
// before what was said; callsLast does the rest of the order.
func (e *encoder) assistantBlocks(turn *transform.Turn) ([]block, error) {
	blocks := make([]block, 0, len(turn.Parts))
	reasoned := false
	for i := range turn.Parts {
		part := &turn.Parts[i]
		switch part.Kind {
		case transform.PartText, transform.PartRefusal:
			blocks = e.textBlock(blocks, part)
		case transform.PartReasoning:
			if !e.returns(part) {
				continue
			}
			blocks = append(blocks, block{kind: blockReasoning, part: part})
			if !reasoned {
				toFront(blocks)
				reasoned = true
			}
		case transform.PartToolCall:
			if err := checkCall(part); err != nil {
				return nil, err
			}
			id := e.history.ids.rewrite(part.Call.ID)
			blocks = append(blocks, block{kind: blockToolUse, part: part, id: id, cache: part.Cache})
		default:
			e.refusePart(part)
		}
	}
	return blocks, nil
}

// toFront moves the last block before the texts that precede it.
func toFront(blocks []block) {
	for i := len(blocks) - 1; i > 0 && blocks[i-1].kind == blockText; i-- {
		blocks[i-1], blocks[i] = blocks[i], blocks[i-1]
	}
}

// callsLast moves texts before the calls that precede them, but nothing past
// a reasoning block: those keep their place.
func callsLast(blocks []block) {
	var calls []block
	out := blocks[:0]
	for _, b := range blocks {
		switch b.kind {
		case blockToolUse:
			calls = append(calls, b)
			continue
		case blockReasoning:
			out = append(out, calls...)
			calls = calls[:0]
		}
		out = append(out, b)
	}
	copy(blocks[len(out):], calls)
}

// textBlock appends a text unless it is blank: Bedrock refuses those.
func (e *encoder) textBlock(dst []block, part *transform.Part) []block {
	if !blank(part.Text) {
		return append(dst, block{kind: blockText, text: part.Text, part: part, cache: part.Cache})
	}
	if part.Cache != nil {
		e.lost.Drop(part.Cache.At)
	}
	return dst
}

// returns tells whether a model's reasoning may be sent back, and reports it
// if not: only to who made it, and only with what vouches for it. Models that
// sign nothing do not want it back.
func (e *encoder) returns(part *transform.Part) bool {
	if part.Cache != nil {
		e.lost.Drop(part.Cache.At)
	}
	o := &part.Opaque
	if o.Vendor != "" && o.Vendor == e.to.Vendor && o.Kind != transform.OpaqueNone && len(o.Data) > len(`""`) {
		return true
	}
	e.lost.Drop(part.At)
	return false
}

// resultBlock is the answer to a call. There is no result without content.
func (e *encoder) resultBlock(turn *transform.Turn, id string) block {
	b := block{kind: blockToolResult, id: id, failed: turn.IsError}
	b.content = e.userBlocks(nil, turn)
	// A mark inside a result marks the result: the prefix is the same but for its end.
	for i := range b.content {
		if mark := b.content[i].cache; mark != nil {
			b.cache, b.content[i].cache = mark, nil
		}
	}
	if len(b.content) == 0 {
		text := noOutput
		if b.failed {
			text = callFailed
		}
		b.content = []block{{kind: blockText, text: text}}
	}
	return b
}

// refusePart reports a part that cannot stand where it is.
func (e *encoder) refusePart(part *transform.Part) {
	switch part.Kind {
	case transform.PartReasoning, transform.PartCitation:
		e.lost.Drop(part.At)
	default:
		e.lost.Refuse(part.At)
	}
}

// checkCall makes sure of the arguments, which the format has as an object.
func checkCall(part *transform.Part) error {
	if part.Call.Custom {
		return nil
	}
	arguments := jsonbytes.Parse(part.Call.Arguments)
	if arguments.Empty() || arguments.Kind() == jsonbytes.Object && jsonbytes.Check(arguments, 0) == nil {
		return nil
	}
	return badRequest(part.At.Pointer(), "the arguments of a tool call must be a JSON object")
}

func (e *encoder) writeBlocks(blocks []block) {
	e.dst = append(e.dst, '[')
	for i := range blocks {
		e.dst = appendComma(e.dst)
		e.writeBlock(&blocks[i])
		e.writeCachePoint(blocks[i].cache)
	}
	e.dst = append(e.dst, ']')
}

func (e *encoder) writeBlock(b *block) {
	switch b.kind {
	case blockText:
		e.dst = append(e.dst, `{"text":`...)
		e.dst = append(e.dst, b.text...)
	case blockReasoning:
		e.writeReasoning(b.part)
	case blockMedia:
		e.writeMedia(b.media)
	case blockToolUse:
		e.writeToolUse(b)
	case blockToolResult:
		e.dst = append(e.dst, `{"toolResult":{"toolUseId":"`...)
		e.dst = append(e.dst, b.id...)
		e.dst = append(e.dst, `","content":`...)
		e.writeBlocks(b.content)
		if b.failed && e.family.status {
			e.string("status", "error")
		}
		e.dst = append(e.dst, '}')
	}
	e.dst = append(e.dst, '}')
}

// writeReasoning writes the block but for its end. What Anthropic calls the
// data of redacted thinking are bytes here, and bytes are base64.
func (e *encoder) writeReasoning(part *transform.Part) {
	o := &part.Opaque
	e.dst = append(e.dst, `{"reasoningContent":{`...)
	if o.Kind == transform.OpaqueRedacted {
		e.key("redactedContent")
		if o.Vendor == transform.VendorAnthropic {
			e.dst = append(e.dst, '"')
			e.dst = base64.StdEncoding.AppendEncode(e.dst, o.Data.AppendText(nil))
			e.dst = append(e.dst, '"')
		} else {
			e.dst = append(e.dst, o.Data...)
		}
		e.dst = append(e.dst, '}')
		return
	}
	e.dst = append(e.dst, `"reasoningText":{"text":`...)
	if len(part.Text) == 0 {
		e.dst = append(e.dst, `""`...)
	} else {
		e.dst = append(e.dst, part.Text...)
	}
	e.key("signature")
	e.dst = append(e.dst, o.Data...)
	e.dst = append(e.dst, `}}`...)
}

// writeToolUse writes the block but for its end.
func (e *encoder) writeToolUse(b *block) {
	call := &b.part.Call
	e.dst = append(e.dst, `{"toolUse":{"toolUseId":"`...)
	e.dst = append(e.dst, b.id...)
	e.dst = append(e.dst, `","name":"`...)
	e.dst = append(e.dst, toolName(call.Name)...)
	e.dst = append(e.dst, `","input":`...)
	arguments := jsonbytes.Parse(call.Arguments)
	switch {
	case call.Custom:
		e.dst = append(e.dst, `{"input":`...)
		e.dst = jsonbytes.AppendBytes(e.dst, call.Arguments)
		e.dst = append(e.dst, '}')
	case arguments.Empty():
		e.dst = append(e.dst, `{}`...)
	default:
		e.dst = append(e.dst, arguments...)
	}
	e.dst = append(e.dst, '}')
}
