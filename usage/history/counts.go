package history

import "github.com/caddyllm/llmproxy/usage"

// Counts are sums over calls.
type Counts struct {
	Requests int64 `json:"requests"`
	// Errors are the calls that were refused, failed or broke off. Those that the
	// client left are none.
	Errors int64 `json:"errors"`
	// FailedAttempts are requests to providers that came to nothing, whether or not
	// another one served the call.
	FailedAttempts int64 `json:"failed_attempts"`
	// Input and Output are the tokens that providers counted; none for stored answers.
	Input  int64 `json:"input"`
	Output int64 `json:"output"`
	// Cost is in US dollars. Unpriced counts the calls of which not all is known.
	Cost     Dollars `json:"cost"`
	Unpriced int64   `json:"unpriced"`
	// CacheAsked counts the calls that looked for a stored answer, CacheHits those
	// that got one.
	CacheAsked int64 `json:"cache_asked"`
	CacheHits  int64 `json:"cache_hits"`
}

// Dollars is an amount of money, in JSON a number of dollars.
type Dollars usage.Money

// MarshalJSON writes all digits.
func (d Dollars) MarshalJSON() ([]byte, error) { return []byte(usage.Money(d).String()), nil }

// Tokens is input and output together.
func (c *Counts) Tokens() int64 { return c.Input + c.Output }

func (c *Counts) add(o *Counts) {
	c.Requests += o.Requests
	c.Errors += o.Errors
	c.FailedAttempts += o.FailedAttempts
	c.Input += o.Input
	c.Output += o.Output
	c.Cost = Dollars(usage.Money(c.Cost).Add(usage.Money(o.Cost)))
	c.Unpriced += o.Unpriced
	c.CacheAsked += o.CacheAsked
	c.CacheHits += o.CacheHits
}

// answerOf counts a call with what went into its answer.
func answerOf(r *usage.Record) Counts {
	c := Counts{Requests: 1}
	if r.Unpriced() {
		c.Unpriced = 1
	}
	switch r.Ending {
	case usage.Refused, usage.Failed, usage.Broken:
		c.Errors = 1
	}
	switch r.Cache {
	case "", "bypass":
	default:
		c.CacheAsked = 1
	}
	if r.Cached() { // no provider made the tokens of a stored answer
		c.CacheHits = 1
		return c
	}
	c.consume(r.AnswerTokens())
	return c
}

// countsOf counts a call with all that it consumed.
func countsOf(r *usage.Record) Counts {
	c := answerOf(r)
	for i := range r.Failures {
		failed := failureOf(&r.Failures[i])
		c.add(&failed)
	}
	return c
}

func failureOf(f *usage.Failure) Counts {
	c := Counts{FailedAttempts: 1}
	c.consume(f.Tokens)
	return c
}

func (c *Counts) consume(t usage.Tokens) {
	c.Input, c.Output, c.Cost = t.Input, t.Output, Dollars(t.Cost)
}
