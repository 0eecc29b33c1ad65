package ollama

import (
	"strconv"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
)

// chatLogprobs turns [{token, logprob, bytes, top_logprobs}] into Chat
// Completions' form, nil if there is nothing.
func chatLogprobs(v jsonbytes.Value) jsonbytes.Value {
	if v.Len() == 0 {
		return nil
	}
	dst := []byte(`{"content":[`)
	for i, token := range v.Elements() {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendToken(dst, token), `,"top_logprobs":[`...)
		for j, top := range token.Get("top_logprobs").Elements() {
			if j > 0 {
				dst = append(dst, ',')
			}
			dst = append(appendToken(dst, top), '}')
		}
		dst = append(dst, "]}"...)
	}
	return append(dst, `],"refusal":null}`...)
}

// appendToken writes a token but for the closing brace.
func appendToken(dst []byte, token jsonbytes.Value) []byte {
	text, logprob := token.Get("token"), token.Get("logprob")
	if text.Kind() != jsonbytes.String {
		text = jsonbytes.Value(`""`)
	}
	if logprob.Kind() != jsonbytes.Number {
		logprob = jsonbytes.Value("0") // left out: certain
	}
	dst = append(append(dst, `{"token":`...), text...)
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
