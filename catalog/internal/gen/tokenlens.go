package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/caddyllm/llmproxy/catalog"
)

// tokenLensKinds are our types of providers behind models.dev's names.
var tokenLensKinds = map[string]string{
	"alibaba": "dashscope", "alibaba-cn": "dashscope-cn", "amazon-bedrock": "bedrock", "anthropic": "anthropic", "azure": "azure_openai",
	"baseten": "baseten", "cerebras": "cerebras", "cloudflare-workers-ai": "cloudflare", "deepinfra": "deepinfra", "deepseek": "deepseek",
	"fireworks-ai": "fireworks", "github-models": "github", "google": "gemini", "google-vertex": "vertex", "google-vertex-anthropic": "vertex",
	"groq": "groq", "huggingface": "huggingface", "mistral": "mistral", "moonshotai": "moonshot", "moonshotai-cn": "moonshot-cn", "nvidia": "nvidia",
	"openai": "openai", "openrouter": "openrouter", "perplexity": "perplexity", "togetherai": "together", "upstage": "upstage", "vercel": "vercel",
	"wandb": "wandb", "xai": "xai", "zai": "zai", "zhipuai": "zhipu",
}

// readTokenLens reads a JavaScript file per provider, which has models.dev's shape.
func readTokenLens(dir string, into *source) error {
	for file, kind := range tokenLensKinds {
		source, err := os.ReadFile(filepath.Join(dir, "dist/providers", file+".js")) //nolint:gosec // unpacked by this program
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s is gone", file)
		}
		if err != nil {
			return err
		}
		text, err := literalAfter(string(source), " = {", "models")
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		var provider struct {
			Models map[string]struct {
				ID         string
				Reasoning  bool
				ToolCall   bool `json:"tool_call"`
				Structured bool `json:"structured_output"`
				Modalities struct{ Input, Output []string }
				Cost       struct {
					Input, Output, Reasoning json.Number
					CacheRead                json.Number `json:"cache_read"`
					CacheWrite               json.Number `json:"cache_write"`
					InputAudio               json.Number `json:"input_audio"`
					OutputAudio              json.Number `json:"output_audio"`
				}
				Limit struct{ Context, Output int64 }
			}
		}
		if err := json.Unmarshal(text, &provider); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		for name, m := range provider.Models {
			found := &catalog.Model{ContextWindow: m.Limit.Context, MaxOutput: m.Limit.Output}
			if found.MaxOutput >= found.ContextWindow {
				found.MaxOutput = 0
			}
			for capability, known := range map[catalog.Capabilities]bool{
				catalog.Tools: m.ToolCall, catalog.Thinking: m.Reasoning, catalog.Schemas: m.Structured,
				catalog.ImageInput: slices.Contains(m.Modalities.Input, "image"), catalog.AudioInput: slices.Contains(m.Modalities.Input, "audio"),
				catalog.VideoInput: slices.Contains(m.Modalities.Input, "video"), catalog.PDFInput: slices.Contains(m.Modalities.Input, "pdf"),
				catalog.ImageOutput: slices.Contains(m.Modalities.Output, "image"), catalog.AudioOutput: slices.Contains(m.Modalities.Output, "audio"),
			} {
				if known {
					found.Can |= capability
				}
			}
			found.Price.Rates = catalog.Rates{
				Input: rate(m.Cost.Input), Output: rate(m.Cost.Output), CacheRead: rate(m.Cost.CacheRead), CacheWrite: rate(m.Cost.CacheWrite),
				AudioInput: rate(m.Cost.InputAudio), AudioOutput: rate(m.Cost.OutputAudio), Reasoning: rate(m.Cost.Reasoning),
			}
			if isFree(name) && !found.Price.Known() {
				found.Price.Input, found.Price.Output = catalog.Free, catalog.Free
			}
			into.add(kind, name, found)
		}
	}
	return nil
}
