package gemini

import (
	"strconv"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
)

// appendLogprobs writes a logprobsResult in Chat Completions' form, and tells
// whether there was one.
func appendLogprobs(dst []byte, result jsonbytes.Value) ([]byte, bool) {
	chosen := result.Get("chosenCandidates")
	if chosen.Len() == 0 || jsonbytes.Check(result, 0) != nil {
		return dst, false
	}
	var tops []jsonbytes.Value
	for _, top := range result.Get("topCandidates").Elements() {
		tops = append(tops, top.Get("candidates"))
	}
	dst = append(dst, `{"content":[`...)
	for i, token := range chosen.Elements() {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendToken(append(dst, '{'), token), `,"top_logprobs":[`...)
		if i < len(tops) {
			for j, top := range tops[i].Elements() {
				if j > 0 {
					dst = append(dst, ',')
				}
				dst = append(appendToken(append(dst, '{'), top), '}')
			}
		}
		dst = append(dst, "]}"...)
	}
	return append(dst, `],"refusal":null}`...), true
}

func appendToken(dst []byte, token jsonbytes.Value) []byte {
	text, logprob := token.Get("token"), token.Get("logProbability")
	if text.Kind() != jsonbytes.String {
		text = jsonbytes.Value(`""`)
	}
	if logprob.Kind() != jsonbytes.Number {
		logprob = jsonbytes.Value("0") // left out by the provider: certain
	}
	dst = append(append(dst, `"token":`...), text...)
	dst = append(append(dst, `,"logprob":`...), logprob...)
	dst = append(dst, `,"bytes":[`...)
	for i, b := range text.AppendText(nil) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = strconv.AppendInt(dst, int64(b), 10)
	}
	return append(dst, ']')
}
