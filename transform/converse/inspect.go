package converse

import "github.com/caddyllm/llmproxy/transform"

// No client speaks this format, so that nothing of it is passed on unread: the
// inspectors need not be faster than the decoders.

// InspectResponse finds usage and stop reason in a whole answer.
func (c Codec) InspectResponse(body []byte) (transform.Summary, error) {
	a, err := c.DecodeResponse(body)
	if err != nil {
		return transform.Summary{}, err
	}
	return transform.Summary{Usage: a.Usage, Finish: a.Choices[0].Finish}, nil
}

// NewStreamInspector watches a stream.
func (c Codec) NewStreamInspector() transform.StreamInspector {
	return &streamInspector{decoder: streamDecoder{vendor: c.vendor()}}
}

type streamInspector struct {
	decoder streamDecoder
	deltas  []transform.Delta
	summary transform.Summary
}

// Inspect looks at one event.
func (s *streamInspector) Inspect(name, data []byte) (transform.Sign, error) {
	var err error
	s.deltas, err = s.decoder.Decode(s.deltas[:0], name, data)
	if err != nil {
		return transform.Sign{}, err
	}
	sign := transform.Sign{Content: !isEvent(name)}
	for i := range s.deltas {
		delta := &s.deltas[i]
		sign.Content = sign.Content || delta.Content()
		switch delta.Kind {
		case transform.DeltaUsage:
			s.summary.Usage = delta.Usage
		case transform.DeltaFinish:
			s.summary.Finish = delta.Finish
		case transform.DeltaError:
			return transform.Sign{Err: delta.Err}, nil
		}
	}
	return sign, nil
}

// Summary is what was found so far.
func (s *streamInspector) Summary() transform.Summary { return s.summary }

// Ended tells whether the stream has reached its end.
func (s *streamInspector) Ended() bool { return s.decoder.Ended() }
