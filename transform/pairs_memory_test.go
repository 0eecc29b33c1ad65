package transform_test

import (
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/caddyllm/llmproxy/transform"
)

// endless are events that go on without end, by provider and by what they are.
// # stands for the number of the event, $ for a piece of some length. Lines are
// events that come one after the other, their names stand between bars.
var endless = map[string]map[string]event{
	"openai": {
		"text":        {"", `{"id":"c","choices":[{"index":0,"delta":{"content":"$"}}]}`},
		"reasoning":   {"", `{"id":"c","choices":[{"index":0,"delta":{"reasoning_content":"$"}}]}`},
		"signatures":  {"", `{"id":"c","choices":[{"index":0,"delta":{"reasoning_details":[{"type":"reasoning.encrypted","data":"$","id":"rs_#","index":#}]}}]}`},
		"arguments":   {"", `{"id":"c","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"x","function":{"name":"f","arguments":"$"}}]}}]}`},
		"interleaved": {"", `{"id":"c","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"x","function":{"name":"f","arguments":"$"}},{"index":1,"id":"y","function":{"name":"f","arguments":"$"}}]}}]}`},
		"calls":       {"", `{"id":"c","choices":[{"index":0,"delta":{"tool_calls":[{"index":#,"id":"x#","function":{"name":"f","arguments":"{}"}}]}}]}`},
		"nameless":    {"", `{"id":"c","choices":[{"index":0,"delta":{"tool_calls":[{"index":#,"function":{"arguments":"$"}}]}}]}`},
		"choices":     {"", `{"id":"c","choices":[{"index":#,"delta":{"content":"$"}}]}`},
		"citations":   {"", `{"id":"c","choices":[{"index":0,"delta":{"content":"a","annotations":[{"type":"url_citation","url_citation":{"url":"https://x/#","title":"$","start_index":0,"end_index":1}}]}}]}`},
		"logprobs":    {"", `{"id":"c","choices":[{"index":0,"delta":{"content":"a"},"logprobs":{"content":[{"token":"$","logprob":-1,"bytes":null,"top_logprobs":[]}]}}]}`},
		"names":       {"", `{"id":"c#","model":"$#","choices":[{"index":0,"delta":{"role":"assistant"}}]}`},
	},
	"responses": {
		"text":      {"response.output_text.delta", `{"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"$"}`},
		"reasoning": {"response.reasoning_summary_text.delta", `{"type":"response.reasoning_summary_text.delta","output_index":0,"summary_index":#,"delta":"$"}`},
		"arguments": {"response.function_call_arguments.delta", `{"type":"response.function_call_arguments.delta","output_index":0,"delta":"$"}`},
		"items":     {"response.output_item.added", `{"type":"response.output_item.added","output_index":#,"item":{"type":"function_call","id":"fc_#","call_id":"c#","name":"f","arguments":""}}`},
		"closed":    {"response.output_item.added|response.function_call_arguments.delta|response.output_item.done", `{"type":"response.output_item.added","output_index":#,"item":{"type":"function_call","id":"fc_#","call_id":"c#","name":"f","arguments":""}}` + "\n" + `{"type":"response.function_call_arguments.delta","output_index":#,"delta":"$"}` + "\n" + `{"type":"response.output_item.done","output_index":#,"item":{"type":"function_call","id":"fc_#","call_id":"c#","name":"f","arguments":"$"}}`},
		"messages":  {"response.output_item.done", `{"type":"response.output_item.done","output_index":#,"item":{"type":"message","id":"m_#","content":[{"type":"output_text","text":"$"}]}}`},
		"thoughts":  {"response.output_item.done", `{"type":"response.output_item.done","output_index":#,"item":{"type":"reasoning","id":"r_#","summary":[{"type":"summary_text","text":"a"}],"encrypted_content":"$"}}`},
		"citations": {"response.output_text.annotation.added", `{"type":"response.output_text.annotation.added","output_index":0,"content_index":0,"annotation_index":#,"annotation":{"type":"url_citation","url":"https://x/#","title":"$","start_index":0,"end_index":1}}`},
	},
	"anthropic": {
		"blocks":     {"content_block_start", `{"type":"content_block_start","index":#,"content_block":{"type":"text","text":"$"}}`},
		"calls":      {"content_block_start", `{"type":"content_block_start","index":#,"content_block":{"type":"tool_use","id":"t#","name":"f","input":{}}}`},
		"closed":     {"content_block_start|content_block_delta|content_block_stop", `{"type":"content_block_start","index":#,"content_block":{"type":"tool_use","id":"t#","name":"f","input":{}}}` + "\n" + `{"type":"content_block_delta","index":#,"delta":{"type":"input_json_delta","partial_json":"$"}}` + "\n" + `{"type":"content_block_stop","index":#}`},
		"thoughts":   {"content_block_start|content_block_delta|content_block_delta|content_block_stop", `{"type":"content_block_start","index":#,"content_block":{"type":"thinking","thinking":""}}` + "\n" + `{"type":"content_block_delta","index":#,"delta":{"type":"thinking_delta","thinking":"$"}}` + "\n" + `{"type":"content_block_delta","index":#,"delta":{"type":"signature_delta","signature":"$"}}` + "\n" + `{"type":"content_block_stop","index":#}`},
		"hidden":     {"content_block_start", `{"type":"content_block_start","index":#,"content_block":{"type":"redacted_thinking","data":"$"}}`},
		"text":       {"content_block_delta", `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"$"}}`},
		"reasoning":  {"content_block_delta", `{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"$"}}`},
		"signatures": {"content_block_delta", `{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"$"}}`},
		"arguments":  {"content_block_delta", `{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"$"}}`},
		"citations":  {"content_block_delta", `{"type":"content_block_delta","index":0,"delta":{"type":"citations_delta","citation":{"type":"web_search_result_location","url":"https://x/#","title":"$","cited_text":"$"}}}`},
	},
	"gemini": {
		"text":       {"", `{"candidates":[{"content":{"parts":[{"text":"$"}],"role":"model"}}]}`},
		"reasoning":  {"", `{"candidates":[{"content":{"parts":[{"text":"$","thought":true}],"role":"model"}}]}`},
		"signatures": {"", `{"candidates":[{"content":{"parts":[{"text":"a","thought":true,"thoughtSignature":"$"}],"role":"model"}}]}`},
		"mixed":      {"", `{"candidates":[{"content":{"parts":[{"text":"$","thought":true},{"text":"$"}],"role":"model"}}]}`},
		"calls":      {"", `{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":{"a":"$"}}}],"role":"model"}}]}`},
		"candidates": {"", `{"candidates":[{"content":{"parts":[{"text":"$"}],"role":"model"},"index":#}]}`},
		"citations":  {"", `{"candidates":[{"content":{"parts":[{"text":"a"}],"role":"model"},"groundingMetadata":{"groundingChunks":[{"web":{"uri":"https://x/#","title":"$"}}],"groundingSupports":[{"segment":{"endIndex":1,"text":"a"},"groundingChunkIndices":[0]}]}}]}`},
	},
	"converse": {
		"text":       {"contentBlockDelta", `{"contentBlockIndex":0,"delta":{"text":"$"}}`},
		"blocks":     {"contentBlockDelta", `{"contentBlockIndex":#,"delta":{"text":"$"}}`},
		"reasoning":  {"contentBlockDelta", `{"contentBlockIndex":0,"delta":{"reasoningContent":{"text":"$"}}}`},
		"signatures": {"contentBlockDelta", `{"contentBlockIndex":#,"delta":{"reasoningContent":{"signature":"$"}}}`},
		"arguments":  {"contentBlockDelta", `{"contentBlockIndex":0,"delta":{"toolUse":{"input":"$"}}}`},
		"calls":      {"contentBlockStart", `{"contentBlockIndex":#,"start":{"toolUse":{"name":"f","toolUseId":"t#"}}}`},
		"closed":     {"contentBlockStart|contentBlockDelta|contentBlockStop", `{"contentBlockIndex":#,"start":{"toolUse":{"name":"f","toolUseId":"t#"}}}` + "\n" + `{"contentBlockIndex":#,"delta":{"toolUse":{"input":"$"}}}` + "\n" + `{"contentBlockIndex":#}`},
		"citations":  {"contentBlockDelta", `{"contentBlockIndex":0,"delta":{"citation":{"title":"$","location":{"web":{"url":"https://x/#"}}}}}`},
	},
	"cohere": {
		"text":      {"content-delta", `{"type":"content-delta","index":0,"delta":{"message":{"content":{"text":"$"}}}}`},
		"reasoning": {"content-delta", `{"type":"content-delta","index":#,"delta":{"message":{"content":{"thinking":"$"}}}}`},
		"plan":      {"tool-plan-delta", `{"type":"tool-plan-delta","delta":{"message":{"tool_plan":"$"}}}`},
		"calls":     {"tool-call-start", `{"type":"tool-call-start","index":#,"delta":{"message":{"tool_calls":{"id":"c#","type":"function","function":{"name":"f","arguments":"$"}}}}}`},
		"arguments": {"tool-call-delta", `{"type":"tool-call-delta","index":0,"delta":{"message":{"tool_calls":{"function":{"arguments":"$"}}}}}`},
		"citations": {"citation-start", `{"type":"citation-start","index":#,"delta":{"message":{"citations":{"start":0,"end":1,"text":"$","sources":[{"type":"document","id":"d","document":{"url":"https://x/#","title":"$"}}]}}}}`},
	},
	"ollama": {
		"text":      {"", `{"message":{"role":"assistant","content":"$"},"done":false}`},
		"reasoning": {"", `{"message":{"role":"assistant","content":"","thinking":"$"},"done":false}`},
		"mixed":     {"", `{"message":{"role":"assistant","content":"$","thinking":"$"},"done":false}`},
		"calls":     {"", `{"message":{"role":"assistant","content":"","tool_calls":[{"function":{"name":"f","arguments":{"a":"$"}}}]},"done":false}`},
	},
}

