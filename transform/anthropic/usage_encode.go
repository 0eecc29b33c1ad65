package anthropic

import (
	"strconv"

	"github.com/caddyllm/llmproxy/usage"
)

// appendCounts writes the counts that answers and streams have in common, but
// for the closing brace. Input counts neither what was read from the cache nor
// what was written to it.
func appendCounts(dst []byte, t usage.Tokens) []byte {
	t = t.Clamp()
	dst = append(dst, `{"input_tokens":`...)
	dst = strconv.AppendInt(dst, t.Input-t.CacheRead-t.CacheWrite, 10)
	dst = append(dst, `,"cache_creation_input_tokens":`...)
	dst = strconv.AppendInt(dst, t.CacheWrite, 10)
	dst = append(dst, `,"cache_read_input_tokens":`...)
	dst = strconv.AppendInt(dst, t.CacheRead, 10)
	dst = append(dst, `,"output_tokens":`...)
	dst = strconv.AppendInt(dst, t.Output, 10)
	dst = append(dst, `,"output_tokens_details":`...)
	if t.Reasoning == 0 {
		return append(dst, "null"...)
	}
	dst = append(dst, `{"thinking_tokens":`...)
	dst = strconv.AppendInt(dst, t.Reasoning, 10)
	return append(dst, '}')
}

// appendUsage writes the usage of a message.
func appendUsage(dst []byte, t usage.Tokens, tier string) []byte {
	dst = appendCounts(dst, t)
	dst = append(dst, `,"cache_creation":`...)
	if t = t.Clamp(); t.CacheWrite1h == 0 {
		dst = append(dst, "null"...)
	} else {
		dst = append(dst, `{"ephemeral_1h_input_tokens":`...)
		dst = strconv.AppendInt(dst, t.CacheWrite1h, 10)
		dst = append(dst, `,"ephemeral_5m_input_tokens":`...)
		dst = strconv.AppendInt(dst, t.CacheWrite-t.CacheWrite1h, 10)
		dst = append(dst, '}')
	}
	dst = append(dst, `,"server_tool_use":null,"service_tier":`...)
	switch tier {
	case "default":
		dst = append(dst, `"standard"`...)
	case "priority":
		dst = append(dst, `"priority"`...)
	default:
		dst = append(dst, "null"...)
	}
	return append(dst, '}')
}
