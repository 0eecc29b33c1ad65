package openai

import (
	"strings"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// readFinish reads finish_reason in the spellings of all providers of this
// format. failed tells that the word means an error of the provider.
func readFinish(v jsonbytes.Value) (finish transform.Finish, failed bool) {
	word, _ := v.Text()
	switch strings.ToLower(word) {
	case "stop", "end", "eos", "eos_token", "end_turn", "stop_sequence", "complete":
		return transform.FinishStop, false
	case "length", "max_tokens", "model_length", "max_output_tokens":
		return transform.FinishLength, false
	case "tool_calls", "tool_call", "function_call", "tool_use":
		return transform.FinishToolCalls, false
	case "content_filter", "sensitive", "safety", "refusal":
		return transform.FinishContentFilter, false
	case "error", "network_error", "insufficient_system_resource":
		return transform.FinishUnknown, true
	}
	return transform.FinishUnknown, false
}

// finishOf is the reason to end of an answer with or without calls: many
// providers say stop with calls too, OpenAI itself where one was forced.
func finishOf(finish transform.Finish, calls bool) transform.Finish {
	if calls && (finish == transform.FinishStop || finish == transform.FinishUnknown) {
		return transform.FinishToolCalls
	}
	return finish
}

// finishWord is how this format says it; there must be a reason.
func finishWord(finish transform.Finish, legacy bool) string {
	switch word := finish.String(); {
	case word == "":
		return "stop"
	case legacy && finish == transform.FinishToolCalls:
		return "function_call"
	default:
		return word
	}
}

// failedFinish is the error of an answer that a provider ended with one.
func failedFinish(v jsonbytes.Value) *transform.Error {
	word, _ := v.Text()
	return &transform.Error{Kind: transform.ErrUpstream, Message: "The provider broke off its answer (" + word + "). Try again."}
}
