package anthropic

import (
	"errors"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/transform/blocks"
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
	var content blocks.Answer
	var reason, sequence, details jsonbytes.Value
	for name, value := range message.Members() {
		switch string(name) {
		case "id":
			a.ID, _ = value.Text()
		case "model":
			a.Model, _ = value.Text()
		case "content":
			for _, block := range value.Elements() {
				readBlock(&content, block)
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
	choice := transform.Choice{Parts: content.Parts(), Finish: blocks.Finish(reason, content.Calls > 0)}
	choice.StopSequence, _ = sequence.Text()
	if text := explanation(details); text != nil {
		choice.Parts = append(choice.Parts, transform.Part{Kind: transform.PartRefusal, Text: text})
	}
	a.Choices = []transform.Choice{choice}
	return a, nil
}

// readBlock adds a content block. What Anthropic's own tools do, and blocks of
// unknown types, are not for the client.
func readBlock(a *blocks.Answer, block jsonbytes.Value) {
	typ, _ := block.Get("type").Text()
	switch typ {
	case "text":
		text, start := block.Get("text"), a.Characters
		if !text.HasText() {
			return
		}
		a.AddText(text)
		for _, citation := range block.Get("citations").Elements() {
			a.AddCitation(citationOf(citation), start)
		}
	case "thinking":
		var signed transform.Opaque
		if signature := block.Get("signature"); signature.HasText() {
			signed = opaque(transform.OpaqueSignature, signature)
		}
		a.AddReasoning(block.Get("thinking"), signed)
	case "redacted_thinking":
		if data := block.Get("data"); data.HasText() {
			a.AddReasoning(nil, opaque(transform.OpaqueRedacted, data))
		}
	case "tool_use":
		a.AddCall(block.Get("id"), block.Get("name"), block.Get("input"))
	}
}

func opaque(kind transform.OpaqueKind, data transform.Literal) transform.Opaque {
	return transform.Opaque{Vendor: transform.VendorAnthropic, Kind: kind, Data: data}
}
