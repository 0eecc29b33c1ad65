package anthropic

import (
	"errors"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

var errNoMessage = errors.New("the answer is not a message in Anthropic's format")

// readMessage checks a whole answer. Errors are as of DecodeResponse.
func readMessage(body []byte) (jsonbytes.Value, error) {
	if err := jsonbytes.Check(body, 0); err != nil {
		return nil, err
	}
	message := jsonbytes.Parse(body)
	if isFailure(message) {
		return nil, decodeError(0, message)
	}
	if message.Get("content").Kind() != jsonbytes.Array {
		return nil, errNoMessage
	}
	return message, nil
}

// isFailure tells whether an answer is an error whatever its status said.
func isFailure(answer jsonbytes.Value) bool {
	typ := answer.Get("type")
	return typ.Is("error") || typ == nil && !answer.Get("error").Empty()
}

// DecodeResponse reads a message.
func (Codec) DecodeResponse(body []byte) (*transform.Response, error) {
	message, err := readMessage(body)
	if err != nil {
		return nil, err
	}
	a := &transform.Response{}
	var content contentReader
	var reason, sequence, details jsonbytes.Value
	for name, value := range message.Members() {
		switch string(name) {
		case "id":
			a.ID, _ = value.Text()
		case "model":
			a.Model, _ = value.Text()
		case "content":
			for _, block := range value.Elements() {
				content.read(block)
			}
		case "stop_reason":
			reason = value
		case "stop_sequence":
			sequence = value
		case "stop_details":
			details = value
		case "usage":
			var c counts
			c.update(value)
			a.Usage = c.tokens(value.Kind() == jsonbytes.Object)
			a.ServiceTier = serviceTier(value)
		}
	}
	choice := transform.Choice{Parts: content.finish(), Finish: finishOf(reason, content.calls > 0)}
	choice.StopSequence, _ = sequence.Text()
	if text := explanation(details); text != nil {
		choice.Parts = append(choice.Parts, transform.Part{Kind: transform.PartRefusal, Text: text})
	}
	a.Choices = []transform.Choice{choice}
	return a, nil
}

// contentReader collects the parts of an answer.
type contentReader struct {
	parts      []transform.Part
	characters int
	calls      int
	// answer is the input of the tool that stands for the answer.
	answer jsonbytes.Value
}

// read adds a content block. What Anthropic's own tools do, and blocks of
// unknown types, are not for the client.
func (c *contentReader) read(block jsonbytes.Value) {
	typ, _ := block.Get("type").Text()
	switch typ {
	case "text":
		c.readText(block)
	case "thinking":
		part := transform.Part{Kind: transform.PartReasoning}
		if text := block.Get("thinking"); hasText(text) {
			part.Text = text
		}
		if signature := block.Get("signature"); hasText(signature) {
			part.Opaque = opaque(transform.OpaqueSignature, signature)
		}
		if part.Text != nil || part.Opaque.Data != nil {
			c.parts = append(c.parts, part)
		}
	case "redacted_thinking":
		if data := block.Get("data"); hasText(data) {
			c.parts = append(c.parts, transform.Part{
				Kind: transform.PartReasoning, Opaque: opaque(transform.OpaqueRedacted, data),
			})
		}
	case "tool_use":
		c.readCall(block)
	}
}

func (c *contentReader) readText(block jsonbytes.Value) {
	text := block.Get("text")
	if !hasText(text) {
		return
	}
	c.parts = append(c.parts, transform.Part{Kind: transform.PartText, Text: text})
	start := c.characters
	c.characters += characters(text)
	for _, citation := range block.Get("citations").Elements() {
		if annotation, ok := beginAnnotation(nil, citation); ok {
			c.parts = append(c.parts, transform.Part{
				Kind: transform.PartCitation, Citation: endAnnotation(annotation, start, c.characters),
			})
		}
	}
}

func (c *contentReader) readCall(block jsonbytes.Value) {
	call := transform.ToolCall{Arguments: block.Get("input")}
	call.ID, _ = block.Get("id").Text()
	call.Name, _ = block.Get("name").Text()
	if call.Name == answerTool {
		c.answer = call.Arguments
		return
	}
	c.calls++
	c.parts = append(c.parts, transform.Part{Kind: transform.PartToolCall, Call: call})
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
	text := transform.Part{Kind: transform.PartText, Text: jsonbytes.AppendBytes(nil, c.answer)}
	return append(parts, text)
}

func opaque(kind transform.OpaqueKind, data transform.Literal) transform.Opaque {
	return transform.Opaque{Vendor: transform.VendorAnthropic, Kind: kind, Data: data}
}

// hasText tells whether value is a string with something in it.
func hasText(value jsonbytes.Value) bool {
	return value.Kind() == jsonbytes.String && len(value) > len(`""`)
}
