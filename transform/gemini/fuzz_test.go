package gemini

import (
	"bytes"
	"testing"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

var seeds = []string{
	answerOf(`{"text":"hm","thought":true},{"functionCall":{"id":"1","name":"f","args":{"a":[1]}},"thoughtSignature":"S"}`, `"STOP"`),
	chunk(`{"text":"é\n"}`, `,"finishReason":"STOP","groundingMetadata":{"groundingChunks":[{"web":{"uri":"u"}}],"groundingSupports":[{"segment":{"startIndex":1,"endIndex":2,"partIndex":1},"groundingChunkIndices":[0]}]}`),
	chunk(`{"inlineData":{"mimeType":"image/png","data":"AA"}},{"executableCode":{"code":"x"}},{"codeExecutionResult":{"output":"y"}}`, `,"logprobsResult":{"chosenCandidates":[{"token":"a"}],"topCandidates":[{"candidates":[{}]}]}`),
	`{"promptFeedback":{"blockReason":"OTHER"}}`, `[{"error":{"code":429,"details":[{"@type":"RetryInfo","retryDelay":"1s"}]}}]`,
	`{"embeddings":[{"values":[1]}]}`, `{"predictions":[{"embeddings":{"values":[1],"statistics":{"token_count":1}}}]}`,
}

func isJSON(t *testing.T, what string, text []byte) {
	t.Helper()
	if text != nil && jsonbytes.Check(text, 0) != nil {
		t.Errorf("%s is no JSON: %q", what, text)
	}
}

func FuzzAnswers(f *testing.F) {
	for _, seed := range seeds {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		c := Codec{}
		if e := c.DecodeError(500, body); e.Message == "" || e.RetryAfter < 0 {
			t.Errorf("%+v", e)
		}
		_, inspectErr := c.InspectResponse(body)
		a, err := c.DecodeResponse(body)
		if err == nil {
			if inspectErr != nil {
				t.Errorf("decoded, but not inspected: %v", inspectErr)
			}
			for i := range a.Choices {
				for j := range a.Choices[i].Parts {
					p := &a.Choices[i].Parts[j]
					isJSON(t, "text", p.Text)
					isJSON(t, "citation", p.Citation)
					isJSON(t, "opaque", p.Opaque.Data)
					isJSON(t, "arguments", p.Call.Arguments)
				}
				isJSON(t, "logprobs", a.Choices[i].Logprobs)
			}
		}
		if e, err := c.DecodeEmbeddingResponse(body); err == nil {
			for _, v := range e.Vectors {
				isJSON(t, "vector", v)
			}
		}
	})
}

func FuzzStreams(f *testing.F) {
	for _, seed := range seeds {
		f.Add([]byte(seed + "\n" + seeds[0]))
	}
	f.Fuzz(func(t *testing.T, stream []byte) {
		d, in := Codec{}.NewStreamDecoder(), Codec{}.NewStreamInspector()
		for event := range bytes.SplitSeq(stream, []byte("\n")) {
			_, inspectErr := in.Inspect(nil, event)
			deltas, err := d.Decode(nil, nil, event)
			if err == nil && inspectErr != nil && len(deltas) > 0 {
				t.Errorf("decoded, but not inspected: %v", inspectErr)
			}
			for i := range deltas {
				isJSON(t, "text", deltas[i].Text)
				isJSON(t, "citation", deltas[i].Citation)
				isJSON(t, "opaque", deltas[i].Opaque.Data)
				isJSON(t, "logprobs", deltas[i].Logprobs)
			}
			d.Ended()
		}
		in.Summary()
	})
}

// FuzzRequests puts hostile pieces where clients may put anything.
func FuzzRequests(f *testing.F) {
	f.Add("text", `{"a":1}`, `{"type":"object","properties":{"a":{"$ref":"#/definitions/A","description":"d"}},"definitions":{"A":{"const":1}}}`, "gemini-3-pro", uint8(0))
	f.Add("", `{"output":`, `{"allOf":[{}],"$ref":1}`, "gemma-3", uint8(255))
	f.Fuzz(func(t *testing.T, text, arguments, schema, name string, bits uint8) {
		if jsonbytes.Check([]byte(schema), 0) != nil || jsonbytes.Parse([]byte(schema)).Kind() != jsonbytes.Object {
			schema = "{}"
		}
		value := jsonbytes.Parse([]byte(schema))
		thought := signed(transform.Part{Kind: transform.PartReasoning, Text: transform.Quote(text)}, text)
		media := transform.Part{Kind: transform.PartImage, Media: transform.Media{Type: name, Data: []byte(arguments), URL: text, Detail: name}}
		calls := []transform.Part{signed(call(text, name, arguments), text), call(name, text, arguments)}
		calls[1].Call.Custom = bits&1 != 0
		failed := result(name, arguments, media)
		failed.IsError = bits&2 != 0
		r := &transform.Request{
			Turns:  []transform.Turn{sys(text), user(say(text), media), model(append([]transform.Part{thought, say(text)}, calls...)...), failed, result(text, text), sys(name)},
			Tools:  []transform.Tool{{Name: name, Schema: value, Strict: yes()}, {Name: text, Custom: true, Grammar: value, Description: transform.Quote(text)}},
			Output: transform.Output{Kind: transform.OutputKind(bits % 4), Schema: value}, Reasoning: transform.Reasoning{Effort: name, Budget: int64(bits)},
			ToolChoice: transform.ToolChoice{Mode: transform.ToolMode(bits % 5), Name: name, Allowed: []string{text}},
			Rest:       []transform.Member{{Name: "extra_body", Value: value}, {Name: "google", Value: value}, {Name: "labels", Value: value}, {Name: "web_search_options", Value: value}},
			Sampling:   transform.Sampling{MaxTokens: int64(bits), N: int64(bits), Stop: []transform.Literal{transform.Quote(text)}},
		}
		first, _ := encode(t, Codec{Vertex: bits&4 != 0}, r, to(name))
		second, _ := encode(t, Codec{Vertex: bits&4 != 0}, r, to(name))
		if first != second {
			t.Error("two encodings differ")
		}
	})
}
