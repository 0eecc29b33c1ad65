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
	switch {
	case transform.Mentions(words, "insufficient_quota", "insufficient_balance", "billing", "exceeded_current_quota", "insufficient_user_quota"):
		e.Kind = transform.ErrQuota
	case transform.Mentions(words, "content_filter", "content_policy", "responsibleai", "moderation_blocked"):
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

// tooLongWords are in the messages of providers that have no code for a prompt
// which is longer than the model's window.
var tooLongWords = [...]string{
	"maximum context length", "context length", "context window", "context size", "prompt is too long",
	"input is too long", "too many input tokens", "maximum prompt length", "reduce the length of",
}

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
