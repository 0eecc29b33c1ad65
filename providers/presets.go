package providers

import (
	"strings"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/transform/openai"
)

// preset is a vendor whose API is OpenAI's Chat Completions, as data: what
// differs is listed here and nowhere else.
type preset struct {
	// Name is the provider type in a config.
	Name string
	// BaseURL is the vendor's public API, or where its server usually listens.
	// Placeholders are resolved as those of a config are.
	BaseURL string
	// Env are the variables that usually hold the key; the first that is set wins.
	Env []string
	// Keyless: the server usually needs no key.
	Keyless bool
	// Vendor is set where answers have opaque pieces that the vendor takes back,
	// Vendors where that goes by what the model's name begins with.
	Vendor  transform.Vendor
	Vendors []vendorPrefix
	// Responses is what the vendor has of OpenAI's other API.
	Responses responsesLevel
	// Profile is how requests and answers differ; nil: not at all. Of requests
	// that are passed on, its Remove and Rename change the top-level members.
	Profile *openai.Profile
}

// vendorPrefix tells whose models have names that begin so.
type vendorPrefix struct {
	Prefix string
	Vendor transform.Vendor
}

// vendorOf says who reads the opaque pieces of a model's answers.
func (p *preset) vendorOf(model string) transform.Vendor {
	for i := range p.Vendors {
		if strings.HasPrefix(model, p.Vendors[i].Prefix) {
			return p.Vendors[i].Vendor
		}
	}
	return p.Vendor
}

// What several vendors have in common.
const (
	completionTokens = "max_completion_tokens"
	reasoningContent = "reasoning_content"
)

var (
	// routed are the models whose makers' signatures a router passes on.
	routed = []vendorPrefix{{"anthropic/", transform.VendorAnthropic}, {"google/", transform.VendorGoogle}}

	// Words for efforts of vendors that know fewer than OpenAI has.
	threeEfforts = map[string]string{"minimal": "low", "xhigh": "high", "max": "high"}

	compatible = &openai.Profile{}
	// tagged is for servers that may leave reasoning in the text.
	tagged = &openai.Profile{ThinkTags: true}
	// unknown is for servers of which nothing is known: what all of them take.
	unknown = &openai.Profile{
		Only: []string{
			"model", "messages", "max_tokens", "temperature", "top_p", "stop", "stream", "stream_options",
			"tools", "tool_choice", "response_format", "seed",
		},
		NoStrict: true, ThinkTags: true,
	}
	siliconflow = &openai.Profile{UsageUnasked: true}
	moonshot    = &openai.Profile{
		TemperatureMax: 1, Choice: openai.ChoiceNotRequired, Images: openai.ImagesData, Prefill: "partial",
		Reasoning: reasoningContent, ReasoningRequired: true,
		Efforts: map[string]string{"minimal": "low", "medium": "high", "xhigh": "max"},
		// These fix what others let choose.
		Models: []openai.ModelRule{{
			Models: []string{"kimi-k2.5*", "kimi-k2.6*", "kimi-k3*"},
			Remove: []string{"temperature", "top_p", "n", "presence_penalty", "frequency_penalty"},
		}},
	}
	zai = &openai.Profile{
		UsageUnasked: true, Rename: map[string]string{"user": "user_id"}, Single: true, Stops: 1,
		TemperatureMax: 1, TemperatureAboveZero: true, Effort: openai.EffortThinking,
		Schema: openai.SchemaObject, Choice: openai.ChoiceAuto,
	}
	dashscope  = &openai.Profile{Effort: openai.EffortEnable, Reasoning: reasoningContent}
	volcengine = &openai.Profile{Effort: openai.EffortThinking}
)

