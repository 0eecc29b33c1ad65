package transform

// Summary is what must be known of the answer if nothing else is.
func (a *Response) Summary() Summary {
	s := Summary{Usage: a.Usage}
	if len(a.Choices) > 0 {
		s.Finish = a.Choices[0].Finish
	}
	return s
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
