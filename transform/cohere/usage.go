package cohere

import (
	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/usage"
)

// readUsage reads {tokens, billed_units, cached_tokens}. What the model read and
// wrote counts; what is billed leaves out the provider's own part of the prompt
// and stands in only where nothing else is known.
func readUsage(v jsonbytes.Value) usage.Tokens {
	var t usage.Tokens
	for _, name := range [...]string{"tokens", "billed_units"} {
		counts := v.Get(name)
		input, known := counts.Get("input_tokens").Int()
		output, also := counts.Get("output_tokens").Int()
		if known || also {
			t.Input, t.Output, t.Known = input, output, true
			t.Reasoning, _ = counts.Get("reasoning_tokens").Int()
			break
		}
	}
	t.CacheRead, _ = v.Get("cached_tokens").Int()
	return t.Clamp()
}

// billedUsage reads the meta of answers that are no conversation. Searches are
// billed by themselves and have no tokens.
func billedUsage(meta jsonbytes.Value) usage.Tokens {
	var t usage.Tokens
	for _, name := range [...]string{"tokens", "billed_units"} {
		if n, ok := meta.Get(name).Get("input_tokens").Int(); ok && !t.Known {
			t.Input, t.Known = n, true
		}
	}
	return t.Clamp()
}
