package openai

import (
	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/usage"
)

// ReadUsage reads counts in the spellings of all providers of this format.
// Known is false where there are none.
func ReadUsage(v jsonbytes.Value) usage.Tokens {
	var t usage.Tokens
	var total, hit, miss int64
	var told charge
	for key, value := range v.Members() {
		switch string(key) {
		case "prompt_tokens", "input_tokens":
			count(&t.Input, value, &t.Known)
		case "completion_tokens", "output_tokens":
			count(&t.Output, value, &t.Known)
		case "total_tokens":
			count(&total, value, &t.Known)
		case "prompt_tokens_details", "input_tokens_details", "input_token_details": // the last of transcriptions
			for key, value := range value.Members() {
				switch string(key) {
				case "cached_tokens":
					count(&t.CacheRead, value, nil)
				case "cache_write_tokens", "cache_creation_tokens":
					count(&t.CacheWrite, value, nil)
				case "audio_tokens":
					count(&t.AudioInput, value, nil)
				}
			}
		case "completion_tokens_details", "output_tokens_details":
			count(&t.Reasoning, value.Get("reasoning_tokens"), nil)
			count(&t.AudioOutput, value.Get("audio_tokens"), nil)
		case "cache_creation_input_tokens": // Vercel, LiteLLM
			count(&t.CacheWrite, value, nil)
		case "reasoning_tokens": // Perplexity
			count(&t.Reasoning, value, nil)
		case "prompt_cache_hit_tokens": // DeepSeek
			count(&hit, value, nil)
		case "prompt_cache_miss_tokens":
			count(&miss, value, nil)
		case "cached_tokens": // Moonshot, Together
			count(&hit, value, nil)
		default:
			told.read(key, value)
		}
	}
	t.Cost, t.CostKnown = told.total()
	if t.CacheRead == 0 {
		t.CacheRead = hit
	}
	if t.Input == 0 {
		t.Input = hit + miss
	}
	return settleUsage(t, total)
}

// count reads a number that has not been read yet under another name.
func count(n *int64, v jsonbytes.Value, known *bool) {
	read, ok := v.Int()
	if !ok || *n != 0 {
		return
	}
	*n = read
	if known != nil {
		*known = true
	}
}

// charge is what a provider says it takes for a call.
type charge struct {
	cost, upstream usage.Money
	known, ownKey  bool
}

func (c *charge) read(key []byte, v jsonbytes.Value) {
	switch string(key) {
	case "cost": // OpenRouter, Vercel; Perplexity has the parts and their sum
		if v.Kind() == jsonbytes.Object {
			v = v.Get("total_cost")
		}
		c.set(v)
	case "estimated_cost": // DeepInfra
		c.set(v)
	case "cost_in_usd_ticks": // xAI: ten to a billionth of a dollar
		if ticks, ok := v.Int(); ok && ticks >= 0 {
			c.cost, c.known = usage.Money(ticks/10+(ticks%10+9)/10), true
		}
	case "is_byok": // OpenRouter: cost is its fee alone, the rest goes to a key of the caller's
		c.ownKey, _ = v.Bool()
	case "cost_details":
		c.upstream, _ = usage.ParseMoney(v.Get("upstream_inference_cost"))
	}
}

func (c *charge) set(v jsonbytes.Value) {
	if cost, ok := usage.ParseMoney(v); ok {
		c.cost, c.known = cost, true
	}
}

func (c *charge) total() (usage.Money, bool) {
	if c.known && c.ownKey {
		return c.cost.Add(c.upstream), true
	}
	return c.cost, c.known
}

// settleUsage brings counts into the normal form where a provider means
// something else by them; its total shows what.
func settleUsage(t usage.Tokens, total int64) usage.Tokens {
	switch rest := total - t.Input; {
	case t.Output == 0 && t.Input == 0:
		t.Input = total // embeddings of some providers give nothing else
	case t.Reasoning > 0 && rest == t.Output+t.Reasoning, t.Reasoning > t.Output:
		t.Output += t.Reasoning // xAI counts reasoning beside the completion
	}
	if t.CacheRead > t.Input {
		t.Input += t.CacheRead // some count only the fresh part of the prompt
	}
	return t.Clamp()
}

func appendUsage(dst []byte, t usage.Tokens) []byte {
	dst = append(dst, `{"prompt_tokens":`...)
	dst = appendInt(dst, t.Input)
	dst = append(dst, `,"completion_tokens":`...)
	dst = appendInt(dst, t.Output)
	dst = append(dst, `,"total_tokens":`...)
	dst = appendInt(dst, t.Total())
	dst = append(dst, `,"prompt_tokens_details":{"cached_tokens":`...)
	dst = appendInt(dst, t.CacheRead)
	if t.CacheWrite > 0 {
		dst = append(dst, `,"cache_write_tokens":`...)
		dst = appendInt(dst, t.CacheWrite)
	}
	if t.AudioInput > 0 {
		dst = append(dst, `,"audio_tokens":`...)
		dst = appendInt(dst, t.AudioInput)
	}
	dst = append(dst, `},"completion_tokens_details":{"reasoning_tokens":`...)
	dst = appendInt(dst, t.Reasoning)
	if t.AudioOutput > 0 {
		dst = append(dst, `,"audio_tokens":`...)
		dst = appendInt(dst, t.AudioOutput)
	}
	return append(dst, `}}`...)
}
