package sse

import (
	"bytes"
	"testing"
)

func TestAppendedEventsHaveTheirUsualForm(t *testing.T) {
	for _, c := range []struct {
		name string
		got  []byte
		want string
	}{
		{"data", AppendData([]byte("<"), []byte(`{"a":1}`)), "<data: {\"a\":1}\n\n"},
		{"empty data", AppendData(nil, nil), "data: \n\n"},
		{"lines of data", AppendData(nil, []byte("a\r\nb\rc\n")), "data: a\ndata: b\ndata: c\ndata: \n\n"},
		{"named", AppendEvent(nil, "ping", []byte("{}")), "event: ping\ndata: {}\n\n"},
		{"forged name", AppendEvent(nil, "a\r\nevent: b", []byte("{}")), "event: a\ndata: {}\n\n"},
		{"comment", AppendComment(nil, "keep-alive"), ": keep-alive\n\n"},
		{"lines of comment", AppendComment(nil, "a\n\ndata: b"), ": a\n: \n: data: b\n\n"},
	} {
		if string(c.got) != c.want {
			t.Errorf("%s: got %q, want %q", c.name, c.got, c.want)
		}
	}
}

func FuzzAppendData(f *testing.F) {
	f.Add([]byte("a\r\nb\n\n"))
	f.Add([]byte(" x"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var b Buffer
		stream := AppendData(nil, data)
		source := pieces{stream}
		var events [][]byte
		for err := error(nil); err == nil; {
			_, err = b.Fill(&source)
			for event, ok := b.Next(); ok; event, ok = b.Next() {
				events = append(events, bytes.Clone(event.Data))
			}
		}
		want := bytes.ReplaceAll(bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n")), []byte("\r"), []byte("\n"))
		if len(events) != 1 || !bytes.Equal(events[0], want) {
			t.Fatalf("got %q, want %q", events, want)
		}
	})
}
