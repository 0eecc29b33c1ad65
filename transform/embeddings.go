package transform

import (
	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/usage"
)

// EmbeddingRequest asks for the vectors of some texts.
type EmbeddingRequest struct {
	Model string
	// Inputs are the texts, one vector each.
	Inputs []Literal
	// Dimensions is the length of the vectors; 0: the model's own.
	Dimensions int64
	// Base64 asks for vectors as base64 of little-endian 32-bit floats.
	Base64 bool
	// Purpose is what the vectors are for, in Gemini's words, such as
	// RETRIEVAL_QUERY; empty: not said.
	Purpose string
	// Single tells that the client asked for one vector, not for a list of one.
	Single bool
	// Rest is as of [Request].
	Rest []Member
	// Places are as of [Request].
	Places
}

// EmbeddingResponse is the vectors, in the order of the inputs.
type EmbeddingResponse struct {
	Model string
	// Vectors are JSON arrays of numbers, as the provider spelled them.
	Vectors []jsonbytes.Value
	Usage   usage.Tokens
}

// EmbeddingClient is implemented by client codecs of formats with embeddings.
type EmbeddingClient interface {
	DecodeEmbeddingRequest(body []byte, lost *Losses) (*EmbeddingRequest, error)
	AppendEmbeddingResponse(dst []byte, a *EmbeddingResponse, r *EmbeddingRequest) ([]byte, error)
}

// EmbeddingProvider is implemented by provider codecs of formats with embeddings.
type EmbeddingProvider interface {
	AppendEmbeddingRequest(dst []byte, r *EmbeddingRequest, to Target, lost *Losses) ([]byte, error)
	DecodeEmbeddingResponse(body []byte) (*EmbeddingResponse, error)
}
