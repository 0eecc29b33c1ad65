package anthropic

import (
	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

func (e *encoder) writeSystem() {
	if len(e.system) == 0 {
		return
	}
	e.key("system")
	e.writeBlocks(e.system)
}

func (e *encoder) writeMessages() {
	e.key("messages")
	e.dst = append(e.dst, '[')
	for i := range e.messages {
		e.dst = appendComma(e.dst)
		e.dst = append(e.dst, `{"role":"`...)
		e.dst = append(e.dst, e.messages[i].role...)
		e.dst = append(e.dst, `","content":`...)
		e.writeBlocks(e.messages[i].blocks)
		e.dst = append(e.dst, '}')
	}
	e.dst = append(e.dst, ']')
}

func (e *encoder) writeBlocks(blocks []block) {
	e.dst = append(e.dst, '[')
	for i := range blocks {
		e.dst = appendComma(e.dst)
		e.writeBlock(&blocks[i])
	}
	e.dst = append(e.dst, ']')
}

func (e *encoder) writeBlock(b *block) {
	switch b.kind {
	case blockText:
		e.dst = append(e.dst, `{"type":"text","text":`...)
		e.dst = append(e.dst, b.text...)
	case blockThinking:
		e.dst = append(e.dst, `{"type":"thinking","thinking":`...)
		e.dst = appendLiteral(e.dst, b.part.Text)
		e.key("signature")
		e.dst = append(e.dst, b.part.Opaque.Data...)
	case blockRedacted:
		e.dst = append(e.dst, `{"type":"redacted_thinking","data":`...)
		e.dst = append(e.dst, b.part.Opaque.Data...)
	case blockMedia:
		e.writeMedia(b.media)
	case blockToolUse:
		e.writeToolUse(b)
	case blockToolResult:
		e.writeToolResult(b)
	}
	e.writeCacheMark(b.cache)
	e.dst = append(e.dst, '}')
}

func (e *encoder) writeToolUse(b *block) {
	call := &b.part.Call
	e.dst = append(e.dst, `{"type":"tool_use","id":"`...)
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
}

func (e *encoder) writeToolResult(b *block) {
	e.dst = append(e.dst, `{"type":"tool_result","tool_use_id":"`...)
	e.dst = append(e.dst, b.id...)
	e.dst = append(e.dst, '"')
	if b.turn == nil {
		e.key("content")
		e.dst = append(e.dst, transform.NoResult...)
		e.key("is_error")
		e.dst = append(e.dst, "true"...)
		return
	}
	switch {
	case len(b.content) == 1 && b.content[0].kind == blockText:
		e.key("content")
		e.dst = append(e.dst, b.content[0].text...)
	case len(b.content) > 0:
		e.key("content")
		e.writeBlocks(b.content)
	case b.turn.IsError:
		// The API refuses an error that says nothing.
		e.key("content")
		e.dst = append(e.dst, `"The call failed."`...)
	}
	if b.turn.IsError {
		e.key("is_error")
		e.dst = append(e.dst, "true"...)
	}
}

// appendLiteral appends a literal, an empty one if there is none.
func appendLiteral(dst []byte, text transform.Literal) []byte {
	if len(text) == 0 {
		return append(dst, `""`...)
	}
	return append(dst, text...)
}
