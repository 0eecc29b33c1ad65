package openai

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// requestEncoder writes one request. The same request gives the same bytes:
// providers cache prompts by their beginning.
type requestEncoder struct {
	dst    []byte
	r      *transform.Request
	to     transform.Target
	family family
	lost   *transform.Losses
	root   transform.Path

	messages int
	// shown are media that came as tool results: they follow in a message of
	// their own, for a tool message holds text only.
	shown []transform.Part
}

// AppendRequest writes a Chat Completions request. Target.Vendor tells OpenAI
// itself, whose models refuse what they do not take, from providers that only
// resemble it. It does not fail: what cannot be carried is reported.
func (Codec) AppendRequest(dst []byte, r *transform.Request, to transform.Target, lost *transform.Losses) ([]byte, error) {
	e := &requestEncoder{dst: dst, r: r, to: to, family: familyOf(to), lost: lost}
	e.raw(`{"model":`)
	e.quote(to.Model)
	e.raw(`,"messages":[`)
	e.turns()
	e.raw(`]`)
	e.tools()
	e.output()
	e.sampling()
	e.effort()
	e.account()
	e.rest()
	if to.Stream {
		e.raw(`,"stream":true,"stream_options":{"include_usage":true}`)
	}
	e.raw(`}`)
	return e.dst, nil
}

func (e *requestEncoder) raw(s string)                { e.dst = append(e.dst, s...) }
func (e *requestEncoder) value(v []byte)              { e.dst = append(e.dst, v...) }
func (e *requestEncoder) quote(s string)              { e.dst = jsonbytes.AppendString(e.dst, s) }
func (e *requestEncoder) int(n int64)                 { e.dst = strconv.AppendInt(e.dst, n, 10) }
func (e *requestEncoder) bool(b bool)                 { e.dst = strconv.AppendBool(e.dst, b) }
func (e *requestEncoder) drop(name string)            { e.lost.Drop(e.root.Key(name)) }
func (e *requestEncoder) refuse(name string)          { e.lost.Refuse(e.root.Key(name)) }
func (e *requestEncoder) member(name, v string)       { e.raw(name); e.quote(v) }
func (e *requestEncoder) number(name string, n int64) { e.raw(name); e.int(n) }

func (e *requestEncoder) output() {
	out := &e.r.Output
	switch out.Kind {
	case transform.OutputJSON:
		e.raw(`,"response_format":{"type":"json_object"}`)
	case transform.OutputSchema:
		e.raw(`,"response_format":{"type":"json_schema","json_schema":{"name":`)
		name := out.Name
		if name == "" {
			name = "response"
		}
		e.quote(name)
		if out.Description != nil {
			e.raw(`,"description":`)
			e.value(out.Description)
		}
		if out.Schema != nil {
			e.raw(`,"schema":`)
			e.value(out.Schema)
		}
		if out.Strict != nil {
			e.raw(`,"strict":`)
			e.bool(*out.Strict)
		}
		e.raw(`}}`)
	}
}

func (e *requestEncoder) sampling() {
	s := &e.r.Sampling
	if s.MaxTokens > 0 {
		// The old name is the one that every provider knows but OpenAI's own
		// reasoning models.
		name := `,"max_tokens":`
		if e.family.openAI {
			name = `,"max_completion_tokens":`
		}
		e.number(name, s.MaxTokens)
	}
	quiet := e.family.reasoning
	some := quiet && !(e.family.sampling && e.r.Reasoning.Effort == "none")
	e.parameter("temperature", s.Temperature, some || e.family.search, "1")
	e.parameter("top_p", s.TopP, some, "1")
	e.parameter("frequency_penalty", s.FrequencyPenalty, quiet, "0")
	e.parameter("presence_penalty", s.PresencePenalty, quiet, "0")
	e.parameter("seed", s.Seed, false, "")
	e.parameter("top_k", s.TopK, true, "")
	if s.N > 1 {
		e.number(`,"n":`, s.N)
	}
	e.stop()
	switch {
	case e.r.Logprobs && some:
		e.drop("logprobs")
	case e.r.Logprobs:
		e.raw(`,"logprobs":true`)
		if e.r.TopLogprobs > 0 {
			e.number(`,"top_logprobs":`, int64(e.r.TopLogprobs))
		}
	}
}

// parameter writes a number, or leaves it out where the model refuses it; what
// the default would do anyway is not lost.
func (e *requestEncoder) parameter(name string, v jsonbytes.Value, refused bool, usual string) {
	switch {
	case v == nil:
	case !refused:
		e.raw(`,"` + name + `":`)
		e.value(v)
	case string(v) != usual:
		e.drop(name)
	}
}

func (e *requestEncoder) stop() {
	stops := e.r.Sampling.Stop
	const most = 4 // OpenAI's limit, which others took over
	if len(stops) == 0 {
		return
	}
	if e.family.reasoning {
		e.drop("stop")
		return
	}
	if len(stops) > most {
		e.drop("stop")
		stops = stops[:most]
	}
	e.raw(`,"stop":[`)
	for i, s := range stops {
		if i > 0 {
			e.raw(`,`)
		}
		e.value(s)
	}
	e.raw(`]`)
}

func (e *requestEncoder) effort() {
	wish := e.r.Reasoning.Effort
	if wish == "" && e.r.Reasoning.Budget > 0 {
		wish = effortOfBudget(e.r.Reasoning.Budget, e.r.Sampling.MaxTokens)
	}
	if wish == "" {
		return
	}
	effort := e.family.effort(wish)
	switch {
	case effort != "":
		e.member(`,"reasoning_effort":`, effort)
	case wish != "none":
		e.drop("reasoning_effort")
	}
}

// effortOfBudget turns a number of tokens to think with into a word: by its
// part of the whole answer if that is known.
func effortOfBudget(budget, most int64) string {
	low, medium := int64(1024), int64(8192)
	if most > 0 {
		low, medium = most/4, most/10*6
	}
	switch {
	case budget <= low:
		return "low"
	case budget <= medium:
		return "medium"
	}
	return "high"
}

// account writes who asks and how fast it must go.
func (e *requestEncoder) account() {
	if user := e.r.User; user != "" {
		const most = 64 // OpenAI's limit for both
		if len(user) > most {
			sum := sha256.Sum256([]byte(user))
			user = hex.EncodeToString(sum[:])
		}
		if e.family.openAI {
			e.member(`,"safety_identifier":`, user)
			if e.r.Leftover("prompt_cache_key") == nil {
				e.member(`,"prompt_cache_key":`, user)
			}
		} else {
			e.member(`,"user":`, user)
		}
	}
	switch tier := e.r.ServiceTier; {
	case tier == "":
	case e.family.openAI:
		e.member(`,"service_tier":`, tier)
	case tier != "auto" && tier != "default":
		e.drop("service_tier")
	}
}

// rest writes the members that only this format has.
func (e *requestEncoder) rest() {
	for _, m := range e.r.Rest {
		switch m.Name {
		case "logit_bias":
			if e.family.reasoning {
				e.drop(m.Name)
				continue
			}
		case "metadata", "store", "prediction", "verbosity", "modalities", "audio", "moderation", "web_search_options",
			"prompt_cache_key", "prompt_cache_options", "prompt_cache_retention":
		case "previous_response_id", "conversation", "prompt", "cachedContent", "cached_content", "mcp_servers":
			e.refuse(m.Name) // they hold a part of the conversation or tools
			continue
		default:
			e.drop(m.Name)
			continue
		}
		e.raw(`,`)
		e.quote(m.Name)
		e.raw(`:`)
		e.value(m.Value)
	}
}
