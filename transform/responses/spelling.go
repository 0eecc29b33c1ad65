package responses

import "github.com/caddyllm/llmproxy/transform"

var spelling = transform.Spelling{
	"max_tokens":            "/max_output_tokens",
	"max_completion_tokens": "/max_output_tokens",
	"response_format":       "/text/format",
	"verbosity":             "/text/verbosity",
	"reasoning_effort":      "/reasoning/effort",
	"logprobs":              "/include",
	"web_search_options":    "/tools",
}

// Spelling says where Responses has what Chat Completions calls otherwise.
func (Codec) Spelling() transform.Spelling { return spelling }

var _ transform.Speller = Codec{}
