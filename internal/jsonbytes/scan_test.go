package jsonbytes

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// syntaxCases are shared by the tests of Scan and Check; at is the offset of the error, -1 for none.
var syntaxCases = []struct {
	name string
	text string
	at   int
}{
	{"empty object", `{}`, -1},
	{"white space everywhere", " \t\r\n{ \"a\" : [ 1 , 2 ] , \"b\" : { } } \n", -1},
	{"every kind of value", `{"a":null,"b":true,"c":false,"d":-0.5e+10,"e":"x","f":[],"g":{}}`, -1},
	{"every escape", `{"a":"\"\\\/\b\f\n\r\t\u00e9\uD83D\ude00"}`, -1},
	{"lone surrogate escape", `{"a":"\ud800"}`, -1},
	{"raw text outside ASCII", `{"ключ":"値😀"}`, -1},
	{"raw U+2028 and DEL", "{\"a\":\"\u2028\x7f\"}", -1},
	{"nothing", ``, 0},
	{"white space only", "  ", 2},
	{"byte order mark", "\xEF\xBB\xBF{}", 0},
	{"text after the value", `{} {}`, 3},
	{"NUL after the value", "{}\x00", 2},
	{"comma before the end", `{"a":1,}`, 7},
	{"comma before the end of an array", `{"a":[1,]}`, 8},
	{"missing colon", `{"a" 1}`, 5},
	{"missing comma", `{"a":1 "b":2}`, 7},
	{"wrong bracket", `{"a":[1}}`, 7},
	{"bare key", `{a:1}`, 1},
	{"single quotes", `{'a':1}`, 1},
	{"open object", `{"a":1`, 6},
	{"open array", `{"a":[1`, 7},
	{"open key", `{"a`, 3},
	{"open string", `{"a":"b`, 7},
	{"open escape", `{"a":"\`, 7},
	{"key without a value", `{"a":`, 5},
	{"unknown escape", `{"a":"\x41"}`, 7},
	{"short unicode escape", `{"a":"\u12"}`, 10},
	{"unicode escape at the end", `{"a":"\u1`, 9},
	{"raw line feed", "{\"a\":\"b\nc\"}", 7},
	{"raw control character in a long string", "{\"a\":\"" + strings.Repeat("x", 40) + "\x1f\"}", 46},
	{"raw control character in a key", "{\"a\x00\":1}", 3},
	{"invalid UTF-8", "{\"a\":\"\xff\"}", 6},
	{"overlong UTF-8", "{\"a\":\"\xc0\xaf\"}", 6},
	{"surrogate in UTF-8", "{\"a\":\"\xed\xa0\x80\"}", 6},
	{"cut UTF-8", "{\"a\":\"x\xe2\x82\"}", 7},
	{"leading zero", `{"a":01}`, 6},
	{"plus sign", `{"a":+1}`, 5},
	{"point without digits", `{"a":1.}`, 7},
	{"leading point", `{"a":.5}`, 5},
	{"exponent without digits", `{"a":1e}`, 7},
	{"signed exponent without digits", `{"a":1e+}`, 8},
	{"minus alone", `{"a":-}`, 6},
	{"not a number", `{"a":NaN}`, 5},
	{"misspelt literal", `{"a":tru}`, 8},
	{"literal run on", `{"a":nulll}`, 9},
	{"comment", `{/**/}`, 1},
	{"form feed as space", "{\f}", 1},
}

func checkSyntax(t *testing.T, err error, at int) {
	t.Helper()
	if at < 0 {
		if err != nil {
			t.Fatalf("refused: %v", err)
		}
		return
	}
	var syntax *SyntaxError
	if !errors.As(err, &syntax) {
		t.Fatalf("got %v, want a syntax error", err)
	}
	if syntax.Offset != at {
		t.Fatalf("got offset %d (%v), want %d", syntax.Offset, err, at)
	}
}

func TestScanFollowsTheGrammar(t *testing.T) {
	for _, c := range syntaxCases {
		t.Run(c.name, func(t *testing.T) {
			_, err := Scan(nil, []byte(c.text), 0)
			checkSyntax(t, err, c.at)
			checkSyntax(t, Check([]byte(c.text), 0), c.at)
		})
	}
}

func TestCheckTakesAnyValueAndScanOnlyObjects(t *testing.T) {
	for _, text := range []string{`null`, ` "x" `, `1`, `[1,{"a":2}]`, `true`} {
		if err := Check([]byte(text), 0); err != nil {
			t.Errorf("Check(%s): %v", text, err)
		}
		if _, err := Scan(nil, []byte(text), 0); err == nil {
			t.Errorf("Scan(%s) accepted", text)
		}
	}
}

func TestSpecialBytesAreFoundAtEveryOffset(t *testing.T) {
	for length := range 40 {
		for at := range length {
			for c := range 256 {
				text := []byte(strings.Repeat("x", length))
				text[at] = byte(c)
				want := length
				if !isPlain(byte(c)) {
					want = at
				}
				if got := plain(text, 0); got != want {
					t.Fatalf("byte %#x at %d of %d: got %d", c, at, length, got)
				}
			}
		}
	}
}

func TestScanFindsMembersInOrder(t *testing.T) {
	text := []byte(` {"b" : [1, 2] , "a\n":{"x":1},"c":"}"} `)
	kept := Member{Key: Span{1, 2}}
	members, err := Scan([]Member{kept}, text, 0)
	if err != nil {
		t.Fatal(err)
	}
	if members[0] != kept {
		t.Error("earlier contents of dst changed")
	}
	var got []string
	for _, m := range members[1:] {
		got = append(got, string(m.Key.Of(text))+"="+string(m.Raw(text)))
	}
	if want := `b=[1, 2] a\n={"x":1} c="}"`; strings.Join(got, " ") != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if members, err = Scan(members[:1], []byte(`{"a":1,`), 0); err == nil || len(members) != 1 {
		t.Errorf("after an error dst has %d members, want the 1 it had", len(members))
	}
}

func TestNestingIsLimited(t *testing.T) {
	nested := func(levels int) []byte {
		return []byte(`{"a":` + strings.Repeat("[", levels-1) + "0" + strings.Repeat("]", levels-1) + `}`)
	}
	for _, c := range []struct{ levels, max, offset int }{
		{64, 0, 0}, {65, 0, 68}, {1, 1, 0}, {2, 1, 5}, {10_000, 1 << 30, 0}, {10_001, 1 << 30, 10_004}, {65, -1, 68},
	} {
		_, err := Scan(nil, nested(c.levels), c.max)
		var depth *DepthError
		switch {
		case c.offset == 0 && err != nil:
			t.Errorf("%d levels of %d refused: %v", c.levels, c.max, err)
		case c.offset > 0 && (!errors.As(err, &depth) || depth.Offset != c.offset):
			t.Errorf("%d levels of %d: got %v", c.levels, c.max, err)
		}
	}
}

func TestKeysMustDiffer(t *testing.T) {
	for _, c := range []struct {
		name, text, want string
	}{
		{"repeated", `{"model":1,"x":2,"model":3}`, "duplicate key at byte 18: /model"},
		{"repeated behind an escape", `{"model":1,"mod\u0065l":2}`, "duplicate key at byte 12: /model"},
		{"other case", `{"model":1,"Model":2}`, "key differs from another in letter case only at byte 12: /Model"},
		{"other case behind an escape", `{"model":1,"\u004dodel":2}`, "key differs from another in letter case only at byte 12: /Model"},
		{"long s", `{"stop":1,"ſtop":2}`, "key differs from another in letter case only at byte 11: /ſtop"},
		{"Kelvin sign", `{"k":1,"\u212a":2}`, "key differs from another in letter case only at byte 8: /\u212a"},
		{"Greek", `{"Σ":1,"ς":2}`, "key differs from another in letter case only at byte 9: /ς"},
		{"lone surrogates", `{"\ud800":1,"\udfff":2}`, "duplicate key at byte 13: /\ufffd"},
		{"pointer is escaped", `{"a/b~":1,"a/b~":2}`, "duplicate key at byte 11: /a~1b~0"},
		{"empty", `{"":1,"":2}`, "duplicate key at byte 7: /"},
		{"nested repeats pass", `{"a":{"b":1,"b":2}}`, ""},
		{"similar", `{"a":1,"a ":2,"aa":3,"":4,"å":5}`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Scan(nil, []byte(c.text), 0)
			if got := fmt.Sprint(err); got != c.want && (err != nil || c.want != "") {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestLongKeysAreCutInErrors(t *testing.T) {
	key := strings.Repeat("é", 1000)
	_, err := Scan(nil, []byte(`{"`+key+`":1,"`+key+`":2}`), 0)
	if err == nil || len(err.Error()) > 200 {
		t.Errorf("got %v", err)
	}
}

func TestSyntaxErrorsNeverEchoContent(t *testing.T) {
	_, err := Scan(nil, []byte(`{"a":secret}`), 0)
	if got, want := err.Error(), "invalid JSON at byte 5: unexpected character"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestManyMembersTakeLinearTime(t *testing.T) {
	text := []byte{'{'}
	const count = 200_000
	for i := range count {
		text = fmt.Appendf(text, `"%d":0,`, i)
	}
	begun := time.Now()
	members, err := Scan(nil, append(text, `"0":0}`...), 0)
	var duplicate *DuplicateKeyError
	if !errors.As(err, &duplicate) || duplicate.Offset != len(text)+1 {
		t.Errorf("got %v, %d members", err, len(members))
	}
	// Comparing all pairs would take minutes.
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("took %v", took)
	}
}

func TestScanDoesNotAllocate(t *testing.T) {
	body := chatBody(4<<10, 500, escapedSentence)
	members := make([]Member, 0, 16)
	if n := testing.AllocsPerRun(50, func() {
		if _, err := Scan(members[:0], body, 0); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzScan(f *testing.F) {
	for _, c := range syntaxCases {
		f.Add([]byte(c.text))
	}
	f.Add([]byte(`{"a":1,"\u0061":2}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		checkErr := Check(text, 0)
		valid := json.Valid(text) && utf8.Valid(text)
		var depth *DepthError
		if tooDeep := errors.As(checkErr, &depth); !tooDeep && (checkErr == nil) != valid {
			t.Fatalf("Check: %v, but encoding/json says %v", checkErr, valid)
		}
		members, err := Scan(nil, text, 0)
		isObject := Parse(text).Kind() == Object
		var duplicate *DuplicateKeyError
		var letterCase *KeyCaseError
		switch {
		case errors.As(err, &duplicate), errors.As(err, &letterCase):
			if checkErr != nil || !isObject {
				t.Fatalf("%v in text that is no object", err)
			}
		case (err == nil) != (checkErr == nil && isObject):
			t.Fatalf("Scan: %v, Check: %v", err, checkErr)
		}
		if err != nil {
			return
		}
		var want map[string]json.RawMessage
		if err := json.Unmarshal(text, &want); err != nil {
			t.Fatal(err)
		}
		if len(want) != len(members) {
			t.Fatalf("%d members, want %d", len(members), len(want))
		}
		for _, m := range members {
			key := string(appendUnescaped(nil, m.Key.Of(text)))
			if string(want[key]) != string(m.Raw(text)) {
				t.Fatalf("member %q is %q, want %q", key, m.Raw(text), want[key])
			}
		}
	})
}
