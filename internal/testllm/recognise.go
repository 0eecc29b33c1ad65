package testllm

import (
	"encoding/json"
	"net/http"
	"strings"
)

// request is what the answer depends on.
type request struct {
	format    Format
	operation Operation
	model     string
	stream    bool

	malformed    bool // not the JSON object a provider would accept
	array        bool // Gemini stream as a JSON array
	includeUsage bool // OpenAI stream with a usage chunk
	batch        bool // Gemini :batchEmbedContents
	base64       bool // embeddings as base64
	inputs       int  // embeddings wanted
	dimensions   int  // 0: unspecified
}

// recognise tells the format by path and reads what matters of the body.
func recognise(r *http.Request, body []byte) request {
	path := r.URL.Path
	switch {
	case r.Method == http.MethodGet && strings.HasSuffix(path, "/models"):
		return request{format: listFormat(r), operation: Models}
	case r.Method != http.MethodPost:
		return request{}
	case strings.HasSuffix(path, "/chat/completions"):
		return withBody(request{format: OpenAI, operation: Chat}, body)
	case strings.HasSuffix(path, "/responses"):
		return withBody(request{format: Responses, operation: Chat}, body)
	case strings.HasSuffix(path, "/embeddings"):
		return withBody(request{format: OpenAI, operation: Embeddings}, body)
	case strings.HasSuffix(path, "/messages"):
		return withBody(request{format: Anthropic, operation: Chat}, body)
	}
	return recogniseGemini(r, body)
}

// listFormat tells apart the lists that share the path /v1/models.
func listFormat(r *http.Request) Format {
	switch {
	case r.Header.Get("Anthropic-Version") != "":
		return Anthropic
	case strings.HasSuffix(r.URL.Path, "/v1beta/models"),
		r.Header.Get("X-Goog-Api-Key") != "",
		r.URL.Query().Has("key"):
		return Gemini
	}
	return OpenAI
}

func recogniseGemini(r *http.Request, body []byte) request {
	_, resource, found := strings.Cut(r.URL.Path, "/models/")
	colon := strings.LastIndexByte(resource, ':')
	if !found || colon < 0 {
		return request{}
	}
	q := request{format: Gemini, operation: Chat}
	switch resource[colon+1:] {
	case "generateContent":
	case "streamGenerateContent":
		q.stream = true
		q.array = r.URL.Query().Get("alt") != "sse"
	case "embedContent":
		q.operation = Embeddings
	case "batchEmbedContents":
		q.operation, q.batch = Embeddings, true
	default:
		return request{}
	}
	stream := q.stream
	q = withBody(q, body)
	q.model, q.stream = resource[:colon], stream
	return q
}

type embeddingRequest struct {
	OutputDimensionality int `json:"outputDimensionality"`
}

func withBody(q request, body []byte) request {
	var fields struct {
		Model         string `json:"model"`
		Stream        bool   `json:"stream"`
		StreamOptions struct {
			IncludeUsage bool `json:"include_usage"`
		} `json:"stream_options"`
		EncodingFormat string          `json:"encoding_format"`
		Input          json.RawMessage `json:"input"`
		Dimensions     int             `json:"dimensions"`
		embeddingRequest
		Requests []embeddingRequest `json:"requests"`
	}
	if err := json.Unmarshal(body, &fields); err != nil {
		q.malformed = true
		return q
	}
	q.model = fields.Model
	q.stream = fields.Stream && q.operation == Chat
	q.includeUsage = fields.StreamOptions.IncludeUsage
	q.base64 = fields.EncodingFormat == "base64"
	q.inputs = countInputs(fields.Input)
	q.dimensions = max(fields.Dimensions, fields.OutputDimensionality)
	if q.batch {
		q.inputs = len(fields.Requests)
		for _, each := range fields.Requests {
			q.dimensions = max(q.dimensions, each.OutputDimensionality)
		}
	}
	return q
}

// countInputs counts a string or a list of token numbers as one input.
func countInputs(input json.RawMessage) int {
	var list []json.RawMessage
	if json.Unmarshal(input, &list) != nil || len(list) == 0 {
		return 1
	}
	if first := list[0][0]; first == '"' || first == '[' {
		return len(list)
	}
	return 1
}
