package sse

import "bytes"

// block is what is known so far of the block being received. Offsets count from its beginning.
type block struct {
	open       bool // it has a line that is not blank
	named      bool
	name       span
	data       span // of the first data line
	dataLines  int
	joinedFrom int // where its data begins in the memory for several data lines
}

type span struct{ from, to int }

// addLine reads the field in text[from:to], a line of the current block.
func (b *Buffer) addLine(from, to int) {
	b.block.open = true
	name, value := field(b.text[from:to])
	at := span{to - len(value) - b.next, to - b.next}
	switch string(name) {
	case "event":
		b.block.named, b.block.name = true, at
	case "data":
		b.block.dataLines++
		switch b.block.dataLines {
		case 1:
			b.block.data = at
		case 2:
			b.block.joinedFrom = len(b.joined)
			b.joined = append(b.joined, b.part(b.block.data)...)
			fallthrough
		default:
			b.joined = append(b.joined, '\n')
			b.joined = append(b.joined, value...)
		}
	}
}

// field splits a line at its first colon and drops one space after it. A comment has an empty name.
func field(line []byte) (name, value []byte) {
	colon := 4 // of a data line, by far the most frequent
	if len(line) < 5 || string(line[:5]) != "data:" {
		colon = bytes.IndexByte(line, ':')
	}
	if colon < 0 {
		return line, nil
	}
	name, value = line[:colon], line[colon+1:]
	if len(value) > 0 && value[0] == ' ' {
		value = value[1:]
	}
	return name, value
}

func (b *Buffer) part(at span) []byte {
	return b.text[b.next+at.from : b.next+at.to : b.next+at.to]
}

// finish fills in the event of the current block, which ends at end, and forgets the block.
func (b *Buffer) finish(event *Event, end int) {
	event.Raw = b.text[b.next:end:end]
	if b.block.named {
		event.Name = b.part(b.block.name)
	}
	switch b.block.dataLines {
	case 0:
	case 1:
		event.Data = b.part(b.block.data)
	default:
		event.Data = b.joined[b.block.joinedFrom:len(b.joined):len(b.joined)]
	}
	b.block = block{}
}

// dropJoined frees the joined data of events returned before, but not that of the current block.
func (b *Buffer) dropJoined() {
	from := len(b.joined)
	if b.block.dataLines > 1 {
		from = b.block.joinedFrom
	}
	if from > 0 {
		b.joined = append(b.joined[:0], b.joined[from:]...)
		b.block.joinedFrom = 0
	}
}
