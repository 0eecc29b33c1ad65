package transform_test

import (
	"fmt"
	"strings"

	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/transform/anthropic"
	"github.com/caddyllm/llmproxy/transform/cohere"
	"github.com/caddyllm/llmproxy/transform/converse"
	"github.com/caddyllm/llmproxy/transform/gemini"
	"github.com/caddyllm/llmproxy/transform/ollama"
	"github.com/caddyllm/llmproxy/transform/openai"
	"github.com/caddyllm/llmproxy/transform/responses"
)

// client is a format that clients speak, and how they ask in it.
type client struct {
	name  string
	codec transform.ClientCodec
	ask   func([]step) []byte
}

var clients = []client{
	{"openai", openai.Codec{}, askChat},
	{"responses", responses.Codec{}, askResponses},
	{"anthropic", anthropic.Codec{}, askMessages},
	{"gemini", gemini.Codec{}, askGemini},
}

// provider is a format that providers speak, and what they answer in it.
type provider struct {
	name  string
	codec transform.ProviderCodec
	to    transform.Target
	// list is the member that holds the conversation.
	list   string
	answer string
	stream func(words int) []event
}

// event is one of a provider's stream.
type event struct{ name, data string }

var mistral = openai.Codec{Profile: &openai.Profile{
	Format: transform.Mistral, UsageUnasked: true, Remove: []string{"stream_options", "user", "logprobs"},
	Rename: map[string]string{"seed": "random_seed"}, ToolIDs: 9, Documents: true, PlainAudio: true, Prefill: "prefix",
}}

var providers = []provider{
	{"openai", openai.Codec{}, transform.Target{Model: "gpt-5-mini", Vendor: transform.VendorOpenAI}, "messages", chatAnswer, chatStream},
	{"responses", responses.Codec{}, transform.Target{Model: "gpt-5-mini", Vendor: transform.VendorOpenAI}, "input", responsesAnswer, responsesStream},
	{"anthropic", anthropic.Codec{}, transform.Target{Model: "claude-sonnet-4-5", Vendor: transform.VendorAnthropic}, "messages", messagesAnswer, messagesStream},
	{"gemini", gemini.Codec{}, transform.Target{Model: "gemini-2.5-flash", Vendor: transform.VendorGoogle}, "contents", geminiAnswer, geminiStream},
	{"converse", converse.Codec{}, transform.Target{Model: "us.amazon.nova-pro-v1:0", Vendor: transform.VendorAmazon}, "messages", converseAnswer, converseStream},
	{"cohere", cohere.Codec{}, transform.Target{Model: "command-a-03-2025"}, "messages", cohereAnswer, cohereStream},
	{"mistral", mistral, transform.Target{Model: "mistral-large-latest"}, "messages", chatAnswer, chatStream},
	{"ollama", ollama.Codec{}, transform.Target{Model: "qwen3:8b"}, "messages", ollamaAnswer, ollamaStream},
}

// step is one message of a conversation: what the user said, what the model
// said and called, or what its tools gave.
type step struct {
	kind  string // user, model, results
	text  string
	calls []string // ids of calls, or of the calls that are answered
}

// conversation is one of n steps, in which every third question needs two tools.
func conversation(n int) []step {
	var list []step
	for i := 0; len(list) < n; i++ {
		id := func(tool string) string { return fmt.Sprintf("call_%s%06d", tool, i) }
		list = append(list, step{kind: "user", text: fmt.Sprintf("Question %d: how warm is it in \"Zürich\"?\nPlease be brief, and say where you have it from.", i)})
		if i%3 == 2 {
			list = append(list, step{kind: "model", text: "I look at both.", calls: []string{id("a"), id("b")}}, step{kind: "results", calls: []string{id("a"), id("b")}})
		} else {
			list = append(list, step{kind: "model", calls: []string{id("a")}}, step{kind: "results", calls: []string{id("a")}})
		}
		list = append(list, step{kind: "model", text: fmt.Sprintf("It is %d degrees, as the weather station at the lake says.", i)})
	}
	return list[:n]
}

const (
	systemText = `You are a terse assistant.\nAnswer with facts only.`
	schemaText = `{"type":"object","properties":{"city":{"type":"string","description":"The city"},"unit":{"type":"string","enum":["c","f"]}},"required":["city"]}`
	arguments  = `{"city":"Zürich","unit":"c"}`
	resultText = `21 degrees, \"sunny\"`
)

