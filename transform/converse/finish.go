package converse

import (
	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// spoiled tells of an answer whose end cannot be read: another try usually
// helps, and to show it as one that stopped well would be made up.
func spoiled(reason jsonbytes.Value) *transform.Error {
	word, _ := reason.Text()
	switch word {
	case "malformed_model_output", "malformed_tool_use":
		return &transform.Error{
			Kind: transform.ErrUpstream, Type: word,
			Message: "the model's answer could not be read by its provider (" + word + "); try again",
		}
	}
	return nil
}

// stopSequence is the one that ended the answer: what the request asked to be
// told of the model's own answer, whose stream has it one level deeper.
func stopSequence(fields jsonbytes.Value) string {
	sequence, ok := fields.Get("stop_sequence").Text()
	if !ok {
		sequence, _ = fields.Get("delta").Get("stop_sequence").Text()
	}
	return sequence
}

// serviceTier is OpenAI's word for the tier that served the call.
func serviceTier(value jsonbytes.Value) string {
	tier, _ := value.Get("type").Text()
	switch tier {
	case "default", "priority", "flex":
		return tier
	}
	return ""
}
