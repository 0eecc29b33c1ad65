package catalog

import (
	"math"
	"math/bits"

	"github.com/caddyllm/llmproxy/usage"
)

// Rate is what one token costs, in millionths of a millionth of a US dollar: a
// price per million tokens in dollars, times a million. The zero value is a
// price that is not known; a price of nothing is [Free].
type Rate int64

// Free is the rate of what costs nothing.
const Free Rate = -1

// maxRate is a dollar for a token, above all prices there are.
const maxRate Rate = 1e12

// Known tells whether there is a price.
func (r Rate) Known() bool { return r != 0 }

// Dollars is the price of a million tokens, 0 if it is free or not known.
func (r Rate) Dollars() float64 { return float64(max(r, 0)) / 1e6 }

func (r Rate) or(other Rate) Rate {
	if r.Known() {
		return r
	}
	return other
}

// Rates are the prices of a model's kinds of tokens. Where one is not known that
// of the next larger kind holds: cached and written tokens cost what fresh ones
// do, sound what text does, thinking what answers do.
type Rates struct {
	Input, Output Rate
	// CacheRead is for tokens that the provider had cached, CacheWrite for those
	// that it keeps for some minutes, CacheWrite1h for those it keeps for an hour.
	CacheRead, CacheWrite, CacheWrite1h Rate
	AudioInput, AudioOutput             Rate
	Reasoning                           Rate
}

// over is r, and other's prices where r has none.
func (r Rates) over(other Rates) Rates {
	return Rates{
		Input: r.Input.or(other.Input), Output: r.Output.or(other.Output),
		CacheRead: r.CacheRead.or(other.CacheRead), CacheWrite: r.CacheWrite.or(other.CacheWrite), CacheWrite1h: r.CacheWrite1h.or(other.CacheWrite1h),
		AudioInput: r.AudioInput.or(other.AudioInput), AudioOutput: r.AudioOutput.or(other.AudioOutput),
		Reasoning: r.Reasoning.or(other.Reasoning),
	}
}

// full has a price for every kind of token whose larger kind has one.
func (r Rates) full() Rates {
	r.CacheRead = r.CacheRead.or(r.Input)
	r.CacheWrite = r.CacheWrite.or(r.Input)
	r.CacheWrite1h = r.CacheWrite1h.or(r.CacheWrite)
	r.AudioInput = r.AudioInput.or(r.Input)
	r.AudioOutput = r.AudioOutput.or(r.Output)
	r.Reasoning = r.Reasoning.or(r.Output)
	return r
}

// Tier re-prices whole requests whose prompt, cached tokens included, has more
// than so many tokens. Rates that it does not have are those of the price.
type Tier struct {
	Over int64
	Rates
}

// Price is what the tokens of a model cost, in the provider's standard tier of service.
type Price struct {
	Rates
	// Tiers are in rising order.
	Tiers []Tier
}

// Known tells whether anything has a price.
func (p *Price) Known() bool { return p.Rates != Rates{} || len(p.Tiers) > 0 }

// rates are what counts for a prompt of so many tokens.
func (p *Price) rates(prompt int64) Rates {
	for i := len(p.Tiers) - 1; i >= 0; i-- {
		if prompt > p.Tiers[i].Over {
			return p.Tiers[i].over(p.Rates).full()
		}
	}
	return p.full()
}

// Cost is what a call with these tokens costs, rounded up. It is not ok, and
// nothing, where a price is not known that the call needs.
func (p *Price) Cost(t usage.Tokens) (_ usage.Money, ok bool) {
	t = t.Clamp()
	rates := p.rates(t.Input)
	if t.Input > 0 && !rates.Input.Known() || t.Output > 0 && !rates.Output.Known() || !rates.Input.Known() && !rates.Output.Known() {
		return 0, false
	}
	fresh := t.Input - t.CacheRead - t.CacheWrite
	heard := min(t.AudioInput, fresh)
	var sum bill
	sum.add(fresh-heard, rates.Input)
	sum.add(heard, rates.AudioInput)
	sum.add(t.CacheRead, rates.CacheRead)
	sum.add(t.CacheWrite-t.CacheWrite1h, rates.CacheWrite)
	sum.add(t.CacheWrite1h, rates.CacheWrite1h)
	sum.add(t.Output-t.Reasoning-t.AudioOutput, rates.Output)
	sum.add(t.AudioOutput, rates.AudioOutput)
	sum.add(t.Reasoning, rates.Reasoning)
	return sum.money(), true
}

// Estimate is what a call will cost at most whose prompt and answer have so many
// tokens, none of them cached, none of them sound.
func (p *Price) Estimate(inputTokens, outputTokens int64) (usage.Money, bool) {
	return p.Cost(usage.Tokens{Input: inputTokens, Output: outputTokens})
}

// bill is a sum in the unit of rates. It cannot overflow: rates have 40 bits,
// counts 40.
type bill struct{ high, low uint64 }

func (b *bill) add(tokens int64, rate Rate) {
	high, low := bits.Mul64(uint64(max(tokens, 0)), uint64(max(rate, 0)))
	var carry uint64
	b.low, carry = bits.Add64(b.low, low, 0)
	b.high += high + carry
}

// perMoney is how many units of a rate are one of [usage.Money].
const perMoney = 1000

func (b *bill) money() usage.Money {
	if b.high >= perMoney {
		return usage.MaxMoney
	}
	amount, rest := bits.Div64(b.high, b.low, perMoney)
	if rest > 0 {
		amount++
	}
	return usage.Money(min(amount, math.MaxInt64))
}