// toolNames are those of the two tools; the ids of their calls tell which is meant.
var toolNames = []string{"weather", "station"}

func toolOf(id string) string {
	if strings.HasPrefix(id, "call_b") {
		return toolNames[1]
	}
	return toolNames[0]
}

func quote(s string) string { return string(transform.Quote(s)) }

// each joins what is written for the elements of a list.
func each[T any](list []T, write func(T) string) string {
	var out []string
	for _, v := range list {
		out = append(out, write(v))
	}
	return strings.Join(out, ",")
}

func askChat(list []step) []byte {
	messages := each(list, func(s step) string {
		switch {
		case s.kind == "user":
			return `{"role":"user","content":` + quote(s.text) + `}`
		case s.kind == "results":
			return each(s.calls, func(id string) string {
				return `{"role":"tool","tool_call_id":"` + id + `","content":"` + resultText + `"}`
			})
		case s.calls == nil:
			return `{"role":"assistant","content":` + quote(s.text) + `}`
		}
		return `{"role":"assistant","content":` + quote(s.text) + `,"tool_calls":[` + each(s.calls, func(id string) string {
			return `{"id":"` + id + `","type":"function","function":{"name":"` + toolOf(id) + `","arguments":` + quote(arguments) + `}}`
		}) + `]}`
	})
	tools := each(toolNames, func(name string) string {
		return `{"type":"function","function":{"name":"` + name + `","description":"Looks up the ` + name + `.","parameters":` + schemaText + `}}`
	})
	return []byte(`{"model":"m","max_completion_tokens":1000,"messages":[{"role":"system","content":"` + systemText + `"},` + messages +
		`],"tools":[` + tools + `],"tool_choice":"auto","stream":true,"stream_options":{"include_usage":true}}`)
}

func askResponses(list []step) []byte {
	items := each(list, func(s step) string {
		switch {
		case s.kind == "user":
			return `{"role":"user","content":[{"type":"input_text","text":` + quote(s.text) + `}]}`
		case s.kind == "results":
			return each(s.calls, func(id string) string {
				return `{"type":"function_call_output","call_id":"` + id + `","output":"` + resultText + `"}`
			})
		}
		var items []string
		if s.text != "" {
			items = append(items, `{"type":"message","role":"assistant","content":[{"type":"output_text","text":`+quote(s.text)+`,"annotations":[]}]}`)
		}
		for _, id := range s.calls {
			items = append(items, `{"type":"function_call","call_id":"`+id+`","name":"`+toolOf(id)+`","arguments":`+quote(arguments)+`}`)
		}
		return strings.Join(items, ",")
	})
	tools := each(toolNames, func(name string) string {
		return `{"type":"function","name":"` + name + `","description":"Looks up the ` + name + `.","parameters":` + schemaText + `,"strict":false}`
	})
	return []byte(`{"model":"m","max_output_tokens":1000,"instructions":"` + systemText + `","input":[` + items + `],"tools":[` + tools + `],"tool_choice":"auto","store":false,"stream":true}`)
}

func askMessages(list []step) []byte {
	messages := each(list, func(s step) string {
		var blocks []string
		if s.text != "" {
			blocks = append(blocks, `{"type":"text","text":`+quote(s.text)+`}`)
		}
		for _, id := range s.calls {
			if s.kind == "results" {
				blocks = append(blocks, `{"type":"tool_result","tool_use_id":"`+id+`","content":"`+resultText+`"}`)
			} else {
				blocks = append(blocks, `{"type":"tool_use","id":"`+id+`","name":"`+toolOf(id)+`","input":`+arguments+`}`)
			}
		}
		role := "user"
		if s.kind == "model" {
			role = "assistant"
		}
		return `{"role":"` + role + `","content":[` + strings.Join(blocks, ",") + `]}`
	})
	tools := each(toolNames, func(name string) string {
		return `{"name":"` + name + `","description":"Looks up the ` + name + `.","input_schema":` + schemaText + `}`
	})
	return []byte(`{"model":"m","max_tokens":1000,"system":"` + systemText + `","messages":[` + messages + `],"tools":[` + tools + `],"tool_choice":{"type":"auto"},"stream":true}`)
}

