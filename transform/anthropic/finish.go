package anthropic

import (
	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// finishOf translates a stop_reason. calls tells whether the answer calls
// tools: servers that took the format over do not always say tool_use, and
// where the only call is the answer itself the model has just stopped.
func finishOf(reason jsonbytes.Value, calls bool) transform.Finish {
	word, _ := reason.Text()
	switch word {
	case "max_tokens", "model_context_window_exceeded":
		return transform.FinishLength
	case "refusal":
		return transform.FinishContentFilter
	}
	switch {
	case calls:
		return transform.FinishToolCalls
	case word == "":
		return transform.FinishUnknown
	}
	// end_turn, stop_sequence, pause_turn, compaction, and what is yet to come.
	return transform.FinishStop
}

// explanation is what a refusal says to the user, nil if it says nothing.
func explanation(details jsonbytes.Value) transform.Literal {
	text := details.Get("explanation")
	if text.Kind() != jsonbytes.String || blank(text) {
		return nil
	}
	return text
}

// stopReason is the way back: calls and refused tell what the answer has in it.
func stopReason(finish transform.Finish, sequence string, calls, refused bool) string {
	switch {
	case finish == transform.FinishLength:
		return "max_tokens"
	case finish == transform.FinishContentFilter, refused:
		return "refusal"
	case calls:
		return "tool_use" // some providers say that they just stopped
	case sequence != "":
		return "stop_sequence"
	}
	return "end_turn"
}

// sequenceOf is the stop sequence to tell of.
func sequenceOf(reason, sequence string) string {
	if reason == "stop_sequence" {
		return sequence
	}
	return ""
}
