package recorded_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

// The comparison sees every kind of difference.
func TestComparisonSeesWhatIsWrong(t *testing.T) {
	good := func() norm {
		return norm{
			text: "It rains.", reasoning: "Look outside.", stop: stopTools,
			calls: []toolCall{newCall("a", "f", `{"x":1}`), newCall("b", "g", `{"y":[1.50,"z"]}`)},
			usage: &counts{input: 10, output: 5, cached: 2, reasoning: 3},
		}
	}
	for _, dialect := range dialects {
		for _, v := range compare(dialect, wire{dialect: "cohere"}, good(), good()) {
			if v.bad {
				t.Errorf("%s: %+v", dialect, v)
			}
		}
	}
	for feature, breaks := range map[string][]func(*norm){
		"text":      {func(n *norm) { n.text = "It rain." }, func(n *norm) { n.text, n.reasoning = n.text+n.reasoning, "" }},
		"reasoning": {func(n *norm) { n.reasoning = "" }, func(n *norm) { n.reasoning += "!" }},
		"calls": {
			func(n *norm) { n.calls = n.calls[:1] }, func(n *norm) { n.calls[0].name = "F" },
			func(n *norm) { n.calls[1] = newCall("b", "g", `{"y":[1.5,"z"]}`) }, func(n *norm) { n.calls[1].id = "a" },
			func(n *norm) { n.calls[0].id = "" }, func(n *norm) { n.calls[0] = newCall("a", "f", `{"x":1`) },
			func(n *norm) { slices.Reverse(n.calls) },
		},
		"stop": {func(n *norm) { n.stop = stopEnd }, func(n *norm) { n.stop = "" }},
		"usage": {
			func(n *norm) { n.usage = nil }, func(n *norm) { n.usage.input = 8 }, func(n *norm) { n.usage.output = 2 },
			func(n *norm) { n.usage.cached = 0 }, func(n *norm) { n.usage.reasoning = 0 },
		},
		"error": {func(n *norm) { *n = failed(500, "no") }},
	} {
		for i, spoil := range breaks {
			got := good()
			spoil(&got)
			if !slices.ContainsFunc(compare("chat", wire{dialect: "cohere"}, good(), got), func(v verdict) bool { return v.feature == feature && v.bad }) {
				t.Errorf("%s %d was not seen", feature, i)
			}
		}
	}
}

// A stream that lost one of its last events, or has one twice, is none of its format.
func TestGrammarsRefuseBrokenStreams(t *testing.T) {
	tried := map[string]int{}
	for _, r := range answers(t) {
		w := wires[r.wire]
		if !w.strict || r.failed() || r.kind != "sse" || tried[w.dialect] >= 5 {
			continue
		}
		tried[w.dialect]++
		eol := "\n\n"
		if r.has("crlf") {
			eol = "\r\n\r\n"
		}
		events := bytes.SplitAfter(bytes.TrimRight(r.response, "\r\n"), []byte(eol))
		check := func(what string, list [][]byte) {
			wrong := slices.DeleteFunc(grammars[w.dialect](bytes.Join(list, nil)), func(s string) bool { return strings.Contains(s, "usage") })
			if len(wrong) == 0 {
				t.Errorf("%s: %s was not seen", r, what)
			}
		}
		last := len(events) - 1
		check("the lack of the last event", events[:last])
		if w.dialect != "gemini" { // whose chunks have no beginning
			check("the lack of the first event", events[1:])
			check("the last event twice", append(slices.Clone(events), []byte(eol), events[last]))
		}
	}
	if len(tried) > 0 && len(tried) != len(dialects) {
		t.Errorf("streams of %v only", tried)
	}
}