func askGemini(list []step) []byte {
	contents := each(list, func(s step) string {
		var parts []string
		if s.text != "" {
			parts = append(parts, `{"text":`+quote(s.text)+`}`)
		}
		for _, id := range s.calls {
			if s.kind == "results" {
				parts = append(parts, `{"functionResponse":{"name":"`+toolOf(id)+`","response":{"output":"`+resultText+`"}}}`)
			} else {
				parts = append(parts, `{"functionCall":{"name":"`+toolOf(id)+`","args":`+arguments+`}}`)
			}
		}
		role := "user"
		if s.kind == "model" {
			role = "model"
		}
		return `{"role":"` + role + `","parts":[` + strings.Join(parts, ",") + `]}`
	})
	tools := each(toolNames, func(name string) string {
		return `{"name":"` + name + `","description":"Looks up the ` + name + `.","parametersJsonSchema":` + schemaText + `}`
	})
	return []byte(`{"systemInstruction":{"parts":[{"text":"` + systemText + `"}]},"contents":[` + contents + `],"tools":[{"functionDeclarations":[` + tools +
		`]}],"toolConfig":{"functionCallingConfig":{"mode":"AUTO"}},"generationConfig":{"maxOutputTokens":1000}}`)
}

const answerText = `It is 21 degrees in Zürich.\nThe station at the lake says so; others may differ by a degree or two.`

const (
	chatAnswer = `{"id":"chatcmpl-1","object":"chat.completion","created":1750000000,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"` + answerText +
		`","tool_calls":[{"id":"call_a000009","type":"function","function":{"name":"weather","arguments":"{\"city\":\"Bern\"}"}}]},"logprobs":null,"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":100,"completion_tokens":20,"total_tokens":120}}`
	responsesAnswer = `{"id":"resp_1","object":"response","created_at":1750000000,"status":"completed","model":"m","output":[{"type":"message","id":"msg_1","status":"completed","role":"assistant","content":[{"type":"output_text","text":"` + answerText +
		`","annotations":[]}]},{"type":"function_call","id":"fc_1","call_id":"call_a000009","name":"weather","arguments":"{\"city\":\"Bern\"}","status":"completed"}],"usage":{"input_tokens":100,"output_tokens":20,"total_tokens":120}}`
	messagesAnswer = `{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"` + answerText +
		`"},{"type":"tool_use","id":"toolu_1","name":"weather","input":{"city":"Bern"}}],"stop_reason":"tool_use","stop_sequence":null,"usage":{"input_tokens":100,"output_tokens":20}}`
	geminiAnswer = `{"candidates":[{"content":{"role":"model","parts":[{"text":"` + answerText +
		`"},{"functionCall":{"name":"weather","args":{"city":"Bern"}}}]},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":100,"candidatesTokenCount":20,"totalTokenCount":120},"modelVersion":"m","responseId":"r"}`
	converseAnswer = `{"output":{"message":{"role":"assistant","content":[{"text":"` + answerText +
		`"},{"toolUse":{"toolUseId":"t1","name":"weather","input":{"city":"Bern"}}}]}},"stopReason":"tool_use","usage":{"inputTokens":100,"outputTokens":20,"totalTokens":120},"metrics":{"latencyMs":9}}`
	cohereAnswer = `{"id":"c1","finish_reason":"TOOL_CALL","message":{"role":"assistant","content":[{"type":"text","text":"` + answerText +
		`"}],"tool_calls":[{"id":"c2","type":"function","function":{"name":"weather","arguments":"{\"city\":\"Bern\"}"}}]},"usage":{"billed_units":{"input_tokens":90,"output_tokens":20},"tokens":{"input_tokens":100,"output_tokens":20}}}`
	ollamaAnswer = `{"model":"m","created_at":"2025-08-20T13:48:23.48Z","message":{"role":"assistant","content":"` + answerText +
		`","tool_calls":[{"function":{"name":"weather","arguments":{"city":"Bern"}}}]},"done":true,"done_reason":"stop","prompt_eval_count":100,"eval_count":20}`
)

// argumentPieces are the arguments of the call that ends every stream.
var argumentPieces = []string{`{`, `"city":`, ` "Bern`, `"}`}

func word(i int) string { return fmt.Sprintf(" word%d", i) }

