package sse

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

const none = "<none>"

// wanted is an event as the tests write it: absent fields are none.
type wanted struct{ name, data string }

var vectors = []struct {
	name, stream string
	events       []wanted
	tail         *wanted // the unterminated last block, if any
}{
	{"nothing", "", nil, nil},
	{"single line", "data: x\n\n", []wanted{{none, "x"}}, nil},
	{"CR", "data: x\r\rdata: y\r\r", []wanted{{none, "x"}, {none, "y"}}, nil},
	{"CRLF", "data: x\r\n\r\ndata: y\r\n\r\n", []wanted{{none, "x"}, {none, "y"}}, nil},
	{"mixed line ends", "data: x\r\n\ndata: y\n\r\ndata: z\r\n\r", []wanted{{none, "x"}, {none, "y"}, {none, "z"}}, nil},
	{"CR before LF is one line end", "data: a\r\ndata: b\n\n", []wanted{{none, "a\nb"}}, nil},
	{"LF before CR are two", "data: a\n\rdata: b\n\n", []wanted{{none, "a"}, {none, "b"}}, nil},
	{"byte order mark", "\xEF\xBB\xBFdata: x\n\n", []wanted{{none, "x"}}, nil},
	{"only one byte order mark", "\xEF\xBB\xBF\xEF\xBB\xBFdata: x\n\n", []wanted{{none, none}}, nil},
	{"byte order mark and blank lines", "\xEF\xBB\xBF\n\ndata: x\n\n", []wanted{{none, "x"}}, nil},
	{"byte order mark alone", "\xEF\xBB\xBF", nil, nil},
	{"half a byte order mark", "\xEF\xBB", nil, &wanted{none, none}},
	{"byte order mark later", "data: \xEF\xBB\xBF\n\n", []wanted{{none, "\xEF\xBB\xBF"}}, nil},
	{"comment", ": keep-alive\n\ndata: x\n\n", []wanted{{none, none}, {none, "x"}}, nil},
	{"comment inside", "data: x\n:\ndata: y\n\n", []wanted{{none, "x\ny"}}, nil},
	{"name and data", "event: ping\ndata: {}\n\n", []wanted{{"ping", "{}"}}, nil},
	{"name after data", "data: {}\nevent: ping\n\n", []wanted{{"ping", "{}"}}, nil},
	{"last name counts", "event: a\nevent: b\ndata: x\n\n", []wanted{{"b", "x"}}, nil},
	{"name alone", "event: a\n\n", []wanted{{"a", none}}, nil},
	{"name is forgotten", "event: a\ndata: x\n\ndata: y\n\n", []wanted{{"a", "x"}, {none, "y"}}, nil},
	{"empty name", "event\ndata: x\n\n", []wanted{{"", "x"}}, nil},
	{"no space", "data:x\n\n", []wanted{{none, "x"}}, nil},
	{"only one space goes", "data:  x \n\n", []wanted{{none, " x "}}, nil},
	{"tab stays", "data:\tx\n\n", []wanted{{none, "\tx"}}, nil},
	{"colons in the value", "data: a:b: c\n\n", []wanted{{none, "a:b: c"}}, nil},
	{"no colon", "data\n\n", []wanted{{none, ""}}, nil},
	{"empty data", "data:\n\n", []wanted{{none, ""}}, nil},
	{"two empty data lines", "data\ndata\n\n", []wanted{{none, "\n"}}, nil},
	{"three data lines", "data: a\ndata:\ndata: c\n\n", []wanted{{none, "a\n\nc"}}, nil},
	{"several joined events", "data: a\ndata: b\n\ndata: c\ndata: d\n\n", []wanted{{none, "a\nb"}, {none, "c\nd"}}, nil},
	{"unknown fields", "id: 1\nretry: 5\nDATA: x\n data: y\ndata : z\ndatas: w\ndata: x\n\n", []wanted{{none, "x"}}, nil},
	{"blank lines between", "\n\r\n\rdata: x\n\n\n\r\n\ndata: y\n\n", []wanted{{none, "x"}, {none, "y"}}, nil},
	{"blank lines only", "\n\r\n\r\r\n", nil, nil},
	{"white space is no blank line", " \n\n", []wanted{{none, none}}, nil},
	{"NUL and odd bytes", "data: \x00\xff\n\n", []wanted{{none, "\x00\xff"}}, nil},
	{"unterminated line", "data: x\n\ndata: y", []wanted{{none, "x"}}, &wanted{none, "y"}},
	{"unterminated block", "event: e\ndata: x\r\ndata: y\r", nil, &wanted{"e", "x\ny"}},
	{"unterminated comment", ": bye", nil, &wanted{none, none}},
	{"blank lines at the end", "data: x\n\n\n\r\n", []wanted{{none, "x"}}, nil},
}

func shown(b []byte) string {
	if b == nil {
		return none
	}
	return string(b)
}

// pieces delivers one piece with each read.
type pieces [][]byte

