package ollama

import (
	"errors"
	"fmt"
	"time"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/usage"
)

var (
	errNoAnswer = errors.New("ollama: the answer is not of this format")
	errNotDone  = errors.New("ollama: the answer is not whole")
	errNameless = errors.New("ollama: a tool call without a name")
)

// frame is an answer, or a line of a stream: they are the same object.
type frame struct {
	model, created, failure jsonbytes.Value
	message, logprobs       jsonbytes.Value
	done                    jsonbytes.Value
	reason                  jsonbytes.Value
	usage                   usage.Tokens
}

// open validates a text and takes it apart.
func open(data []byte) (f frame, err error) {
	if err = jsonbytes.Check(data, 0); err != nil {
		return f, fmt.Errorf("ollama: the answer is %w", err)
	}
	text := jsonbytes.Parse(data)
	if text.Kind() != jsonbytes.Object {
		return f, errNoAnswer
	}
	for key, value := range text.Members() {
		switch string(key) {
		case "model":
			f.model = value
		case "created_at":
			f.created = value
		case "error":
			f.failure = value
		case "message":
			f.message = value
		case "logprobs":
			f.logprobs = value
		case "done":
			f.done = value
		case "done_reason":
			f.reason = value
		case "prompt_eval_count": // missing where all of the prompt was cached
			f.count(&f.usage.Input, value)
		case "eval_count":
			f.count(&f.usage.Output, value)
		}
	}
	f.usage = f.usage.Clamp()
	return f, nil
}

func (f *frame) count(place *int64, v jsonbytes.Value) {
	if n, ok := v.Int(); ok {
		*place, f.usage.Known = n, true
	}
}

// createdAt is the server's time in Unix seconds, 0 if it does not say.
func (f *frame) createdAt() int64 {
	text, _ := f.created.Text()
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return 0
	}
	return max(t.Unix(), 0)
}

// finish is why an answer with or without calls ended. The server says stop
// with calls too.
func (f *frame) finish(calls bool) transform.Finish {
	switch {
	case f.reason.Is("length"):
		return transform.FinishLength
	case calls:
		return transform.FinishToolCalls
	case f.reason.Is("stop"), f.reason.Is("load"), f.reason.Is("unload"):
		return transform.FinishStop
	}
	return transform.FinishUnknown
}

// isError tells whether there is an error in place of an answer.
func (f *frame) isError() bool {
	return f.failure.HasText() || f.failure.Kind() == jsonbytes.Object && f.failure.Len() > 0
}

// DecodeResponse reads the answer of /api/chat. Errors that came with status
// 200 are *transform.Error.
func (Codec) DecodeResponse(body []byte) (*transform.Response, error) {
	f, err := open(body)
	switch done, known := f.done.Bool(); {
	case err != nil:
		return nil, err
	case f.isError():
		return nil, decodeError(0, jsonbytes.Parse(body))
	case f.message.Kind() != jsonbytes.Object:
		return nil, errNoAnswer
	case known && !done:
		return nil, errNotDone
	}
	a := &transform.Response{Created: f.createdAt(), Usage: f.usage}
	a.Model, _ = f.model.Text()
	choice := transform.Choice{Logprobs: chatLogprobs(f.logprobs)}
	var m message
	m.read(f.message)
	if m.thinking != nil {
		choice.Parts = append(choice.Parts, transform.Part{Kind: transform.PartReasoning, Text: m.thinking})
	}
	if m.content != nil {
		choice.Parts = append(choice.Parts, transform.Part{Kind: transform.PartText, Text: m.content})
	}
	seen := make(map[string]bool)
	for _, v := range m.calls.Elements() {
		call, err := decodeCall(v)
		if err != nil {
			return nil, err
		}
		if call.ID == "" || seen[call.ID] {
			call.ID = transform.NewCallID()
		}
		seen[call.ID] = true
		choice.Parts = append(choice.Parts, transform.Part{Kind: transform.PartToolCall, Call: call})
	}
	choice.Finish = f.finish(len(seen) > 0)
	a.Choices = []transform.Choice{choice}
	return a, nil
}

// message is the members of a message.
type message struct {
	content, thinking transform.Literal
	calls             jsonbytes.Value
}

func (m *message) read(v jsonbytes.Value) {
	for key, value := range v.Members() {
		switch string(key) {
		case "content":
			m.content = value.NonEmpty()
		case "thinking":
			m.thinking = value.NonEmpty()
		case "tool_calls":
			m.calls = value
		}
	}
}

// decodeCall reads {id, function: {index, name, arguments}}. Its ID stays empty
// if the server gave none, as older ones do.
func decodeCall(v jsonbytes.Value) (call transform.ToolCall, err error) {
	call.ID, _ = v.Get("id").Text()
	for key, value := range v.Get("function").Members() {
		switch string(key) {
		case "name":
			call.Name, _ = value.Text()
		case "arguments":
			switch value.Kind() {
			case jsonbytes.Object:
				call.Arguments = jsonbytes.AppendCompact(nil, value)
			case jsonbytes.String: // of servers that resemble Ollama
				call.Arguments = value.AppendText(nil)
			}
		}
	}
	if call.Name == "" {
		return call, errNameless
	}
	return call, nil
}
