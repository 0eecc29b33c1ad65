package testllm

import (
	"net/http"
	"time"
)

// AtOnce, as the count of CutAfter, ErrorAfter or StallAfter, means before the
// first event: the client sees the response headers and nothing ordinary.
const AtOnce = -1

// Cut is a way to close a connection early.
type Cut int

// The ways to cut.
const (
	FIN   Cut = iota + 1 // orderly close without the end of the HTTP body
	Reset                // RST; what was written is still delivered if the client has room for it
)

// Reply says what to answer, once for all formats, and how to misbehave. The
// zero Reply is an ordinary short answer. Faults combine freely.
type Reply struct {
	// Text is the answer, streamed word by word; Chunks, if not nil, prevails
	// and says how to split it. For an answer with no text at all, give an
	// empty non-nil Chunks.
	Text   string
	Chunks []string

	Thinking  string // shown before the answer, streamed word by word
	Signature string // of the thinking; a default is sent where the format requires one
	Tools     []Tool // parallel tool calls, after the text
	Finish    string // stop, length, tool_calls, content_filter; default by content; others verbatim
	Model     string // default: as requested

	Usage   Usage // default: DefaultUsage
	NoUsage bool  // bill it but do not tell

	Vectors [][]float32 // embeddings, one per input; default: made up

	// Status other than 2xx: from 400 the body is Error in the provider's
	// shape and nothing is billed; from 300, and with 204, there is no body.
	Status int
	Error  Error
	Header http.Header // added to, or replacing, the response headers; a nil value removes

	// Verbatim answers, whatever was asked. They bill only an explicit Usage.
	Body        []byte   // non-nil: the whole body, perhaps empty
	ContentType string   // of any reply; default by format
	RawEvents   []string // non-nil: stream writes, each flushed

	// Before answering, in this order.
	Hold            bool          // wait for Release
	Delay           time.Duration // wait before the headers
	ResetConnection bool          // RST instead of an answer

	// While answering. Events are counted on the wire, whatever they carry; an
	// unstreamed body counts as one event.
	ChunkDelay time.Duration // between writes
	WritesOf   int           // re-slice the body into flushed writes of n bytes, across events
	StallAfter int           // after n events send nothing until Release or the client leaves
	CutAfter   int           // after n events close the connection
	CutBytes   int           // after n bytes of body close it; Content-Length promises more
	Cut        Cut           // how: FIN by default; alone: close after the whole body, before its HTTP end

	// Streams only.
	ErrorAfter   int  // after n content events (text, thinking, tools), or all, send Error and end
	NoTerminator bool // end cleanly without [DONE], message_stop or finishReason
}

// Tool is one tool call of an answer.
type Tool struct {
	ID        string // default: made up; Gemini omits it
	Name      string
	Arguments string // JSON text; default: {}
}

// Usage in normal form: Input and Output are totals, the others parts of them.
type Usage struct {
	Input      int // whole prompt, cached or not
	CacheRead  int // part of Input read from cache
	CacheWrite int // part of Input written to cache
	Output     int // whole completion, reasoning included
	Reasoning  int // part of Output
}

// DefaultUsage is told and billed for replies without Usage.
var DefaultUsage = Usage{Input: 9, Output: 12}

// Error is what an error says; what is empty defaults by Status, or to
// "overloaded" for errors within a stream.
type Error struct {
	Message string
	Type    string // error.type; Gemini's error.status
	Code    string // OpenAI's error.code
}

// raw reports whether the reply's body is given verbatim.
func (r Reply) raw() bool { return r.Body != nil || r.RawEvents != nil }
