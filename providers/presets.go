package providers

import "github.com/caddyllm/llmproxy/transform"

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
	// Vendor is set where answers have opaque pieces that the vendor takes back.
	Vendor transform.Vendor
	// UsageUnasked: streams report their usage without stream_options, which
	// some of these vendors refuse.
	UsageUnasked bool
	// Remove and Rename are as of Edits: only what the vendor answers with an
	// error, or what it would ignore to the client's harm.
	Remove []string
	Rename map[string]string
}

// presets are the modules made of OpenAICompatible.
var presets = []preset{
	{Name: "openai_compatible", Keyless: true},
	{Name: "openai", BaseURL: "https://api.openai.com/v1", Env: []string{"OPENAI_API_KEY"}, Vendor: transform.VendorOpenAI},
	{Name: "groq", BaseURL: "https://api.groq.com/openai/v1", Env: []string{"GROQ_API_KEY"}, Remove: []string{"logprobs", "top_logprobs", "logit_bias"}},
	{Name: "deepseek", BaseURL: "https://api.deepseek.com", Env: []string{"DEEPSEEK_API_KEY"}},
	{Name: "mistral", BaseURL: "https://api.mistral.ai/v1", Env: []string{"MISTRAL_API_KEY"}, UsageUnasked: true, Remove: []string{"stream_options", "logprobs", "top_logprobs", "logit_bias", "user", "store", "verbosity", "safety_identifier"}, Rename: map[string]string{"seed": "random_seed", "max_completion_tokens": "max_tokens"}},
	{Name: "xai", BaseURL: "https://api.x.ai/v1", Env: []string{"XAI_API_KEY"}},
	{Name: "together", BaseURL: "https://api.together.xyz/v1", Env: []string{"TOGETHER_API_KEY"}},
	{Name: "fireworks", BaseURL: "https://api.fireworks.ai/inference/v1", Env: []string{"FIREWORKS_API_KEY"}},
	{Name: "openrouter", BaseURL: "https://openrouter.ai/api/v1", Env: []string{"OPENROUTER_API_KEY"}},
	{Name: "perplexity", BaseURL: "https://api.perplexity.ai", Env: []string{"PERPLEXITY_API_KEY"}, UsageUnasked: true, Remove: []string{"tools", "tool_choice", "n", "stop", "seed", "logprobs", "parallel_tool_calls"}},
	{Name: "cerebras", BaseURL: "https://api.cerebras.ai/v1", Env: []string{"CEREBRAS_API_KEY"}, Remove: []string{"frequency_penalty", "presence_penalty", "logit_bias"}},
	{Name: "nvidia", BaseURL: "https://integrate.api.nvidia.com/v1", Env: []string{"NVIDIA_API_KEY"}},
	{Name: "sambanova", BaseURL: "https://api.sambanova.ai/v1", Env: []string{"SAMBANOVA_API_KEY"}, Remove: []string{"frequency_penalty", "presence_penalty", "logprobs", "top_logprobs", "logit_bias", "seed"}},
	{Name: "deepinfra", BaseURL: "https://api.deepinfra.com/v1/openai", Env: []string{"DEEPINFRA_API_KEY", "DEEPINFRA_TOKEN"}},
	{Name: "hyperbolic", BaseURL: "https://api.hyperbolic.xyz/v1", Env: []string{"HYPERBOLIC_API_KEY"}},
	{Name: "novita", BaseURL: "https://api.novita.ai/openai", Env: []string{"NOVITA_API_KEY"}},
	{Name: "siliconflow", BaseURL: "https://api.siliconflow.com/v1", Env: []string{"SILICONFLOW_API_KEY"}, UsageUnasked: true},
	{Name: "siliconflow-cn", BaseURL: "https://api.siliconflow.cn/v1", Env: []string{"SILICONFLOW_CN_API_KEY"}, UsageUnasked: true},
	{Name: "moonshot", BaseURL: "https://api.moonshot.ai/v1", Env: []string{"MOONSHOT_API_KEY"}},
	{Name: "moonshot-cn", BaseURL: "https://api.moonshot.cn/v1", Env: []string{"MOONSHOT_API_KEY"}},
	{Name: "zai", BaseURL: "https://api.z.ai/api/paas/v4", Env: []string{"ZAI_API_KEY", "ZHIPU_API_KEY"}, UsageUnasked: true, Rename: map[string]string{"user": "user_id"}},
	{Name: "zhipu", BaseURL: "https://open.bigmodel.cn/api/paas/v4", Env: []string{"ZHIPU_API_KEY"}, UsageUnasked: true, Rename: map[string]string{"user": "user_id"}},
	{Name: "dashscope", BaseURL: "https://dashscope-intl.aliyuncs.com/compatible-mode/v1", Env: []string{"DASHSCOPE_API_KEY", "ALIBABA_API_KEY"}},
	{Name: "dashscope-cn", BaseURL: "https://dashscope.aliyuncs.com/compatible-mode/v1", Env: []string{"DASHSCOPE_API_KEY"}},
	{Name: "dashscope-us", BaseURL: "https://dashscope-us.aliyuncs.com/compatible-mode/v1", Env: []string{"DASHSCOPE_API_KEY"}},
	{Name: "minimax", BaseURL: "https://api.minimax.io/v1", Env: []string{"MINIMAX_API_KEY"}},
	{Name: "volcengine", BaseURL: "https://ark.cn-beijing.volces.com/api/v3", Env: []string{"ARK_API_KEY"}},
	{Name: "byteplus", BaseURL: "https://ark.ap-southeast.bytepluses.com/api/v3", Env: []string{"BYTEPLUS_API_KEY", "ARK_API_KEY"}},
	{Name: "github", BaseURL: "https://models.github.ai/inference", Env: []string{"GITHUB_TOKEN"}},
	{Name: "huggingface", BaseURL: "https://router.huggingface.co/v1", Env: []string{"HF_TOKEN", "HUGGINGFACE_API_KEY"}},
	{Name: "cloudflare", BaseURL: "https://api.cloudflare.com/client/v4/accounts/{env.CLOUDFLARE_ACCOUNT_ID}/ai/v1", Env: []string{"CLOUDFLARE_API_TOKEN", "CLOUDFLARE_API_KEY"}},
	{Name: "databricks", BaseURL: "https://{env.DATABRICKS_HOST}/serving-endpoints", Env: []string{"DATABRICKS_TOKEN"}, UsageUnasked: true},
	{Name: "nebius", BaseURL: "https://api.tokenfactory.nebius.com/v1", Env: []string{"NEBIUS_API_KEY"}},
	{Name: "vllm", BaseURL: "http://127.0.0.1:8000/v1", Env: []string{"VLLM_API_KEY"}, Keyless: true},
	{Name: "sglang", BaseURL: "http://127.0.0.1:30000/v1", Keyless: true},
	{Name: "lmstudio", BaseURL: "http://127.0.0.1:1234/v1", Env: []string{"LMSTUDIO_API_KEY"}, Keyless: true},
	{Name: "llamacpp", BaseURL: "http://127.0.0.1:8080/v1", Keyless: true},
	{Name: "ollama-v1", BaseURL: "http://127.0.0.1:11434/v1", Env: []string{"OLLAMA_API_KEY"}, Keyless: true, Rename: map[string]string{"max_completion_tokens": "max_tokens"}},
	{Name: "tgi", BaseURL: "http://127.0.0.1:8080/v1", Keyless: true},
	{Name: "localai", BaseURL: "http://127.0.0.1:8080/v1", Keyless: true},
	{Name: "jan", BaseURL: "http://127.0.0.1:1337/v1", Keyless: true},
	{Name: "baseten", BaseURL: "https://inference.baseten.co/v1", Env: []string{"BASETEN_API_KEY"}},
	{Name: "scaleway", BaseURL: "https://api.scaleway.ai/v1", Env: []string{"SCALEWAY_API_KEY"}},
	{Name: "vercel", BaseURL: "https://ai-gateway.vercel.sh/v1", Env: []string{"AI_GATEWAY_API_KEY"}},
	{Name: "stepfun", BaseURL: "https://api.stepfun.com/v1", Env: []string{"STEPFUN_API_KEY"}},
	{Name: "upstage", BaseURL: "https://api.upstage.ai/v1/solar", Env: []string{"UPSTAGE_API_KEY"}},
	{Name: "wandb", BaseURL: "https://api.inference.wandb.ai/v1", Env: []string{"WANDB_API_KEY"}},
	{Name: "friendli", BaseURL: "https://api.friendli.ai/serverless/v1", Env: []string{"FRIENDLI_TOKEN"}},
	{Name: "parasail", BaseURL: "https://api.parasail.io/v1", Env: []string{"PARASAIL_API_KEY"}},
	{Name: "gemini-compat", BaseURL: "https://generativelanguage.googleapis.com/v1beta/openai", Env: []string{"GEMINI_API_KEY"}},
}
