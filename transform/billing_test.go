package transform

import (
	"slices"
	"testing"
)

func TestOnlyClaudeCodesBillingLineIsLeftOut(t *testing.T) {
	var root Path
	part := func(name, text string) Part { return Part{Text: Quote(text), At: root.Key(name)} }
	line := part("line", "x-anthropic-billing-header: cc_version=1")
	for _, test := range []struct {
		name  string
		turns []Turn
		parts []int // that are left in each turn
		lost  []string
	}{
		{"nothing", nil, nil, nil},
		{"first of several", []Turn{{Role: RoleSystem, Parts: []Part{line, part("a", "A")}}, {Parts: []Part{part("b", "B")}}}, []int{1, 1}, []string{"/line"}},
		{"alone", []Turn{{Role: RoleSystem, Parts: []Part{line}}, {Parts: []Part{part("b", "B")}}}, []int{1}, []string{"/line"}},
		{"the user's own words", []Turn{{Parts: []Part{line}}}, []int{1}, nil},
		{"not the first", []Turn{{Role: RoleSystem, Parts: []Part{part("a", "A"), line}}}, []int{2}, nil},
	} {
		var lost Losses
		before := len(test.turns)
		var parts []int
		for _, turn := range WithoutBilling(test.turns, &lost) {
			parts = append(parts, len(turn.Parts))
		}
		if !slices.Equal(parts, test.parts) || !slices.Equal(lost.Dropped, test.lost) || len(test.turns) != before {
			t.Errorf("%s: %v, lost %v", test.name, parts, lost.Dropped)
		}
		if len(lost.Dropped) > 0 && string(test.turns[0].Parts[0].Text) != string(line.Text) {
			t.Errorf("%s: the request itself was changed", test.name)
		}
	}
}
