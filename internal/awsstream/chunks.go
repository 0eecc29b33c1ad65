package awsstream

import (
	"bytes"
	"encoding/base64"
	"fmt"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/internal/sse"
)

// unwrap makes an event of Anthropic's of a message around one. Bedrock's own
// messages beside them, such as initial-response, are not for the client.
func (b *Buffer) unwrap(event *sse.Event, m *message) (bool, error) {
	switch string(m.kind) {
	case "event":
		if string(m.event) != "chunk" {
			return false, nil
		}
		err := b.chunk(event, m.payload)
		return err == nil, err
	case "exception":
		b.failure(event, m.exception, jsonbytes.Parse(m.payload).Get("message"))
	case "error":
		b.failure(event, m.code, jsonbytes.AppendBytes(nil, m.why))
	default:
		return false, fmt.Errorf("%w: a message is of unknown type", ErrCorrupt)
	}
	return true, nil
}

// chunk reads {"bytes":"<base64>","p":"<padding>"}.
func (b *Buffer) chunk(event *sse.Event, payload []byte) error {
	wrapped := jsonbytes.Parse(payload).Get("bytes")
	if wrapped.Kind() != jsonbytes.String || len(wrapped) < len(`""`) {
		return fmt.Errorf("%w: a chunk has no bytes", ErrCorrupt)
	}
	code := []byte(wrapped[1 : len(wrapped)-1])
	if bytes.IndexByte(code, '\\') >= 0 {
		code = wrapped.AppendText(nil) // some write a slash as \/
	}
	text, err := base64.StdEncoding.AppendDecode(b.text[:0], code)
	b.text = text
	if err != nil {
		return fmt.Errorf("%w: the bytes of a chunk are not base64", ErrCorrupt)
	}
	name, ok := typeOf(text)
	if !ok {
		return fmt.Errorf("%w: a chunk holds no event", ErrCorrupt)
	}
	if bytes.ContainsAny(text, "\r\n") {
		if jsonbytes.Check(text, 0) != nil {
			return fmt.Errorf("%w: a chunk holds no event", ErrCorrupt)
		}
		text = jsonbytes.AppendCompact(nil, text) // its lines would end the event
	}
	b.write(event, name, text)
	return nil
}

// typeOf is the type that an event calls itself.
func typeOf(text []byte) ([]byte, bool) {
	typ := jsonbytes.Parse(text).Get("type")
	if typ.Kind() != jsonbytes.String || len(typ) <= len(`""`) {
		return nil, false
	}
	name := []byte(typ[1 : len(typ)-1])
	for _, c := range name {
		if !(c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '.' || c == '-') {
			return nil, false
		}
	}
	return name, true
}

// write makes a server-sent event.
func (b *Buffer) write(event *sse.Event, name, data []byte) {
	from := len(b.made)
	b.made = append(b.made, "event: "...)
	nameAt := len(b.made)
	b.made = append(append(b.made, name...), "\ndata: "...)
	dataAt := len(b.made)
	b.made = append(append(b.made, data...), "\n\n"...)
	end := len(b.made)
	event.Raw = b.made[from:end:end]
	event.Name = b.made[nameAt : nameAt+len(name) : nameAt+len(name)]
	event.Data = b.made[dataAt : end-2 : end-2]
}

// failure makes Anthropic's error event of an exception.
func (b *Buffer) failure(event *sse.Event, exception []byte, message jsonbytes.Value) {
	data := append(make([]byte, 0, 128+len(message)), `{"type":"error","error":{"type":"`...)
	data = append(data, errorType(exception)...)
	data = append(data, `","message":`...)
	if message.Kind() != jsonbytes.String || len(message) <= len(`""`) || jsonbytes.Check(message, 1) != nil {
		message = jsonbytes.AppendString(nil, "the provider ended the stream with an error and did not say why")
	}
	data = append(append(data, message...), "}}"...)
	b.write(event, []byte("error"), data)
}

// errorType is Anthropic's word for an exception of Bedrock.
func errorType(exception []byte) string {
	switch string(exception) {
	case "throttlingException":
		return "rate_limit_error"
	case "validationException":
		return "invalid_request_error"
	case "serviceUnavailableException", "modelNotReadyException":
		return "overloaded_error"
	}
	return "api_error"
}
