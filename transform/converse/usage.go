package converse

import (
	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/usage"
)

// most is above every count that can be true and keeps sums from overflowing.
const most = 1 << 50

// tokensOf reads usage, whose inputTokens count neither what was read from the
// cache nor what was written to it.
func tokensOf(value jsonbytes.Value) usage.Tokens {
	t := usage.Tokens{Known: value.Kind() == jsonbytes.Object}
	var fresh int64
	for name, v := range value.Members() {
		if string(name) == "cacheDetails" {
			t.CacheWrite1h = keptForAnHour(v)
		}
		n, ok := v.Int()
		if n = min(max(n, 0), most); !ok {
			continue
		}
		switch string(name) {
		case "inputTokens":
			fresh = n
		case "outputTokens":
			t.Output = n
		case "cacheReadInputTokens", "cacheReadInputTokenCount":
			t.CacheRead = n
		case "cacheWriteInputTokens", "cacheWriteInputTokenCount":
			t.CacheWrite = n
		}
	}
	t.Input = fresh + t.CacheRead + t.CacheWrite
	return t.Clamp()
}

// keptForAnHour counts what was written to the cache for an hour: [{ttl, inputTokens}].
func keptForAnHour(details jsonbytes.Value) int64 {
	total := int64(0)
	for _, part := range details.Elements() {
		if n, ok := part.Get("inputTokens").Int(); ok && part.Get("ttl").Is("1h") {
			total = min(total+min(max(n, 0), most), most)
		}
	}
	return total
}
