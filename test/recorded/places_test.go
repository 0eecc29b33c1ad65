package recorded_test

import (
	"strconv"
	"strings"
	"testing"
)

// at follows a JSON pointer.
func (n node) at(pointer string) node {
	for _, token := range strings.Split(pointer, "/")[1:] {
		token = strings.NewReplacer("~1", "/", "~0", "~").Replace(token)
		if i, err := strconv.Atoi(token); err == nil && n.isList() {
			n = n.get(i)
		} else {
			n = n.get(token)
		}
	}
	return n
}

// Whatever a loss report names stands in the client's own request, except that
// tools of Responses are strict where nothing is said.
func TestLossesNamePlacesOfTheRequest(t *testing.T) {
	named := 0
	for _, r := range asked(t) {
		t.Run(r.String(), func(t *testing.T) {
			dialect := wires[r.wire].dialect
			tree, err := parse(r.request)
			if err != nil {
				t.Fatal(err)
			}
			for _, to := range targets {
				_, lost, _ := translate(dialect, to.dialect, r.request)
				for _, pointer := range lost.Dropped {
					named++
					if dialect == "responses" && strings.HasSuffix(pointer, "/strict") {
						pointer = strings.TrimSuffix(pointer, "/strict")
					}
					if pointer == "" || !tree.at(pointer).given() {
						t.Errorf("for %s: %q is nowhere", to.dialect, pointer)
					}
				}
			}
		})
	}
	t.Logf("%d places", named)
}

