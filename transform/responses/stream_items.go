package responses

import (
	"bytes"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// openItem is how far an output item of a stream has come. Items that are not
// for the client have none.
type openItem struct {
	index int64 // its output_index
	kind  itemKind
	done  bool
	part  int // the part that is open, -1: none
	tool  int

	custom bool
	// content is the number of the content that is open. Of reasoning, texts
	// have numbers of their own: they follow the summaries.
	content int64
	said    contentSet // what came already
	cited   int
	logged  bool
	spoken  bool // some text or some arguments came
}

// contentSet is the contents below 64. Of those above it is not known whether
// they came; no item has so many.
type contentSet uint64

func (s contentSet) has(i int64) bool { return i < 0 || i > 63 || s>>i&1 == 1 }

func (s *contentSet) add(i int64) {
	if i >= 0 && i <= 63 {
		*s |= 1 << i
	}
}

// rawText is the number from which on texts of reasoning are counted: they are
// not the same as the summaries with their numbers.
const rawText = 32

func (d *streamDecoder) at(index int64) *openItem {
	for i := len(d.items) - 1; i >= 0; i-- {
		if d.items[i].index == index {
			return &d.items[i]
		}
	}
	return nil
}

// itemAdded begins an item. Who calls nobody yet is heard when that is known.
func (d *streamDecoder) itemAdded(dst []transform.Delta, e *event) ([]transform.Delta, error) {
	index := e.index()
	if it := d.at(index); it != nil && it.done {
		it.index = -2 // a server that counts wrong: this is another item
	}
	dst, _, err := d.openItem(dst, index, e.item)
	return dst, err
}

// openItem begins an item, if it has not begun and is for the client.
func (d *streamDecoder) openItem(dst []transform.Delta, index int64, v jsonbytes.Value) ([]transform.Delta, *openItem, error) {
	if it := d.at(index); it != nil {
		return dst, it, nil
	}
	it := openItem{index: index, part: -1, content: -1}
	kind := v.Get("type")
	var call transform.ToolCall
	switch {
	case kind.Is("message"):
		it.kind = itemMessage
	case kind.Is("reasoning"):
		it.kind = itemReasoning
	case kind.Is("function_call"), kind.Is("custom_tool_call"):
		it.kind = itemCall
		call = readCall(v)
		if call.Name == "" || call.Custom && !d.tools.run(call.Name) {
			return dst, nil, nil
		}
	default:
		return dst, nil, nil
	}
	if len(d.items) >= maxItems {
		return dst, nil, errTooMany
	}
	if it.kind == itemCall {
		if call.ID == "" {
			call.ID = "call_" + newTail()
		}
		it.custom, it.tool, it.part = call.Custom, d.calls, d.parts
		d.calls++
		d.parts++
		dst = append(dst, transform.Delta{Kind: transform.DeltaToolStart, Part: it.part, Tool: it.tool, Call: call})
	}
	d.items = append(d.items, it)
	return dst, &d.items[len(d.items)-1], nil
}

// begin makes a content of a message or of reasoning the open one.
func (d *streamDecoder) begin(dst []transform.Delta, it *openItem, content int64) []transform.Delta {
	if it.content == content && it.part >= 0 {
		return dst
	}
	if it.kind == itemMessage || it.part < 0 {
		dst = d.endPart(dst, it)
		it.part = d.parts
		d.parts++
	} else if it.spoken {
		// The texts of one reasoning item are one part.
		dst = append(dst, transform.Delta{Kind: transform.DeltaReasoning, Part: it.part, Text: paragraph})
	}
	it.content = content
	return dst
}

var paragraph = transform.Literal(`"\n\n"`)

func (d *streamDecoder) endPart(dst []transform.Delta, it *openItem) []transform.Delta {
	if it.part < 0 {
		return dst
	}
	dst = append(dst, transform.Delta{Kind: transform.DeltaPartEnd, Part: it.part, Tool: it.tool})
	it.part = -1
	return dst
}

var doneSuffix = []byte(".done")

// piece reads an event of an item.
func (d *streamDecoder) piece(dst []transform.Delta, it *openItem, name []byte, e *event) []transform.Delta {
	content, _ := e.content.Int()
	whole := bytes.HasSuffix(name, doneSuffix)
	said := e.delta
	if whole {
		said = e.text
	}
	switch string(name) {
	case "response.output_text.delta", "response.output_text.done":
		dst = d.text(dst, it, transform.DeltaText, content, said, whole)
		return d.logprobs(dst, it, e.logprobs, whole)
	case "response.refusal.delta", "response.refusal.done":
		return d.text(dst, it, transform.DeltaRefusal, content, said, whole)
	case "response.reasoning_summary_text.delta", "response.reasoning_summary_text.done":
		return d.text(dst, it, transform.DeltaReasoning, min(content, rawText-1), said, whole)
	case "response.reasoning_text.delta", "response.reasoning_text.done":
		return d.text(dst, it, transform.DeltaReasoning, content+rawText, said, whole)
	case "response.function_call_arguments.delta", "response.function_call_arguments.done",
		"response.custom_tool_call_input.delta", "response.custom_tool_call_input.done":
		return d.arguments(dst, it, said, whole)
	case "response.output_text.annotation.added":
		if citation := nestCitation(e.annotation); citation != nil && it.kind == itemMessage {
			dst = append(dst, transform.Delta{Kind: transform.DeltaCitation, Part: max(it.part, 0), Citation: citation})
		}
		it.cited++
	case "response.content_part.done":
		if it.kind == itemMessage {
			dst = d.messagePart(dst, it, content, e.part)
		}
	}
	return dst
}

// text adds a piece of a content, or the whole if nothing of it came before.
func (d *streamDecoder) text(dst []transform.Delta, it *openItem, kind transform.DeltaKind, content int64, said jsonbytes.Value, whole bool) []transform.Delta {
	text := said.NonEmpty()
	if it.done || it.kind == itemCall || (it.kind == itemReasoning) != (kind == transform.DeltaReasoning) || text == nil || whole && it.said.has(content) {
		return dst
	}
	dst = d.begin(dst, it, content)
	it.said.add(content)
	it.spoken = true
	return append(dst, transform.Delta{Kind: kind, Part: it.part, Text: text})
}

func (d *streamDecoder) logprobs(dst []transform.Delta, it *openItem, v jsonbytes.Value, whole bool) []transform.Delta {
	if v.Kind() != jsonbytes.Array || v.Len() == 0 || it.done || it.kind != itemMessage || whole && it.logged {
		return dst
	}
	it.logged = true
	return append(dst, transform.Delta{Kind: transform.DeltaLogprobs, Part: max(it.part, 0), Logprobs: chatLogprobs(v[1 : len(v)-1])})
}

func (d *streamDecoder) arguments(dst []transform.Delta, it *openItem, said jsonbytes.Value, whole bool) []transform.Delta {
	text := said.NonEmpty()
	if said.Kind() == jsonbytes.Object {
		text = jsonbytes.AppendBytes(nil, said)
	}
	if it.done || it.kind != itemCall || text == nil || whole && it.spoken {
		return dst
	}
	it.spoken = true
	return append(dst, transform.Delta{Kind: transform.DeltaToolArguments, Part: it.part, Tool: it.tool, Text: text})
}

// itemDone ends an item, with whatever of it did not come before.
func (d *streamDecoder) itemDone(dst []transform.Delta, index int64, v jsonbytes.Value) ([]transform.Delta, error) {
	dst, it, err := d.openItem(dst, index, v)
	if it == nil || it.done || err != nil {
		return dst, err
	}
	switch it.kind {
	case itemMessage:
		for i, part := range v.Get("content").Elements() {
			dst = d.messagePart(dst, it, int64(i), part)
		}
		dst = d.citations(dst, it, v)
	case itemReasoning:
		dst = d.reasoned(dst, it, v)
	case itemCall:
		name := "arguments"
		if it.custom {
			name = "input"
		}
		dst = d.arguments(dst, it, v.Get(name), true)
	}
	return d.endItem(dst, it), nil
}

// messagePart reads a whole part of a message.
func (d *streamDecoder) messagePart(dst []transform.Delta, it *openItem, content int64, v jsonbytes.Value) []transform.Delta {
	if said := v.Get("refusal"); said != nil {
		return d.text(dst, it, transform.DeltaRefusal, content, said, true)
	}
	dst = d.text(dst, it, transform.DeltaText, content, v.Get("text"), true)
	return d.logprobs(dst, it, v.Get("logprobs"), true)
}

// citations reads the annotations that no event told.
func (d *streamDecoder) citations(dst []transform.Delta, it *openItem, v jsonbytes.Value) []transform.Delta {
	told := it.cited
	for _, part := range v.Get("content").Elements() {
		for _, annotation := range part.Get("annotations").Elements() {
			if told--; told >= 0 {
				continue
			}
			if citation := nestCitation(annotation); citation != nil {
				dst = append(dst, transform.Delta{Kind: transform.DeltaCitation, Part: max(it.part, 0), Citation: citation})
			}
		}
	}
	return dst
}

// reasoned reads a whole reasoning item. Only now its encrypted content is whole.
func (d *streamDecoder) reasoned(dst []transform.Delta, it *openItem, v jsonbytes.Value) []transform.Delta {
	for i, part := range v.Get("summary").Elements() {
		dst = d.text(dst, it, transform.DeltaReasoning, min(int64(i), rawText-1), part.Get("text"), true)
	}
	for i, part := range v.Get("content").Elements() {
		dst = d.text(dst, it, transform.DeltaReasoning, int64(i)+rawText, part.Get("text"), true)
	}
	opaque := readEncrypted(v)
	if opaque.Kind == transform.OpaqueNone {
		return dst
	}
	if it.part < 0 {
		it.part = d.parts
		d.parts++
	}
	return append(dst, transform.Delta{Kind: transform.DeltaOpaque, Part: it.part, Opaque: opaque})
}

var noArguments = transform.Literal(`"{}"`)

func (d *streamDecoder) endItem(dst []transform.Delta, it *openItem) []transform.Delta {
	if it.kind == itemCall && !it.custom {
		dst = d.arguments(dst, it, jsonbytes.Value(noArguments), true)
	}
	it.done = true
	return d.endPart(dst, it)
}
