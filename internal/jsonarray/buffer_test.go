package jsonarray

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/internal/sse"
)

const none = "<none>"

var vectors = []struct {
	name, stream string
	events       []string // none is the end
	tail         string   // what is left, if that is more than white space
	err          bool
}{
	{"nothing", "", nil, "", false},
	{"white space", " \n", nil, "", false},
	{"empty array", "[]", []string{none}, "", false},
	{"empty array with white space", " [ \r\n] \n", []string{none}, "", false},
	{"one element", `[{"a":1}]`, []string{`{"a":1}`, none}, "", false},
	{"as Google writes", "[{\n  \"a\": 1\n}\n,\r\n{\n  \"b\": [1]\n}\n]\n", []string{"{\n  \"a\": 1\n}", "{\n  \"b\": [1]\n}", none}, "", false},
	{"brackets in strings", `[{"]":"}]"},["\"]\\"],"[,]\\"]`, []string{`{"]":"}]"}`, `["\"]\\"]`, `"[,]\\"`, none}, "", false},
	{"nested", `[[[{"a":[{}]}]],{}]`, []string{`[[{"a":[{}]}]]`, `{}`, none}, "", false},
	{"scalars", `[1, -2.5e3 ,true,null]`, []string{"1", "-2.5e3", "true", "null", none}, "", false},
	{"empty string", `[""]`, []string{`""`, none}, "", false},
	{"broken off in an element", `[{"a":1},{"b":[`, []string{`{"a":1}`}, `,{"b":[`, false},
	{"broken off in a string", `[{"a":"\`, nil, `[{"a":"\`, false},
	{"broken off behind a comma", "[{}, \n", []string{"{}"}, ", \n", false},
	{"broken off before the end", "[{} \n", []string{"{}"}, "", false},
	{"broken off in a scalar", "[1,23", []string{"1"}, ",23", false},
	{"an object", `{"error":{}}`, nil, `{"error":{}}`, true},
	{"HTML", `<html>[]`, nil, `<html>[]`, true},
	{"no comma", `[{}{}]`, []string{"{}"}, `{}]`, true},
	{"no comma behind a string", `["a" "b"]`, []string{`"a"`}, ` "b"]`, true},
	{"two commas", `[1,,2]`, []string{"1"}, `,,2]`, true},
	{"a comma first", `[,1]`, nil, `[,1]`, true},
	{"a comma last", `[1,]`, []string{"1"}, `,]`, true},
	{"a closing brace", `[}]`, nil, `[}]`, true},
	{"text behind the end", "[][]", []string{none}, "[]", true},
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

// read takes a stream apart and checks that no byte is lost. White space behind
// the end may come in pieces.
func read(t testing.TB, b *Buffer, parts ...[]byte) (events []string, tail string, err error) {
	t.Helper()
	var raws []byte
	whole := bytes.Join(parts, nil)
	source := pieces(parts)
	for err == nil {
		_, err = b.Fill(&source)
		var found []sse.Event
		for e, ok := b.Next(); ok; e, ok = b.Next() {
			found = append(found, e)
		}
		for _, e := range found { // valid until the next Fill
			raws = append(raws, e.Raw...)
			switch {
			case e.Data != nil:
				if e.Name != nil || !bytes.HasSuffix(e.Raw, e.Data) {
					t.Fatalf("%q of %q", e.Data, e.Raw)
				}
				events = append(events, string(e.Data))
			case len(e.Raw) == 0:
				t.Fatal("an event of nothing")
			case len(bytes.Trim(e.Raw, " \t\r\n")) > 0:
				events = append(events, none)
			}
		}
	}
	last, ok := b.Tail()
	if ok != (len(bytes.Trim(last.Raw, " \t\r\n")) > 0) || !bytes.Contains(last.Raw, last.Data) {
		t.Fatalf("tail %q, %v", last.Raw, ok)
	}
	if ok {
		tail = string(last.Raw)
	}
	raws = append(raws, last.Raw...)
	for _, part := range source { // not read any more
		raws = append(raws, part...)
		tail += string(part)
	}
	if !bytes.Equal(raws, whole) {
		t.Fatalf("bytes changed from %.100q to %.100q", whole, raws)
	}
	if again, ok := b.Tail(); ok || len(again.Raw) > 0 {
		t.Fatalf("a second tail: %q", again.Raw)
	}
	return events, tail, err
}

func TestStreamsAreReadAlikeHoweverTheyAreCut(t *testing.T) {
	for _, v := range vectors {
		t.Run(v.name, func(t *testing.T) {
			stream := []byte(v.stream)
			var b Buffer
			check := func(parts ...[]byte) {
				t.Helper()
				b.Reset()
				events, tail, err := read(t, &b, parts...)
				if fmt.Sprintf("%q", events) != fmt.Sprintf("%q", v.events) || tail != v.tail || (err == io.EOF) == v.err {
					t.Fatalf("%q:\ngot  %q, %q, %v\nwant %q, %q", parts, events, tail, err, v.events, v.tail)
				}
			}
			for i := range len(stream) + 1 {
				for j := i; j <= len(stream); j++ {
					check(stream[:i], stream[i:j], stream[j:])
				}
			}
			var single [][]byte
			for i := range stream {
				single = append(single, stream[i:i+1])
			}
			check(single...)
		})
	}
}

func TestElementsComeAsSoonAsTheyAreWhole(t *testing.T) {
	var b Buffer
	source := pieces{[]byte(`[{"a":1}`), []byte("\n,{}"), []byte("\n]")}
	for _, want := range []string{`{"a":1}`, `{}`, ""} {
		if _, err := b.Fill(&source); err != nil {
			t.Fatal(err)
		}
		if e, ok := b.Next(); !ok || string(e.Data) != want {
			t.Fatalf("%q, %v", e.Data, ok)
		}
	}
}

func TestElementsMayTakeMaxBytesAndNoMore(t *testing.T) {
	for _, limit := range []int{16, 5000, 70_000} {
		fits := `,"` + strings.Repeat("x", limit-3) + `"`
		for _, c := range []struct {
			stream string
			want   error
		}{
			{"[0" + fits + fits + "]", io.EOF},
			{"[0 " + fits, sse.ErrTooLarge},
			{strings.Repeat(" ", limit), sse.ErrTooLarge},
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

func TestLongElementsTakeLinearTime(t *testing.T) {
	stream := []byte(`["` + strings.Repeat(`\"`, 4<<20) + `"]`)
	var parts [][]byte
	for rest := stream; len(rest) > 0; {
		n := min(1000, len(rest))
		parts, rest = append(parts, rest[:n]), rest[n:]
	}
	if events, _, _ := read(t, new(Buffer), parts...); len(events) != 2 {
		t.Errorf("%d events", len(events))
	}
}

func FuzzBuffer(f *testing.F) {
	for _, v := range vectors {
		f.Add([]byte(v.stream), []byte{3, 1, 7})
	}
	f.Fuzz(func(t *testing.T, stream, cuts []byte) {
		events, tail, err := read(t, new(Buffer), stream)
		var parts [][]byte
		rest := stream
		for i := 0; len(rest) > 0 && len(cuts) > 0; i++ {
			n := min(int(cuts[i%len(cuts)])%16+1, len(rest))
			parts, rest = append(parts, rest[:n]), rest[n:]
		}
		again, tail2, err2 := read(t, new(Buffer), append(parts, rest)...)
		if fmt.Sprint(events) != fmt.Sprint(again) || tail != tail2 || fmt.Sprint(err) != fmt.Sprint(err2) {
			t.Fatalf("%q %q %v\n%q %q %v", events, tail, err, again, tail2, err2)
		}
		var elements []json.RawMessage
		if json.Unmarshal(stream, &elements) != nil || elements == nil {
			return
		}
		if err != io.EOF || tail != "" {
			t.Fatalf("an array: %q, %v", tail, err)
		}
		for i, e := range elements {
			if string(e) != events[i] {
				t.Fatalf("%q is not %q", events[i], e)
			}
		}
	})
}

func BenchmarkNext(b *testing.B) {
	element := `{"candidates":[{"content":{"parts":[{"text":" a word or two of an answer"}],"role":"model"},"index":0}],"usageMetadata":{"promptTokenCount":8}}`
	stream := []byte("[" + strings.Repeat(element+"\n,\r\n", 99) + element + "]")
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
