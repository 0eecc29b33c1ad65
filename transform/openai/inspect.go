package openai

import (
	"bytes"
	"fmt"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// InspectResponse finds the usage of an answer that is passed on. It takes
// answers of every operation, embeddings and the like included.
func (Codec) InspectResponse(body []byte) (transform.Summary, error) {
	var found transform.Summary
	root, err := parseAnswer(body)
	if err != nil {
		return found, err
	}
	found.Usage = answerUsage(root)
	for _, v := range root.Get("choices").Elements() {
		reason, _ := readFinish(v.Get("finish_reason"))
		found.Finish = finishOf(reason, v.Get("message").Get("tool_calls").Len() > 0)
		break
	}
	return found, nil
}

// NewStreamInspector watches a stream that is passed on. Once content has come
// an ordinary chunk costs a few searches and no memory.
func (Codec) NewStreamInspector() transform.StreamInspector { return new(streamInspector) }

type streamInspector struct {
	found         transform.Summary
	content, done bool
	begun, ended  choiceSet
}

// choiceSet is the choices below 64; there is no other way to tell whether all
// that began have ended. Those above are not waited for.
type choiceSet uint64

func (s choiceSet) with(i int64) choiceSet {
	if i < 0 || i > 63 {
		return s
	}
	return s | 1<<i
}

func (s *streamInspector) Summary() transform.Summary { return s.found }

func (s *streamInspector) Ended() bool {
	return s.done || s.begun != 0 && s.begun == s.ended
}

func (s *streamInspector) Inspect(name, data []byte) (transform.Sign, error) {
	if s.content && len(name) == 0 && s.ended == 0 && ordinary(data) {
		return transform.Sign{Content: true}, nil
	}
	return s.look(name, data)
}

// ordinary tells whether a chunk is nothing but another piece of choice 0. It
// looks for the ends of the words that would tell otherwise, chosen so that
// their first letter is rare: that is what makes the search fast. Text cannot
// fool it, for quotes in text are escaped; it can at most force a closer look.
func ordinary(data []byte) bool {
	chunk := false
	for rest := data; ; {
		at := bytes.IndexByte(rest, '_')
		if at < 0 {
			break
		}
		rest = rest[at:]
		switch {
		case bytes.HasPrefix(rest, reasonKey):
			if !valueIs(rest[len(reasonKey):], 'n') { // null
				return false
			}
			chunk = true
		case bytes.HasPrefix(rest, tokensKey):
			return false
		}
		rest = rest[1:]
	}
	if !chunk && !bytes.Contains(data, deltaKey) {
		return false
	}
	for rest := data; ; {
		at := bytes.Index(rest, indexKey)
		if at < 0 {
			break
		}
		rest = rest[at+len(indexKey):]
		if !valueIs(rest, '0') {
			return false
		}
	}
	return !bytes.Contains(data, errorKey)
}

var (
	reasonKey = []byte(`_reason"`) // finish_reason
	tokensKey = []byte(`_tokens"`) // of any usage
	deltaKey  = []byte(`delta"`)
	indexKey  = []byte(`x"`) // index
	errorKey  = []byte(`rror"`)
)

// valueIs tells whether a value that begins with c follows a key.
func valueIs(rest []byte, c byte) bool {
	for i, b := range rest {
		if b != ':' && b != ' ' {
			return b == c && i > 0
		}
	}
	return false
}

// look reads an event for what a relay must know.
func (s *streamInspector) look(name, data []byte) (transform.Sign, error) {
	data = bytes.TrimSpace(data)
	if len(data) == 0 {
		return transform.Sign{}, nil
	}
	if bytes.Equal(data, doneSentinel) {
		s.done = true
		return transform.Sign{Content: true}, nil
	}
	if err := jsonbytes.Check(data, 0); err != nil {
		return transform.Sign{}, fmt.Errorf("openai: the event is %w", err)
	}
	root := jsonbytes.Parse(data)
	if root.Kind() != jsonbytes.Object {
		return transform.Sign{}, errNotChunk
	}
	choices := root.Get("choices")
	failed := bytes.Equal(name, nameOfFailure) || choices == nil && isFlatError(root)
	if failure := errorInside(root, failed); failure != nil {
		return transform.Sign{Err: failure}, nil
	}
	counts := answerUsage(root)
	if counts.Known {
		s.found.Usage = counts
	}
	sign := s.choices(choices)
	sign.UsageOnly = sign.UsageOnly && root.Get("usage").Kind() == jsonbytes.Object
	s.content = s.content || sign.Content
	return sign, nil
}

// choices tells whether a chunk has content, and whether it has nothing else:
// OpenRouter keeps an empty choice beside its usage.
func (s *streamInspector) choices(list jsonbytes.Value) transform.Sign {
	if list == nil {
		return transform.Sign{Content: true} // an event of an unknown kind
	}
	sign := transform.Sign{UsageOnly: true}
	for i, v := range list.Elements() {
		index, ok := v.Get("index").Int()
		if !ok {
			index = int64(i)
		}
		if before := s.begun; s.begun.with(index) != before {
			s.begun = before.with(index)
			sign.UsageOnly = false // it says who speaks
		}
		if finish := v.Get("finish_reason"); nonEmpty(finish) != nil {
			s.ended = s.ended.with(index)
			sign = transform.Sign{Content: true}
			reason, failed := readFinish(finish)
			if index == 0 && s.found.Finish == transform.FinishUnknown {
				s.found.Finish = reason
			}
			if failed {
				return transform.Sign{Err: failedFinish(finish)}
			}
		}
		if says(v.Get("delta")) || nonEmpty(v.Get("text")) != nil {
			sign = transform.Sign{Content: true}
		}
	}
	return sign
}

// says tells whether a delta is more than the role and empty members.
func says(delta jsonbytes.Value) bool {
	for key, value := range delta.Members() {
		if string(key) == "role" {
			continue
		}
		switch string(value) {
		case `null`, `""`, `[]`, `{}`:
		default:
			return true
		}
	}
	return false
}
