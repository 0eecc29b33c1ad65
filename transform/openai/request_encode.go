package openai

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// requestEncoder writes one request. The same request gives the same bytes:
// providers cache prompts by their beginning.
type requestEncoder struct {
	jsonbytes.Writer
	r      *transform.Request
	to     transform.Target
	p      *Profile
	family Family
	lost   *transform.Losses

	removed []string // what this model does not take, beside p.Remove

	// shown are media that came as tool results: they follow in a message of
	// their own, for a tool message holds text only.
	shown []transform.Part
}

// AppendRequest writes a Chat Completions request. Target.Vendor tells OpenAI
// itself, whose models refuse what they do not take, from providers that only
// resemble it; the profile tells how those differ. It does not fail: what cannot
// be carried is reported.
func (c Codec) AppendRequest(dst []byte, r *transform.Request, to transform.Target, lost *transform.Losses) ([]byte, error) {
	e := &requestEncoder{Writer: jsonbytes.Writer{Out: dst}, r: r, to: to, p: c.profile(), lost: lost}
	e.removed = e.p.removed(to.Model)
	if e.p.Families {
		e.family = familyOf(to)
	}
	e.Raw(`{"model":`)
	e.String(to.Model)
	e.Raw(`,"messages":[`)
	e.turns()
	e.Raw(`]`)
	e.tools()
	e.output()
	e.sampling()
	e.effort()
	e.account()
	e.rest()
	for _, m := range e.p.Extra {
		if e.begin(m.Name) {
			e.Value(m.Value)
		}
	}
	if to.Stream {
		e.Raw(`,"stream":true`)
		if !e.p.UsageUnasked && e.takes("stream_options") {
			e.Raw(`,"stream_options":{"include_usage":true}`)
		}
	}
	e.Raw(`}`)
	return e.Out, nil
}

func (e *requestEncoder) drop(name string)   { e.lost.Drop(e.r.At(name)) }
func (e *requestEncoder) refuse(name string) { e.lost.Refuse(e.r.At(name)) }

// account writes who asks and how fast it must go.
func (e *requestEncoder) account() {
	if user := e.r.User; user != "" {
		const most = 64 // OpenAI's limit for both
		if len(user) > most {
			sum := sha256.Sum256([]byte(user))
			user = hex.EncodeToString(sum[:])
		}
		name := "user"
		if e.family.openAI {
			name = "safety_identifier"
		}
		if e.begin(name) {
			e.String(user)
		}
		if e.family.openAI && e.r.Leftover("prompt_cache_key") == nil && e.takes("prompt_cache_key") {
			e.Text("prompt_cache_key", user)
		}
	}
	switch tier := e.r.ServiceTier; {
	case tier == "":
	case e.family.openAI || slices.Contains(e.p.Keep, "service_tier"):
		if e.begin("service_tier") {
			e.String(tier)
		}
	case tier != "auto" && tier != "default":
		e.drop("service_tier")
	}
}

// rest writes the members that only this format, or this provider, has.
func (e *requestEncoder) rest() {
	for _, m := range e.r.Rest {
		if !e.knows(m.Name) || !fits(m) || !e.takes(m.Name) {
			e.r.Leave(&m, e.lost)
		} else if e.begin(m.Name) {
			e.Value(m.Value)
		}
	}
}

// knows tells whether the model knows a member that only some formats have.
func (e *requestEncoder) knows(name string) bool {
	switch name {
	case "logit_bias":
		return !e.family.reasoning
	case "web_search_options":
		return e.keeps(name) && (e.family.search || !e.family.openAI) // other models of OpenAI's refuse it
	case "metadata", "store", "prediction", "verbosity", "modalities", "audio", "moderation",
		"prompt_cache_key", "prompt_cache_options", "prompt_cache_retention":
		return e.keeps(name)
	case "previous_response_id", "conversation", "prompt", "cachedContent", "cached_content", "mcp_servers", "container":
		return false // of other formats, whatever the provider keeps
	}
	return slices.Contains(e.p.Keep, name) && !e.said(name)
}

// said tells whether a member has been written already, under the name that
// the request has for it.
func (e *requestEncoder) said(name string) bool {
	return name == e.p.Rename["seed"] && e.r.Sampling.Seed != nil || name == e.p.Rename["user"] && e.r.User != ""
}
