package cohere

import (
	"strconv"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
)

// chatLogprobs turns [{text, token_ids, logprobs}], of which streams give one
// element at a time, into Chat Completions' form; nil if there is nothing. The
// texts of the single tokens of an element are not told: the element is taken
// for one token whose probability is that of all of them together.
func chatLogprobs(v jsonbytes.Value) jsonbytes.Value {
	var dst []byte
	add := func(item jsonbytes.Value) {
		text := item.Get("text")
		sum, known := 0.0, false
		for _, logprob := range item.Get("logprobs").Elements() {
			if n, ok := logprob.Float(); ok {
				sum, known = sum+n, true
			}
		}
		if text.Kind() != jsonbytes.String || !known {
			return
		}
		if dst == nil {
			dst = []byte(`{"content":[`)
		} else {
			dst = append(dst, ',')
		}
		dst = append(append(dst, `{"token":`...), text...)
		dst = append(dst, `,"logprob":`...)
		dst = strconv.AppendFloat(dst, max(sum, -9999), 'g', -1, 64) // OpenAI's number for the impossible
		dst = append(dst, `,"bytes":[`...)
		for i, b := range text.AppendText(nil) {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = strconv.AppendInt(dst, int64(b), 10)
		}
		dst = append(dst, `],"top_logprobs":[]}`...)
	}
	if v.Kind() == jsonbytes.Object {
		add(v)
	}
	for _, item := range v.Elements() {
		add(item)
	}
	if dst == nil {
		return nil
	}
	return append(dst, `],"refusal":null}`...)
}
