package converse

import (
	"testing"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/usage"
)

func TestWhatIsCachedForAnHourIsCounted(t *testing.T) {
	for text, want := range map[string]usage.Tokens{
		`{"inputTokens":1,"cacheWriteInputTokens":9,"cacheDetails":[{"ttl":"5m","inputTokens":2},{"ttl":"1h","inputTokens":7}]}`: {Input: 10, CacheWrite: 9, CacheWrite1h: 7},
		`{"inputTokens":1,"cacheWriteInputTokens":9,"cacheDetails":[]}`:                                                          {Input: 10, CacheWrite: 9},
		`{"cacheDetails":[{"ttl":"1h","inputTokens":-7},{"ttl":"1h"},5],"inputTokens":1}`:                                        {Input: 1},
		`{"cacheDetails":{"ttl":"1h"},"inputTokens":1,"cacheWriteInputTokens":3}`:                                                {Input: 4, CacheWrite: 3},
		`{"cacheDetails":[{"ttl":"1h","inputTokens":9}],"inputTokens":1,"cacheWriteInputTokens":3}`:                              {Input: 4, CacheWrite: 3, CacheWrite1h: 3},
	} {
		want.Known = true
		if got := tokensOf(jsonbytes.Value(text)); got != want {
			t.Errorf("%s: %+v, want %+v", text, got, want)
		}
	}
}
