// Package transform translates between API formats. Each format is one folder
// with a codec, all codecs meet in the neutral model of this package, and none
// of them knows the network.
//
// A conversation is a list of turns, a turn is a list of flat parts. Texts stay
// the JSON string literals that their sender wrote, so that an encoder splices
// them and a translation neither unescapes nor escapes a conversation. What a
// codec cannot place it reports to a [Losses]; nothing disappears in silence.
package transform

import (
	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/usage"
)

// Format names an API format.
type Format string

// The API formats.
const (
	OpenAIChat Format = "openai"
	Responses  Format = "responses"
	Anthropic  Format = "anthropic"
	Gemini     Format = "gemini"
	// Converse is Amazon Bedrock's own.
	Converse Format = "converse"
	Cohere   Format = "cohere"
	// Mistral is Chat Completions but for members that OpenAI's SDKs cannot read.
	Mistral Format = "mistral"
	Ollama  Format = "ollama"
)

// Vendor names who can read an opaque piece: signatures and encrypted reasoning
// return only to the vendor that made them.
type Vendor string

// The vendors that attach opaque data to their answers.
const (
	VendorOpenAI    Vendor = "openai"
	VendorAnthropic Vendor = "anthropic"
	VendorGoogle    Vendor = "google"
	// VendorAmazon stands for all models that Bedrock serves without saying whose.
	VendorAmazon Vendor = "amazon"
)

// Literal is the raw text of a JSON string, quotes included.
type Literal = jsonbytes.Value

// Quote makes a [Literal] of s.
func Quote(s string) Literal { return jsonbytes.AppendString(nil, s) }

// ClientCodec is the side of an API format that faces clients. Every Append
// method adds to dst and returns it. A codec has no state and may be shared.
type ClientCodec interface {
	Format() Format

	// DecodeRequest reads a client's request. Members that nobody can use are
	// reported to lost. Errors are *Error and are the client's fault.
	DecodeRequest(body []byte, lost *Losses) (*Request, error)
	// AppendResponse writes an answer for the client that asked r.
	AppendResponse(dst []byte, a *Response, r *Request) []byte
	// NewStreamEncoder writes one stream for the client that asked r.
	NewStreamEncoder(r *Request) StreamEncoder
	// AppendError writes an error as the body of a failed answer.
	AppendError(dst []byte, e *Error, requestID string) []byte
	// AppendStreamError writes an error as the last event of a stream that
	// was passed on unread.
	AppendStreamError(dst []byte, e *Error, requestID string) []byte
	// Status is the HTTP status with which clients of this format are told of
	// the error.
	Status(e *Error) int
	// IsError tells whether a body is an error that clients of this format can
	// read, so that a provider's own may be passed on as it came.
	IsError(body []byte) bool
}

// CountClient is implemented by client codecs of formats that ask how many
// tokens a request would take.
type CountClient interface {
	// DecodeCountRequest is as DecodeRequest, of a request that is only counted.
	DecodeCountRequest(body []byte, lost *Losses) (*Request, error)
	AppendCount(dst []byte, tokens int64) []byte
}

// CountProvider is implemented by provider codecs of formats that count.
type CountProvider interface {
	AppendCountRequest(dst []byte, r *Request, to Target, lost *Losses) ([]byte, error)
	DecodeCount(body []byte) (int64, error)
}

// ModelClient is implemented by client codecs of formats that list models.
type ModelClient interface {
	AppendModels(dst []byte, list []Model) []byte
	AppendModel(dst []byte, m Model) []byte
}

// Model is an entry of a list of models.
type Model struct {
	// ID is the name to ask for.
	ID string
	// Owner is the provider's name, or the gateway's for an alias.
	Owner string
}

// Framing is how a stream is cut into events.
type Framing uint8