// begins are events that must come before the endless ones.
var begins = map[string]event{
	"responses arguments": {"response.output_item.added", `{"type":"response.output_item.added","output_index":0,"item":{"type":"function_call","id":"fc_1","call_id":"c","name":"f","arguments":""}}`},
	"responses reasoning": {"response.output_item.added", `{"type":"response.output_item.added","output_index":0,"item":{"type":"reasoning","id":"rs_1","summary":[]}}`},
	"responses text":      {"response.output_item.added", `{"type":"response.output_item.added","output_index":0,"item":{"type":"message","id":"m_1","content":[]}}`},
	"responses citations": {"response.output_item.added", `{"type":"response.output_item.added","output_index":0,"item":{"type":"message","id":"m_1","content":[]}}`},
	"anthropic text":      {"content_block_start", `{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`},
	"anthropic citations": {"content_block_start", `{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`},
	"anthropic reasoning": {"content_block_start", `{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":""}}`},
	"anthropic arguments": {"content_block_start", `{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"t","name":"f","input":{}}}`},
	"converse arguments":  {"contentBlockStart", `{"contentBlockIndex":0,"start":{"toolUse":{"name":"f","toolUseId":"t"}}}`},
	"cohere arguments":    {"tool-call-start", `{"type":"tool-call-start","index":0,"delta":{"message":{"tool_calls":{"id":"c","type":"function","function":{"name":"f","arguments":""}}}}}`},
}

