package gemini

import (
	"testing"
	"unicode/utf8"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

func TestRulerCountsCharacters(t *testing.T) {
	for _, literal := range []string{
		`""`, `"plain"`, `"größe 敏捷 😀!"`, `"a\n\t\"\\\/b"`, `"\u0041\u00e9\u4f60\ud83d\ude00\ud83dx\ude00\uD83D\uDE00\u00E9"`,
	} {
		var r ruler
		r.add(transform.Literal(literal))
		text, _ := jsonbytes.Value(literal).Text()
		if r.bytes != len(text) {
			t.Fatalf("%s: %d bytes, not %d", literal, r.bytes, len(text))
		}
		for offset := range text {
			if got, want := r.chars(offset), utf8.RuneCountInString(text[:offset]); got != want {
				t.Errorf("%s: %d characters before byte %d, not %d", literal, got, offset, want)
			}
		}
		if got, want := r.chars(len(text)+9), utf8.RuneCountInString(text); got != want {
			t.Errorf("%s: %d characters, not %d", literal, got, want)
		}
	}
}

func FuzzRuler(f *testing.F) {
	f.Add(`"größe \n \ud83d\ude00 \ud83d"`)
	f.Fuzz(func(t *testing.T, literal string) {
		v := jsonbytes.Value(literal)
		if jsonbytes.Check(v, 0) != nil || v.Kind() != jsonbytes.String || v[len(v)-1] != '"' {
			t.Skip()
		}
		var r ruler
		r.add(v)
		text, _ := v.Text()
		if r.bytes != len(text) || r.chars(len(text)) != utf8.RuneCountInString(text) {
			t.Errorf("%s: %d bytes, %d characters", literal, r.bytes, r.chars(r.bytes))
		}
	})
}