// named makes events of data whose type is their name.
func named(list []string) []event {
	events := make([]event, 0, len(list))
	for _, data := range list {
		_, name, _ := strings.Cut(data, `"type":"`)
		name, _, _ = strings.Cut(name, `"`)
		events = append(events, event{name, data})
	}
	return events
}

func chatStream(words int) []event {
	chunk := func(delta, finish, more string) event {
		return event{data: `{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1750000000,"model":"m","system_fingerprint":null,"choices":[{"index":0,"delta":` + delta + `,"logprobs":null,"finish_reason":` + finish + `}]` + more + `}`}
	}
	list := []event{chunk(`{"role":"assistant","content":""}`, "null", "")}
	for i := range words {
		list = append(list, chunk(`{"content":"`+word(i)+`"}`, "null", ""))
	}
	list = append(list, chunk(`{"tool_calls":[{"index":0,"id":"call_a000009","type":"function","function":{"name":"weather","arguments":""}}]}`, "null", ""))
	for _, piece := range argumentPieces {
		list = append(list, chunk(`{"tool_calls":[{"index":0,"function":{"arguments":`+quote(piece)+`}}]}`, "null", ""))
	}
	return append(list, chunk(`{}`, `"tool_calls"`, ""),
		event{data: `{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1750000000,"model":"m","choices":[],"usage":{"prompt_tokens":100,"completion_tokens":20,"total_tokens":120}}`}, event{data: "[DONE]"})
}

func responsesStream(words int) []event {
	const skeleton = `"id":"resp_1","object":"response","created_at":1750000000,"model":"m","output":[]`
	list := []string{
		`{"type":"response.created","response":{` + skeleton + `,"status":"in_progress"},"sequence_number":0}`,
		`{"type":"response.output_item.added","item":{"type":"message","id":"msg_1","status":"in_progress","role":"assistant","content":[]},"output_index":0,"sequence_number":2}`,
		`{"type":"response.content_part.added","content_index":0,"item_id":"msg_1","output_index":0,"part":{"type":"output_text","annotations":[],"logprobs":[],"text":""},"sequence_number":3}`,
	}
	text := ""
	for i := range words {
		text += word(i)
		list = append(list, fmt.Sprintf(`{"type":"response.output_text.delta","content_index":0,"delta":"%s","item_id":"msg_1","logprobs":[],"obfuscation":"5MjKQwrDrt","output_index":0,"sequence_number":%d}`, word(i), i+4))
	}
	message := `{"type":"message","id":"msg_1","status":"completed","role":"assistant","content":[{"type":"output_text","annotations":[],"logprobs":[],"text":"` + text + `"}]}`
	call := `{"type":"function_call","id":"fc_1","call_id":"call_a000009","name":"weather","status":"completed","arguments":` + quote(strings.Join(argumentPieces, "")) + `}`
	list = append(list,
		`{"type":"response.output_text.done","content_index":0,"item_id":"msg_1","logprobs":[],"output_index":0,"text":"`+text+`"}`,
		`{"type":"response.content_part.done","content_index":0,"item_id":"msg_1","output_index":0,"part":{"type":"output_text","annotations":[],"logprobs":[],"text":"`+text+`"}}`,
		`{"type":"response.output_item.done","item":`+message+`,"output_index":0}`,
		`{"type":"response.output_item.added","item":{"type":"function_call","id":"fc_1","call_id":"call_a000009","name":"weather","status":"in_progress","arguments":""},"output_index":1}`)
	for _, piece := range argumentPieces {
		list = append(list, `{"type":"response.function_call_arguments.delta","delta":`+quote(piece)+`,"item_id":"fc_1","output_index":1}`)
	}
	list = append(list, `{"type":"response.function_call_arguments.done","arguments":`+quote(strings.Join(argumentPieces, ""))+`,"item_id":"fc_1","output_index":1}`,
		`{"type":"response.output_item.done","item":`+call+`,"output_index":1}`,
		`{"type":"response.completed","response":{`+strings.Replace(skeleton, "[]", "["+message+","+call+"]", 1)+`,"status":"completed","usage":{"input_tokens":100,"output_tokens":20,"total_tokens":120}}}`)
	return named(list)
}

