package llmproxy

import (
	"math"
	"testing"
)

func TestAllowanceIsSmallWhereMemoryIsScarce(t *testing.T) {
	for _, test := range []struct {
		name  string
		limit int64
		want  int
	}{
		{"no limit", math.MaxInt64, 16 << 20},
		{"a container of 4 GiB", 4 << 30, 16 << 20},
		{"a container of 128 MiB", 128 << 20, 4 << 20},
		{"none", 0, 0},
		{"nonsense", -1, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := len(newAllowance(test.limit)); got != test.want {
				t.Errorf("%d bytes, want %d", got, test.want)
			}
		})
	}
}
