package testllm

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// dialect renders semantic content in one provider's wire format.
type dialect interface {
	answer(answer) object
	stream(answer) []event
	embeddings(answer) object
	models(names []string) object
	problem(problem) object
	errorEvent(problem) event
	frame(event) []byte
	jsonType() string
	streamType() string
	requestIDHeader() string
}

func dialectOf(format Format) dialect {
	switch format {
	case Anthropic:
		return anthropic{}
	case Gemini:
		return gemini{}
	case Responses:
		return responses{}
	}
	return openAI{}
}

// event is one server-sent event, later one write. Content counts the pieces
// of generated content it completes.
type event struct {
	name    string
	data    []byte
	content int
}

// object is a JSON object that keeps the order of its keys, as the providers'
// own encoders do: names and values in turn.
type object []any

// MarshalJSON writes the members in order.
func (o object) MarshalJSON() ([]byte, error) {
	var out bytes.Buffer
	out.WriteByte('{')
	for i := 0; i < len(o); i += 2 {
		if i > 0 {
			out.WriteByte(',')
		}
		fmt.Fprintf(&out, "%q:", o[i])
		out.Write(encode(o[i+1]))
	}
	out.WriteByte('}')
	return out.Bytes(), nil
}

// encode leaves <, > and & as they are, like the providers. It panics on what
// JSON cannot carry (say, tool arguments that are not JSON in a format that
// needs an object), which fails the test.
func encode(value any) []byte {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		panic(fmt.Sprintf("cannot render the reply: %v", err))
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n"))
}
