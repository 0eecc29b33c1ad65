package sse

import (
	"bytes"
	"io"
	"slices"
	"strconv"
	"testing"
)

func TestBlocksAreCutBehindTheirBlankLines(t *testing.T) {
	for text, want := range map[string][]string{
		"":                                    nil,
		"data: a\n\ndata: b\n\n":              {"data: a\n\n", "data: b\n\n"},
		"data: a\r\n\r\n: c\r\rdata: b\n\n":   {"data: a\r\n\r\n", ": c\r\r", "data: b\n\n"},
		"\n\ndata: a\ndata: b\n\n\ndata: c":   {"\n\ndata: a\ndata: b\n\n", "\ndata: c"},
		"\n":                                  {"\n"},
		"event: x\ndata: {\"a\":\"\\n\"}\n\n": {"event: x\ndata: {\"a\":\"\\n\"}\n\n"},
	} {
		var got []string
		for block := range Blocks([]byte(text)) {
			got = append(got, string(block))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q is cut into %q, want %q", text, got, want)
		}
	}
}

func TestNumbersStandBeforeTheFirstLine(t *testing.T) {
	for block, want := range map[string]string{
		"data: a\n\n":                        "id: 7\ndata: a\n\n",
		"\r\nevent: e\r\ndata: a\r\n\r\n":    "\r\nid: 7\nevent: e\r\ndata: a\r\n\r\n",
		"data: a\nid: theirs\nid\nidea: x\n": "id: 7\ndata: a\nidea: x\n",
		"id: theirs\ndata: a\n\n":            "id: 7\ndata: a\n\n",
		"\xEF\xBB\xBFdata: a\n\n":            "\xEF\xBB\xBFid: 7\ndata: a\n\n",
	} {
		if got := AppendNumbered(nil, []byte(block), 7); string(got) != want || !HasData([]byte(block)) {
			t.Errorf("%q becomes %q, want %q", block, got, want)
		}
	}
	for _, block := range []string{"", "\n", ": comment\n\n", "event: x\n\n", "database: x\n\n"} {
		if HasData([]byte(block)) {
			t.Errorf("%q has no data", block)
		}
	}
}

// FuzzNumbers: what a parser reads of the blocks is what it reads of the text.
func FuzzNumbers(f *testing.F) {
	f.Add([]byte("data: a\n\n: c\r\n\r\nevent: e\rdata: b\rdata\r\rid: x\ndata: c"))
	f.Fuzz(func(t *testing.T, text []byte) {
		var numbered []byte
		n := 0
		for block := range Blocks(text) {
			if HasData(block) {
				n++
				numbered = AppendNumbered(numbered, block, n)
			} else {
				numbered = append(numbered, block...)
			}
		}
		want, got := dispatched(text), dispatched(numbered)
		if len(want) != len(got) {
			t.Fatalf("%q becomes %q", text, numbered)
		}
		for i := range want {
			if want[i] != got[i] {
				t.Fatalf("%q becomes %q", text, numbered)
			}
		}
	})
}

func dispatched(text []byte) (events []string) {
	var b Buffer
	source := bytes.NewReader(text)
	add := func(e Event) {
		if e.Data != nil {
			events = append(events, strconv.Quote(string(e.Name))+strconv.Quote(string(e.Data)))
		}
	}
	for {
		_, err := b.Fill(source)
		for e, ok := b.Next(); ok; e, ok = b.Next() {
			add(e)
		}
		if err == io.EOF {
			if e, ok := b.Tail(); ok {
				add(e)
			}
			return events
		}
	}
}
