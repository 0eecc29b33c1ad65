// Package usage is what a call consumed: counts in one normal form, estimates
// where a provider gave none, and the record that is kept of every call.
package usage

// Tokens counts what one call consumed, in the form that all API formats are
// translated to and from: Input includes what was read from and written to the
// provider's prompt cache, Output includes reasoning.
type Tokens struct {
	// Input is the whole prompt: fresh, cache-read and cache-written tokens.
	Input int64
	// CacheRead is the part of Input that the provider had cached.
	CacheRead int64
	// CacheWrite is the part of Input that the provider put into its cache.
	CacheWrite int64
	// CacheWrite1h is the part of CacheWrite that stays for an hour, which costs more.
	CacheWrite1h int64
	// AudioInput is the part of Input that was sound.
	AudioInput int64
	// Output is everything generated, reasoning included.
	Output int64
	// Reasoning is the part of Output that was thinking.
	Reasoning int64
	// AudioOutput is the part of Output that was sound.
	AudioOutput int64
	// Cost is what all this costs: what the provider says, or what its prices make
	// of the counts once a call is settled. What is not known has no part in it.
	Cost Money
	// CostKnown tells whether Cost is all of it, be it nothing.
	CostKnown bool
	// Known tells whether a provider reported these counts.
	Known bool
	// Estimated tells that the counts are ours, not the provider's.
	Estimated bool
}

// Total is input and output together.
func (t Tokens) Total() int64 { return t.Input + t.Output }

// Plus is what two attempts consumed.
func (t Tokens) Plus(o Tokens) Tokens {
	return Tokens{
		Input: t.Input + o.Input, CacheRead: t.CacheRead + o.CacheRead,
		CacheWrite: t.CacheWrite + o.CacheWrite, CacheWrite1h: t.CacheWrite1h + o.CacheWrite1h, AudioInput: t.AudioInput + o.AudioInput,
		Output: t.Output + o.Output, Reasoning: t.Reasoning + o.Reasoning, AudioOutput: t.AudioOutput + o.AudioOutput,
		Cost:      t.Cost.Add(o.Cost),
		CostKnown: (t.CostKnown || o.CostKnown) && !t.unpriced() && !o.unpriced(),
		Known:     t.Known || o.Known, Estimated: t.Estimated || o.Estimated,
	}
}

// unpriced tells that something was consumed and nobody knows what it costs.
func (t Tokens) unpriced() bool { return t.Total() > 0 && !t.CostKnown }

func (t Tokens) minus(o Tokens) Tokens {
	t.Input -= o.Input
	t.CacheRead -= o.CacheRead
	t.CacheWrite -= o.CacheWrite
	t.CacheWrite1h -= o.CacheWrite1h
	t.AudioInput -= o.AudioInput
	t.Output -= o.Output
	t.Reasoning -= o.Reasoning
	t.AudioOutput -= o.AudioOutput
	t.Cost -= o.Cost
	return t
}

// maxTokens bounds what is believed of a provider's count: above every context
// window there is, and far from where sums overflow.
const maxTokens = 1 << 40

// Clamp returns t with every count inside what can be true: not negative, not
// absurd, and no part larger than its whole. A provider that reports nonsense
// must neither credit a key nor lock it.
func (t Tokens) Clamp() Tokens {
	t.Input = bound(t.Input, maxTokens)
	t.Output = bound(t.Output, maxTokens)
	t.CacheRead = bound(t.CacheRead, t.Input)
	t.CacheWrite = bound(t.CacheWrite, t.Input-t.CacheRead)
	t.CacheWrite1h = bound(t.CacheWrite1h, t.CacheWrite)
	t.AudioInput = bound(t.AudioInput, t.Input)
	t.Reasoning = bound(t.Reasoning, t.Output)
	t.AudioOutput = bound(t.AudioOutput, t.Output-t.Reasoning)
	t.Cost = max(t.Cost, 0)
	return t
}

func bound(n, most int64) int64 { return min(max(n, 0), most) }
