// Package anthropic speaks Anthropic's Messages format: api.anthropic.com,
// Claude on Bedrock (InvokeModel), Vertex and Foundry, and other servers that
// took the format over.
//
// What a model accepts differs from Claude to Claude; the rows are in package
// catalog, this package knows only the format. The encoder decides everything
// that depends on the whole request first (see the plan methods) and writes
// afterwards, so that equal conversations give equal bytes.
package anthropic

import (
	"bytes"

	"github.com/caddyllm/llmproxy/catalog"
	"github.com/caddyllm/llmproxy/transform"
)

// Codec reads and writes the Messages format, for clients and for providers.
// The zero value is for clients, and for endpoints that Anthropic or Microsoft
// Foundry serve.
type Codec struct {
	// Cloud tells that the models are served by Bedrock or Vertex. Those take
	// no media by URL or file id, no system turns in place and no service
	// tier, and their support of output_config.format depends on the region.
	Cloud bool
}

// Format is transform.Anthropic.
func (Codec) Format() transform.Format { return transform.Anthropic }

// unknownModel is what a server of this format is taken to accept from a model
// that is no Claude.
var unknownModel = catalog.Claude{
	Sampling: true, SamplingPair: true, Budget: true, ForcedTools: true, Prefill: true,
}

// defaultMaxTokens is for models whose most is not known: max_tokens is required.
const defaultMaxTokens = 4096

// Heartbeat is what is written into a stream in silence: an event that all
// clients of the format know, because Anthropic sends it too.
func (Codec) Heartbeat() []byte { return heartbeat }

var heartbeat = []byte(pingEvent)

// Foreign tells whether a request has something in it that an answer of
// another vendor left there: sealed pieces, thinking that nobody signed,
// citations without Anthropic's index. Anthropic refuses such a body, so it must
// be translated even for an endpoint of the same format.
func (Codec) Foreign(body []byte) bool {
	if transform.HoldsSealed(body) {
		return true
	}
	for _, mark := range unsignedMarks {
		if bytes.Contains(body, mark) {
			return true
		}
	}
	return false
}

var unsignedMarks = [...][]byte{
	[]byte(`"signature":""`), []byte(`"signature": ""`), []byte(`"encrypted_index":""`), []byte(`"encrypted_index": ""`),
}

// Interface guards
var (
	_ transform.ClientCodec   = Codec{}
	_ transform.ProviderCodec = Codec{}
	_ transform.CountClient   = Codec{}
	_ transform.CountProvider = Codec{}
	_ transform.ModelClient   = Codec{}
)
