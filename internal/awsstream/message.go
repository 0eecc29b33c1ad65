package awsstream

import (
	"encoding/binary"
	"fmt"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/internal/sse"
)

// message is a frame, taken apart.
type message struct {
	kind      []byte // event, exception or error
	event     []byte
	exception []byte
	code      []byte // of errors, with words that say why
	why       []byte
	payload   []byte
}

// read makes an event of a frame, false if it is none for the caller.
func (b *Buffer) read(event *sse.Event, frame []byte) (bool, error) {
	m, err := parse(frame)
	if err != nil {
		return false, err
	}
	if b.Chunks {
		return b.unwrap(event, &m)
	}
	event.Raw, event.Data = frame, m.payload
	switch string(m.kind) {
	case "event":
		event.Name = m.event
	case "exception":
		event.Name = b.make("exception:", m.exception)
	case "error":
		event.Name = b.make("error:", m.code)
		if len(m.payload) == 0 {
			event.Data = b.reason(m.why)
		}
	default:
		return false, fmt.Errorf("%w: a message is of unknown type", ErrCorrupt)
	}
	return true, nil
}

// make joins a word and what a frame says.
func (b *Buffer) make(word string, said []byte) []byte {
	from := len(b.made)
	b.made = append(append(b.made, word...), said...)
	return b.made[from:len(b.made):len(b.made)]
}

// reason is the payload that an error without one would have.
func (b *Buffer) reason(why []byte) []byte {
	from := len(b.made)
	b.made = append(b.made, `{"message":`...)
	b.made = jsonbytes.AppendBytes(b.made, why)
	b.made = append(b.made, '}')
	return b.made[from:len(b.made):len(b.made)]
}

// parse reads a whole frame whose checksums are right.
func parse(frame []byte) (m message, err error) {
	end := preludeSize + int(binary.BigEndian.Uint32(frame[4:]))
	m.payload = frame[end : len(frame)-checksumSize : len(frame)-checksumSize]
	for headers := frame[preludeSize:end:end]; len(headers) > 0; {
		name, value, rest, ok := header(headers)
		if !ok {
			return m, fmt.Errorf("%w: a header cannot be read", ErrCorrupt)
		}
		headers = rest
		switch string(name) {
		case ":message-type":
			m.kind = value
		case ":event-type":
			m.event = value
		case ":exception-type":
			m.exception = value
		case ":error-code":
			m.code = value
		case ":error-message":
			m.why = value
		}
	}
	return m, nil
}

// The types of header values that have a length in front.
const (
	typeBytes  = 6
	typeString = 7
)

// valueSizes are the sizes of the other types: two truth values, integers of
// four sizes, a time and a UUID.
var valueSizes = [...]int{0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}

// header cuts off the first header: the length of the name in a byte, the name,
// the type in a byte, the value. The value is nil if it is no string.
func header(headers []byte) (name, value, rest []byte, ok bool) {
	size := int(headers[0])
	if len(headers) < 1+size+1 {
		return nil, nil, nil, false
	}
	name, typ, rest := headers[1:1+size], headers[1+size], headers[1+size+1:]
	switch {
	case typ == typeBytes, typ == typeString:
		if len(rest) < 2 {
			return nil, nil, nil, false
		}
		size, rest = int(binary.BigEndian.Uint16(rest)), rest[2:]
	case int(typ) < len(valueSizes):
		size = valueSizes[typ]
	default:
		return nil, nil, nil, false
	}
	if len(rest) < size {
		return nil, nil, nil, false
	}
	if typ == typeString {
		value = rest[:size:size]
	}
	return name, value, rest[size:], true
}