func (p *pieces) Read(into []byte) (int, error) {
	if len(*p) == 0 {
		return 0, io.EOF
	}
	n := copy(into, (*p)[0])
	if (*p)[0] = (*p)[0][n:]; len((*p)[0]) == 0 {
		*p = (*p)[1:]
	}
	return n, nil
}

// read takes a stream apart, checks that no byte is lost and returns the events as text.
func read(t testing.TB, b *Buffer, parts ...[]byte) string {
	t.Helper()
	whole := bytes.Join(parts, nil)
	var got strings.Builder
	var raws, passed []byte
	source := pieces(parts)
	for {
		_, err := b.Fill(&source)
		var events []Event
		var texts []string
		for event, ok := b.Next(); ok; event, ok = b.Next() {
			raws = append(raws, event.Raw...)
			events = append(events, event)
			texts = append(texts, fmt.Sprintf("%q %q;", shown(event.Name), shown(event.Data)))
		}
		for i, event := range events {
			// Events stay valid until the next Fill.
			if text := fmt.Sprintf("%q %q;", shown(event.Name), shown(event.Data)); text != texts[i] {
				t.Fatalf("event changed from %s to %s", texts[i], text)
			}
			got.WriteString(texts[i])
		}
		passed = append(passed, b.Whole()...)
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(raws, passed) {
		t.Fatalf("Whole gave %q, Raw %q", passed, raws)
	}
	tail, ok := b.Tail()
	if ok {
		fmt.Fprintf(&got, "tail %q %q;", shown(tail.Name), shown(tail.Data))
	}
	if raws = append(raws, tail.Raw...); !bytes.Equal(raws, whole) {
		t.Fatalf("bytes changed from %q to %q", whole, raws)
	}
	if again, ok := b.Tail(); ok || len(again.Raw) > 0 {
		t.Fatalf("a second tail: %q", again.Raw)
	}
	return got.String()
}

func expected(events []wanted, tail *wanted) string {
	var text strings.Builder
	for _, e := range events {
		fmt.Fprintf(&text, "%q %q;", e.name, e.data)
	}
	if tail != nil {
		fmt.Fprintf(&text, "tail %q %q;", tail.name, tail.data)
	}
	return text.String()
}

func TestStreamsAreReadAlikeHoweverTheyAreCut(t *testing.T) {
	for _, v := range vectors {
		t.Run(v.name, func(t *testing.T) {
			want := expected(v.events, v.tail)
			stream := []byte(v.stream)
			var b Buffer
			for i := range len(stream) + 1 {
				for j := i; j <= len(stream); j++ {
					b.Reset()
					if got := read(t, &b, stream[:i], stream[i:j], stream[j:]); got != want {
						t.Fatalf("cut at %d and %d:\ngot  %s\nwant %s", i, j, got, want)
					}
				}
			}
			var single [][]byte
			for i := range stream {
				single = append(single, stream[i:i+1])
			}
			b.Reset()
			if got := read(t, &b, single...); got != want {
				t.Fatalf("byte by byte:\ngot  %s\nwant %s", got, want)
			}
		})
	}
}

func TestBlankLineEndedByCarriageReturnNeedsNoFurtherByte(t *testing.T) {
	var b Buffer
	source := pieces{[]byte("data: x\r\n\r"), []byte("\ndata: y\r\n\r\n")}
	if _, err := b.Fill(&source); err != nil {
		t.Fatal(err)
	}
	if event, ok := b.Next(); !ok || string(event.Data) != "x" {
		t.Fatalf("got %q, %v", event.Data, ok)
	}
	if _, err := b.Fill(&source); err != nil {
		t.Fatal(err)
	}
	if event, ok := b.Next(); !ok || string(event.Raw) != "\ndata: y\r\n\r\n" {
		t.Fatalf("got %q, %v", event.Raw, ok)
	}
}

func TestEventsMayTakeMaxBytesAndNoMore(t *testing.T) {
	for _, limit := range []int{16, 100, 5000, 70_000} {
		fits := "data: " + strings.Repeat("x", limit-8) + "\n\n"
		for _, c := range []struct {
			stream string
			want   error
		}{
			{fits, io.EOF},
			{fits + fits + fits, io.EOF},
			{"data: y\n\n" + fits, io.EOF},
			{"x" + fits, ErrTooLarge},
			{"data: y\n\nx" + fits, ErrTooLarge},
		} {
			b := Buffer{Max: limit}
			var err error
			reader := smallReads{strings.NewReader(c.stream), 1000}
			for err == nil {
				_, err = b.Fill(reader)
				for _, ok := b.Next(); ok; _, ok = b.Next() {
				}
			}
			if !errors.Is(err, c.want) {
				t.Errorf("%d bytes of %d: got %v, want %v", len(c.stream), limit, err, c.want)
			}
			if cap(b.text) > 2*limit {
				t.Errorf("buffer of %d bytes for a limit of %d", cap(b.text), limit)
			}
		}
	}
}

func TestLargeStreamsSurviveGrowthAndReuse(t *testing.T) {
	var stream []byte
	var want strings.Builder
	for i := range 400 {
		data := strings.Repeat("x", i*i%9000)
		stream = append(stream, ": c\n"...)
		stream = append(stream, "event: n\ndata: "+data+"\ndata: "+data+"\n\n"...)
		fmt.Fprintf(&want, "%q %q;", "n", data+"\n"+data)
	}
	var b Buffer
	for range 2 {
		b.Reset()
		if got := read(t, &b, stream); got != want.String() {
			t.Fatal("events changed")
		}
	}
}

func TestResetKeepsBoundedMemory(t *testing.T) {
	var b Buffer
	read(t, &b, []byte("data: "+strings.Repeat("x", 1<<20)+"\ndata: y\n\n"))
	b.Max = 1 << 10
	b.Reset()
	if cap(b.text)+cap(b.joined) > 2*keepSize || b.Max != 1<<10 {
		t.Errorf("%d and %d bytes kept, Max %d", cap(b.text), cap(b.joined), b.Max)
	}
}

type impossible int

func (n impossible) Read(p []byte) (int, error) { return int(n), nil }

func TestFillReturnsTheErrorsOfTheReader(t *testing.T) {
	var b Buffer
	for _, n := range []impossible{-1, 1 << 30} {
		if _, err := b.Fill(n); err == nil {
			t.Error("accepted an impossible count")
		}
	}
	broken := errors.New("broken")
	n, err := b.Fill(lastRead{"data: x\n\n", broken})
	if event, ok := b.Next(); n != 9 || err != broken || !ok || string(event.Data) != "x" {
		t.Errorf("got %d, %v, %q", n, err, event.Data)
	}
}

// lastRead returns bytes and an error at once.
type lastRead struct {
	text string
	err  error
}

func (r lastRead) Read(p []byte) (int, error) { return copy(p, r.text), r.err }

func TestReadingDoesNotAllocate(t *testing.T) {
	stream := append(chatStream(50), "event: e\ndata: a\ndata: b\n\n"...)
	reader := bytes.NewReader(stream)
	b := &Buffer{}
	drain := func() {
		reader.Reset(stream)
		b.Reset()
		for err := error(nil); err == nil; {
			_, err = b.Fill(reader)
			for _, ok := b.Next(); ok; _, ok = b.Next() {
			}
		}
	}
	drain()
	if n := testing.AllocsPerRun(20, drain); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzBuffer(f *testing.F) {
	for _, v := range vectors {
		f.Add([]byte(v.stream), []byte{3, 1, 7})
	}
	f.Fuzz(func(t *testing.T, stream, cuts []byte) {
		want := read(t, &Buffer{}, stream)
		if simple := simpleParse(stream); simple != want {
			t.Fatalf("got  %s\nwant %s", want, simple)
		}
		var parts [][]byte
		rest := stream
		for i := 0; len(rest) > 0 && len(cuts) > 0; i++ {
			n := min(int(cuts[i%len(cuts)])%16+1, len(rest))
			parts, rest = append(parts, rest[:n]), rest[n:]
		}
		if got := read(t, &Buffer{}, append(parts, rest)...); got != want {
			t.Fatalf("got  %s\nwant %s", got, want)
		}
	})
}

// simpleParse reads a stream the plain way, as a second opinion.
func simpleParse(stream []byte) string {
	text := strings.TrimPrefix(string(stream), string(byteOrderMark))
	text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n")
	var events []wanted
	var fields []string
	name, open := none, false
	flush := func() *wanted {
		if !open {
			return nil
		}
		data := none
		if fields != nil {
			data = strings.Join(fields, "\n")
		}
		event := &wanted{name, data}
		fields, name, open = nil, none, false
		return event
	}
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if line == "" {
			if event := flush(); event != nil && i < len(lines)-1 {
				events = append(events, *event)
			} else if event != nil {
				return expected(events, event)
			}
			continue
		}
		open = true
		field, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch field {
		case "event":
			name = value
		case "data":
			fields = append(fields, value)
		}
	}
	return expected(events, flush())
}

// burst has pieces at hand, and says so until there are none.
type burst struct{ pieces []string }

func (b *burst) Ready() bool { return len(b.pieces) > 0 }

func (b *burst) Read(p []byte) (int, error) {
	if len(b.pieces) == 0 {
		return 0, io.EOF
	}
	n := copy(p, b.pieces[0])
	if b.pieces[0] = b.pieces[0][n:]; b.pieces[0] == "" {
		b.pieces = b.pieces[1:]
	}
	return n, nil
}

func TestFillTakesWhatIsAtHand(t *testing.T) {
	event := "data: " + strings.Repeat("x", 1000) + "\n\n"
	source := &burst{pieces: []string{strings.Repeat(event, 25), event}}
	var b Buffer
	events := 0
	for _, want := range []int{25, 26} {
		if _, err := b.Fill(source); err != nil {
			t.Fatal(err)
		}
		for _, ok := b.Next(); ok; _, ok = b.Next() {
			events++
		}
		if events != want {
			t.Errorf("%d events, want %d", events, want)
		}
	}
}
