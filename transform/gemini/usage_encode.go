package gemini

import (
	"strconv"

	"github.com/caddyllm/llmproxy/usage"
)

// appendUsage writes a usageMetadata. The candidates' count leaves out the thoughts.
func appendUsage(dst []byte, t usage.Tokens, tier string) []byte {
	dst = append(dst, `{"promptTokenCount":`...)
	dst = strconv.AppendInt(dst, t.Input, 10)
	dst = append(dst, `,"candidatesTokenCount":`...)
	dst = strconv.AppendInt(dst, t.Output-t.Reasoning, 10)
	dst = append(dst, `,"totalTokenCount":`...)
	dst = strconv.AppendInt(dst, t.Total(), 10)
	if t.Reasoning > 0 {
		dst = append(dst, `,"thoughtsTokenCount":`...)
		dst = strconv.AppendInt(dst, t.Reasoning, 10)
	}
	if t.CacheRead > 0 {
		dst = append(dst, `,"cachedContentTokenCount":`...)
		dst = strconv.AppendInt(dst, t.CacheRead, 10)
	}
	switch tier {
	case "default":
		dst = append(dst, `,"serviceTier":"standard"`...)
	case "flex":
		dst = append(dst, `,"serviceTier":"flex"`...)
	case "priority":
		dst = append(dst, `,"serviceTier":"priority"`...)
	}
	return append(dst, '}')
}
