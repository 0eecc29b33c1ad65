package gemini

import "github.com/caddyllm/llmproxy/transform"

var spelling = transform.Spelling{
	"max_tokens":            "/generationConfig/maxOutputTokens",
	"max_completion_tokens": "/generationConfig/maxOutputTokens",
	"temperature":           "/generationConfig/temperature",
	"top_p":                 "/generationConfig/topP",
	"top_k":                 "/generationConfig/topK",
	"n":                     "/generationConfig/candidateCount",
	"stop":                  "/generationConfig/stopSequences",
	"seed":                  "/generationConfig/seed",
	"presence_penalty":      "/generationConfig/presencePenalty",
	"frequency_penalty":     "/generationConfig/frequencyPenalty",
	"logprobs":              "/generationConfig/responseLogprobs",
	"top_logprobs":          "/generationConfig/logprobs",
	"modalities":            "/generationConfig/responseModalities",
	"response_format":       "/generationConfig/responseJsonSchema",
	"reasoning_effort":      "/generationConfig/thinkingConfig",
	"tool_choice":           "/toolConfig/functionCallingConfig",
	"service_tier":          "/serviceTier",
	"web_search_options":    "/tools",
}

// Spelling says where generateContent has what other formats call otherwise.
func (Codec) Spelling() transform.Spelling { return spelling }

var _ transform.Speller = Codec{}
