package jsonbytes

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"
)

func canonical(t testing.TB, text string, omit ...string) string {
	t.Helper()
	var c Canonical
	var out bytes.Buffer
	if ok, err := c.Write(&out, []byte(text), omit); !ok || err != nil {
		t.Fatalf("%q has no canonical form: %v", text, err)
	}
	return out.String()
}

func TestTextsThatMeanTheSameHaveOneForm(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{`{}`, `{}`},
		{" [ ] ", `[]`},
		{`{ "b" : 1 , "a" : [ 1 , { "d" : { } , "c" : null } , "x" ] }`, `{"a":[1,{"c":null,"d":{}},"x"],"b":1}`},
		{`{"\u0062":1,"a":2}`, `{"a":2,"b":1}`},
		{`"\u0061\/\u00e9\u000a\u001F\u0022\u005C\ud83d\ude00"`, `"a/é\n\u001f\"\\😀"`},
		{`"\n\t\r\b\f\"\\"`, `"\n\t\r\b\f\"\\"`},
		{`"\uD83D"`, `"\ud83d"`},
		{`"\uDE00\uD83D x"`, `"\ude00\ud83d x"`},
		{`[1,1.0,1e0,-0,10000000000000000000001]`, `[1,1.0,1e0,-0,10000000000000000000001]`},
		{`{"a":{"y":1,"x":2},"A":{"y":{"n":[{"k":1,"j":2}]},"x":2}}`, `{"A":{"x":2,"y":{"n":[{"j":2,"k":1}]}},"a":{"x":2,"y":1}}`},
		{`{"a":2,"b":0,"a":1}`, `{"a":2,"a":1,"b":0}`},
		{`{"":1," ":2}`, `{"":1," ":2}`},
		{`true`, `true`},
	} {
		if got := canonical(t, test.text); got != test.want {
			t.Errorf("%s becomes %s, want %s", test.text, got, test.want)
		}
	}
}

func TestMembersAreLeftOutAtTheTopOnly(t *testing.T) {
	got := canonical(t, `{"user":"u","b":{"user":"x"},"str\u0065am":true,"a":1}`, "stream", "user")
	if want := `{"a":1,"b":{"user":"x"}}`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got := canonical(t, `{"user":{"a":{}},"b":{"c":{"d":1}}}`, "user"); got != `{"b":{"c":{"d":1}}}` {
		t.Error(got)
	}
}

func TestWhatHasNoCanonicalForm(t *testing.T) {
	for _, text := range []string{
		``, ` `, `{`, `[`, `{"a"}`, `{"a":}`, `{"a":1,}`, `[1,]`, `{a:1}`, `"a`, `{} {}`, `[1 2]`, `{"a":1 "b":2}`,
		strings.Repeat("[", deepest+1) + strings.Repeat("]", deepest+1),
		`[` + strings.Repeat(`{},`, maxIndex) + `{}]`,
	} {
		var c Canonical
		var out bytes.Buffer
		if ok, _ := c.Write(&out, []byte(text), nil); ok || out.Len() > 0 {
			t.Errorf("%.40q has one", text)
		}
	}
	canonical(t, strings.Repeat("[", deepest)+strings.Repeat("]", deepest))
}

type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, errors.ErrUnsupported }

func TestErrorsOfTheWriterAreReturned(t *testing.T) {
	var c Canonical
	if ok, err := c.Write(failingWriter{}, []byte(`{}`), nil); !ok || !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("%v, %v", ok, err)
	}
}

// meaning is what encoding/json, which loses lone surrogates, takes a text for.
func meaning(text []byte) (v any, ok bool) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	return v, d.Decode(&v) == nil
}

// respell writes a value anew: members in any order, spaces and escapes at will.
func respell(dst []byte, v any, r *rand.Rand) []byte {
	space := func() {
		for r.IntN(3) == 0 {
			dst = append(dst, " \t\r\n"[r.IntN(4)])
		}
	}
	space()
	switch v := v.(type) {
	case map[string]any:
		dst = append(dst, '{')
		names := make([]string, 0, len(v))
		for name := range v {
			names = append(names, name)
		}
		slices.Sort(names) // so that a seed says all
		r.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
		for i, name := range names {
			if i > 0 {
				dst = append(dst, ',')
			}
			space()
			dst = respellString(dst, name, r)
			space()
			dst = append(dst, ':')
			dst = respell(dst, v[name], r)
		}
		dst = append(dst, '}')
	case []any:
		dst = append(dst, '[')
		for i, e := range v {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = respell(dst, e, r)
		}
		dst = append(dst, ']')
	case string:
		dst = respellString(dst, v, r)
	case json.Number:
		dst = append(dst, v...)
	default:
		plain, _ := json.Marshal(v)
		dst = append(dst, plain...)
	}
	space()
	return dst
}

