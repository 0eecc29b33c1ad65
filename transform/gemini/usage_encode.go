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
	dst = appendModalities(dst, `,"promptTokensDetails":[`, t.Input, t.AudioInput)
	dst = appendModalities(dst, `,"candidatesTokensDetails":[`, t.Output-t.Reasoning, t.AudioOutput)
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

// appendModalities writes how many of the tokens were sound, if any was.
func appendModalities(dst []byte, key string, all, audio int64) []byte {
	if audio <= 0 {
		return dst
	}
	dst = append(dst, key...)
	if text := all - audio; text > 0 {
		dst = append(dst, `{"modality":"TEXT","tokenCount":`...)
		dst = strconv.AppendInt(dst, text, 10)
		dst = append(dst, `},`...)
	}
	dst = append(dst, `{"modality":"AUDIO","tokenCount":`...)
	dst = strconv.AppendInt(dst, audio, 10)
	return append(dst, `}]`...)
}
