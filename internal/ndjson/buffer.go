// Package ndjson reads streams of newline-delimited JSON as bytes: each line is
// an event, handed out with the very bytes it came in.
package ndjson

import (
	"bytes"
	"io"

	"github.com/caddyllm/llmproxy/internal/sse"
	"github.com/caddyllm/llmproxy/internal/window"
)

// Buffer collects what a provider sends and hands out whole lines only, under
// the rules of [sse.Buffer]: call Fill, then Next until it is false, and so on.
// Data is the line without white space around it; Raw is the line with its end,
// and blank lines stand at the front of the Raw that follows them. Events have
// no name. The zero value is ready for use.
type Buffer struct {
	// Max is how many bytes one event may take; 0 means 16 MiB.
	Max int

	window window.Window
	line   int // the current line begins here in the rest, behind blank ones
	seen   int // no end of it before here
}

// Reset makes the buffer ready for another stream. It keeps Max.
func (b *Buffer) Reset() {
	b.window.Reset()
	b.line, b.seen = 0, 0
}

// Fill reads once from r and returns what Read returned. It invalidates all
// events returned so far. The error is [sse.ErrTooLarge] if the current line
// fills Max bytes and is still not whole.
func (b *Buffer) Fill(r io.Reader) (int, error) { return b.window.Fill(r, b.Max) }

// Next returns the next whole line that is not blank, false if more bytes are needed.
func (b *Buffer) Next() (event sse.Event, ok bool) {
	rest := b.window.Rest()
	for {
		end := bytes.IndexByte(rest[b.seen:], '\n')
		if end < 0 {
			b.seen = len(rest)
			return event, false
		}
		b.seen += end + 1
		if event.Data = trim(rest[b.line:b.seen]); event.Data != nil {
			event.Raw = b.window.Take(b.seen)
			b.line, b.seen = 0, 0
			return event, true
		}
		b.line = b.seen
	}
}

// Tail takes the last line at the end of a stream, which has no newline. It is
// false if only blank lines are left; Raw holds those nevertheless.
func (b *Buffer) Tail() (event sse.Event, ok bool) {
	rest := b.window.Take(len(b.window.Rest()))
	event = sse.Event{Raw: rest, Data: trim(rest[b.line:])}
	b.line, b.seen = 0, 0
	return event, event.Data != nil
}

// trim removes the white space of JSON; nothing becomes nil.
func trim(line []byte) []byte {
	from, to := 0, len(line)
	for from < to && isSpace(line[from]) {
		from++
	}
	for from < to && isSpace(line[to-1]) {
		to--
	}
	if from == to {
		return nil
	}
	return line[from:to:to]
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }
