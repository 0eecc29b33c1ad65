package converse

import "github.com/caddyllm/llmproxy/transform"

// InspectResponse finds usage and stop reason in a whole answer.
func (c Codec) InspectResponse(body []byte) (transform.Summary, error) {
	a, err := c.DecodeResponse(body)
	if err != nil {
		return transform.Summary{}, err
	}
	return a.Summary(), nil
}

// NewStreamInspector watches a stream. No client speaks this format, so that
// nothing of it is passed on unread, and the inspector need not be fast.
func (c Codec) NewStreamInspector() transform.StreamInspector {
	return streamInspector{transform.InspectDecoding(c.NewStreamDecoder())}
}

type streamInspector struct{ transform.StreamInspector }

// Inspect looks at one event. Those of unknown kinds have content.
func (s streamInspector) Inspect(name, data []byte) (transform.Sign, error) {
	sign, err := s.StreamInspector.Inspect(name, data)
	if err == nil && sign.Err == nil && !isEvent(name) {
		sign.Content = true
	}
	return sign, err
}
