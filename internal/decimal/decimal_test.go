package decimal

import (
	"math"
	"strconv"
	"testing"
)

func TestParse(t *testing.T) {
	for _, test := range []struct {
		text  string
		scale int
		want  int64
	}{
		{"0", 9, 0}, {"1", 9, 1e9}, {"0.00044968", 9, 449680}, {"4.4968e-4", 9, 449680}, {"4.4968E-04", 9, 449680},
		{"1e-06", 12, 1e6}, {"2.5e+2", 0, 250}, {"0.125", 6, 125000}, {"1.5", 0, 2}, {"1.4", 0, 1}, {"1.49", 0, 1}, {"15", -1, 2},
		{"0.0000000004", 9, 0}, {"0.0000000005", 9, 1}, {"3.0", 6, 3e6}, {"0.30000000000000004", 6, 300000},
		{"9223372036854775807", 0, math.MaxInt64}, {"1e40", 0, math.MaxInt64}, {"1e999999999999", 0, math.MaxInt64}, {"1e-999999999999", 0, 0},
		{"0e99", 0, 0}, {"1234567890123456789012345", -20, 12346}, {"0.1234567890123456789012345", 5, 12346},
	} {
		if got, ok := Parse(test.text, test.scale); !ok || got != test.want {
			t.Errorf("%s times 10^%d is %d, %v, want %d", test.text, test.scale, got, ok, test.want)
		}
		if got, ok := Parse([]byte(test.text), test.scale); !ok || got != test.want {
			t.Errorf("%s times 10^%d is %d, %v, want %d", test.text, test.scale, got, ok, test.want)
		}
	}
}

func TestParseRefusesWhatIsNoAmount(t *testing.T) {
	for _, text := range []string{"", "-1", "+1", ".5", "1.", "1.e3", "e3", "1e", "1e+", "1e3.5", "1,5", "NaN", "0x10", "1 ", " 1", "1.2.3", "null", `"1"`} {
		if got, ok := Parse(text, 9); ok {
			t.Errorf("%q is taken for %d", text, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"0.5", "12e-3", "99999999999999999999", "1.", "-0"} {
		f.Add(seed, 9)
	}
	f.Fuzz(func(t *testing.T, text string, scale int) {
		scale %= 20
		n, ok := Parse(text, scale)
		if n < 0 || !ok && n != 0 {
			t.Fatalf("%q: %d, %v", text, n, ok)
		}
		if !ok {
			return
		}
		want, err := strconv.ParseFloat(text, 64)
		if err != nil && !math.IsInf(want, 0) {
			t.Fatalf("%q is taken for %d", text, n)
		}
		want *= math.Pow10(scale)
		if got := float64(n); want < 1e18 && math.Abs(got-want) > 1+want*1e-12 {
			t.Fatalf("%q times 10^%d is %d, want %g", text, scale, n, want)
		}
	})
}