func messagesStream(words int) []event {
	list := []string{
		`{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":100,"output_tokens":1}}}`,
		`{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`, `{"type":"ping"}`,
	}
	for i := range words {
		list = append(list, `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"`+word(i)+`"}}`)
	}
	list = append(list, `{"type":"content_block_stop","index":0}`, `{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"toolu_1","name":"weather","input":{}}}`)
	for _, piece := range argumentPieces {
		list = append(list, `{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":`+quote(piece)+`}}`)
	}
	return named(append(list, `{"type":"content_block_stop","index":1}`,
		`{"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":20}}`, `{"type":"message_stop"}`))
}

func geminiStream(words int) []event {
	const end = `"usageMetadata":{"promptTokenCount":100,"candidatesTokenCount":20,"totalTokenCount":120},"modelVersion":"m","responseId":"r"}`
	var list []event
	for i := range words {
		list = append(list, event{data: `{"candidates":[{"content":{"parts":[{"text":"` + word(i) + `"}],"role":"model"},"index":0}],` + end})
	}
	return append(list, event{data: `{"candidates":[{"content":{"parts":[{"functionCall":{"name":"weather","args":{"city":"Bern"}}}],"role":"model"},"finishReason":"STOP","index":0}],` + end})
}

func converseStream(words int) []event {
	list := []event{{"messageStart", `{"role":"assistant","p":"abc"}`}}
	for i := range words {
		list = append(list, event{"contentBlockDelta", `{"contentBlockIndex":0,"delta":{"text":"` + word(i) + `"},"p":"abcdefgh"}`})
	}
	list = append(list, event{"contentBlockStop", `{"contentBlockIndex":0,"p":"a"}`}, event{"contentBlockStart", `{"contentBlockIndex":1,"start":{"toolUse":{"name":"weather","toolUseId":"t1"}},"p":"a"}`})
	for _, piece := range argumentPieces {
		list = append(list, event{"contentBlockDelta", `{"contentBlockIndex":1,"delta":{"toolUse":{"input":` + quote(piece) + `}},"p":"ab"}`})
	}
	return append(list, event{"contentBlockStop", `{"contentBlockIndex":1,"p":"a"}`}, event{"messageStop", `{"stopReason":"tool_use","p":"a"}`},
		event{"metadata", `{"metrics":{"latencyMs":1},"usage":{"inputTokens":100,"outputTokens":20,"totalTokens":120},"p":"a"}`})
}

func cohereStream(words int) []event {
	list := []string{
		`{"type":"message-start","id":"c1","delta":{"message":{"role":"assistant","content":[],"tool_plan":"","tool_calls":[],"citations":[]}}}`,
		`{"type":"content-start","index":0,"delta":{"message":{"content":{"type":"text","text":""}}}}`,
	}
	for i := range words {
		list = append(list, `{"type":"content-delta","index":0,"delta":{"message":{"content":{"text":"`+word(i)+`"}}}}`)
	}
	list = append(list, `{"type":"content-end","index":0}`, `{"type":"tool-call-start","index":0,"delta":{"message":{"tool_calls":{"id":"c2","type":"function","function":{"name":"weather","arguments":""}}}}}`)
	for _, piece := range argumentPieces {
		list = append(list, `{"type":"tool-call-delta","index":0,"delta":{"message":{"tool_calls":{"function":{"arguments":`+quote(piece)+`}}}}}`)
	}
	return append(named(append(list, `{"type":"tool-call-end","index":0}`,
		`{"type":"message-end","delta":{"finish_reason":"TOOL_CALL","usage":{"billed_units":{"input_tokens":90,"output_tokens":20},"tokens":{"input_tokens":100,"output_tokens":20}}}}`)), event{data: "[DONE]"})
}

func ollamaStream(words int) []event {
	var list []event
	line := func(message, end string) {
		list = append(list, event{data: `{"model":"m","created_at":"2025-08-20T13:48:23.241046Z","message":{"role":"assistant",` + message + `},` + end + `}`})
	}
	for i := range words {
		line(`"content":"`+word(i)+`"`, `"done":false`)
	}
	line(`"content":"","tool_calls":[{"function":{"name":"weather","arguments":{"city":"Bern"}}}]`, `"done":false`)
	line(`"content":""`, `"done":true,"done_reason":"stop","prompt_eval_count":100,"eval_count":20`)
	return list
}
