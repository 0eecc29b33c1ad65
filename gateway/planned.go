package gateway

import (
	"net/http"

	"github.com/cespare/xxhash/v2"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/routing"
	"github.com/caddyllm/llmproxy/transform"
)

// planned is a call as the routing sees it.
type planned call

func (p *planned) Request() *http.Request             { return p.r }
func (p *planned) MayUse(model string) bool           { return p.principal.MayUse(model) }
func (p *planned) Principal() string                  { return p.principal.ID }
func (p *planned) Streams() bool                      { return p.routing.stream }
func (p *planned) InputTokens() int64                 { return (*call)(p).estimateInput() }
func (p *planned) member(name string) jsonbytes.Value { return (*call)(p).member(name) }

// userMembers name the end user, in the formats that have such a thing.
var userMembers = [...]string{"safety_identifier", "user"}

// User is the end user that the request names.
func (p *planned) User() string {
	for _, name := range userMembers {
		if user, ok := p.member(name).Text(); ok && user != "" {
			return user
		}
	}
	user, _ := p.member("metadata").Get("user_id").Text()
	return user
}

// outputMembers bound an answer.
var outputMembers = [...]string{"max_completion_tokens", "max_output_tokens", "max_tokens"}

// OutputTokens is the most that may be answered.
func (p *planned) OutputTokens() int64 {
	for _, name := range outputMembers {
		if most, ok := p.member(name).Int(); ok && most > 0 {
			return most
		}
	}
	most, _ := p.member("generationConfig").Get("maxOutputTokens").Int()
	return max(0, most)
}

// Conversation is a hash of how the conversation begins: what the operator of the
// application says first, and the first words of its user. Marks for the
// provider's cache move from turn to turn and do not count.
func (p *planned) Conversation() uint64 {
	var h xxhash.Digest
	h.Reset()
	for _, name := range [...]string{"system", "instructions", "systemInstruction", "system_instruction"} {
		hashWords(&h, p.member(name))
	}
	turns := p.member("messages")
	switch p.client.Format() {
	case transform.Responses:
		turns = p.member("input")
	case transform.Gemini:
		turns = p.member("contents")
	}
	for _, turn := range turns.Elements() {
		hashWords(&h, turn)
		if role := turn.Get("role"); role.Is("user") {
			break
		}
	}
	if turns.Kind() == jsonbytes.String {
		hashWords(&h, turns)
	}
	return h.Sum64()
}

// cacheMark is the member by which Anthropic's clients mark what is to be cached.
const cacheMark = "cache_control"

// hashWords hashes the strings of a value.
func hashWords(h *xxhash.Digest, v jsonbytes.Value) {
	switch v.Kind() {
	case jsonbytes.String:
		_, _ = h.Write(v)
	case jsonbytes.Array:
		for _, element := range v.Elements() {
			hashWords(h, element)
		}
	case jsonbytes.Object:
		for key, member := range v.Members() {
			if string(key) != cacheMark {
				hashWords(h, member)
			}
		}
	}
}

// Interface guard
var _ routing.Call = (*planned)(nil)