// rich are requests with all that some provider cannot have, in each dialect.
var rich = map[string]string{
	"chat": `{"model":"m","messages":[
		{"role":"system","name":"n","content":[{"type":"text","text":"x-anthropic-billing-header: a"},{"type":"text","text":"S","cache_control":{"type":"ephemeral","ttl":"1h","x":1}}]},
		{"role":"user","content":[{"type":"text","text":"U","prompt_cache_breakpoint":{"mode":"explicit"}},
			{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA","detail":"high"}},
			{"type":"file","file":{"file_data":"data:application/pdf;base64,AAAA","filename":"a.pdf"}},
			{"type":"input_audio","input_audio":{"data":"AAAA","format":"wav"}}]},
		{"role":"assistant","content":"A","reasoning_details":[{"type":"reasoning.text","text":"T","signature":"s","format":"anthropic-claude-v1","index":0}],
			"tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{}"},"extra_content":{"google":{"thought_signature":"g"}}},
			{"id":"c2","type":"custom","custom":{"name":"g","input":"x"}}]},
		{"role":"tool","tool_call_id":"c1","content":"R"},{"role":"tool","tool_call_id":"c2","content":"R"},{"role":"tool","tool_call_id":"gone","content":"R"}],
		"tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object","properties":{"a":{"type":"string","patternProperties":{}}},"not":{}},"strict":true},"cache_control":{"type":"ephemeral"}},
			{"type":"custom","custom":{"name":"g","format":{"type":"grammar","grammar":{"syntax":"lark","definition":"d"}}}}],
		"tool_choice":{"type":"allowed_tools","x":1,"allowed_tools":{"mode":"required","x":1,"tools":[{"type":"function","x":1,"function":{"name":"f","x":1}}]}},
		"parallel_tool_calls":false,"reasoning":{"max_tokens":2000},"max_completion_tokens":9000,"stop":["1","2","3","4","5","6"],"n":2,
		"temperature":1.9,"top_p":0.5,"top_k":5,"seed":1.5,"presence_penalty":-1,"frequency_penalty":-1,"top_logprobs":3,"safety_identifier":"u","service_tier":"flex",
		"response_format":{"type":"json_schema","json_schema":{"name":"n","description":"d","strict":true,"schema":{"type":"object","properties":{"a":{"type":"string","not":{}}}}}},
		"web_search_options":{"search_context_size":"low"},"modalities":["text","audio"],"audio":{},"verbosity":"low","previous_response_id":"r","container":"c","x":1}`,
	"responses": `{"model":"m","instructions":"S","input":[
		{"role":"user","content":[{"type":"input_text","text":"U","prompt_cache_breakpoint":{"mode":"explicit"}},
			{"type":"input_image","image_url":"data:image/png;base64,AAAA","detail":"high"},
			{"type":"input_file","file_data":"data:application/pdf;base64,AAAA","filename":"a.pdf"}]},
		{"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"T"}],"encrypted_content":"e"},
		{"type":"function_call","call_id":"c1","name":"f","arguments":"{}"},
		{"type":"custom_tool_call","call_id":"c2","name":"g","input":"x"},
		{"type":"function_call_output","call_id":"c1","output":"R"},{"type":"custom_tool_call_output","call_id":"c2","output":"R"},
		{"type":"function_call_output","call_id":"gone","output":"R"}],
		"tools":[{"type":"function","name":"f","description":"d","parameters":{"type":"object","properties":{"a":{"type":"string"}},"not":{}},"strict":true},
			{"type":"custom","name":"g","format":{"type":"grammar","syntax":"lark","definition":"d"}},{"type":"web_search","search_context_size":"low"}],
		"tool_choice":"required","parallel_tool_calls":false,"reasoning":{"effort":"odd","summary":"auto"},"max_output_tokens":9000,
		"temperature":1.9,"top_p":0.5,"include":["message.output_text.logprobs"],"top_logprobs":3,"user":"u","service_tier":"flex",
		"text":{"verbosity":"low","format":{"type":"json_schema","name":"n","description":"d","strict":true,"schema":{"type":"object","properties":{"a":{"type":"string","not":{}}}}}},
		"previous_response_id":"r","conversation":"c","prompt":{"id":"p"},"truncation":"auto","metadata":{"a":"b"}}`,
	"messages": `{"model":"m","max_tokens":9000,"system":[{"type":"text","text":"x-anthropic-billing-header: a"},{"type":"text","text":"S","cache_control":{"type":"ephemeral","ttl":"1h"}}],"messages":[
		{"role":"user","content":[{"type":"text","text":"U","cache_control":{"type":"ephemeral","ttl":"1h"}},
			{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AAAA"}},
			{"type":"document","title":"t","source":{"type":"base64","media_type":"application/pdf","data":"AAAA"},"cache_control":{"type":"ephemeral"}}]},
		{"role":"assistant","content":[{"type":"thinking","thinking":"T","signature":"s"},{"type":"text","text":"A"},{"type":"tool_use","id":"c1","name":"f","input":{}}]},
		{"role":"user","content":[{"type":"tool_result","tool_use_id":"c1","content":"R","cache_control":{"type":"ephemeral"}},{"type":"tool_result","tool_use_id":"gone","content":"R"}]}],
		"tools":[{"name":"f","description":"d","input_schema":{"type":"object","properties":{"a":{"type":"string"}},"not":{}},"strict":true,"cache_control":{"type":"ephemeral"}},
			{"type":"web_search_20250305","name":"web_search"}],
		"tool_choice":{"type":"any","disable_parallel_tool_use":true},"thinking":{"type":"enabled","budget_tokens":2000},"stop_sequences":["1","2","3","4","5","6"],
		"temperature":1,"top_p":0.5,"top_k":5,"metadata":{"user_id":"u"},"service_tier":"standard_only",
		"output_config":{"format":{"type":"json_schema","schema":{"type":"object","properties":{"a":{"type":"string","not":{}}}}}},
		"container":"c","mcp_servers":[{"name":"n"}],"context_management":{},"inference_geo":"us"}`,
	"gemini": `{"systemInstruction":{"parts":[{"text":"S"}]},"contents":[
		{"role":"user","parts":[{"text":"U"},{"inlineData":{"mimeType":"image/png","data":"AAAA"},"mediaResolution":{"level":"MEDIA_RESOLUTION_HIGH"}},
			{"inlineData":{"mimeType":"application/pdf","data":"AAAA","displayName":"a.pdf"}},{"inline_data":{"mime_type":"audio/wav","data":"AAAA"}}]},
		{"role":"model","parts":[{"text":"A","thoughtSignature":"s"},{"functionCall":{"name":"f","args":{}},"thought_signature":"s"}]},
		{"role":"user","parts":[{"functionResponse":{"name":"f","response":{"a":1}}},{"functionResponse":{"id":"gone","name":"h","response":{"a":1}}}]}],
		"tools":[{"functionDeclarations":[{"name":"f","description":"d","parameters":{"type":"OBJECT","properties":{"a":{"type":"STRING"}},"not":{}}}]},{"googleSearch":{}}],
		"toolConfig":{"functionCallingConfig":{"mode":"ANY"}},
		"generationConfig":{"temperature":1.9,"topP":0.5,"topK":5,"seed":1,"presencePenalty":-1,"frequencyPenalty":-1,"candidateCount":9,"maxOutputTokens":9000,
			"stopSequences":["1","2","3","4","5","6"],"responseLogprobs":true,"logprobs":3,"responseModalities":["TEXT","IMAGE"],"responseMimeType":"application/json",
			"response_schema":{"type":"OBJECT","properties":{"a":{"type":"STRING","not":{}}}},"thinkingConfig":{"thinkingBudget":2000}},
		"cachedContent":"c","safetySettings":[{"category":"c","threshold":"t"}],"labels":{"a":"b"},"serviceTier":"flex","store":true}`,
}

func TestLossesOfRichRequestsNameTheirPlaces(t *testing.T) {
	for dialect, request := range rich {
		tree, err := parse([]byte(request))
		if err != nil {
			t.Fatal(dialect, err)
		}
		for _, to := range targets {
			_, lost, err := translate(dialect, to.dialect, []byte(request))
			t.Logf("%s for %s: %v %v", dialect, to.dialect, lost.Dropped, err)
			for _, pointer := range lost.Dropped {
				if pointer == "" || !tree.at(pointer).given() {
					t.Errorf("%s for %s: %q is nowhere", dialect, to.dialect, pointer)
				}
			}
		}
	}
}
