package converse

import (
	"encoding/base64"

	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/transform/blocks"
)

func (e *encoder) writeBlocks(list []block) {
	e.Raw("[")
	for i := range list {
		e.Comma()
		e.writeBlock(&list[i])
		e.writeCachePoint(list[i].Cache)
	}
	e.Raw("]")
}

func (e *encoder) writeBlock(b *block) {
	switch b.Kind {
	case blocks.Text:
		e.Raw(`{"text":`)
		e.Value(b.Text)
	case blocks.Reasoning:
		e.writeReasoning(b.Part)
	case blocks.Media:
		e.writeMedia(b.Media)
	case blocks.ToolUse:
		e.writeToolUse(b)
	case blocks.ToolResult:
		e.Raw(`{"toolResult":{"toolUseId":"`)
		e.Raw(b.ID)
		e.Raw(`","content":`)
		if len(b.Content) == 0 { // there is no result without
			b.Content = []block{{Text: noOutput}}
		}
		e.writeBlocks(b.Content)
		if b.Failed && e.family.status {
			e.Text("status", "error")
		}
		e.Raw("}")
	}
	e.Raw("}")
}

// writeReasoning writes the block but for its end. What Anthropic calls the
// data of redacted thinking are bytes here, and bytes are base64.
func (e *encoder) writeReasoning(part *transform.Part) {
	o := &part.Opaque
	e.Raw(`{"reasoningContent":{`)
	if o.Kind == transform.OpaqueRedacted {
		e.Key("redactedContent")
		if o.Vendor == transform.VendorAnthropic {
			e.Raw(`"`)
			e.Out = base64.StdEncoding.AppendEncode(e.Out, o.Data.AppendText(nil))
			e.Raw(`"`)
		} else {
			e.Value(o.Data)
		}
		e.Raw("}")
		return
	}
	e.Raw(`"reasoningText":{"text":`)
	if len(part.Text) == 0 {
		e.Raw(`""`)
	} else {
		e.Value(part.Text)
	}
	e.Key("signature")
	e.Value(o.Data)
	e.Raw(`}}`)
}

// writeToolUse writes the block but for its end.
func (e *encoder) writeToolUse(b *block) {
	call := &b.Part.Call
	e.Raw(`{"toolUse":{"toolUseId":"`)
	e.Raw(b.ID)
	e.Raw(`","name":"`)
	e.Raw(blocks.CleanName(call.Name, maxName))
	e.Raw(`","input":`)
	blocks.Arguments(&e.Writer, call)
	e.Raw("}")
}
