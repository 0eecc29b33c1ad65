package anthropic

import "github.com/caddyllm/llmproxy/transform"

var spelling = transform.Spelling{
	"max_completion_tokens": "/max_tokens",
	"stop":                  "/stop_sequences",
	"reasoning_effort":      "/output_config/effort",
	"response_format":       "/output_config/format",
	"parallel_tool_calls":   "/tool_choice/disable_parallel_tool_use",
	"user":                  "/metadata/user_id",
	"safety_identifier":     "/metadata/user_id",
	"web_search_options":    "/tools",
}

// Spelling says where the Messages format has what other formats call otherwise.
func (Codec) Spelling() transform.Spelling { return spelling }

var _ transform.Speller = Codec{}
