package providers_test

import (
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/providers"
)

func TestProvidersAreDiscoveredByTheirUsualVariables(t *testing.T) {
	for _, test := range []struct{ name, env, want string }{
		{"nothing set", "", ""},
		{"one", "OPENAI_API_KEY=k", "openai"},
		{"several, by name", "OPENAI_API_KEY=k ANTHROPIC_API_KEY=k GROQ_API_KEY=k", "anthropic groq openai"},
		{"blank", "OPENAI_API_KEY=\t", ""},
		{"native before compatible", "GEMINI_API_KEY=k", "gemini"},
		{"second variable of a native one", "GOOGLE_API_KEY=k", "gemini"},
		{"both variables of one", "GEMINI_API_KEY=k GOOGLE_API_KEY=k", "gemini"},
		{"Cohere by either name", "CO_API_KEY=k", "cohere"},
		{"native Ollama before its twin", "OLLAMA_API_KEY=k", "ollama"},
		{"first variable before second", "ARK_API_KEY=k", "volcengine"},
		{"each its own", "ARK_API_KEY=k BYTEPLUS_API_KEY=k", "byteplus volcengine"},
		{"one variable, one provider", "ZHIPU_API_KEY=k", "zhipu"},
		{"shared by two regions", "DASHSCOPE_API_KEY=k", "dashscope"},
		{"shared by two more", "MOONSHOT_API_KEY=k", "moonshot"},
		// Its key is set on many machines for other reasons: it must not break a config.
		{"no account", "CLOUDFLARE_API_TOKEN=k", ""},
		{"account", "CLOUDFLARE_API_TOKEN=k CLOUDFLARE_ACCOUNT_ID=a", "cloudflare"},
		{"no host", "DATABRICKS_TOKEN=k", ""},
		{"no resource", "AZURE_OPENAI_API_KEY=k", ""},
		{"resource", "AZURE_OPENAI_API_KEY=k AZURE_OPENAI_ENDPOINT=https://r.openai.azure.com", "azure_openai"},
		{"nothing to do with it", "UNHEARD_OF_API_KEY=k", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			clearEnvironment(t)
			for _, set := range strings.Split(test.env, " ") {
				if name, value, ok := strings.Cut(set, "="); ok {
					t.Setenv(name, value)
				}
			}
			found := providers.Discover()
			if got := strings.Join(found, " "); got != test.want {
				t.Errorf("found %q, want %q", got, test.want)
			}
			for _, name := range found { // what is found can be used
				mustLoad(t, name, `{}`)
			}
		})
	}
}
