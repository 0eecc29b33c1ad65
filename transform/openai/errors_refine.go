package openai

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// refine makes the kind of an error, so far that of its status, as exact as its
// code, type and message allow.
func refine(e *transform.Error) {
	words := strings.ToLower(e.Code + " " + e.Type)
	message := strings.ToLower(e.Message)
	bad := e.Kind == transform.ErrBadRequest || e.Kind == transform.ErrTooLarge
	// The status of an error inside a 200 says nothing, its words everything.
	open := e.Status < 400
	if e.Status == statusNoCapacity {
		e.Kind = transform.ErrOverloaded
	}
	switch {
	case transform.Mentions(words, moneyWords[:]...), e.Status < 500 && transform.OutOfMoney(message):
		e.Kind = transform.ErrQuota
	case transform.Mentions(words, policyWords[:]...),
		(bad || open || e.Kind == transform.ErrPermission) && transform.Mentions(message, refusals[:]...):
		e.Kind = transform.ErrContentPolicy
	case transform.Mentions(words, "context_length", "context_window", "exceed_context_size", "tokens_limit_reached"),
		(bad || open) && transform.Mentions(message, tooLongWords[:]...):
		e.Kind = transform.ErrContextLength
	case transform.Mentions(words, "rate_limit", "rate_limited", "too_many_requests"):
		e.Kind = transform.ErrRateLimit
	case (bad || open) && (transform.Mentions(words, "invalid_api_key", "authentication") || badKey(message)):
		e.Kind = transform.ErrAuthentication
	case (bad || open) && transform.Mentions(words, "model_not_found"):
		e.Kind = transform.ErrNotFound
	case (e.Status >= 500 || e.Status == http.StatusTooManyRequests || open) && transform.Mentions(words+" "+message, "overloaded", "at capacity"):
		e.Kind = transform.ErrOverloaded
	case open && transform.Mentions(words, "invalid_request"):
		e.Kind = transform.ErrBadRequest
	case open && transform.Mentions(words, "timeout"):
		e.Kind = transform.ErrTimeout
	}
}

// statusNoCapacity is Groq's own, for its flex tier.
// https://console.groq.com/docs/errors
const statusNoCapacity = 498

var (
	// moneyWords are in the codes and types of accounts without money.
	moneyWords = [...]string{
		"insufficient_quota", "insufficient_balance", "insufficient_credit", "insufficient_user_quota", "exceeded_current_quota",
		"billing", "credit_limit", "payment_required", "arrearage",
	}
	// policyWords are in the codes and types of what may not be asked or said.
	policyWords = [...]string{
		"content_filter", "content_policy", "policy_violation", "responsibleai", "moderation_blocked", "data_inspection", "datainspection",
	}
	// refusals are in the messages of providers without such a code: xAI,
	// OpenAI, Azure, OpenRouter, DeepSeek, DashScope, Z.ai.
	refusals = [...]string{
		"usage guidelines", "our usage polic", "our safety system", "content management policy", "input was flagged", "content exists risk",
		"inappropriate content", "sensitive content",
	}
	// tooLongWords are in the messages of providers that have no code for a
	// prompt which is longer than the model's window.
	tooLongWords = [...]string{
		"context length", "context window", "context size", "prompt is too long", "input is too long", "too many input tokens",
		"maximum prompt length", "maximum model length", "exceeds the maximum number of tokens", "exceeded model token limit",
		"prompt exceeds max length", "range of input length", "`max_new_tokens` must be", "n_ctx", "reduce the length of",
	}
)

func badKey(message string) bool {
	return transform.Mentions(message, "api key", "api_key", "apikey") && transform.Mentions(message, "invalid", "incorrect", "not valid")
}

// statusInside finds the HTTP status that an error names, 0 if it names none.
func statusInside(places ...jsonbytes.Value) int {
	for _, v := range places {
		for _, name := range [...]string{"status_code", "status", "code", "statusCode"} {
			word := wordOf(v.Get(name))
			if n, err := strconv.Atoi(word); err == nil && n >= 400 && n <= 599 {
				return n
			}
		}
	}
	return 0
}
