package anthropic

import (
	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/usage"
)

// counts are usage as the format has it: input counts neither what was read
// from the cache nor what was written to it.
type counts struct {
	input, cacheRead, cacheWrite, output, thinking int64
	cacheHour                                      int64 // of cacheWrite
	// compacted is what compactions of the context took, which the other
	// counts leave out (beta).
	compactedInput, compactedOutput int64
}

// update takes over the counts that are given; those of a stream are
// cumulative, so later ones replace earlier ones.
func (c *counts) update(value jsonbytes.Value) {
	written, byAge := false, int64(0)
	for name, v := range value.Members() {
		switch string(name) {
		case "input_tokens":
			take(&c.input, v)
		case "cache_read_input_tokens":
			take(&c.cacheRead, v)
		case "cache_creation_input_tokens":
			written = take(&c.cacheWrite, v)
		case "cache_creation":
			byAge = sum(v)
			take(&c.cacheHour, v.Get("ephemeral_1h_input_tokens"))
		case "output_tokens":
			take(&c.output, v)
		case "output_tokens_details":
			take(&c.thinking, v.Get("thinking_tokens"))
		case "iterations":
			c.addIterations(v)
		}
	}
	if !written && byAge > 0 {
		c.cacheWrite = byAge
	}
}

// addIterations counts the compactions among the iterations of a call.
func (c *counts) addIterations(iterations jsonbytes.Value) {
	c.compactedInput, c.compactedOutput = 0, 0
	for _, iteration := range iterations.Elements() {
		if !iteration.Get("type").Is("compaction") {
			continue
		}
		var part counts
		for name, v := range iteration.Members() {
			switch string(name) {
			case "input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens":
				var n int64
				take(&n, v)
				part.input = add(part.input, n)
			case "output_tokens":
				take(&part.output, v)
			}
		}
		c.compactedInput = add(c.compactedInput, part.input)
		c.compactedOutput = add(c.compactedOutput, part.output)
	}
}

// take sets a count if value is one.
func take(count *int64, value jsonbytes.Value) bool {
	n, ok := value.Int()
	if ok {
		*count = n
	}
	return ok
}

// sum adds the counts in an object.
func sum(value jsonbytes.Value) int64 {
	total := int64(0)
	for _, v := range value.Members() {
		if n, ok := v.Int(); ok {
			total = add(total, n)
		}
	}
	return total
}

// most is above every count that can be true and keeps sums from overflowing.
const most = 1 << 50

func add(a, b int64) int64 { return bound(bound(a) + bound(b)) }

func bound(n int64) int64 { return min(max(n, 0), most) }

// tokens are the counts in normal form.
func (c *counts) tokens(known bool) usage.Tokens {
	input := add(add(c.input, c.cacheRead), add(c.cacheWrite, c.compactedInput))
	return usage.Tokens{
		Input:        input,
		CacheRead:    c.cacheRead,
		CacheWrite:   c.cacheWrite,
		CacheWrite1h: c.cacheHour,
		Output:       add(c.output, c.compactedOutput),
		Reasoning:    c.thinking,
		Known:        known,
	}.Clamp()
}

// serviceTier is OpenAI's word for the tier in usage.
func serviceTier(value jsonbytes.Value) string {
	tier := value.Get("service_tier")
	switch {
	case tier.Is("standard"):
		return "default"
	case tier.Is("priority"):
		return "priority"
	}
	return ""
}
