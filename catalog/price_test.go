package catalog

import (
	"math"
	"testing"

	"github.com/caddyllm/llmproxy/usage"
)

// dollars is a rate as price lists have it.
func dollars(perMillion float64) Rate { return Rate(math.Round(perMillion * 1e6)) }

// sonnet has the shape of Anthropic's prices, long prompts included.
var sonnet = Price{
	Rates: Rates{Input: dollars(3), Output: dollars(15), CacheRead: dollars(0.3), CacheWrite: dollars(3.75), CacheWrite1h: dollars(6)},
	Tiers: []Tier{{Over: 200_000, Rates: Rates{Input: dollars(6), Output: dollars(22.5), CacheRead: dollars(0.6), CacheWrite: dollars(7.5), CacheWrite1h: dollars(12)}}},
}

func TestCostIsThatOfTheHand(t *testing.T) {
	heard := Price{Rates: Rates{Input: dollars(2.5), Output: dollars(10), AudioInput: dollars(40), AudioOutput: dollars(80), Reasoning: dollars(3)}}
	two := Price{Rates: Rates{Input: dollars(1)}, Tiers: []Tier{{Over: 10, Rates: Rates{Input: dollars(2)}}, {Over: 100, Rates: Rates{Input: dollars(3)}}}}
	for _, test := range []struct {
		name   string
		price  Price
		tokens usage.Tokens
		want   string // dollars
	}{
		{"fresh", sonnet, usage.Tokens{Input: 1000, Output: 500}, "0.0105"},                                   // 0.003 + 0.0075
		{"read from the cache", sonnet, usage.Tokens{Input: 10_000, CacheRead: 9_000, Output: 100}, "0.0072"}, // 0.003 + 0.0027 + 0.0015
		{"written for minutes", sonnet, usage.Tokens{Input: 5_000, CacheWrite: 4_000}, "0.018"},               // 0.003 + 0.015
		{"written for an hour", sonnet, usage.Tokens{Input: 5_000, CacheWrite: 4_000, CacheWrite1h: 4_000}, "0.027"},
		{"written for both", sonnet, usage.Tokens{Input: 5_000, CacheWrite: 4_000, CacheWrite1h: 1_000, CacheRead: 1_000}, "0.01755"}, // 0.0003 + 0.01125 + 0.006
		{"at the bound of a tier", sonnet, usage.Tokens{Input: 200_000, Output: 1_000}, "0.615"},
		{"above it", sonnet, usage.Tokens{Input: 200_001, Output: 1_000}, "1.222506"},
		{"above it by what is cached", sonnet, usage.Tokens{Input: 200_001, CacheRead: 200_000, Output: 1_000}, "0.142506"},
		{"the first tier", two, usage.Tokens{Input: 100}, "0.0002"},
		{"the second tier", two, usage.Tokens{Input: 101}, "0.000303"},
		{"sound", heard, usage.Tokens{Input: 100, AudioInput: 60, Output: 50, AudioOutput: 40}, "0.0058"}, // 40×2.5 + 60×40 + 10×10 + 40×80
		{"thinking with a price of its own", heard, usage.Tokens{Input: 0, Output: 50, Reasoning: 40}, "0.00022"},
		{"cached where only input has a price", Price{Rates: Rates{Input: dollars(1), Output: dollars(2)}}, usage.Tokens{Input: 100, CacheRead: 50, CacheWrite: 50, CacheWrite1h: 25}, "0.0001"},
		{"less than there are units for is one", Price{Rates: Rates{Input: 1, Output: 1}}, usage.Tokens{Input: 1}, "0.000000001"},
		{"an embedding", Price{Rates: Rates{Input: dollars(0.02)}}, usage.Tokens{Input: 1000}, "0.00002"},
		{"free", Price{Rates: Rates{Input: Free, Output: Free}}, usage.Tokens{Input: 1000, Output: 1000}, "0"},
		{"free cache", Price{Rates: Rates{Input: dollars(1), Output: dollars(1), CacheRead: Free}}, usage.Tokens{Input: 1000, CacheRead: 1000}, "0"},
		{"nothing", sonnet, usage.Tokens{}, "0"},
		{"nonsense", sonnet, usage.Tokens{Input: -5, CacheRead: 99, Output: -1}, "0"},
	} {
		got, ok := test.price.Cost(test.tokens)
		if !ok || got.String() != test.want {
			t.Errorf("%s: %s, %v, want %s", test.name, got, ok, test.want)
		}
	}
}

