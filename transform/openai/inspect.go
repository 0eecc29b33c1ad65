package openai

import (
	"bytes"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// InspectResponse finds the usage of an answer that is passed on. It takes
// answers of every operation, embeddings and the like included.
func (Codec) InspectResponse(body []byte) (transform.Summary, error) {
	e, err := openEnvelope(body)
	if err != nil {
		return transform.Summary{}, err
	}
	if failure := e.failed(false); failure != nil {
		return transform.Summary{}, failure
	}
	found := transform.Summary{Usage: e.counts()}
	for i, v := range e.choices.Elements() {
		says, calls := inspectMessage(v.Get("message"))
		if i == 0 {
			if !found.Usage.Known {
				found.Usage = ReadUsage(v.Get("usage"))
			}
			reason, _ := readFinish(v.Get("finish_reason"))
			found.Finish = finishOf(reason, calls)
		}
		if found.Content = says; says {
			break
		}
	}
	return found, nil
}

// inspectMessage tells whether a message says anything, and calls tools.
func inspectMessage(message jsonbytes.Value) (says, calls bool) {
	for key, value := range message.Members() {
		says = says || isContent(key, value)
		calls = calls || string(key) == "tool_calls" && value.Len() > 0
	}
	return says, calls
}

// NewStreamInspector watches a stream that is passed on. Once content has come
// an ordinary chunk costs a few searches and no memory.
func (Codec) NewStreamInspector() transform.StreamInspector { return new(streamInspector) }

type streamInspector struct {
	found         transform.Summary
	content, done bool
	broken        bool // by an error: [DONE] may follow and means nothing
	begun, ended  choiceSet
	// front is how ordinary chunks begin, up to their choices: what has been
	// searched once need not be again.
	front []byte
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
	return !s.broken && (s.done || s.begun != 0 && s.begun == s.ended)
}

func (s *streamInspector) Inspect(name, data []byte) (transform.Sign, error) {
	if s.content && len(name) == 0 && s.ended == 0 && s.ordinary(data) {
		return transform.Sign{Content: true}, nil
	}
	return s.look(name, data)
}

func (s *streamInspector) ordinary(data []byte) bool {
	if len(s.front) > 0 && bytes.HasPrefix(data, s.front) {
		return ordinary(data[len(s.front):])
	}
	if !ordinary(data) {
		return false
	}
	const most = 1 << 10
	if at := bytes.Index(data[:min(len(data), most)], choicesKey); at > 0 {
		s.front = append(s.front[:0], data[:at]...)
	}
	return true
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
		case bytes.HasPrefix(rest, tokensKey), bytes.HasPrefix(rest, replyKey):
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
	choicesKey = []byte(`"choices"`)
	reasonKey  = []byte(`_reason"`) // finish_reason
	tokensKey  = []byte(`_tokens"`) // of any usage
	replyKey   = []byte(`_resp"`)   // MiniMax's base_resp
	deltaKey   = []byte(`delta"`)
	indexKey   = []byte(`x"`) // index
	errorKey   = []byte(`rror"`)
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
	e, err := openEnvelope(data)
	if err != nil {
		return transform.Sign{}, err
	}
	if failure := e.failed(bytes.Equal(name, nameOfFailure)); failure != nil {
		s.broken = true
		return transform.Sign{Err: failure}, nil
	}
	if counts := e.counts(); counts.Known {
		s.found.Usage = counts
	}
	if e.choices == nil {
		s.content, s.found.Content = true, true
		return transform.Sign{Content: true}, nil // an event of an unknown kind
	}
	sign := transform.Sign{UsageOnly: e.usage.Kind() == jsonbytes.Object}
	for i, v := range e.choices.Elements() {
		s.choice(&sign, i, v)
		if sign.Err != nil {
			return sign, nil
		}
	}
	s.content = s.content || sign.Content
	return sign, nil
}

// choice adds to the sign what an element of choices means. OpenRouter keeps an
// empty one beside its usage.
func (s *streamInspector) choice(sign *transform.Sign, i int, v jsonbytes.Value) {
	index, finish, says := int64(i), jsonbytes.Value(nil), false
	for key, value := range v.Members() {
		switch string(key) {
		case "index":
			if n, ok := value.Int(); ok {
				index = n
			}
		case "delta":
			says = says || hasContent(value)
		case "text": // of /v1/completions
			says = says || value.HasText()
		case "finish_reason":
			finish = value.NonEmpty()
		case "usage":
			if counts := ReadUsage(value); counts.Known && !s.found.Usage.Known {
				s.found.Usage = counts
			}
		}
	}
	if before := s.begun; before.with(index) != before {
		s.begun = before.with(index)
		sign.UsageOnly = false // it says who speaks
	}
	if finish != nil {
		s.ended = s.ended.with(index)
		reason, failed := readFinish(finish)
		if failed {
			s.broken = true
			sign.Err = failedFinish(finish)
		}
		if index == 0 && s.found.Finish == transform.FinishUnknown {
			s.found.Finish = reason
		}
	}
	s.found.Content = s.found.Content || says
	if finish != nil || says {
		sign.Content, sign.UsageOnly = true, false
	}
}

// hasContent tells whether a delta is more than the role and empty members.
func hasContent(delta jsonbytes.Value) bool {
	for key, value := range delta.Members() {
		if isContent(key, value) {
			return true
		}
	}
	return false
}

func isContent(key []byte, value jsonbytes.Value) bool {
	switch string(value) {
	case `null`, `""`, `[]`, `{}`:
		return false
	}
	return string(key) != "role"
}
