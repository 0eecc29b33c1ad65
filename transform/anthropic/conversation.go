package anthropic

import (
	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/transform/blocks"
)

type block = blocks.Block[media]

// layOut arranges the turns as system blocks and messages.
func (e *encoder) layOut() error {
	turns := e.r.Turns
	if len(turns) == 0 {
		return badRequest("messages", "messages must not be empty")
	}
	rules := blocks.Rules[media]{PlaceMedia: e.placeMedia, SystemTurns: e.model.SystemTurns && !e.cloud}
	if e.to.Vendor == transform.VendorAnthropic {
		rules.Vendor = transform.VendorAnthropic
	} else {
		turns = transform.WithoutBilling(turns, e.lost)
	}
	return e.LayOut(turns, rules, e.lost)
}

// prefills tells whether the model may continue the assistant's message.
func (e *encoder) prefills() bool {
	return e.model.Prefill && !e.thinking.on() && !e.output.constrained() && !e.choice.forced()
}

func (e *encoder) writeSystem() {
	if len(e.System) == 0 {
		return
	}
	e.Key("system")
	e.writeBlocks(e.System)
}

func (e *encoder) writeMessages() {
	e.Key("messages")
	e.Raw("[")
	for i := range e.Messages {
		e.Comma()
		e.Raw(`{"role":"`)
		e.Raw(e.Messages[i].Role)
		e.Raw(`","content":`)
		e.writeBlocks(e.Messages[i].Blocks)
		e.Raw("}")
	}
	e.Raw("]")
}

func (e *encoder) writeBlocks(list []block) {
	e.Raw("[")
	for i := range list {
		e.Comma()
		e.writeBlock(&list[i])
	}
	e.Raw("]")
}

func (e *encoder) writeBlock(b *block) {
	switch b.Kind {
	case blocks.Text:
		e.Raw(`{"type":"text","text":`)
		e.Value(b.Text)
	case blocks.Reasoning:
		e.writeReasoning(b.Part)
	case blocks.Media:
		e.writeMedia(b.Media)
	case blocks.ToolUse:
		e.writeToolUse(b)
	case blocks.ToolResult:
		e.writeToolResult(b)
	}
	e.writeCacheMark(b.Cache)
	e.Raw("}")
}

func (e *encoder) writeToolUse(b *block) {
	call := &b.Part.Call
	e.Raw(`{"type":"tool_use","id":"`)
	e.Raw(b.ID)
	e.Raw(`","name":"`)
	e.Raw(blocks.CleanName(call.Name, 0))
	e.Raw(`","input":`)
	blocks.Arguments(&e.Writer, call)
}

func (e *encoder) writeReasoning(part *transform.Part) {
	if part.Opaque.Kind == transform.OpaqueRedacted {
		e.Raw(`{"type":"redacted_thinking"`)
		e.Member("data", part.Opaque.Data)
		return
	}
	e.Raw(`{"type":"thinking","thinking":`)
	e.Out = appendLiteral(e.Out, part.Text)
	e.Member("signature", part.Opaque.Data)
}

// writeToolResult writes the block but for its end. One text is its content
// itself.
func (e *encoder) writeToolResult(b *block) {
	e.Raw(`{"type":"tool_result","tool_use_id":"`)
	e.Raw(b.ID)
	e.Raw(`"`)
	switch {
	case len(b.Content) == 1 && b.Content[0].Kind == blocks.Text:
		e.Member("content", b.Content[0].Text)
	case len(b.Content) > 0:
		e.Key("content")
		e.writeBlocks(b.Content)
	}
	if b.Failed {
		e.Raw(`,"is_error":true`)
	}
}

// appendLiteral appends a literal, an empty one if there is none.
func appendLiteral(dst []byte, text transform.Literal) []byte {
	if len(text) == 0 {
		return append(dst, `""`...)
	}
	return append(dst, text...)
}