func respellString(dst []byte, s string, r *rand.Rand) []byte {
	dst = append(dst, '"')
	for _, c := range s {
		switch {
		case r.IntN(4) == 0 && c >= 0x10000:
			a, b := utf16.EncodeRune(c)
			dst = fmt.Appendf(dst, `\u%04x\u%04X`, a, b)
		case r.IntN(4) == 0 && c < 0x10000:
			dst = fmt.Appendf(dst, [2]string{`\u%04x`, `\u%04X`}[r.IntN(2)], c)
		case c == '/' && r.IntN(2) == 0:
			dst = append(dst, `\/`...)
		default:
			quoted := AppendString(nil, string(c))
			dst = append(dst, quoted[1:len(quoted)-1]...)
		}
	}
	return append(dst, '"')
}

func hasLoneSurrogate(text []byte) bool {
	for at := 0; at < len(text); at++ {
		if text[at] != '\\' {
			continue
		}
		if r, size := decode(text[at:]); r == utf8.RuneError && size == 6 && utf16.IsSurrogate(codeUnit(text[at:])) {
			return true
		}
		_, size := decode(text[at:])
		at += size - 1
	}
	return false
}

func hasDuplicates(v Value) bool {
	for _, m := range v.Members() {
		if hasDuplicates(m) {
			return true
		}
	}
	for _, e := range v.Elements() {
		if hasDuplicates(e) {
			return true
		}
	}
	seen := map[string]bool{}
	for name := range v.Members() {
		if seen[string(name)] {
			return true
		}
		seen[string(name)] = true
	}
	return false
}

// FuzzCanonical holds two texts against encoding/json: they have one form if, and
// only if, they mean the same. Each has the form of all its spellings, which is a
// spelling of its own.
func FuzzCanonical(f *testing.F) {
	for _, seed := range [][2]string{
		{`{"a":1,"b":[true,"x\n"]}`, `{"b":[true,"x\u000a"],"a":1}`},
		{`{"model":"m","messages":[{"role":"user","content":"h\u00e9 \ud83d\ude00"}]}`, `{"model":"m","messages":[{"role":"user","content":"h"}]}`},
		{`"\ud800"`, `"\ufffd"`}, {`[1,1.0]`, `[1.0,1]`}, {`{"a":1,"a":2}`, `{"a":2,"a":1}`}, {`{"\u0000":{}}`, `{"":[]}`},
		{`{"z":{"b":{"y":1,"x":[{"q":1,"p":2}]},"a":2}}`, `{"z":{"b":{"y":1,"x":[{"q":1}]},"a":2}}`},
		{`["\\","\\u0061","\"/"]`, `["\u005c","\\u0061","\u0022\/"]`},
	} {
		f.Add([]byte(seed[0]), []byte(seed[1]), uint64(1))
	}
	f.Fuzz(func(t *testing.T, a, b []byte, seed uint64) {
		var c Canonical
		if Check(a, 0) != nil || Check(b, 0) != nil {
			_, _ = c.Write(&bytes.Buffer{}, a, nil) // which must not panic
			return
		}
		x, y := canonical(t, string(a)), canonical(t, string(b))
		if again := canonical(t, x); again != x {
			t.Fatalf("%q becomes %q, and that %q", a, x, again)
		}
		if hasLoneSurrogate(a) || hasLoneSurrogate(b) || hasDuplicates(Parse(a)) || hasDuplicates(Parse(b)) {
			return // which encoding/json does not tell apart
		}
		v, ok := meaning(a)
		w, ok2 := meaning(b)
		if !ok || !ok2 {
			return
		}
		if same := reflect.DeepEqual(v, w); same != (x == y) {
			t.Fatalf("%q and %q mean the same: %v; their forms are %q and %q", a, b, same, x, y)
		}
		if other := respell(nil, v, rand.New(rand.NewPCG(seed, 1))); canonical(t, string(other)) != x {
			t.Fatalf("%q and %q have different forms", a, other)
		}
	})
}
