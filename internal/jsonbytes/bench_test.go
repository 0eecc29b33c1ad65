package jsonbytes

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// chatBody returns a chat request of about size bytes whose messages hold turn bytes each.
func chatBody(size, turn int, sentence string) []byte {
	body := []byte(`{"model": "gpt-4o-mini", "temperature": 0.7, "stream": true, "max_tokens": 1024, "messages": [`)
	content := strings.Repeat(sentence, turn/len(sentence)+1)
	for i := 0; len(body) < size; i++ {
		if i > 0 {
			body = append(body, ", "...)
		}
		body = append(body, `{"role": "user", "content": `...)
		body = AppendString(body, content)
		body = append(body, '}')
	}
	return append(body, `], "user": "someone"}`...)
}

const (
	plainSentence   = "The quick brown fox jumps over the lazy dog, and then it rests for a while. "
	escapedSentence = "if x == \"y\" {\n\treturn z\n}\n"
	foreignSentence = "Der schnelle braune Fuchs springt über den faulen Hund; 敏捷的棕色狐狸跳过了懒狗。 "
)

func bodies() map[string][]byte {
	return map[string][]byte{
		"1KB":         chatBody(1<<10, 200, plainSentence),
		"64KB":        chatBody(64<<10, 8<<10, plainSentence),
		"1MB":         chatBody(1<<20, 8<<10, plainSentence),
		"64KBescaped": chatBody(64<<10, 8<<10, escapedSentence),
		"64KBforeign": chatBody(64<<10, 8<<10, foreignSentence),
	}
}

var bodyNames = []string{"1KB", "64KB", "1MB", "64KBescaped", "64KBforeign"}

func BenchmarkScan(b *testing.B) {
	all := bodies()
	for _, name := range bodyNames {
		body := all[name]
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			var members []Member
			for b.Loop() {
				var err error
				if members, err = Scan(members[:0], body, 0); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkStandardValid(b *testing.B) {
	all := bodies()
	for _, name := range bodyNames {
		body := all[name]
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				if !json.Valid(body) {
					b.Fatal("invalid")
				}
			}
		})
	}
}

func BenchmarkScanManyMembers(b *testing.B) {
	text := []byte{'{'}
	for i := range 1_000_000 {
		if i > 0 {
			text = append(text, ',')
		}
		text = fmt.Appendf(text, `"key%d":%d`, i, i)
	}
	text = append(text, '}')
	b.SetBytes(int64(len(text)))
	var members []Member
	for b.Loop() {
		var err error
		if members, err = Scan(members[:0], text, 0); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkWalkMessages(b *testing.B) {
	body := Value(chatBody(64<<10, 8<<10, plainSentence))
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		for _, message := range body.Get("messages").Elements() {
			for key, value := range message.Members() {
				switch string(key) {
				case "role":
					if value.Is("user") {
						n++
					}
				case "content":
					n += len(value)
				}
			}
		}
		if n == 0 {
			b.Fatal("nothing found")
		}
	}
}

func BenchmarkPatch(b *testing.B) {
	body := chatBody(64<<10, 8<<10, plainSentence)
	members, err := Scan(nil, body, 0)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	model, options := []byte(`"other"`), []byte(`{"include_usage":true}`)
	var p Patch
	var dst []byte
	for b.Loop() {
		p.Reset()
		p.Replace("model", model)
		p.Rename("max_tokens", "max_completion_tokens")
		p.Set("stream_options", options)
		dst = p.Append(dst[:0], body, members)
	}
}

func BenchmarkAppendString(b *testing.B) {
	for name, sentence := range map[string]string{
		"plain": plainSentence, "escaped": escapedSentence, "foreign": foreignSentence,
	} {
		text := strings.Repeat(sentence, 1+4096/len(sentence))
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			var dst []byte
			for b.Loop() {
				dst = AppendString(dst[:0], text)
			}
		})
	}
}

func BenchmarkText(b *testing.B) {
	value := Value(AppendString(nil, strings.Repeat(escapedSentence, 100)))
	b.SetBytes(int64(len(value)))
	b.ReportAllocs()
	var dst []byte
	for b.Loop() {
		dst = value.AppendText(dst[:0])
	}
}
