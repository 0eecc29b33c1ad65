package sse

import (
	"bytes"
	"iter"
	"strconv"
)

// Blocks cuts text, which is whole events, behind the blank line of each. Blank
// lines between two of them go to the later one; what follows the last blank
// line is a block too.
func Blocks(text []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		from, open := 0, false
		for at := 0; at < len(text); {
			line, next := cutLine(text, at)
			at = next
			if len(line) > 0 {
				open = true
			} else if open {
				if !yield(text[from:at:at]) {
					return
				}
				from, open = at, false
			}
		}
		if from < len(text) {
			yield(text[from:])
		}
	}
}

// cutLine is the line that begins at a place, and where the next one does.
func cutLine(text []byte, at int) (line []byte, next int) {
	end := bytes.IndexAny(text[at:], "\r\n")
	if end < 0 {
		return text[at:], len(text)
	}
	end += at
	next = end + 1
	if text[end] == '\r' && next < len(text) && text[next] == '\n' {
		next++
	}
	return text[at:end], next
}

// HasData tells whether a block is an event that parsers dispatch, and no comment.
func HasData(block []byte) bool {
	block = bytes.TrimPrefix(block, byteOrderMark)
	for at := 0; at < len(block); {
		var line []byte
		line, at = cutLine(block, at)
		if name, _ := field(line); string(name) == "data" {
			return true
		}
	}
	return false
}

// AppendNumbered appends a block with a number as its id, in place of an id that
// it may have.
func AppendNumbered(dst, block []byte, id int) []byte {
	if bytes.HasPrefix(block, byteOrderMark) {
		dst, block = append(dst, byteOrderMark...), block[len(byteOrderMark):]
	}
	numbered := false
	for at := 0; at < len(block); {
		line, next := cutLine(block, at)
		whole := block[at:next]
		at = next
		if len(line) > 0 && !numbered {
			dst = strconv.AppendInt(append(dst, "id: "...), int64(id), 10)
			dst = append(dst, '\n')
			numbered = true
		}
		if name, _ := field(line); string(name) != "id" {
			dst = append(dst, whole...)
		}
	}
	return dst
}
