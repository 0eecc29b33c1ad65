package transform

import "slices"

// Summary is what must be known of the answer if nothing else is.
func (a *Response) Summary() Summary {
	s := Summary{Usage: a.Usage}
	if len(a.Choices) > 0 {
		s.Finish = a.Choices[0].Finish
	}
	for i := range a.Choices {
		s.Content = s.Content || slices.ContainsFunc(a.Choices[i].Parts, Part.says)
	}
	return s
}

// says tells whether there is anything in a part of an answer.
func (p Part) says() bool {
	switch p.Kind {
	case PartText, PartReasoning, PartRefusal:
		return p.Text.HasText() || p.Opaque.Kind != OpaqueNone
	}
	return true
}

// InspectDecoding makes an inspector of a decoder. It costs as much as decoding
// does, and so is for formats that no client speaks, whose streams are never
// passed on unread. Events of which the decoder makes nothing have no content.
func InspectDecoding(d StreamDecoder) StreamInspector { return &decodingInspector{decoder: d} }

type decodingInspector struct {
	decoder StreamDecoder
	deltas  []Delta
	summary Summary
}

func (i *decodingInspector) Inspect(name, data []byte) (Sign, error) {
	var sign Sign
	var err error
	i.deltas, err = i.decoder.Decode(i.deltas[:0], name, data)
	for j := range i.deltas {
		d := &i.deltas[j]
		sign.Content = sign.Content || d.Content()
		i.summary.Content = i.summary.Content || d.Says()
		switch d.Kind {
		case DeltaStart, DeltaUsage:
			if d.Usage.Known {
				i.summary.Usage = d.Usage
			}
		case DeltaFinish:
			if d.Choice == 0 {
				i.summary.Finish = d.Finish
			}
		case DeltaError:
			sign.Err = d.Err
		}
	}
	return sign, err
}

func (i *decodingInspector) Summary() Summary { return i.summary }
func (i *decodingInspector) Ended() bool      { return i.decoder.Ended() }
