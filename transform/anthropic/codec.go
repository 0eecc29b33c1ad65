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
	"github.com/caddyllm/llmproxy/catalog"
	"github.com/caddyllm/llmproxy/transform"
)

// Codec translates requests to, and answers from, the Messages format.
// The zero value is for endpoints that Anthropic or Microsoft Foundry serve.
type Codec struct {
	// Cloud tells that the models are served by Bedrock or Vertex. Those take
	// no media by URL or file id, no system turns in place and no service
	// tier, and their support of output_config.format depends on the region.
	Cloud bool
}

// Format is transform.Anthropic.
func (Codec) Format() transform.Format { return transform.Anthropic }

// answerTool is the tool whose input is the answer itself, for output schemas
// that are not expressed natively. The decoders know it by its name, because
// nothing else connects an answer to its request.
const answerTool = "llm_proxy_answer"

// unknownModel is what a server of this format is taken to accept from a model
// that is no Claude.
var unknownModel = catalog.Claude{
	Sampling: true, SamplingPair: true, Budget: true, ForcedTools: true, Prefill: true,
}

// defaultMaxTokens is for models whose most is not known: max_tokens is required.
const defaultMaxTokens = 4096

var _ transform.ProviderCodec = Codec{}
