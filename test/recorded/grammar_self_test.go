package recorded_test

import (
	"slices"
	"strings"
	"testing"
)

// The grammars accept what the formats' own providers sent.
func TestGrammarsAcceptTheRecordings(t *testing.T) {
	for _, r := range answers(t) {
		w := wires[r.wire]
		if !w.strict || r.failed() || r.kind == "json-array" || r.has("background") {
			continue
		}
		wrong := []string(nil)
		if r.kind == "json" {
			n, err := parse(r.response)
			if err != nil {
				t.Fatal(r, err)
			}
			wrong = shapes[w.dialect](n)
		} else {
			wrong = grammars[w.dialect](r.response)
		}
		wrong = slices.DeleteFunc(wrong, func(s string) bool {
			// Their streams say "stop" of a named tool, and no usage unless asked to.
			return strings.Contains(s, "stop with tool calls") || strings.Contains(s, "usage")
		})
		if len(wrong) > 0 {
			t.Errorf("%s: %q", r, wrong)
		}
	}
}
