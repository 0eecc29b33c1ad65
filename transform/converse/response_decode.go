package converse

import (
	"encoding/base64"
	"errors"
	"unicode/utf8"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

var errNoAnswer = errors.New("the answer is not in Converse's format")

// DecodeResponse reads an answer. It names neither itself nor its model.
func (c Codec) DecodeResponse(body []byte) (*transform.Response, error) {
	if err := jsonbytes.Check(body, 0); err != nil {
		return nil, err
	}
	a := &transform.Response{}
	content := contentReader{vendor: c.vendor()}
	var said, reason, fields, message jsonbytes.Value
	for name, value := range jsonbytes.Parse(body).Members() {
		switch string(name) {
		case "output":
			said = value.Get("message").Get("content")
		case "stopReason":
			reason = value
		case "additionalModelResponseFields":
			fields = value
		case "usage":
			a.Usage = tokensOf(value)
		case "serviceTier":
			a.ServiceTier = serviceTier(value)
		case "message":
			message = value
		}
	}
	switch {
	case said.Kind() == jsonbytes.Array:
	case message.Kind() == jsonbytes.String:
		return nil, decodeError(0, message)
	default:
		return nil, errNoAnswer
	}
	if e := spoiled(reason); e != nil {
		return nil, e
	}
	for _, block := range said.Elements() {
		content.read(block)
	}
	choice := transform.Choice{Parts: content.finish(), Finish: finishOf(reason, content.calls > 0)}
	choice.StopSequence = stopSequence(fields)
	a.Choices = []transform.Choice{choice}
	return a, nil
}

// contentReader collects the parts of an answer.
type contentReader struct {
	vendor     transform.Vendor
	parts      []transform.Part
	characters int
	calls      int
	// answer is the input of the tool that stands for the answer.
	answer jsonbytes.Value
}

// read adds a content block. What Bedrock's own tools do, and blocks of unknown
// kinds, are not for the client.
func (c *contentReader) read(block jsonbytes.Value) {
	for name, value := range block.Members() {
		switch string(name) {
		case "text":
			c.addText(value)
		case "reasoningContent":
			c.readReasoning(value)
		case "toolUse":
			c.readCall(value)
		case "citationsContent":
			c.readCited(value)
		case "image":
			c.readImage(value)
		}
	}
}

func (c *contentReader) addText(text jsonbytes.Value) {
	if hasText(text) {
		c.characters += characters(text)
		c.parts = append(c.parts, transform.Part{Kind: transform.PartText, Text: text})
	}
}

func (c *contentReader) readReasoning(value jsonbytes.Value) {
	part := transform.Part{Kind: transform.PartReasoning}
	thought := value.Get("reasoningText")
	if text := thought.Get("text"); hasText(text) {
		part.Text = text
	}
	if signature := thought.Get("signature"); hasText(signature) {
		part.Opaque = transform.Opaque{Vendor: c.vendor, Kind: transform.OpaqueSignature, Data: signature}
	}
	if data := value.Get("redactedContent"); hasText(data) {
		part.Opaque = redacted(c.vendor, data)
	}
	if part.Text != nil || part.Opaque.Data != nil {
		c.parts = append(c.parts, part)
	}
}

// redacted is reasoning that may not be shown: bytes, in base64. Those of Claude
// are what Anthropic's own format has as a string.
func redacted(vendor transform.Vendor, data transform.Literal) transform.Opaque {
	o := transform.Opaque{Vendor: vendor, Kind: transform.OpaqueRedacted, Data: data}
	if vendor == transform.VendorAnthropic {
		plain, err := base64.StdEncoding.AppendDecode(nil, data.AppendText(nil))
		if err != nil || len(plain) == 0 || !utf8.Valid(plain) {
			return transform.Opaque{}
		}
		o.Data = jsonbytes.AppendBytes(nil, plain)
	}
	return o
}

func (c *contentReader) readCall(value jsonbytes.Value) {
	if value.Get("type").Is(serverCall) {
		return
	}
	call := transform.ToolCall{Arguments: value.Get("input")}
	call.ID, _ = value.Get("toolUseId").Text()
	call.Name, _ = value.Get("name").Text()
	if call.Name == answerTool {
		c.answer = call.Arguments
		return
	}
	c.calls++
	c.parts = append(c.parts, transform.Part{Kind: transform.PartToolCall, Call: call})
}

// serverCall is the type of calls that Bedrock answers itself.
const serverCall = "server_tool_use"

// readCited reads texts with the sources that they have in common.
func (c *contentReader) readCited(value jsonbytes.Value) {
	start := c.characters
	for _, text := range value.Get("content").Elements() {
		c.addText(text.Get("text"))
	}
	for _, citation := range value.Get("citations").Elements() {
		if annotation, ok := beginAnnotation(nil, citation); ok {
			c.parts = append(c.parts, transform.Part{
				Kind: transform.PartCitation, Citation: endAnnotation(annotation, start, c.characters),
			})
		}
	}
}

func (c *contentReader) readImage(value jsonbytes.Value) {
	format, _ := value.Get("format").Text()
	data := value.Get("source").Get("bytes")
	if byExtension[format] == "image" && hasText(data) {
		c.parts = append(c.parts, transform.Part{
			Kind: transform.PartImage, Media: transform.Media{Type: "image/" + format, Data: data.AppendText(nil)},
		})
	}
}

// finish returns the parts. Where a tool stands for the answer, its input is
// the whole text: what was said besides is not part of the JSON.
func (c *contentReader) finish() []transform.Part {
	if c.answer == nil {
		return c.parts
	}
	parts := c.parts[:0]
	for _, part := range c.parts {
		if part.Kind != transform.PartText && part.Kind != transform.PartCitation {
			parts = append(parts, part)
		}
	}
	return append(parts, transform.Part{Kind: transform.PartText, Text: jsonbytes.AppendBytes(nil, c.answer)})
}