// Streams that never end hold no more memory than a small multiple of what was
// received: formats repeat at their end what they said. Responses also keeps its
// items, up to 4096 of less than a kilobyte each.
func TestPairsOfEndlessStreamsAreBounded(t *testing.T) {
	const size = 1 << 19
	for i := range providers {
		p := &providers[i]
		for kind, e := range endless[p.name] {
			for j := range listeners {
				l := &listeners[j]
				decoder, encoder := p.codec.NewStreamDecoder(), l.codec.NewStreamEncoder(&transform.Request{Stream: true, StreamUsage: true})
				before, began := heap(), time.Now()
				fed := 0
				if first, ok := begins[p.name+" "+kind]; ok {
					feed(decoder, encoder, first)
				}
				for n := 0; fed < size; n++ {
					data := strings.NewReplacer("#", strconv.Itoa(n), "$", strings.Repeat("piece ", 8)).Replace(e.data)
					fed += len(data)
					if !feed(decoder, encoder, event{e.name, data}) {
						break // refused, which bounds it too
					}
				}
				spent := time.Since(began)
				held := heap() - before
				if testing.Verbose() {
					t.Logf("%s %s to %s: %d kB of %d kB in %v", p.name, kind, l.name, held>>10, fed>>10, spent)
				}
				most := int64(3 * size)
				if l.name == "responses" {
					most += 4 << 20
				}
				if held > most {
					t.Errorf("%s %s to %s: %d kB are held of %d kB", p.name, kind, l.name, held>>10, fed>>10)
				}
				runtime.KeepAlive(decoder)
				runtime.KeepAlive(encoder)
			}
		}
	}
}

// feed translates events; it is false if the stream was refused.
func feed(decoder transform.StreamDecoder, encoder transform.StreamEncoder, e event) bool {
	for _, e := range newWire(e.each()) {
		deltas, err := decoder.Decode(nil, e.name, e.data)
		for i := range deltas {
			encoder.Append(nil, &deltas[i])
		}
		if err != nil {
			return false
		}
	}
	return true
}

// each are the events that one of endless stands for.
func (e event) each() []event {
	var list []event
	names := strings.Split(e.name, "|")
	for i, data := range strings.Split(e.data, "\n") {
		list = append(list, event{names[i], data})
	}
	return list
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