// presets are the modules made of OpenAICompatible.
var presets = []preset{
	{Name: "openai_compatible", Keyless: true, Profile: unknown},
	{Name: "openai", BaseURL: "https://api.openai.com/v1", Env: []string{"OPENAI_API_KEY"}, Vendor: transform.VendorOpenAI, Responses: prefersResponses},
	{Name: "groq", BaseURL: "https://api.groq.com/openai/v1", Env: []string{"GROQ_API_KEY"}, Profile: &openai.Profile{
		MaxTokens: completionTokens, Remove: []string{"logprobs", "top_logprobs", "logit_bias"}, Single: true, Efforts: threeEfforts,
		NoNames: true, NoDetail: true, ThinkTags: true,
	}},
	{Name: "deepseek", BaseURL: "https://api.deepseek.com", Env: []string{"DEEPSEEK_API_KEY"}, Profile: &openai.Profile{
		Schema: openai.SchemaObject, Single: true, Stops: 16, Images: openai.ImagesNone, NoStrict: true,
		Reasoning: reasoningContent, ReasoningRequired: true,
		Efforts: map[string]string{"minimal": "low", "medium": "high", "xhigh": "max"},
	}},
	{Name: "mistral", BaseURL: "https://api.mistral.ai/v1", Env: []string{"MISTRAL_API_KEY"}, Profile: &openai.Profile{
		Format: transform.Mistral, UsageUnasked: true,
		Remove:  []string{"stream_options", "logprobs", "top_logprobs", "logit_bias", "user", "store", "verbosity", "safety_identifier"},
		Rename:  map[string]string{"seed": "random_seed", completionTokens: "max_tokens"},
		Keep:    []string{"random_seed", "safe_prompt", "prompt_mode", "prediction", "metadata", "prompt_cache_key", "service_tier"},
		Efforts: map[string]string{"max": "xhigh"},
		ToolIDs: 9, Documents: true, PlainAudio: true, Prefill: "prefix", Dimensions: "output_dimension",
	}},
	{Name: "xai", BaseURL: "https://api.x.ai/v1", Env: []string{"XAI_API_KEY"}, Responses: hasResponses, Profile: &openai.Profile{
		MaxTokens: completionTokens,
		Models: []openai.ModelRule{
			{Models: []string{"*non-reasoning*"}},
			{Models: []string{"grok-3-mini*", "grok-4*", "grok-5*", "grok-code*"}, Remove: []string{"stop", "presence_penalty", "frequency_penalty"}},
		},
	}},
	{Name: "together", BaseURL: "https://api.together.xyz/v1", Env: []string{"TOGETHER_API_KEY"}, Profile: tagged},
	{Name: "fireworks", BaseURL: "https://api.fireworks.ai/inference/v1", Env: []string{"FIREWORKS_API_KEY"},
		Profile: &openai.Profile{Reasoning: reasoningContent}},
	{Name: "openrouter", BaseURL: "https://openrouter.ai/api/v1", Env: []string{"OPENROUTER_API_KEY"}, Vendors: routed, Profile: &openai.Profile{
		Effort: openai.EffortNested, Reasoning: "reasoning_details",
		Keep: []string{"provider", "models", "transforms", "plugins", "verbosity"},
	}},
	{Name: "perplexity", BaseURL: "https://api.perplexity.ai", Env: []string{"PERPLEXITY_API_KEY"}, Profile: &openai.Profile{
		UsageUnasked: true, Remove: []string{"tools", "tool_choice", "n", "stop", "seed", "logprobs", "parallel_tool_calls"},
		Keep:      []string{"web_search_options", "search_mode", "search_domain_filter", "search_recency_filter", "return_images", "return_related_questions"},
		Alternate: true, Efforts: threeEfforts, ThinkTags: true,
	}},
	{Name: "cerebras", BaseURL: "https://api.cerebras.ai/v1", Env: []string{"CEREBRAS_API_KEY"}, Profile: &openai.Profile{
		MaxTokens: completionTokens, Remove: []string{"frequency_penalty", "presence_penalty", "logit_bias"}, Single: true,
		Reasoning: "reasoning", Efforts: threeEfforts,
	}},
	{Name: "nvidia", BaseURL: "https://integrate.api.nvidia.com/v1", Env: []string{"NVIDIA_API_KEY"}, Profile: tagged},
	{Name: "sambanova", BaseURL: "https://api.sambanova.ai/v1", Env: []string{"SAMBANOVA_API_KEY"}, Profile: &openai.Profile{
		Remove: []string{"frequency_penalty", "presence_penalty", "logprobs", "top_logprobs", "logit_bias", "seed"}, Single: true, ThinkTags: true,
	}},
	{Name: "deepinfra", BaseURL: "https://api.deepinfra.com/v1/openai", Env: []string{"DEEPINFRA_API_KEY", "DEEPINFRA_TOKEN"}, Profile: compatible},
	{Name: "hyperbolic", BaseURL: "https://api.hyperbolic.xyz/v1", Env: []string{"HYPERBOLIC_API_KEY"}, Profile: tagged},
	{Name: "novita", BaseURL: "https://api.novita.ai/openai", Env: []string{"NOVITA_API_KEY"}, Profile: compatible},
	{Name: "siliconflow", BaseURL: "https://api.siliconflow.com/v1", Env: []string{"SILICONFLOW_API_KEY"}, Profile: siliconflow},
	{Name: "siliconflow-cn", BaseURL: "https://api.siliconflow.cn/v1", Env: []string{"SILICONFLOW_CN_API_KEY"}, Profile: siliconflow},
	{Name: "moonshot", BaseURL: "https://api.moonshot.ai/v1", Env: []string{"MOONSHOT_API_KEY"}, Profile: moonshot},
	{Name: "moonshot-cn", BaseURL: "https://api.moonshot.cn/v1", Env: []string{"MOONSHOT_API_KEY"}, Profile: moonshot},
	{Name: "zai", BaseURL: "https://api.z.ai/api/paas/v4", Env: []string{"ZAI_API_KEY", "ZHIPU_API_KEY"}, Profile: zai},
	{Name: "zhipu", BaseURL: "https://open.bigmodel.cn/api/paas/v4", Env: []string{"ZHIPU_API_KEY"}, Profile: zai},
	{Name: "dashscope", BaseURL: "https://dashscope-intl.aliyuncs.com/compatible-mode/v1", Env: []string{"DASHSCOPE_API_KEY", "ALIBABA_API_KEY"},
		Profile: dashscope},
	{Name: "dashscope-cn", BaseURL: "https://dashscope.aliyuncs.com/compatible-mode/v1", Env: []string{"DASHSCOPE_API_KEY"}, Profile: dashscope},
	{Name: "dashscope-us", BaseURL: "https://dashscope-us.aliyuncs.com/compatible-mode/v1", Env: []string{"DASHSCOPE_API_KEY"}, Profile: dashscope},
	{Name: "minimax", BaseURL: "https://api.minimax.io/v1", Env: []string{"MINIMAX_API_KEY"}, Profile: &openai.Profile{
		TemperatureMax: 1, TemperatureAboveZero: true, Single: true, Reasoning: "reasoning_details", ThinkTags: true,
		Extra: []transform.Member{{Name: "reasoning_split", Value: jsonbytes.Value("true")}},
	}},
	{Name: "volcengine", BaseURL: "https://ark.cn-beijing.volces.com/api/v3", Env: []string{"ARK_API_KEY"}, Profile: volcengine},
	{Name: "byteplus", BaseURL: "https://ark.ap-southeast.bytepluses.com/api/v3", Env: []string{"BYTEPLUS_API_KEY", "ARK_API_KEY"}, Profile: volcengine},
	{Name: "github", BaseURL: "https://models.github.ai/inference", Env: []string{"GITHUB_TOKEN"}, Profile: compatible},
	{Name: "huggingface", BaseURL: "https://router.huggingface.co/v1", Env: []string{"HF_TOKEN", "HUGGINGFACE_API_KEY"}, Profile: compatible},
	{Name: "cloudflare", BaseURL: "https://api.cloudflare.com/client/v4/accounts/{env.CLOUDFLARE_ACCOUNT_ID}/ai/v1", Env: []string{"CLOUDFLARE_API_TOKEN", "CLOUDFLARE_API_KEY"},
		Profile: &openai.Profile{EmptyContent: true, ThinkTags: true}},
	{Name: "databricks", BaseURL: "https://{env.DATABRICKS_HOST}/serving-endpoints", Env: []string{"DATABRICKS_TOKEN"},
		Profile: &openai.Profile{UsageUnasked: true, Remove: []string{"parallel_tool_calls", "store"}, NoStrict: true}},
	{Name: "nebius", BaseURL: "https://api.tokenfactory.nebius.com/v1", Env: []string{"NEBIUS_API_KEY"}, Profile: compatible},
	{Name: "vllm", BaseURL: "http://127.0.0.1:8000/v1", Env: []string{"VLLM_API_KEY"}, Keyless: true, Profile: tagged},
	{Name: "sglang", BaseURL: "http://127.0.0.1:30000/v1", Keyless: true, Profile: tagged},
	{Name: "lmstudio", BaseURL: "http://127.0.0.1:1234/v1", Env: []string{"LMSTUDIO_API_KEY"}, Keyless: true,
		Profile: &openai.Profile{NoJSONObject: true, Images: openai.ImagesData, ThinkTags: true}},
	{Name: "llamacpp", BaseURL: "http://127.0.0.1:8080/v1", Keyless: true, Profile: tagged},
	{Name: "ollama-v1", BaseURL: "http://127.0.0.1:11434/v1", Env: []string{"OLLAMA_API_KEY"}, Keyless: true, Profile: &openai.Profile{
		Rename: map[string]string{completionTokens: "max_tokens"}, Single: true, Choice: openai.ChoiceAuto, Images: openai.ImagesData,
		Reasoning: "reasoning", Efforts: map[string]string{"minimal": "low", "xhigh": "max"}, ThinkTags: true,
	}},
	{Name: "tgi", BaseURL: "http://127.0.0.1:8080/v1", Keyless: true, Profile: &openai.Profile{Schema: openai.SchemaValue}},
	{Name: "localai", BaseURL: "http://127.0.0.1:8080/v1", Keyless: true, Profile: tagged},
	{Name: "jan", BaseURL: "http://127.0.0.1:1337/v1", Keyless: true, Profile: tagged},
	{Name: "baseten", BaseURL: "https://inference.baseten.co/v1", Env: []string{"BASETEN_API_KEY"}, Profile: compatible},
	{Name: "scaleway", BaseURL: "https://api.scaleway.ai/v1", Env: []string{"SCALEWAY_API_KEY"}, Profile: compatible},
	{Name: "vercel", BaseURL: "https://ai-gateway.vercel.sh/v1", Env: []string{"AI_GATEWAY_API_KEY"}, Profile: compatible},
	{Name: "stepfun", BaseURL: "https://api.stepfun.com/v1", Env: []string{"STEPFUN_API_KEY"}, Profile: compatible},
	{Name: "upstage", BaseURL: "https://api.upstage.ai/v1/solar", Env: []string{"UPSTAGE_API_KEY"}, Profile: compatible},
	{Name: "wandb", BaseURL: "https://api.inference.wandb.ai/v1", Env: []string{"WANDB_API_KEY"}, Profile: compatible},
	{Name: "friendli", BaseURL: "https://api.friendli.ai/serverless/v1", Env: []string{"FRIENDLI_TOKEN"}, Profile: compatible},
	{Name: "parasail", BaseURL: "https://api.parasail.io/v1", Env: []string{"PARASAIL_API_KEY"}, Profile: compatible},
	{Name: "gemini-compat", BaseURL: "https://generativelanguage.googleapis.com/v1beta/openai", Env: []string{"GEMINI_API_KEY"}, Vendor: transform.VendorGoogle,
		Profile: &openai.Profile{Efforts: threeEfforts}},
}
