package cohere

import (
	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// readFinish reads finish_reason of an answer with or without calls.
func readFinish(v jsonbytes.Value, calls bool) transform.Finish {
	switch {
	case v.Is("MAX_TOKENS"):
		return transform.FinishLength
	case v.Is("TOOL_CALL"), calls:
		return transform.FinishToolCalls
	case v.Is("COMPLETE"), v.Is("STOP_SEQUENCE"):
		return transform.FinishStop
	}
	return transform.FinishUnknown
}

// failedFinish is the error of an answer that ended with one, nil if it did not.
// message is what the provider says about it, if anything.
func failedFinish(v, message jsonbytes.Value) *transform.Error {
	e := &transform.Error{Kind: transform.ErrUpstream}
	switch {
	case v.Is("TIMEOUT"):
		e.Kind = transform.ErrTimeout
		e.Message = "the provider took too long and broke off its answer; try again"
	case v.Is("ERROR"), message.HasText():
		e.Message = "the provider broke off its answer; try again"
	default:
		return nil
	}
	if text, _ := message.Text(); text != "" {
		e.Message = transform.OneLine(text)
		refine(e)
	}
	return e
}
