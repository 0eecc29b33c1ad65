package usage

import (
	"math"
	"strconv"

	"github.com/caddyllm/llmproxy/internal/decimal"
)

// Money is an amount in billionths of a US dollar: the price of one token of the
// cheapest model is not less than that. Sums of it never overflow; they stay at
// the largest amount, some nine billion dollars.
type Money int64

// USD is one dollar.
const USD Money = 1e9

// MaxMoney is the largest amount.
const MaxMoney Money = math.MaxInt64

// ParseMoney reads an amount of dollars, such as 20, 0.5 or 1e-3, exactly.
func ParseMoney[T ~string | ~[]byte](dollars T) (Money, bool) {
	n, ok := decimal.Parse(dollars, 9)
	return Money(n), ok
}

// Add is the sum, at most [MaxMoney] and at least its opposite.
func (m Money) Add(other Money) Money {
	switch sum := m + other; {
	case m > 0 && other > 0 && sum < 0:
		return MaxMoney
	case m < 0 && other < 0 && sum >= 0:
		return -MaxMoney
	default:
		return max(sum, -MaxMoney)
	}
}

// Dollars is the amount for logs and metrics. Sums are made of Money.
func (m Money) Dollars() float64 { return float64(m) / float64(USD) }

// String is the amount in dollars with all its digits, such as 0.00044968.
func (m Money) String() string {
	n := uint64(m)
	text := make([]byte, 0, 24)
	if m < 0 {
		n = -n
		text = append(text, '-')
	}
	text = strconv.AppendUint(text, n/uint64(USD), 10)
	rest := n % uint64(USD)
	if rest == 0 {
		return string(text)
	}
	text = append(text, '.')
	for unit := uint64(USD) / 10; rest > 0; unit /= 10 {
		text = append(text, byte('0'+rest/unit))
		rest %= unit
	}
	return string(text)
}
