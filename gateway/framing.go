package gateway

import (
	"io"
	"net/http"
	"strings"

	"github.com/caddyllm/llmproxy/internal/awsstream"
	"github.com/caddyllm/llmproxy/internal/jsonarray"
	"github.com/caddyllm/llmproxy/internal/ndjson"
	"github.com/caddyllm/llmproxy/internal/sse"
	"github.com/caddyllm/llmproxy/transform"
)

// eventReader cuts a provider's bytes into whole events. See [sse.Buffer].
type eventReader interface {
	Fill(r io.Reader) (int, error)
	Next() (sse.Event, bool)
	Tail() (sse.Event, bool)
}

// eventReader is the one for the stream's framing. Server-sent events, by far the
// most frequent, come with memory from a pool.
func (a *attempt) eventReader(pooled *sse.Buffer) eventReader {
	return a.eventReaderOf(a.endpoint.Framing, pooled)
}

func (a *attempt) eventReaderOf(framing transform.Framing, pooled *sse.Buffer) eventReader {
	limit := a.g.Limits.Event
	switch framing {
	case transform.FramingNDJSON:
		return &ndjson.Buffer{Max: limit}
	case transform.FramingArray:
		return &jsonarray.Buffer{Max: limit}
	case transform.FramingAWS:
		return &awsstream.Buffer{Max: limit}
	case transform.FramingAWSChunks:
		return &awsstream.Buffer{Max: limit, Chunks: true}
	}
	pooled.Max = limit
	return pooled
}

// framed tells whether an answer has the media type of the stream that was
// asked for.
func (a *attempt) framed(h http.Header) bool {
	switch media := mediaType(h); a.endpoint.Framing {
	case transform.FramingNDJSON:
		return media == "application/x-ndjson" || media == "application/ndjson" || media == "application/jsonl"
	case transform.FramingArray:
		return media == "application/json"
	case transform.FramingAWS, transform.FramingAWSChunks:
		return media == "application/vnd.amazon.eventstream"
	default:
		return media == "text/event-stream"
	}
}

// mediaType is an answer's content type without its parameters.
func mediaType(h http.Header) string {
	value, _, _ := strings.Cut(h.Get("Content-Type"), ";")
	return strings.ToLower(strings.TrimSpace(value))
}
