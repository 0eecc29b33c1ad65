package gemini

import (
	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// InspectResponse implements [transform.ProviderCodec].
func (Codec) InspectResponse(body []byte) (transform.Summary, error) {
	text := jsonbytes.Parse(body)
	if jsonbytes.Check(text, 0) != nil {
		return transform.Summary{}, errNoAnswer
	}
	if !text.Get("embedding").Empty() || !text.Get("embeddings").Empty() {
		return transform.Summary{}, nil // which has no usage
	}
	var s streamInspector
	sign, err := s.Inspect(nil, text)
	switch {
	case err != nil:
		return transform.Summary{}, err
	case sign.Err != nil:
		return transform.Summary{}, sign.Err
	case len(s.choices) == 0:
		return transform.Summary{}, errNoAnswer
	}
	return s.Summary(), nil
}

// NewStreamInspector implements [transform.ProviderCodec].
func (Codec) NewStreamInspector() transform.StreamInspector { return new(streamInspector) }

// streamInspector walks events as the decoder does, but makes nothing of them.
type streamInspector struct {
	frame   frame
	failed  bool
	said    bool
	choices []inspected // in the order in which they began
}

type inspected struct {
	index    int
	calls    bool
	finished bool
	finish   transform.Finish
}

// Inspect implements [transform.StreamInspector]. No event of this format has
// nothing but usage that a client could do without.
func (s *streamInspector) Inspect(_, data []byte) (transform.Sign, error) {
	f := &s.frame
	if err := f.walk(data); err != nil {
		return transform.Sign{}, err
	}
	if !f.err.Empty() {
		s.failed = true
		return transform.Sign{Err: decodeError(0, f.err)}, nil
	}
	var sign transform.Sign
	if len(f.candidates) == 0 && !f.blocked.Empty() {
		sign.Content = true
		s.block()
	}
	for i := range f.candidates {
		c := &f.candidates[i]
		choice := s.choice(c.index)
		for j := c.from; j < c.to; j++ {
			p := &f.parts[j]
			choice.calls = choice.calls || p.call != nil
			sign.Content = sign.Content || len(p.text) != len(`""`) || p.signature != nil
		}
		if name := finishName(c.finish); name != "" || !choice.finished {
			choice.finish = finish(name, choice.calls)
			choice.finished = name != ""
		}
		s.said = s.said || sign.Content
		sign.Content = sign.Content || choice.finished
	}
	return sign, nil
}

// block ends what has not ended, as the decoder does.
func (s *streamInspector) block() {
	if len(s.choices) == 0 {
		s.choice(0)
	}
	for i := range s.choices {
		if choice := &s.choices[i]; !choice.finished {
			choice.finished, choice.finish = true, transform.FinishContentFilter
		}
	}
}

func (s *streamInspector) choice(index int) *inspected {
	for i := range s.choices {
		if s.choices[i].index == index {
			return &s.choices[i]
		}
	}
	s.choices = append(s.choices, inspected{index: index})
	return &s.choices[len(s.choices)-1]
}

// Summary implements [transform.StreamInspector]: how the first candidate ended.
func (s *streamInspector) Summary() transform.Summary {
	sum := transform.Summary{Usage: s.frame.usage.tokens(), Content: s.said}
	if len(s.choices) > 0 {
		sum.Finish = s.choices[0].finish
	}
	return sum
}

// Ended implements [transform.StreamInspector].
func (s *streamInspector) Ended() bool {
	for i := range s.choices {
		if !s.choices[i].finished {
			return false
		}
	}
	return !s.failed && len(s.choices) > 0
}
