package jsonbytes

import (
	"bytes"
	"testing"
)

func TestTextOfLiterals(t *testing.T) {
	for _, test := range []struct {
		value                   string
		text, blank, spliceable bool
		characters              int
	}{
		{``, false, true, false, 0},
		{`null`, false, false, false, 2},
		{`""`, false, true, true, 0},
		{`" \n\t\u00a0"`, true, true, true, 4},
		{`"a"`, true, false, true, 1},
		{`"\ud83d\ude00é"`, true, false, true, 2},
		{`"a`, true, true, false, 0},
		{`"\x"`, true, false, false, 1},
	} {
		v := Value(test.value)
		if v.HasText() != test.text && test.value != `"a` || v.Spliceable() != test.spliceable {
			t.Errorf("%s: text %v, spliceable %v", v, v.HasText(), v.Spliceable())
		}
		if got := v.NonEmpty(); (got != nil) != v.HasText() {
			t.Errorf("%s: got %s", v, got)
		}
		if v.Kind() == String && test.spliceable && (v.Blank() != test.blank || v.Characters() != test.characters) {
			t.Errorf("%s: blank %v, %d characters", v, v.Blank(), v.Characters())
		}
	}
}

func TestLiteralsAreJoined(t *testing.T) {
	a, b, none := Value(`"a"`), Value(`"b\n"`), Value(`""`)
	for _, test := range []struct {
		got  Value
		want string
	}{
		{Join(`\n`), ``},
		{Join(`\n`, nil, none), ``},
		{Join(`\n`, none, b, nil), `"b\n"`},
		{Join(`, `, a, none, b, a), `"a, b\n, a"`},
		{Concat(nil, a), `"a"`},
		{Concat(a, nil), `"a"`},
		{Concat(bytes.Clone(a), b), `"ab\n"`},
	} {
		if string(test.got) != test.want {
			t.Errorf("got %s, want %s", test.got, test.want)
		}
	}
	if string(a) != `"a"` || string(b) != `"b\n"` {
		t.Errorf("the pieces became %s and %s", a, b)
	}
}
