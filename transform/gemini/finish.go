package gemini

import (
	"strings"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// finishNames are the reasons by their numbers: clients may ask the Gemini API
// for $alt=json;enum-encoding=int. Vertex numbers some of them otherwise.
var finishNames = [...]string{
	1: "STOP", 2: "MAX_TOKENS", 3: "SAFETY", 4: "RECITATION", 5: "OTHER", 6: "LANGUAGE", 7: "BLOCKLIST",
	8: "PROHIBITED_CONTENT", 9: "SPII", 10: "MALFORMED_FUNCTION_CALL", 11: "IMAGE_SAFETY",
}

// finishName is a reason's name, empty where an answer has not ended.
func finishName(v jsonbytes.Value) string {
	if n, ok := v.Int(); ok {
		switch {
		case n == 0:
			return ""
		case n > 0 && n < int64(len(finishNames)):
			return finishNames[n]
		}
		return "OTHER"
	}
	if v.Is("STOP") {
		return "STOP"
	}
	name, _ := v.Text()
	if name == "FINISH_REASON_UNSPECIFIED" {
		return ""
	}
	return name
}

// finish folds a reason. An answer that calls tools ends with STOP like any other.
func finish(name string, calls bool) transform.Finish {
	switch name {
	case "":
		if !calls {
			return transform.FinishUnknown
		}
	case "MAX_TOKENS":
		return transform.FinishLength
	case "CONTINUATION":
		// The model would go on if it were asked again; nobody does.
		return transform.FinishLength
	case "SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "MODEL_ARMOR":
		return transform.FinishContentFilter
	}
	switch {
	case strings.HasPrefix(name, "IMAGE_"):
		return transform.FinishContentFilter
	case calls:
		return transform.FinishToolCalls
	}
	return transform.FinishStop
}

// spoiled tells of an answer that the provider threw away because the model
// wrote what cannot be read. If nothing else came, it is no answer: to show an
// empty one that stopped well would be made up, and another try usually helps.
func spoiled(name string) *transform.Error {
	switch name {
	case "MALFORMED_FUNCTION_CALL", "MALFORMED_RESPONSE", "MISSING_THOUGHT_SIGNATURE", "TOO_MANY_TOOL_CALLS":
		return &transform.Error{
			Kind:    transform.ErrUpstream,
			Type:    name,
			Message: "the model's answer could not be read by its provider (" + name + "); try again",
		}
	}
	return nil
}
