package gemini

import (
	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/usage"
)

// counts is a usageMetadata. Every event of a stream has one that counts from
// the beginning of the answer, or one without counts (Vertex).
type counts struct {
	prompt, toolPrompt, cached int64
	candidates, thoughts       int64
	heard, spoken              int64 // of the prompts and the candidates
	known                      bool
	tier                       string // in OpenAI's words
}

func (c *counts) read(w *walker) {
	if !w.enter('{') {
		return
	}
	for key, ok := w.key(); ok; key, ok = w.key() {
		switch string(key) {
		case "promptTokenCount":
			c.set(&c.prompt, w)
		case "candidatesTokenCount":
			c.set(&c.candidates, w)
		case "thoughtsTokenCount":
			c.set(&c.thoughts, w)
		case "cachedContentTokenCount":
			c.set(&c.cached, w)
		case "toolUsePromptTokenCount":
			c.set(&c.toolPrompt, w)
		case "promptTokensDetails":
			c.heard = audioTokens(w.value())
		case "candidatesTokensDetails":
			c.spoken = audioTokens(w.value())
		case "serviceTier", "trafficType":
			if tier := w.value(); c.tier == "" {
				c.tier = servedTier(tier)
			}
		default:
			w.skip()
		}
	}
}

// set reads a count of so few digits that sums of two are far from an overflow;
// what is no such number tells nothing.
func (c *counts) set(count *int64, w *walker) {
	v := w.value()
	if len(v) == 0 || len(v) > 15 {
		return
	}
	n := int64(0)
	for _, digit := range v {
		if digit < '0' || digit > '9' {
			return
		}
		n = n*10 + int64(digit-'0')
	}
	*count, c.known = n, true
}

// tokens is the normal form: the candidates' count leaves out the thoughts, the
// prompt's leaves out what tools of the provider put into it.
func (c *counts) tokens() usage.Tokens {
	return usage.Tokens{
		Input:       c.prompt + c.toolPrompt,
		CacheRead:   c.cached,
		AudioInput:  c.heard,
		Output:      c.candidates + c.thoughts,
		Reasoning:   c.thoughts,
		AudioOutput: c.spoken,
		Known:       c.known,
	}.Clamp()
}

// audioTokens is the count of sound among [{modality, tokenCount}].
func audioTokens(details jsonbytes.Value) int64 {
	for _, part := range details.Elements() {
		if n, ok := part.Get("tokenCount").Int(); ok && part.Get("modality").Is("AUDIO") {
			return n
		}
	}
	return 0
}

// servedTier translates the tier that served a call, as the Gemini API and as
// Vertex tell it.
func servedTier(v jsonbytes.Value) string {
	switch {
	case v.Is("standard"), v.Is("ON_DEMAND"):
		return "default"
	case v.Is("flex"), v.Is("ON_DEMAND_FLEX"):
		return "flex"
	case v.Is("priority"), v.Is("ON_DEMAND_PRIORITY"):
		return "priority"
	}
	return ""
}