func TestCostIsNotKnownWithoutItsPrices(t *testing.T) {
	for _, test := range []struct {
		name   string
		price  Price
		tokens usage.Tokens
	}{
		{"no price", Price{}, usage.Tokens{}},
		{"no price for answers", Price{Rates: Rates{Input: 1}}, usage.Tokens{Input: 1, Output: 1}},
		{"no price for prompts", Price{Rates: Rates{Output: 1}}, usage.Tokens{Input: 1}},
		{"only one for the cache", Price{Rates: Rates{CacheRead: 1}}, usage.Tokens{Input: 1, CacheRead: 1}},
	} {
		if got, ok := test.price.Cost(test.tokens); ok || got != 0 {
			t.Errorf("%s: %s, %v", test.name, got, ok)
		}
	}
	var nobody *Model
	if _, ok := nobody.Cost(usage.Tokens{}); ok {
		t.Error("a model that is not known has a cost")
	}
	if _, ok := nobody.Estimate(1, 1); ok {
		t.Error("a model that is not known has an estimate")
	}
}

func TestCostStaysAtTheLargestAmount(t *testing.T) {
	dear := Price{Rates: Rates{Input: maxRate, Output: maxRate}}
	got, ok := dear.Cost(usage.Tokens{Input: math.MaxInt64, Output: math.MaxInt64})
	if !ok || got != usage.MaxMoney {
		t.Errorf("%s, %v", got, ok)
	}
	if got, ok := dear.Estimate(1, 1); !ok || got != 2*usage.USD {
		t.Errorf("two tokens of a dollar are %s, %v", got, ok)
	}
}

func TestMoreTokensNeverCostLess(t *testing.T) {
	for _, models := range builtin() {
		for name, m := range models {
			last := usage.Money(0)
			for _, n := range []int64{1, 100, 32_001, 128_001, 200_001, 272_001, 1_000_000} {
				cost, _ := m.Estimate(n, n)
				if cost < last {
					t.Errorf("%s: %d tokens cost %s, fewer %s", name, n, cost, last)
				}
				last = cost
			}
		}
	}
}

func TestFits(t *testing.T) {
	m := &Model{ContextWindow: 100, MaxInput: 80, MaxOutput: 40}
	for _, test := range []struct {
		m             *Model
		input, output int64
		want          bool
	}{
		{m, 60, 40, true}, {m, 61, 40, false}, {m, 80, 20, true}, {m, 81, 0, false}, {m, 10, 41, false},
		{&Model{}, 1 << 40, 1 << 40, true}, {nil, 1, 1, true}, {&Model{ContextWindow: 10}, 11, 0, false},
	} {
		if got := test.m.Fits(test.input, test.output); got != test.want {
			t.Errorf("%+v takes %d and %d: %v", test.m, test.input, test.output, got)
		}
	}
}

func FuzzCost(f *testing.F) {
	f.Add(int64(1000), int64(10), int64(5), int64(5), int64(100), int64(7), int64(3e6), int64(15e6))
	f.Add(int64(math.MaxInt64), int64(-1), int64(math.MaxInt64), int64(0), int64(math.MinInt64), int64(1), int64(1e12), int64(-1))
	f.Fuzz(func(t *testing.T, input, read, written, hour, output, heard, in, out int64) {
		p := Price{Rates: Rates{Input: min(Rate(in), maxRate), Output: min(Rate(out), maxRate)}}
		tokens := usage.Tokens{Input: input, CacheRead: read, CacheWrite: written, CacheWrite1h: hour, AudioInput: heard, Output: output}
		if cost, ok := p.Cost(tokens); cost < 0 || !ok && cost != 0 {
			t.Fatalf("%+v costs %d, %v", tokens, cost, ok)
		}
	})
}
