package ratelimit

import (
	"net/http"
	"time"
)

// Reader reads the headers of one provider's answers. The zero value reads
// nothing, for providers that say nothing.
type Reader struct {
	sources []source
	// draft tells to look for the fields that IETF's draft defines.
	draft bool
}

// source names the header fields of one limit, in their canonical form, empty
// for one that the provider does not have. Where it does not say what remains,
// the others are not looked for.
type source struct {
	of                      dimension
	remaining, limit, reset string
}

type dimension uint8

const (
	requests dimension = iota
	tokens
	input
	output
)

// For is the reader for a type of provider, such as openai. A type that is not
// known is read as the usual families are.
func For(provider string) Reader {
	switch provider {
	case "gemini", "gemini-compat", "vertex", "bedrock", "ollama", "mock":
		return Reader{}
	case "openai", "azure_openai", "groq", "xai", "github", "nebius", "deepinfra":
		return Reader{sources: openAI}
	case "anthropic":
		return Reader{sources: anthropic}
	case "mistral":
		return Reader{sources: mistral}
	case "cerebras", "sambanova":
		return Reader{sources: windows}
	case "openrouter":
		return Reader{sources: plain}
	case "together":
		return Reader{sources: together}
	case "fireworks":
		return Reader{sources: fireworks}
	case "cohere":
		return Reader{sources: cohere}
	case "huggingface":
		return Reader{draft: true}
	}
	return general
}

// Read reads the answer of a provider of which nothing is known.
func Read(header http.Header, now time.Time) Headroom { return general.Read(header, now) }

var (
	// https://platform.openai.com/docs/guides/rate-limits#rate-limits-in-headers
	openAI = []source{
		{requests, "X-Ratelimit-Remaining-Requests", "X-Ratelimit-Limit-Requests", "X-Ratelimit-Reset-Requests"},
		{tokens, "X-Ratelimit-Remaining-Tokens", "X-Ratelimit-Limit-Tokens", "X-Ratelimit-Reset-Tokens"},
	}
	// https://docs.claude.com/en/api/rate-limits#response-headers
	anthropic = []source{
		{requests, "Anthropic-Ratelimit-Requests-Remaining", "Anthropic-Ratelimit-Requests-Limit", "Anthropic-Ratelimit-Requests-Reset"},
		{tokens, "Anthropic-Ratelimit-Tokens-Remaining", "Anthropic-Ratelimit-Tokens-Limit", "Anthropic-Ratelimit-Tokens-Reset"},
		{input, "Anthropic-Ratelimit-Input-Tokens-Remaining", "Anthropic-Ratelimit-Input-Tokens-Limit", "Anthropic-Ratelimit-Input-Tokens-Reset"},
		{output, "Anthropic-Ratelimit-Output-Tokens-Remaining", "Anthropic-Ratelimit-Output-Tokens-Limit", "Anthropic-Ratelimit-Output-Tokens-Reset"},
	}
	// Mistral had other names before, by which it says when a minute ends.
	mistral = []source{
		{requests, "X-Ratelimit-Remaining-Req-Minute", "X-Ratelimit-Limit-Req-Minute", "X-Ratelimit-Reset-Req-Minute"},
		{tokens, "X-Ratelimit-Remaining-Tokens-Minute", "X-Ratelimit-Limit-Tokens-Minute", "X-Ratelimit-Reset-Tokens-Minute"},
		{tokens, "Ratelimitbysize-Remaining", "Ratelimitbysize-Limit", "Ratelimitbysize-Reset"},
	}
	// https://inference-docs.cerebras.ai/support/rate-limits, whose resets are
	// seconds, and https://docs.sambanova.ai/docs/en/models/rate-limits
	windows = []source{
		{requests, "X-Ratelimit-Remaining-Requests-Day", "X-Ratelimit-Limit-Requests-Day", "X-Ratelimit-Reset-Requests-Day"},
		{requests, "X-Ratelimit-Remaining-Requests-Minute", "X-Ratelimit-Limit-Requests-Minute", "X-Ratelimit-Reset-Requests-Minute"},
		{tokens, "X-Ratelimit-Remaining-Tokens-Minute", "X-Ratelimit-Limit-Tokens-Minute", "X-Ratelimit-Reset-Tokens-Minute"},
		openAI[0],
	}
	// https://openrouter.ai/docs/api-reference/limits, whose resets are
	// milliseconds since 1970.
	plain = []source{
		{requests, "X-Ratelimit-Remaining", "X-Ratelimit-Limit", "X-Ratelimit-Reset"},
	}
	// https://docs.together.ai/docs/rate-limits
	together = []source{
		plain[0],
		{tokens, "X-Tokenlimit-Remaining", "X-Tokenlimit-Limit", "X-Tokenlimit-Reset"},
	}
	// https://docs.fireworks.ai/guides/quotas_usage/rate-limits
	fireworks = []source{
		openAI[0],
		{input, "X-Ratelimit-Remaining-Tokens-Prompt", "X-Ratelimit-Limit-Tokens-Prompt", ""},
		{output, "X-Ratelimit-Remaining-Tokens-Generated", "X-Ratelimit-Limit-Tokens-Generated", ""},
	}
	// Of trial keys only.
	cohere = []source{
		{requests, "X-Trial-Endpoint-Call-Remaining", "X-Trial-Endpoint-Call-Limit", ""},
	}
	// general also knows the fields of the draft when they were three.
	general = Reader{draft: true, sources: []source{
		openAI[0], openAI[1], plain[0],
		{requests, "Ratelimit-Remaining", "Ratelimit-Limit", "Ratelimit-Reset"},
	}}
)

// Read reads what an answer says. It costs a look-up for each limit that the
// provider may speak of, and allocates nothing.
func (r Reader) Read(header http.Header, now time.Time) (h Headroom) {
	for i := range r.sources {
		s := &r.sources[i]
		var b Budget
		if b.Remaining, b.Known = count(header[s.remaining]); !b.Known {
			continue
		}
		b.Limit, _ = count(header[s.limit])
		if values := header[s.reset]; len(values) == 1 {
			b.Reset, _ = reset(values[0], now)
		}
		h.put(s.of, b, now)
	}
	if r.draft {
		h.readDraft(header, now)
	}
	return h
}

// put takes in a budget of one dimension. One with nothing left and no limit
// says that there is no such limit.
func (h *Headroom) put(of dimension, b Budget, now time.Time) {
	if b.Remaining == 0 && b.Limit == 0 && b.Reset.IsZero() {
		return
	}
	h.At = now
	switch of {
	case requests:
		h.Requests.add(b)
	case tokens:
		h.Tokens.add(b)
	case input:
		h.Input.add(b)
	case output:
		h.Output.add(b)
	}
}
