package gateway

import "go.opentelemetry.io/otel/attribute"

// The names are those of OpenTelemetry's semantic conventions in version 1.41.0, the
// latest release that has generative AI, where it is in development.
const (
	traceSchema = "https://opentelemetry.io/schemas/1.41.0"

	keyOperation     attribute.Key = "gen_ai.operation.name"
	keyProviderName  attribute.Key = "gen_ai.provider.name"
	keyRequestModel  attribute.Key = "gen_ai.request.model"
	keyStream        attribute.Key = "gen_ai.request.stream"
	keyResponseModel attribute.Key = "gen_ai.response.model"
	keyResponseID    attribute.Key = "gen_ai.response.id"
	keyFinish        attribute.Key = "gen_ai.response.finish_reasons"
	keyFirstChunk    attribute.Key = "gen_ai.response.time_to_first_chunk"
	keyInput         attribute.Key = "gen_ai.usage.input_tokens"
	keyOutput        attribute.Key = "gen_ai.usage.output_tokens"
	keyCacheRead     attribute.Key = "gen_ai.usage.cache_read.input_tokens"
	keyCacheWrite    attribute.Key = "gen_ai.usage.cache_creation.input_tokens"
	keyReasoning     attribute.Key = "gen_ai.usage.reasoning.output_tokens"
	keyErrorType     attribute.Key = "error.type"
	keyStatus        attribute.Key = "http.response.status_code"
	keyServer        attribute.Key = "server.address"
	keyPort          attribute.Key = "server.port"
)

// The names of our own are those of records.
const (
	keyRequestID  attribute.Key = "llm_proxy.request_id"
	keyUpstreamID attribute.Key = "llm_proxy.upstream_request_id"
	keyRoute      attribute.Key = "llm_proxy.route"
	keyProvider   attribute.Key = "llm_proxy.provider"
	keyAttempts   attribute.Key = "llm_proxy.attempts"
	keyAttempt    attribute.Key = "llm_proxy.attempt"
	keyCache      attribute.Key = "llm_proxy.cache"
	keyEnding     attribute.Key = "llm_proxy.ending"
	keyError      attribute.Key = "llm_proxy.error"
	keyCost       attribute.Key = "llm_proxy.cost_usd"
	keyEstimated  attribute.Key = "llm_proxy.tokens_estimated"
	keyFirstToken attribute.Key = "llm_proxy.ttft_ms"
	keyQueued     attribute.Key = "llm_proxy.queued_ms"

	eventFirstToken = "llm_proxy.first_token"
)

// operationInTraces is the conventions' word for an operation of records, where they
// have one.
func operationInTraces(operation string) string {
	if operation == "completions" {
		return "text_completion"
	}
	return operation
}

// vendorInTraces is the conventions' word for a type of provider, where they have one
// that differs from ours.
func vendorInTraces(kind string) string {
	switch kind {
	case "azure_openai":
		return "azure.ai.openai"
	case "bedrock":
		return "aws.bedrock"
	case "gemini", "gemini-compat":
		return "gcp.gemini"
	case "vertex":
		return "gcp.vertex_ai"
	case "mistral":
		return "mistral_ai"
	case "xai":
		return "x_ai"
	}
	return kind
}
