package blocks

import (
	"strings"
	"testing"
)

func TestIdsAreMadeFit(t *testing.T) {
	const most = 64
	ids := IDs{Most: most}
	long := strings.Repeat("x", 70)
	for _, test := range [][2]string{{"a", "a"}, {"a", "a_2"}, {"a", "a_3"}, {"a_1", "a_1"}, {"a_2", "a_2_2"}, {"", "call"}} {
		if got := ids.Rewrite(test[0]); got != test[1] {
			t.Errorf("%q became %q, want %q", test[0], got, test[1])
		}
	}
	seen := map[string]bool{}
	for _, id := range []string{"a.b", "a:b", "a b", long, long + "y", "ä", "\x00"} {
		got := ids.Rewrite(id)
		if !IsName(got) || len(got) > most || seen[got] || got != (&IDs{Most: most}).Rewrite(id) {
			t.Errorf("%q became %q", id, got)
		}
		seen[got] = true
	}
	short := IDs{Short: true}
	for _, id := range []string{"a", "a", "", "call_123456", "123456789", "123456789", long} {
		if got := short.Rewrite(id); len(got) != shortID || !isAlphanumeric(got) || seen[got] {
			t.Errorf("%q became %q", id, got)
		} else {
			seen[got] = true
		}
	}
}
