package answers

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/caddyllm/llmproxy/internal/jsonarray"
	"github.com/caddyllm/llmproxy/internal/sse"
	"github.com/caddyllm/llmproxy/transform"
)

// Codec is one format from both sides: what clients of it get, it can read again.
type Codec interface {
	transform.ClientCodec
	transform.ProviderCodec
	Format() transform.Format
}

// Converter converts answers of a format for the client that asked r, which may be
// nil. The codec must write the manner that is asked for.
func Converter(codec Codec, r *transform.Request) Convert {
	return func(e *Entry, to Manner) ([]byte, error) {
		if e.Manner == StreamWithUsage && to == Stream {
			return withoutUsage(codec, e.Body)
		}
		answer, err := read(codec, e)
		if err != nil {
			return nil, fmt.Errorf("converting a stored answer: %w", err)
		}
		if !answer.Usage.Known { // it was left out for the one who asked first
			answer.Usage = e.Usage
		}
		if to == Whole {
			return codec.AppendResponse(nil, answer, r), nil
		}
		asks := transform.Request{}
		if r != nil {
			asks = *r
		}
		asks.Stream, asks.StreamUsage = true, to != Stream || codec.Format() != transform.OpenAIChat
		encoder := codec.NewStreamEncoder(&asks)
		var out []byte
		deltas := transform.Replay(nil, answer)
		for i := range deltas {
			out = encoder.Append(out, &deltas[i])
		}
		return encoder.AppendEnd(out), nil
	}
}

// read brings an entry into neutral form.
func read(codec transform.ProviderCodec, e *Entry) (*transform.Response, error) {
	if e.Manner == Whole {
		return codec.DecodeResponse(e.Body)
	}
	decoder := codec.NewStreamDecoder()
	var said transform.Collector
	var deltas []transform.Delta
	err := eachEvent(e.Manner, e.Body, func(event *sse.Event) (err error) {
		if deltas, err = decoder.Decode(deltas[:0], event.Name, event.Data); err != nil {
			return err
		}
		for i := range deltas {
			if deltas[i].Kind == transform.DeltaError {
				return errors.New("it ends with an error")
			}
			if err = said.Add(&deltas[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil && !decoder.Ended() {
		err = io.ErrUnexpectedEOF
	}
	return said.Response(), err
}

// withoutUsage leaves out the event that has nothing but usage in it. All others
// stay as they are.
func withoutUsage(codec transform.ProviderCodec, events []byte) ([]byte, error) {
	inspector := codec.NewStreamInspector()
	out := make([]byte, 0, len(events))
	err := eachEvent(Stream, events, func(event *sse.Event) error {
		sign, err := inspector.Inspect(event.Name, event.Data)
		if err == nil && !sign.UsageOnly {
			out = append(out, event.Raw...)
		}
		return err
	})
	return out, err
}

// eachEvent walks the events of a stream that have data.
func eachEvent(m Manner, stream []byte, take func(*sse.Event) error) error {
	var events interface {
		Fill(io.Reader) (int, error)
		Next() (sse.Event, bool)
	} = &sse.Buffer{Max: len(stream) + 1}
	if m == Array {
		events = &jsonarray.Buffer{Max: len(stream) + 1}
	}
	from := bytes.NewReader(stream)
	for {
		_, err := events.Fill(from)
		for event, ok := events.Next(); ok; event, ok = events.Next() {
			if event.Data == nil {
				continue
			}
			if failed := take(&event); failed != nil {
				return failed
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}
