package answers

import (
	"fmt"
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/transform"
)

// conversation is a request of about so many bytes, of turns of some kilobytes.
func conversation(size int) []byte {
	var b strings.Builder
	b.WriteString(`{"model": "gpt-5-mini", "temperature": 0, "stream": true, "stream_options": {"include_usage": true}, "tools": [{"type": "function", "function": {"name": "get_weather", "description": "The weather at a place.", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}}], "messages": [{"role": "system", "content": "You are brief."}`)
	line := `The quick brown fox jumps over the \"lazy\" dog, says the café's menu.\n`
	for i := 0; b.Len() < size-100; i++ {
		text := strings.Repeat(line, max(1, min(2000, size-b.Len()-150)/len(line)))
		fmt.Fprintf(&b, `, {"role": "%s", "content": [{"type": "text", "text": "%d %s"}]}`, [2]string{"user", "assistant"}[i%2], i, text)
	}
	b.WriteString(`], "user": "u-1"}`)
	return []byte(b.String())
}

func BenchmarkKey(b *testing.B) {
	for _, size := range []int{1 << 10, 8 << 10, 64 << 10, 1 << 20} {
		q := Question{Scope: "key a", Format: transform.OpenAIChat, Operation: "chat", Model: "gpt-5-mini", Body: conversation(size)}
		b.Run(fmt.Sprintf("%dKB", size>>10), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(q.Body)))
			for b.Loop() {
				q.Key()
			}
		})
	}
}
