// Package catalog is what models are: which family a name belongs to, and what
// its members can do. It is data; nothing here knows the network.
package catalog

import (
	"slices"
	"strings"
)

// families maps the beginnings of model names to the provider types that serve
// such models under those very names, the maker first.
var families = []struct {
	prefixes []string
	types    []string
}{
	{[]string{"gpt-", "chatgpt-", "o1", "o3", "o4", "text-embedding-", "codex-"}, []string{"openai", "azure_openai"}},
	{[]string{"claude-"}, []string{"anthropic", "vertex"}},
	{[]string{"gemini-", "gemma-", "text-embedding-004", "gemini-embedding-"}, []string{"gemini", "vertex"}},
	{[]string{"mistral-", "ministral-", "magistral-", "codestral-", "devstral-", "pixtral-", "open-mistral-", "open-mixtral-"}, []string{"mistral"}},
	{[]string{"grok-"}, []string{"xai"}},
	{[]string{"deepseek-"}, []string{"deepseek"}},
	{[]string{"command-", "embed-", "c4ai-", "rerank-"}, []string{"cohere"}},
	{[]string{"sonar"}, []string{"perplexity"}},
	{[]string{"kimi-", "moonshot-"}, []string{"moonshot", "moonshot-cn"}},
	{[]string{"glm-"}, []string{"zai", "zhipu"}},
	{[]string{"qwen", "qwq-"}, []string{"dashscope", "dashscope-us", "dashscope-cn"}},
	{[]string{"doubao-"}, []string{"volcengine", "byteplus"}},
	{[]string{"MiniMax-", "minimax-"}, []string{"minimax"}},
	{bedrockPrefixes("amazon.", "anthropic.", "meta.", "mistral.", "cohere.", "ai21.", "deepseek.", "qwen.", "openai.", "writer.", "stability.", "twelvelabs."), []string{"bedrock"}},
}

// bedrockPrefixes are the beginnings of Amazon Bedrock's ids: the makers' names, and
// those of profiles that spread calls over the regions of a continent.
func bedrockPrefixes(makers ...string) []string {
	var list []string
	for _, maker := range makers {
		list = append(list, maker)
		for _, profile := range bedrockProfiles {
			list = append(list, profile+maker)
		}
	}
	return list
}

// bedrockProfiles begin the ids of Amazon Bedrock's inference profiles.
var bedrockProfiles = [...]string{"us.", "us-gov.", "eu.", "apac.", "jp.", "au.", "ca.", "global."}

// Serves tells whether providers of the type serve models of that name, going
// by the name's beginning.
func Serves(providerType, model string) bool {
	longest, serves := 0, false
	for _, family := range families {
		for _, prefix := range family.prefixes {
			if len(prefix) > longest && strings.HasPrefix(model, prefix) {
				longest = len(prefix)
				serves = slices.Contains(family.types, providerType)
			}
		}
	}
	return serves
}
