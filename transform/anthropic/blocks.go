package anthropic

import (
	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// blockKind says what a block is.
type blockKind uint8

const (
	blockText blockKind = iota
	blockThinking
	blockRedacted
	blockMedia
	blockToolUse
	blockToolResult
)

// block is one content block, decided but not yet written.
type block struct {
	kind blockKind
	text transform.Literal
	part *transform.Part
	// media is of images and documents.
	media *media
	// id is of tool calls and results.
	id string
	// content is of tool results; nil and no turn: the client gave no result.
	content []block
	turn    *transform.Turn

	cache *transform.CacheMark
}

// systemBlocks appends the blocks of a system turn, one for each text.
func (e *encoder) systemBlocks(dst []block, turn *transform.Turn) []block {
	e.reportName(turn)
	for i := range turn.Parts {
		part := &turn.Parts[i]
		if part.Kind != transform.PartText {
			e.refusePart(part)
		} else {
			dst = e.textBlock(dst, part)
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
		case transform.PartImage, transform.PartFile:
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
// before what was said; callsLast does the rest of the order the API wants.
func (e *encoder) assistantBlocks(turn *transform.Turn) ([]block, error) {
	blocks := make([]block, 0, len(turn.Parts))
	reasoned := false
	for i := range turn.Parts {
		part := &turn.Parts[i]
		switch part.Kind {
		case transform.PartText, transform.PartRefusal:
			blocks = e.textBlock(blocks, part)
		case transform.PartReasoning:
			b, ok := e.reasoningBlock(part)
			if !ok {
				continue
			}
			blocks = append(blocks, b)
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
		case blockThinking, blockRedacted:
			out = append(out, calls...)
			calls = calls[:0]
		}
		out = append(out, b)
	}
	copy(blocks[len(out):], calls)
}

// textBlock appends a text unless it is blank: the API refuses those.
func (e *encoder) textBlock(dst []block, part *transform.Part) []block {
	if !blank(part.Text) {
		return append(dst, block{kind: blockText, text: part.Text, cache: part.Cache})
	}
	if part.Cache != nil {
		e.lost.Drop(part.Cache.At)
	}
	return dst
}

// reasoningBlock returns what may be sent back of a model's reasoning: only
// what carries Anthropic's own signature. The API refuses any other.
func (e *encoder) reasoningBlock(part *transform.Part) (block, bool) {
	if part.Cache != nil {
		e.lost.Drop(part.Cache.At)
	}
	ours := part.Opaque.Vendor == transform.VendorAnthropic && e.to.Vendor == transform.VendorAnthropic
	if ours && len(part.Opaque.Data) > len(`""`) {
		switch part.Opaque.Kind {
		case transform.OpaqueSignature:
			return block{kind: blockThinking, part: part}, true
		case transform.OpaqueRedacted:
			return block{kind: blockRedacted, part: part}, true
		}
	}
	e.lost.Drop(part.At)
	return block{}, false
}

// resultBlock is the answer to a call.
func (e *encoder) resultBlock(turn *transform.Turn, id string) block {
	b := block{kind: blockToolResult, id: id, turn: turn}
	b.content = e.userBlocks(nil, turn)
	// A mark inside a result marks the result: the prefix is the same but for its end.
	for i := range b.content {
		if mark := b.content[i].cache; mark != nil {
			b.cache, b.content[i].cache = mark, nil
		}
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
