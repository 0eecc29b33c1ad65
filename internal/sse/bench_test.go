package sse

import (
	"bytes"
	"io"
	"strings"
	"testing"
)

func chatStream(events int) []byte {
	var stream []byte
	for range events {
		stream = append(stream, `data: {"id":"chatcmpl-9x8y7z","object":"chat.completion.chunk","created":1730000000,`+
			`"model":"gpt-4o-mini","choices":[{"index":0,"delta":{"content":" token"},"finish_reason":null}]}`+"\n\n"...)
	}
	return append(stream, "data: [DONE]\n\n"...)
}

func BenchmarkNext(b *testing.B) {
	stream := chatStream(99)
	reader := bytes.NewReader(nil)
	buffer := &Buffer{}
	b.SetBytes(int64(len(stream)))
	b.ReportAllocs()
	events := 0
	for b.Loop() {
		buffer.Reset()
		reader.Reset(stream)
		for {
			_, err := buffer.Fill(reader)
			for _, ok := buffer.Next(); ok; _, ok = buffer.Next() {
				events++
			}
			if err != nil {
				break
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(events), "ns/event")
}

// smallReads delivers at most size bytes at a time.
type smallReads struct {
	from io.Reader
	size int
}

func (r smallReads) Read(p []byte) (int, error) {
	return r.from.Read(p[:min(len(p), r.size)])
}

func BenchmarkLongLineInSmallReads(b *testing.B) {
	stream := []byte("data: " + strings.Repeat("x", 12<<20) + "\n\n")
	b.SetBytes(int64(len(stream)))
	for b.Loop() {
		var buffer Buffer
		reader := smallReads{bytes.NewReader(stream), 4 << 10}
		events := 0
		for err := error(nil); err == nil; {
			_, err = buffer.Fill(reader)
			for _, ok := buffer.Next(); ok; _, ok = buffer.Next() {
				events++
			}
		}
		if events != 1 {
			b.Fatal(events)
		}
	}
}
