package anthropic

import (
	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// explanation is what a refusal says to the user, nil if it says nothing.
func explanation(details jsonbytes.Value) transform.Literal {
	text := details.Get("explanation")
	if text.Kind() != jsonbytes.String || text.Blank() {
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
