// Package blocks is what formats have in common whose messages are lists of
// content blocks: Anthropic's Messages and Amazon Bedrock's Converse, which was
// made after it. It lays out conversations as these want them and puts together
// what their answers say. How a block is spelled is left to the formats.
package blocks

import (
	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// AnswerTool is the tool whose input is the answer itself, for output schemas
// that are not expressed natively. The decoders know it by its name, because
// nothing else connects an answer to its request.
const AnswerTool = "llm_proxy_answer"

// Kind says what a block is.
type Kind uint8

// The kinds of blocks.
const (
	Text Kind = iota
	Reasoning
	Media
	ToolUse
	ToolResult
)

// Block is one content block, decided but not yet written. M is media as a
// format has them.
type Block[M any] struct {
	Kind Kind
	Text transform.Literal
	// Part is of reasoning, media and calls.
	Part  *transform.Part
	Media *M
	// ID is of calls and results.
	ID string
	// Content and Failed are of results.
	Content []Block[M]
	Failed  bool

	Cache *transform.CacheMark
}

// callFailed is what a model is told of a call of which the client says no more.
var callFailed = transform.Quote("The call failed.")

// systemBlocks appends the blocks of a system turn, one for each text.
func (c *Conversation[M]) systemBlocks(dst []Block[M], turn *transform.Turn) []Block[M] {
	c.reportName(turn)
	for i := range turn.Parts {
		part := &turn.Parts[i]
		if part.Kind == transform.PartText {
			dst = c.textBlock(dst, part)
		} else {
			c.refusePart(part)
		}
	}
	return dst
}

// userBlocks appends the blocks of a user turn, or those of a tool's result.
func (c *Conversation[M]) userBlocks(dst []Block[M], turn *transform.Turn) []Block[M] {
	for i := range turn.Parts {
		part := &turn.Parts[i]
		switch part.Kind {
		case transform.PartText, transform.PartRefusal:
			dst = c.textBlock(dst, part)
		case transform.PartImage, transform.PartFile, transform.PartAudio:
			if m := c.rules.PlaceMedia(part); m != nil {
				dst = append(dst, Block[M]{Kind: Media, Media: m, Part: part, Cache: part.Cache})
			}
		default:
			c.refusePart(part)
		}
	}
	return dst
}

// assistantBlocks returns the blocks of an assistant turn. Its reasoning comes
// before what was said; callsLast does the rest of the order.
func (c *Conversation[M]) assistantBlocks(turn *transform.Turn) ([]Block[M], error) {
	list := make([]Block[M], 0, len(turn.Parts))
	reasoned := false
	for i := range turn.Parts {
		part := &turn.Parts[i]
		switch part.Kind {
		case transform.PartText, transform.PartRefusal:
			list = c.textBlock(list, part)
		case transform.PartReasoning:
			if !c.returns(part) {
				continue
			}
			list = append(list, Block[M]{Kind: Reasoning, Part: part})
			if !reasoned {
				toFront(list)
				reasoned = true
			}
		case transform.PartToolCall:
			if err := checkCall(part); err != nil {
				return nil, err
			}
			id := c.rules.IDs.Rewrite(part.Call.ID)
			list = append(list, Block[M]{Kind: ToolUse, Part: part, ID: id, Cache: part.Cache})
		default:
			c.refusePart(part)
		}
	}
	return list, nil
}

// toFront moves the last block before the texts that precede it.
func toFront[M any](list []Block[M]) {
	for i := len(list) - 1; i > 0 && list[i-1].Kind == Text; i-- {
		list[i-1], list[i] = list[i], list[i-1]
	}
}

// callsLast moves texts before the calls that precede them, but nothing past
// reasoning: that keeps its place.
func callsLast[M any](list []Block[M]) {
	var calls []Block[M]
	out := list[:0]
	for _, b := range list {
		switch b.Kind {
		case ToolUse:
			calls = append(calls, b)
			continue
		case Reasoning:
			out = append(out, calls...)
			calls = calls[:0]
		}
		out = append(out, b)
	}
	copy(list[len(out):], calls)
}

// textBlock appends a text unless it is blank: the APIs refuse those.
func (c *Conversation[M]) textBlock(dst []Block[M], part *transform.Part) []Block[M] {
	if !part.Text.Blank() {
		return append(dst, Block[M]{Kind: Text, Text: part.Text, Cache: part.Cache})
	}
	c.dropMark(part)
	return dst
}

// returns tells whether a model's reasoning may be sent back, and reports it if
// not: only to who made it, and only with what vouches for it.
func (c *Conversation[M]) returns(part *transform.Part) bool {
	c.dropMark(part)
	o := &part.Opaque
	if o.Vendor != "" && o.Vendor == c.rules.Vendor && o.Kind != transform.OpaqueNone && o.Data.HasText() {
		return true
	}
	c.lost.Drop(part.At)
	return false
}

func (c *Conversation[M]) dropMark(part *transform.Part) {
	c.lost.DropMark(part.Cache)
}

// resultBlock is the answer to a call. An error has to say something.
func (c *Conversation[M]) resultBlock(turn *transform.Turn, id string) Block[M] {
	b := Block[M]{Kind: ToolResult, ID: id, Content: c.userBlocks(nil, turn), Failed: turn.IsError}
	// A mark inside a result marks the result: the prefix is the same but for its end.
	for i := range b.Content {
		if mark := b.Content[i].Cache; mark != nil {
			b.Cache, b.Content[i].Cache = mark, nil
		}
	}
	if b.Failed && len(b.Content) == 0 {
		b.Content = []Block[M]{{Text: callFailed}}
	}
	return b
}

// refusePart reports a part that cannot stand where it is.
func (c *Conversation[M]) refusePart(part *transform.Part) {
	switch part.Kind {
	case transform.PartReasoning, transform.PartCitation:
		c.lost.Drop(part.At)
	default:
		c.lost.Refuse(part.At)
	}
}

// checkCall makes sure of the arguments, which are an object in these formats.
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

// Arguments writes those of a call as the object that they are, or in one that
// holds the free text of a custom tool.
func Arguments(w *jsonbytes.Writer, call *transform.ToolCall) {
	arguments := jsonbytes.Parse(call.Arguments)
	switch {
	case call.Custom:
		w.Raw(`{"input":`)
		w.Bytes(call.Arguments)
		w.Raw("}")
	case arguments.Empty():
		w.Raw("{}")
	default:
		w.Value(arguments)
	}
}

// badRequest is an error that the client can mend.
func badRequest(param, message string) error {
	return &transform.Error{Kind: transform.ErrBadRequest, Param: param, Message: message}
}
