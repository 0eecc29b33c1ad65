package ndjson

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/internal/sse"
)

var vectors = []struct {
	name, stream string
	lines        []string
	tail         string // the unterminated last line, if any
}{
	{"nothing", "", nil, ""},
	{"one line", "{}\n", []string{"{}"}, ""},
	{"two lines", "{\"a\":1}\n{\"b\":2}\n", []string{`{"a":1}`, `{"b":2}`}, ""},
	{"CRLF", "{}\r\n[]\r\n", []string{"{}", "[]"}, ""},
	{"CR alone ends no line", "{}\r[]\n", []string{"{}\r[]"}, ""},
	{"blank lines", "\n\r\n \t\n{}\n\n\n[]\n\n", []string{"{}", "[]"}, ""},
	{"white space around", "  {}\t \n", []string{"{}"}, ""},
	{"blank lines only", "\n \r\n\n", nil, ""},
	{"no newline at the end", "{}\n{\"a\":", []string{"{}"}, `{"a":`},
	{"a whole last line", "{}\n[1]", []string{"{}"}, "[1]"},
	{"a tail behind blank lines", "\n\n{} ", nil, "{}"},
	{"white space at the end", "{}\n  ", []string{"{}"}, ""},
	{"what is no JSON", "<html>\n\x00\xff\n", []string{"<html>", "\x00\xff"}, ""},
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

// read takes a stream apart, checks that no byte is lost and returns the lines.
func read(t testing.TB, b *Buffer, parts ...[]byte) string {
	t.Helper()
	var got strings.Builder
	var raws []byte
	whole := bytes.Join(parts, nil)
	source := pieces(parts)
	for {
		_, err := b.Fill(&source)
		var events []sse.Event
		for e, ok := b.Next(); ok; e, ok = b.Next() {
			events = append(events, e)
		}
		for _, e := range events { // valid until the next Fill
			if e.Name != nil || !bytes.Contains(e.Raw, e.Data) {
				t.Fatalf("%q of %q", e.Data, e.Raw)
			}
			raws = append(raws, e.Raw...)
			fmt.Fprintf(&got, "%q;", e.Data)
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	tail, ok := b.Tail()
	if ok {
		fmt.Fprintf(&got, "tail %q", tail.Data)
	}
	if raws = append(raws, tail.Raw...); !bytes.Equal(raws, whole) {
		t.Fatalf("bytes changed to %.100q", raws)
	}
	if again, ok := b.Tail(); ok || len(again.Raw) > 0 {
		t.Fatalf("a second tail: %q", again.Raw)
	}
	return got.String()
}

func expected(lines []string, tail string) string {
	var text strings.Builder
	for _, line := range lines {
		fmt.Fprintf(&text, "%q;", line)
	}
	if tail != "" {
		fmt.Fprintf(&text, "tail %q", tail)
	}
	return text.String()
}

func TestStreamsAreReadAlikeHoweverTheyAreCut(t *testing.T) {
	for _, v := range vectors {
		t.Run(v.name, func(t *testing.T) {
			want, stream := expected(v.lines, v.tail), []byte(v.stream)
			var b Buffer
			for i := range len(stream) + 1 {
				for j := i; j <= len(stream); j++ {
					b.Reset()
					if got := read(t, &b, stream[:i], stream[i:j], stream[j:]); got != want {
						t.Fatalf("cut at %d and %d:\ngot  %s\nwant %s", i, j, got, want)
					}
				}
			}
		})
	}
}

func TestLinesMayTakeMaxBytesAndNoMore(t *testing.T) {
	for _, limit := range []int{16, 5000, 70_000} {
		fits := strings.Repeat("x", limit-1) + "\n"
		for _, c := range []struct {
			stream string
			want   error
		}{
			{fits + fits + fits, io.EOF},
			{"x" + fits, sse.ErrTooLarge},
			{"y\nx" + fits, sse.ErrTooLarge},
			{strings.Repeat("\n", limit), sse.ErrTooLarge},
		} {
			b := Buffer{Max: limit}
			from := strings.NewReader(c.stream)
			var err error
			for err == nil {
				_, err = b.Fill(from)
				for _, ok := b.Next(); ok; _, ok = b.Next() {
				}
			}
			if !errors.Is(err, c.want) {
				t.Errorf("%d bytes of %d: %v, want %v", len(c.stream), limit, err, c.want)
			}
		}
	}
}

func TestBlankLinesAndLongLinesTakeLinearTime(t *testing.T) {
	stream := []byte(strings.Repeat("\n", 4<<20) + strings.Repeat("x", 4<<20) + "\n")
	var parts [][]byte
	for rest := stream; len(rest) > 0; {
		n := min(1000, len(rest))
		parts, rest = append(parts, rest[:n]), rest[n:]
	}
	read(t, new(Buffer), parts...) // which would take hours
}

func TestReadingDoesNotAllocate(t *testing.T) {
	stream := bytes.Repeat([]byte(`{"message":{"content":" word"},"done":false}`+"\n"), 200)
	from, b := bytes.NewReader(nil), new(Buffer)
	drain := func() {
		from.Reset(stream)
		b.Reset()
		for err := error(nil); err == nil; {
			_, err = b.Fill(from)
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
		var lines []string
		tail := ""
		split := strings.Split(string(stream), "\n")
		for i, line := range split {
			switch line = strings.Trim(line, " \t\r\n"); {
			case line == "":
			case i < len(split)-1:
				lines = append(lines, line)
			default:
				tail = line
			}
		}
		want := expected(lines, tail)
		var parts [][]byte
		rest := stream
		for i := 0; len(rest) > 0 && len(cuts) > 0; i++ {
			n := min(int(cuts[i%len(cuts)])%16+1, len(rest))
			parts, rest = append(parts, rest[:n]), rest[n:]
		}
		if got := read(t, new(Buffer), append(parts, rest)...); got != want {
			t.Fatalf("got  %s\nwant %s", got, want)
		}
	})
}

func BenchmarkNext(b *testing.B) {
	stream := bytes.Repeat([]byte(`{"model":"qwen3:4b","created_at":"2026-07-28T06:38:03.2Z","message":{"role":"assistant","content":" word"},"done":false}`+"\n"), 100)
	from, buffer := bytes.NewReader(nil), new(Buffer)
	b.SetBytes(int64(len(stream)))
	b.ReportAllocs()
	for b.Loop() {
		from.Reset(stream)
		buffer.Reset()
		for err := error(nil); err == nil; {
			_, err = buffer.Fill(from)
			for _, ok := buffer.Next(); ok; _, ok = buffer.Next() {
			}
		}
	}
}
