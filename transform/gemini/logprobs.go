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

// appendLogprobsResult writes Chat Completions' logprobs as a member of a
// candidate, nothing if there are none.
func appendLogprobsResult(dst []byte, logprobs jsonbytes.Value) []byte {
	content := logprobs.Get("content")
	if content.Len() == 0 || jsonbytes.Check(logprobs, 0) != nil {
		return dst
	}
	dst = append(dst, `,"logprobsResult":{"chosenCandidates":[`...)
	for _, token := range content.Elements() {
		dst = appendCandidate(dst, token)
	}
	dst = append(dst, `],"topCandidates":[`...)
	for _, token := range content.Elements() {
		dst = append(commaAfter(dst), `{"candidates":[`...)
		for _, top := range token.Get("top_logprobs").Elements() {
			dst = appendCandidate(dst, top)
		}
		dst = append(dst, "]}"...)
	}
	return append(dst, "]}"...)
}

func appendCandidate(dst []byte, token jsonbytes.Value) []byte {
	text, logprob := token.Get("token"), token.Get("logprob")
	if text.Kind() != jsonbytes.String {
		text = jsonbytes.Value(`""`)
	}
	if logprob.Kind() != jsonbytes.Number {
		logprob = jsonbytes.Value("0")
	}
	dst = append(append(commaAfter(dst), `{"token":`...), text...)
	dst = append(append(dst, `,"logProbability":`...), logprob...)
	return append(dst, '}')
}
