// Package jsonarray reads a stream that is one JSON array whose elements come
// one by one, such as Google sends where server-sent events are not asked for.
package jsonarray

import (
	"errors"
	"io"

	"github.com/caddyllm/llmproxy/internal/sse"
	"github.com/caddyllm/llmproxy/internal/window"
)

var errMalformed = errors.New("jsonarray: the stream is not a JSON array")

// Buffer collects what a provider sends and hands out whole elements only,
// under the rules of [sse.Buffer]: call Fill, then Next until it is false, and
// so on. Data is an element; Raw is that and what stands between it and the
// element before. The bracket at the end is an event without Data. All Raws and
// that of Tail together are the stream. The zero value is ready for use.
//
// Elements are not validated: their brackets are counted, not matched.
type Buffer struct {
	// Max is how many bytes one event may take; 0 means 16 MiB.
	Max int

	window window.Window
	seen   int // so much of the rest was looked at
	begin  int // where the current element begins in the rest
	state  state
	depth  int // open brackets of the current element
}

// state is where in the array the reader stands.
type state uint8

const (
	before  state = iota // the opening bracket is to come
	first                // the first element or the end
	next                 // an element, after a comma
	nested               // inside an object or array
	text                 // inside a string
	escape               // behind a backslash there
	scalar               // inside a number, true, false or null
	between              // a comma or the end
	closed
	broken
)

// Reset makes the buffer ready for another stream. It keeps Max.
func (b *Buffer) Reset() {
	memory := b.window
	memory.Reset()
	*b = Buffer{Max: b.Max, window: memory}
}

// Fill reads once from r and returns what Read returned. It invalidates all
// events returned so far. It is an error if the current event fills Max bytes
// and is still not whole ([sse.ErrTooLarge]), or if the stream is no array.
func (b *Buffer) Fill(r io.Reader) (int, error) {
	if b.state == broken {
		return 0, errMalformed
	}
	return b.window.Fill(r, b.Max)
}

// Next returns the next whole element in the buffer, or the end of the array;
// false if more bytes are needed or the stream is no array.
func (b *Buffer) Next() (event sse.Event, ok bool) {
	rest := b.window.Rest()
	for at := b.seen; at < len(rest); at++ {
		switch c := rest[at]; b.state {
		case text:
			switch c {
			case '"':
				if b.state = nested; b.depth == 0 {
					return b.element(at + 1), true
				}
			case '\\':
				b.state = escape
			}
		case escape:
			b.state = text
		case nested:
			switch c {
			case '"':
				b.state = text
			case '{', '[':
				b.depth++
			case '}', ']':
				if b.depth--; b.depth == 0 {
					return b.element(at + 1), true
				}
			}
		case scalar:
			if c == ',' || c == ']' || isSpace(c) {
				return b.element(at), true
			}
		case broken:
			return event, false
		default:
			if isSpace(c) {
				continue
			}
			if b.state == closed && at > 0 { // white space, however it came, is no part of what it stands before
				return sse.Event{Raw: b.take(at)}, true
			}
			if b.outside(c, at); b.state == closed {
				return sse.Event{Raw: b.take(at + 1)}, true
			}
		}
	}
	if b.seen = len(rest); b.state == closed && len(rest) > 0 {
		return sse.Event{Raw: b.take(len(rest))}, true
	}
	return event, false
}

// outside reads a byte, no white space, between elements.
func (b *Buffer) outside(c byte, at int) {
	switch {
	case b.state == before && c == '[':
		b.state = first
	case b.state == between && c == ',':
		b.state = next
	case (b.state == between || b.state == first) && c == ']':
		b.state = closed
	case b.state == first || b.state == next:
		b.start(c, at)
	default:
		b.state = broken
	}
}

// start begins an element.
func (b *Buffer) start(c byte, at int) {
	b.begin, b.depth = at, 0
	switch c {
	case '{', '[':
		b.state, b.depth = nested, 1
	case '"':
		b.state = text
	case ',', ':', '}', ']':
		b.state = broken
	default:
		b.state = scalar
	}
}

// element takes the current element, which ends at end.
func (b *Buffer) element(end int) sse.Event {
	begin := b.begin
	b.state = between
	raw := b.take(end)
	return sse.Event{Raw: raw, Data: raw[begin:end:end]}
}

func (b *Buffer) take(n int) []byte {
	b.seen, b.begin = 0, 0
	return b.window.Take(n)
}

// Tail takes what is left at the end of a stream. It is true if that is more
// than white space: a stream that broke off, with what there is of its last
// element as Data, or one that is no array.
func (b *Buffer) Tail() (event sse.Event, ok bool) {
	begin, rest := b.begin, b.take(len(b.window.Rest()))
	event.Raw = rest
	switch b.state {
	case nested, text, escape, scalar:
		event.Data = rest[begin:]
	}
	for _, c := range rest {
		ok = ok || !isSpace(c)
	}
	return event, ok
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }
