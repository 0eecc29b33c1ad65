package cohere

import (
	"errors"
	"fmt"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

var errNoAnswer = errors.New("cohere: the answer is not of this format")

// open validates a text, which must be an object.
func open(data []byte) (jsonbytes.Value, error) {
	if err := jsonbytes.Check(data, 0); err != nil {
		return nil, fmt.Errorf("cohere: the answer is %w", err)
	}
	v := jsonbytes.Parse(data)
	if v.Kind() != jsonbytes.Object {
		return nil, errNoAnswer
	}
	return v, nil
}

// DecodeResponse reads the answer of /v2/chat. Errors that came with status 200
// are *transform.Error.
func (Codec) DecodeResponse(body []byte) (*transform.Response, error) {
	text, err := open(body)
	if err != nil {
		return nil, err
	}
	a := new(transform.Response)
	var message, finish, logprobs jsonbytes.Value
	for key, value := range text.Members() {
		switch string(key) {
		case "id":
			a.ID, _ = value.Text()
		case "message":
			message = value
		case "finish_reason":
			finish = value
		case "usage":
			a.Usage = readUsage(value)
		case "logprobs":
			logprobs = value
		}
	}
	switch {
	case isError(text):
		return nil, decodeError(0, text)
	case message.Kind() != jsonbytes.Object:
		return nil, errNoAnswer
	}
	if failure := failedFinish(finish, nil); failure != nil {
		return nil, failure
	}
	choice := transform.Choice{Logprobs: chatLogprobs(logprobs)}
	var calls bool
	if choice.Parts, calls, err = decodeMessage(message); err != nil {
		return nil, err
	}
	choice.Finish = readFinish(finish, calls)
	a.Choices = []transform.Choice{choice}
	return a, nil
}

// decodeMessage reads what the model said. Its plan comes before the calls
// that it is about, as reasoning: it is not meant for the user.
func decodeMessage(v jsonbytes.Value) (parts []transform.Part, called bool, err error) {
	var content, plan, calls, citations jsonbytes.Value
	for key, value := range v.Members() {
		switch string(key) {
		case "content":
			content = value
		case "tool_plan":
			plan = value
		case "tool_calls":
			calls = value
		case "citations":
			citations = value
		}
	}
	if text := content.NonEmpty(); text != nil {
		parts = append(parts, transform.Part{Kind: transform.PartText, Text: text})
	}
	for _, block := range content.Elements() {
		if kind, text := blockText(block); text != nil {
			parts = append(parts, transform.Part{Kind: kind, Text: text})
		}
	}
	if text := plan.NonEmpty(); text != nil {
		parts = append(parts, transform.Part{Kind: transform.PartReasoning, Text: text})
	}
	for _, v := range calls.Elements() {
		part := transform.Part{Kind: transform.PartToolCall}
		if part.Call, err = decodeCall(v); err != nil {
			return nil, false, err
		}
		parts, called = append(parts, part), true
	}
	c := citer{}
	for _, v := range citations.Elements() {
		c.cite(v, func(annotation jsonbytes.Value) {
			parts = append(parts, transform.Part{Kind: transform.PartCitation, Citation: annotation})
		})
	}
	return parts, called, nil
}

// blockText is what a block of content says: text, or what the model thought.
func blockText(block jsonbytes.Value) (transform.PartKind, transform.Literal) {
	for key, value := range block.Members() {
		switch string(key) {
		case "text":
			if text := value.NonEmpty(); text != nil {
				return transform.PartText, text
			}
		case "thinking":
			if text := value.NonEmpty(); text != nil {
				return transform.PartReasoning, text
			}
		}
	}
	return transform.PartText, nil
}

var errNameless = errors.New("cohere: a tool call without a name")

// decodeCall reads {id, type, function: {name, arguments}}.
func decodeCall(v jsonbytes.Value) (call transform.ToolCall, err error) {
	function := v.Get("function")
	call.Name, _ = function.Get("name").Text()
	if call.Name == "" {
		return call, errNameless
	}
	if call.ID, _ = v.Get("id").Text(); call.ID == "" {
		call.ID = transform.NewCallID()
	}
	switch arguments := function.Get("arguments"); arguments.Kind() {
	case jsonbytes.String:
		call.Arguments = arguments.AppendText(nil)
	case jsonbytes.Object:
		call.Arguments = arguments
	}
	return call, nil
}