// The framings.
const (
	// FramingSSE is server-sent events.
	FramingSSE Framing = iota
	// FramingNDJSON is a JSON object on each line; events have no name.
	FramingNDJSON
	// FramingArray is one JSON array whose elements come one by one.
	FramingArray
	// FramingAWS is Amazon's binary event stream. An event's name is its
	// :event-type, an exception's is "exception:" and its :exception-type.
	FramingAWS
	// FramingAWSChunks is the same around the events of another format, each
	// in the member bytes of a chunk. They are handed out as server-sent events.
	FramingAWSChunks
)

// ProviderCodec is the side of an API format that faces providers. It has no
// state and may be shared.
type ProviderCodec interface {
	Format() Format

	// AppendRequest writes a request for the target, with what it cannot
	// express reported to lost. Errors are *Error.
	AppendRequest(dst []byte, r *Request, to Target, lost *Losses) ([]byte, error)
	// DecodeResponse reads a provider's whole answer. An error means that it
	// is not an answer of this format; a provider's error inside a 200 is an
	// *Error.
	DecodeResponse(body []byte) (*Response, error)
	// NewStreamDecoder reads one provider stream.
	NewStreamDecoder() StreamDecoder
	// DecodeError reads the body of a failed answer. It accepts anything:
	// what cannot be read becomes an error of the status alone.
	DecodeError(status int, body []byte) *Error

	// InspectResponse finds in a whole answer what must be known of one that
	// is passed on unread, with as little work as that takes. Errors are as
	// of DecodeResponse.
	InspectResponse(body []byte) (Summary, error)
	// NewStreamInspector does the same for a stream.
	NewStreamInspector() StreamInspector
}

// Summary is what must be known of an answer that is passed on unread.
type Summary struct {
	Usage  usage.Tokens
	Finish Finish
	// Content tells that the answer says something: text, reasoning, a call, or
	// anything that the codec does not know. One that does not is empty.
	Content bool
}

// StreamInspector watches a stream that is passed on unread. It must be as
// cheap as it can: most events need a few searches and no parsing.
type StreamInspector interface {
	// Inspect looks at one event. An error means that it is not an event of
	// this format.
	Inspect(name, data []byte) (Sign, error)
	// Summary is what was found so far.
	Summary() Summary
	// Ended is as of StreamDecoder.
	Ended() bool
}

// Sign is what an event means to a relay.
type Sign struct {
	// Content tells that the event is more than the skeleton of a stream: it
	// commits the answer. Events of unknown kinds do.
	Content bool
	// UsageOnly tells that the event carries nothing but usage, so that it is
	// left out for a client that did not ask for it.
	UsageOnly bool
	// Err is the provider's in-stream error.
	Err *Error
}

// StreamDecoder turns the events of one provider stream into deltas.
type StreamDecoder interface {
	// Decode appends the deltas of one event to dst. name is the event's
	// name, nil if it has none; data is its data. The deltas may point into
	// data and are valid as long as it is. A provider's in-stream error is a
	// delta of kind DeltaError. An error means that the event is not of this
	// format; events of unknown kinds are not errors, they give nothing.
	Decode(dst []Delta, name, data []byte) ([]Delta, error)
	// Ended tells whether the stream has reached its proper end, so that it
	// may stop here without having been cut.
	Ended() bool
}

// StreamEncoder turns deltas into the bytes of one client stream. It is a state
// machine that can only produce what the format's grammar allows.
type StreamEncoder interface {
	// Append writes what one delta becomes, whole events only, maybe none.
	Append(dst []byte, d *Delta) []byte
	// AppendEnd closes a stream that ended well.
	AppendEnd(dst []byte) []byte
	// AppendError closes a stream that did not, at any point of it.
	AppendError(dst []byte, e *Error, requestID string) []byte
}

// Target is what an encoder must know of where the request goes.
type Target struct {
	// Model is the model's name as the provider knows it.
	Model string
	// Stream asks for a stream.
	Stream bool
	// Vendor decides which opaque pieces may be sent. Empty: none.
	Vendor Vendor
}
