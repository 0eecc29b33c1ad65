package jsonbytes

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestKindLooksAtTheFirstByte(t *testing.T) {
	for text, want := range map[string]Kind{
		"": Absent, "null": Null, "true": Bool, "false": Bool, "-1": Number, "7": Number,
		`"x"`: String, "[]": Array, "{}": Object, "x": Invalid, "\xff": Invalid, "+1": Invalid, " ": Absent,
	} {
		if got := Parse([]byte(text)).Kind(); got != want {
			t.Errorf("kind of %q is %d, want %d", text, got, want)
		}
	}
}

func TestWalksVisitEveryPart(t *testing.T) {
	v := Parse([]byte(" {\"a\" : 1 ,\n\"b\\u0021\":[ true , {\"x\":\"]}\\\"\"} , null ] ,\"c\":{}, \"d\":[]} "))
	var got []string
	for key, value := range v.Members() {
		got = append(got, string(key)+"="+string(value))
	}
	for i, value := range v.Get("b!").Elements() {
		got = append(got, strconv.Itoa(i)+"="+string(value))
	}
	want := []string{
		"a=1", `b!=[ true , {"x":"]}\""} , null ]`, "c={}", "d=[]",
		"0=true", `1={"x":"]}\""}`, "2=null",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	for _, c := range []struct {
		value Value
		want  int
	}{{v, 4}, {v.Get("b!"), 3}, {v.Get("c"), 0}, {v.Get("d"), 0}, {v.Get("a"), 0}, {nil, 0}} {
		if got := c.value.Len(); got != c.want {
			t.Errorf("length of %q is %d, want %d", c.value, got, c.want)
		}
	}
}

func TestWalksStopWhenAsked(t *testing.T) {
	n := 0
	for range Value(`{"a":1,"b":2}`).Members() {
		n++
		break
	}
	for range Value(`[1,2]`).Elements() {
		n++
		break
	}
	if n != 2 {
		t.Errorf("%d parts visited, want 2", n)
	}
}

func TestGetReturnsTheFirstOfThatName(t *testing.T) {
	v := Value(`{"a":1,"\u0061":2,"":3,"é":4,"tab\t":5}`)
	for name, want := range map[string]string{"a": "1", "": "3", "é": "4", "tab\t": "5", "b": "", `tab\t`: ""} {
		if got := v.Get(name); string(got) != want || (want == "") != (got == nil) {
			t.Errorf("Get(%q) is %q, want %q", name, got, want)
		}
	}
	if Value(`[1]`).Get("a") != nil || Value(nil).Get("a") != nil {
		t.Error("found a member in something else than an object")
	}
}

func TestTextIsUnescaped(t *testing.T) {
	for _, c := range []struct {
		raw, want string
		ok        bool
	}{
		{`""`, "", true},
		{`"plain é"`, "plain é", true},
		{`"\"\\\/\b\f\n\r\t"`, "\"\\/\b\f\n\r\t", true},
		{`"a\u00e9\uD83D\uDE00z"`, "aé😀z", true},
		{`"\ud83d"`, "\ufffd", true},
		{`"\ud83dx\ude00"`, "\ufffdx\ufffd", true},
		{`"\ud83d\ud83d\ude00"`, "\ufffd😀", true},
		{`"\ud83d\u0041"`, "\ufffdA", true},
		{`"\\u0041"`, `\u0041`, true},
		{`"\q\u12"`, `\q\u12`, true},
		{`"open`, "", false},
		{`"open\"`, "", false},
		{`"a"b"`, "", false},
		{`"`, "", false},
		{`null`, "", false},
		{``, "", false},
	} {
		got, ok := Value(c.raw).Text()
		if got != c.want || ok != c.ok {
			t.Errorf("text of %s is %q, %v", c.raw, got, ok)
		}
		if got := string(Value(c.raw).AppendText([]byte("<"))); got != "<"+c.want {
			t.Errorf("AppendText of %s is %q", c.raw, got)
		}
		if Value(c.raw).Is(c.want) != c.ok || Value(c.raw).Is(c.want+"x") {
			t.Errorf("Is of %s is wrong", c.raw)
		}
	}
}

func TestIntTakesIntegralNumbersOnly(t *testing.T) {
	for _, c := range []struct {
		raw  string
		want int64
		ok   bool
	}{
		{"0", 0, true}, {"-0", 0, true}, {"0.000", 0, true}, {"0e999999999999999999999", 0, true},
		{"7", 7, true}, {"-7", -7, true}, {"10.0", 10, true}, {"1e3", 1000, true}, {"1E+3", 1000, true},
		{"1000e-3", 1, true}, {"12.50e1", 125, true}, {"0.001e3", 1, true}, {"100.0e-2", 1, true},
		{"9223372036854775807", math.MaxInt64, true}, {"-9223372036854775808", math.MinInt64, true},
		{"9223372036854775808", 0, false}, {"-9223372036854775809", 0, false},
		{"18446744073709551616", 0, false}, {"92233720368547758070e-1", math.MaxInt64, true},
		{"1e18", 1e18, true}, {"1e19", 0, false}, {"1e99999999999999999999", 0, false},
		{"1e-99999999999999999999", 0, false}, {"1.5", 0, false}, {"1e-1", 0, false}, {"12.5e0", 0, false},
		{"01", 0, false}, {"1x", 0, false}, {"-", 0, false}, {"1e", 0, false}, {"", 0, false}, {`"1"`, 0, false},
		{"true", 0, false}, {" 1", 0, false},
		{"1" + strings.Repeat("0", 50) + "e-50", 1, true},
	} {
		got, ok := Value(c.raw).Int()
		if got != c.want || ok != c.ok {
			t.Errorf("Int of %s is %d, %v", c.raw, got, ok)
		}
	}
}

func TestFloatBoolAndNull(t *testing.T) {
	for raw, want := range map[string]float64{"0.1": 0.1, "-2e3": -2000, "1e-400": 0, "123456789012345678901": 123456789012345678901} {
		if got, ok := Value(raw).Float(); got != want || !ok {
			t.Errorf("Float of %s is %v, %v", raw, got, ok)
		}
	}
	for _, raw := range []string{"", "1e999", "Inf", "0x1p2", "1_0", "01", `"1"`, "nan"} {
		if got, ok := Value(raw).Float(); ok {
			t.Errorf("Float of %s is %v", raw, got)
		}
	}
	for raw, want := range map[string][2]bool{
		"true": {true, true}, "false": {false, true}, "": {}, "null": {}, "truex": {}, "t": {}, "1": {},
	} {
		if got, ok := Value(raw).Bool(); got != want[0] || ok != want[1] {
			t.Errorf("Bool of %q is %v, %v", raw, got, ok)
		}
	}
	for raw, want := range map[string][2]bool{"null": {true, true}, "": {false, true}, "nul": {}, "0": {}} {
		if v := Value(raw); v.IsNull() != want[0] || v.Empty() != want[1] {
			t.Errorf("null of %q is %v, empty %v", raw, v.IsNull(), v.Empty())
		}
	}
}

func TestUniqueNamesTheMember(t *testing.T) {
	for raw, want := range map[string]string{
		`{"a":1,"b":{"c":1,"c":2}}`: "<nil>",
		`{"a":1,"a":2}`:             "duplicate key at byte 8: /messages/0/a",
		`{"a":1,"A":2}`:             "key differs from another in letter case only at byte 8: /messages/0/A",
		`[1,1]`:                     "<nil>",
		`garbage`:                   "<nil>",
		``:                          "<nil>",
	} {
		if got := fmt.Sprint(Value(raw).Unique("/messages/0")); got != want {
			t.Errorf("%s: got %q, want %q", raw, got, want)
		}
	}
}

func TestViewsDoNotAllocate(t *testing.T) {
	v := Value(`{"model":"gpt\u002d4","messages":[{"role":"user","content":"x"}],"n":12,"t":0.5}`)
	if n := testing.AllocsPerRun(50, func() {
		hits := 0
		for key, value := range v.Members() {
			switch string(key) {
			case "model":
				if value.Is("gpt-4") {
					hits++
				}
			case "n":
				n, _ := value.Int()
				hits += int(n)
			case "messages":
				for _, message := range value.Elements() {
					hits += message.Get("content").Len() + message.Len()
				}
			}
		}
		_, _ = v.Get("t").Float()
		if hits != 15 || v.Unique("") != nil {
			t.Fatal(hits)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// rebuild reads a value through its views only.
func rebuild(v Value) any {
	switch v.Kind() {
	case Null:
		return nil
	case Bool:
		b, _ := v.Bool()
		return b
	case Number:
		return json.Number(v)
	case String:
		s, _ := v.Text()
		return s
	case Array:
		list := []any{}
		for _, e := range v.Elements() {
			list = append(list, rebuild(e))
		}
		return list
	}
	object := map[string]any{}
	for key, member := range v.Members() {
		object[string(key)] = rebuild(member)
	}
	return object
}

func FuzzValue(f *testing.F) {
	for _, c := range syntaxCases {
		f.Add([]byte(c.text))
	}
	for _, text := range []string{"[1e3,10.0,[[]],{}]", `"\ud83d\u0041"`, `{"a":`, `[[[[`, `{"a""b"}`, `[,]`, `[1 2]`, "9223372036854775807"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		v := Parse(text)
		exercise(v, 3)
		if Check(text, 0) != nil {
			return
		}
		decoder := json.NewDecoder(strings.NewReader(string(text)))
		decoder.UseNumber()
		var want any
		if err := decoder.Decode(&want); err != nil {
			t.Fatal(err)
		}
		if got := rebuild(v); !reflect.DeepEqual(got, want) {
			t.Fatalf("got %#v, want %#v", got, want)
		}
		if v.Kind() == Number {
			compareNumber(t, v)
		}
		compact := AppendCompact(nil, v)
		if err := Check(compact, 0); err != nil || !reflect.DeepEqual(rebuild(compact), want) {
			t.Fatalf("compact form %q: %v", compact, err)
		}
	})
}

func compareNumber(t *testing.T, v Value) {
	want, err := strconv.ParseFloat(string(v), 64)
	if got, ok := v.Float(); ok != (err == nil) || ok && got != want {
		t.Fatalf("Float is %v, %v, want %v", got, ok, want)
	}
	wantInt, err := strconv.ParseInt(string(v), 10, 64)
	if got, ok := v.Int(); err == nil && (!ok || got != wantInt) {
		t.Fatalf("Int is %v, %v, want %v", got, ok, wantInt)
	}
}

// exercise calls every view, which must not panic whatever v is.
func exercise(v Value, depth int) {
	v.Kind()
	v.Len()
	v.Text()
	v.AppendText(nil)
	v.Is("a")
	v.Int()
	v.Float()
	v.Bool()
	v.Empty()
	v.Get("a")
	_ = v.Unique("/x")
	AppendCompact(nil, v)
	if depth == 0 {
		return
	}
	for _, e := range v.Elements() {
		exercise(e, depth-1)
	}
	for _, m := range v.Members() {
		exercise(m, depth-1)
	}
}

func TestAppendStringEscapesOnlyWhatItMust(t *testing.T) {
	for in, want := range map[string]string{
		"":                    `""`,
		"plain é 😀 </script>": `"plain é 😀 </script>"`,
		"\"\\\b\f\n\r\t":      `"\"\\\b\f\n\r\t"`,
		"\x00\x1f\x7f":        "\"\\u0000\\u001f\x7f\"",
		"\u2028\u2029\ufffd":  "\"\u2028\u2029\ufffd\"",
		"a\xffb\xe2\x82":      `"a\ufffdb\ufffd\ufffd"`,
	} {
		if got := string(AppendString([]byte("<"), in)); got != "<"+want {
			t.Errorf("%q: got %s, want %s", in, got, want)
		}
		if got := string(AppendBytes([]byte("<"), []byte(in))); got != "<"+want {
			t.Errorf("%q as bytes: got %s, want %s", in, got, want)
		}
	}
}

func TestAppendCompactKeepsEverythingButSpace(t *testing.T) {
	for in, want := range map[string]string{
		" { \"a b\" : [ 1.0 , \"\\\" \" ] ,\n\"c\":1e5}\t": `{"a b":[1.0,"\" "],"c":1e5}`,
		`"open  `: `"open  `,
		`  `:      ``,
		``:        ``,
	} {
		if got := string(AppendCompact(nil, Value(in))); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func FuzzAppendString(f *testing.F) {
	for _, s := range []string{"", "plain", "\x00\"\\", "é😀\xff", strings.Repeat("x", 40) + "\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		quoted := AppendString(nil, s)
		if string(AppendBytes(nil, []byte(s))) != string(quoted) {
			t.Fatal("strings and bytes differ")
		}
		if err := Check(quoted, 0); err != nil {
			t.Fatal(err)
		}
		want := s
		if !utf8.ValidString(s) {
			want = string([]rune(s))
		}
		if got, ok := Value(quoted).Text(); !ok || got != want {
			t.Fatalf("got %q, want %q", got, want)
		}
		if !Value(quoted).Is(want) {
			t.Fatal("Is disagrees with Text")
		}
	})
}
