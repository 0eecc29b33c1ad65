package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/catalog"
)

func TestLiteralsOfJavaScriptBecomeJSON(t *testing.T) {
	const source = "x = {a: 1};\nconst E = [\n  {\n    id: \"a\\\"b\",\n    on: !0,\n    off: !1,\n    n: .5,\n    big: 1e6,\n    t: `it's\n\"so\"`,\n    'q': 'say \"x\" \\'y\\'',\n    list: [1, 2,],\n  },\n];\nlet y = [];"
	text, err := literalAfter(source, " = [", "big")
	if err != nil {
		t.Fatal(err)
	}
	if want := `[{"id":"a\"b","on":true,"off":false,"n":0.5,"big":1e6,"t":"it's \"so\"","q":"say \"x\" 'y'","list":[1,2]}]`; string(text) != want || !json.Valid(text) {
		t.Errorf("%s", text)
	}
	for _, source := range []string{"", "x", " = [f()]", " = [1", " = [\"a", " = {a: b}", " = [1]"} {
		if text, err := literalAfter(source, " = [", "big"); err == nil {
			t.Errorf("%q became %s", source, text)
		}
	}
}

func FuzzToJSON(f *testing.F) {
	f.Add("{a: [!0, 'x', `y`], b: -1.5e3,}")
	f.Fuzz(func(_ *testing.T, source string) { _, _ = toJSON(source) })
}

func TestTheNewestSourceWins(t *testing.T) {
	model := func(ctx int64, in, out, read catalog.Rate) *catalog.Model {
		return &catalog.Model{ContextWindow: ctx, Price: catalog.Price{Rates: catalog.Rates{Input: in, Output: out, CacheRead: read}}}
	}
	merged, older := make(collection), make(collection)
	merged.add("p", "Same", model(0, 1e6, 2e6, 0))
	merged.add("p", "changed", model(5, 1e6, 2e6, 0))
	merged.add("p", "windowed", model(7, 0, 0, 0))
	older.add("p", "same", model(9, 1e6, 2e6, 100_000))
	older.add("p", "changed", model(9, 3e6, 2e6, 100_000))
	older.add("p", "windowed", model(9, 3e6, 2e6, 0))
	older.add("q", "new", model(9, catalog.Free, catalog.Free, 0))
	older.add("q", "bad name", model(9, 1, 1, 0))
	merged.fill(older)
	want := "\n[p]\nchanged ctx=5 in=1 out=2\nsame ctx=9 in=1 out=2 cr=0.1\nwindowed ctx=7 in=3 out=2\n\n[q]\nnew ctx=9 in=0 out=0\n"
	if got := string(merged.text()); got != want {
		t.Errorf("got %s", got)
	}
}

func TestPricesByHourAndLength(t *testing.T) {
	var p genAIPeriods
	err := json.Unmarshal([]byte(`[{"prices":{"input_mtok":9,"output_mtok":9}},
		{"constraint":{"type":"start_date"},"prices":{"input_mtok":{"base":1,"tiers":[{"start":100,"price":3}]},"output_mtok":2,"output_image_mtok":4}},
		{"constraint":{"type":"time_of_date"},"prices":{"input_mtok":0.5,"output_mtok":1}}]`), &p)
	if err != nil {
		t.Fatal(err)
	}
	c := make(collection)
	c.add("p", "m", &catalog.Model{Price: p.price("m")})
	if got := strings.TrimSpace(string(c.text())); got != "[p]\nm in=1 out=4 over=100 in=3 out=4" {
		t.Errorf("%s", got)
	}
}
