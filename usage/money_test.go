package usage

import (
	"math"
	"testing"
)

func TestMoneyNeverOverflows(t *testing.T) {
	for _, test := range []struct{ a, b, want Money }{
		{1, 2, 3}, {USD, -USD, 0}, {MaxMoney, 1, MaxMoney}, {MaxMoney, MaxMoney, MaxMoney}, {MaxMoney, -1, MaxMoney - 1},
		{-MaxMoney, -1, -MaxMoney}, {-MaxMoney, -MaxMoney, -MaxMoney}, {math.MinInt64, math.MinInt64, -MaxMoney}, {0, math.MinInt64, -MaxMoney},
	} {
		if got := test.a.Add(test.b); got != test.want {
			t.Errorf("%d and %d are %d, want %d", test.a, test.b, got, test.want)
		}
	}
}

func TestMoneyIsWrittenAndReadExactly(t *testing.T) {
	for text, amount := range map[string]Money{
		"0": 0, "1": USD, "20": 20 * USD, "0.5": USD / 2, "0.00044968": 449680, "0.000000001": 1, "1.000000001": USD + 1,
		"9223372036.854775807": MaxMoney,
	} {
		if got := amount.String(); got != text {
			t.Errorf("%d is written %s, want %s", amount, got, text)
		}
		if got, ok := ParseMoney(text); !ok || got != amount {
			t.Errorf("%s is read as %d, %v, want %d", text, got, ok, amount)
		}
	}
	if got := Money(math.MinInt64).String(); got != "-9223372036.854775808" {
		t.Errorf("the least is written %s", got)
	}
	if got := Money(-USD / 4).String(); got != "-0.25" {
		t.Errorf("a quarter too little is written %s", got)
	}
	if got, ok := ParseMoney("1e30"); !ok || got != MaxMoney {
		t.Errorf("too much is %d, %v", got, ok)
	}
	if _, ok := ParseMoney("-1"); ok {
		t.Error("a negative amount was read")
	}
	if got := Money(449680).Dollars(); got != 0.00044968 {
		t.Errorf("%v dollars", got)
	}
}
