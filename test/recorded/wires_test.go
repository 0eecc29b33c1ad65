package recorded_test

import "testing"

// wire is what is known of a provider's wire.
type wire struct {
	// dialect is chat, responses, messages, gemini or the vendor's own.
	dialect string
	// provider is the gateway's name of who serves it, see providerConfigs.
	provider string
	// prefix stands before the model's name where a provider tells families of
	// models apart by it.
	prefix string
	// asked is the provider for clients of other formats, where provider has
	// several endpoints and would not ask this one for them.
	asked string
	// strict tells a wire that is its format; others only resemble it, and what
	// a grammar or an error's words ask for they may lack.
	strict bool
	// bare tells that the provider takes a request of its own format as it is,
	// but for the model.
	bare bool
}

var wires = map[string]wire{
	"openai-chat":              {dialect: "chat", provider: "openai", asked: "compat", strict: true, bare: true},
	"openai-responses":         {dialect: "responses", provider: "openai", asked: "responses", strict: true, bare: true},
	"anthropic":                {dialect: "messages", provider: "anthropic", strict: true, bare: true},
	"gemini":                   {dialect: "gemini", provider: "gemini", strict: true, bare: true},
	"vertex-gemini":            {dialect: "gemini", provider: "vertex", prefix: "gemini-", strict: true},
	"vertex-anthropic":         {dialect: "messages", provider: "vertex", prefix: "claude-", strict: true},
	"azure-openai":             {dialect: "chat", provider: "azure", asked: "azure_chat"},
	"azure-openai-responses":   {dialect: "responses", provider: "azure", asked: "azure_responses"},
	"azure-anthropic":          {dialect: "messages", provider: "foundry", prefix: "claude-", strict: true, bare: true},
	"bedrock-converse":         {dialect: "converse", provider: "bedrock"},
	"bedrock-invoke-anthropic": {dialect: "invoke", provider: "bedrock", prefix: "anthropic.claude-"},
	"bedrock-mantle":           {dialect: "responses", provider: "responses"},
	"cohere-v2":                {dialect: "cohere", provider: "cohere"},
	"mistral":                  {dialect: "mistral", provider: "mistral"},
	"ollama":                   {dialect: "ollama", provider: "ollama"},
	"groq":                     {dialect: "chat", provider: "groq"},
	"deepseek":                 {dialect: "chat", provider: "deepseek"},
	"xai":                      {dialect: "chat", provider: "xai", asked: "xai_chat"},
	"xai-responses":            {dialect: "responses", provider: "responses"},
	"openrouter":               {dialect: "chat", provider: "openrouter"},
	"perplexity":               {dialect: "chat", provider: "perplexity"},
	"together":                 {dialect: "chat", provider: "together"},
	"cerebras":                 {dialect: "chat", provider: "cerebras"},
	"ollama-openai":            {dialect: "chat", provider: "compat"},
	"llamacpp":                 {dialect: "chat", provider: "compat"},
	"lmstudio":                 {dialect: "responses", provider: "responses"},
	"huggingface":              {dialect: "chat", provider: "compat"},
	"zai":                      {dialect: "chat", provider: "compat"},
	"vercel-gateway":           {dialect: "chat", provider: "compat"},
	"gemini-openai":            {dialect: "chat", provider: "compat"},
}

// answers are the recordings of wires in the table that answer a question.
func answers(t testing.TB) (list []*recording) {
	for _, r := range corpus(t) {
		if _, ok := wires[r.wire]; ok && !r.has("count-tokens") {
			list = append(list, r)
		}
	}
	return list
}
