package testllm_test

import (
	"encoding/base64"
	"encoding/binary"
	"math"
	"net/http"
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/internal/testllm"
)

var rich = testllm.Reply{
	Text:     "Hello <b>wörld</b> & all",
	Thinking: "let me see",
	Tools: []testllm.Tool{
		{Name: "weather", Arguments: `{"city":"Zürich","days":3}`},
		{Name: "clock"},
	},
	Usage: testllm.Usage{Input: 100, CacheRead: 60, CacheWrite: 10, Output: 50, Reasoning: 20},
}

func serve(t *testing.T, replies ...testllm.Reply) *testllm.Server {
	srv := testllm.New(t)
	srv.Script(replies...)
	return srv
}

func TestOpenAIStream(t *testing.T) {
	srv := serve(t, rich)
	body := `{"model":"m","stream":true,"stream_options":{"include_usage":true},"messages":[]}`
	data := dataOf(t, streams[0], mustPost(t, srv, openAIPath, []byte(body)))
	equal(t, "last", data[len(data)-1], "[DONE]")
	equal(t, "text", textOf(t, data), rich.Text)
	if !strings.Contains(data[0], `"delta":{"role":"assistant","content":"","refusal":null}`) {
		t.Errorf("first chunk: %s", data[0])
	}
	usage := parse(t, data[len(data)-2])
	equal(t, "choices of usage chunk", len(usage.at("choices").([]any)), 0)
	equal(t, "prompt", usage.at("usage", "prompt_tokens"), 100.0)
	equal(t, "cached", usage.at("usage", "prompt_tokens_details", "cached_tokens"), 60.0)
	equal(t, "completion", usage.at("usage", "completion_tokens"), 50.0)
	equal(t, "total", usage.at("usage", "total_tokens"), 150.0)
	equal(t, "finish", parse(t, data[len(data)-3]).at("choices", 0, "finish_reason"), "tool_calls")
	var thinking string
	arguments := map[float64]string{}
	for _, chunk := range data[:len(data)-3] {
		if !strings.Contains(chunk, `"finish_reason":null`) || !strings.HasSuffix(chunk, `"usage":null}`) {
			t.Errorf("nulls not spelled out: %s", chunk)
		}
		node := parse(t, chunk)
		piece, _ := node.at("choices", 0, "delta", "reasoning_content").(string)
		thinking += piece
		if call := (tree{node.at("choices", 0, "delta", "tool_calls", 0)}); call.value != nil {
			arguments[call.at("index").(float64)] += call.at("function", "arguments").(string)
		}
	}
	equal(t, "thinking", thinking, rich.Thinking)
	equal(t, "arguments", arguments[0], rich.Tools[0].Arguments)
	equal(t, "default arguments", arguments[1], "{}")
}

func TestOpenAIStreamWithoutUsage(t *testing.T) {
	for _, chunk := range dataOf(t, streams[0], mustPost(t, serve(t), openAIPath, streams[0].body)) {
		if chunk != "[DONE]" && parse(t, chunk).has("usage") {
			t.Errorf("usage unasked: %s", chunk)
		}
	}
}

func TestAnthropicStream(t *testing.T) {
	data := dataOf(t, streams[1], mustPost(t, serve(t, rich), anthropicPath, streams[1].body))
	equal(t, "text", textOf(t, data), rich.Text)
	var kinds, deltas []string
	var arguments, signature string
	for _, each := range data {
		node := parse(t, each)
		kind := node.at("type").(string)
		if len(kinds) == 0 || kinds[len(kinds)-1] != kind {
			kinds = append(kinds, kind)
		}
		if kind != "content_block_delta" {
			continue
		}
		detail := node.at("delta", "type").(string)
		if len(deltas) == 0 || deltas[len(deltas)-1] != detail {
			deltas = append(deltas, detail)
			if detail == "input_json_delta" {
				equal(t, "first arguments", node.at("delta", "partial_json"), "")
			}
		}
		if detail == "input_json_delta" && node.at("index") == 2.0 {
			arguments += node.at("delta", "partial_json").(string)
		}
		if detail == "signature_delta" {
			signature = node.at("delta", "signature").(string)
		}
	}
	block := "content_block_start content_block_delta content_block_stop "
	want := "message_start content_block_start ping content_block_delta content_block_stop " +
		block + block + block + "message_delta message_stop"
	equal(t, "events", strings.Join(kinds, " "), want)
	equal(t, "deltas", strings.Join(deltas, " "), "thinking_delta signature_delta text_delta input_json_delta")
	equal(t, "arguments", arguments, rich.Tools[0].Arguments)
	equal(t, "signed", signature != "", true)
	start, end := parse(t, data[0]), parse(t, data[len(data)-2])
	equal(t, "placeholder", start.at("message", "usage", "output_tokens"), 1.0)
	equal(t, "input", start.at("message", "usage", "input_tokens"), 30.0)
	equal(t, "cache read", end.at("usage", "cache_read_input_tokens"), 60.0)
	equal(t, "cache write", end.at("usage", "cache_creation_input_tokens"), 10.0)
	equal(t, "output", end.at("usage", "output_tokens"), 50.0)
	equal(t, "stop", end.at("delta", "stop_reason"), "tool_use")
}

func TestGeminiStreams(t *testing.T) {
	for _, tg := range streams[2:] {
		t.Run(tg.name, func(t *testing.T) {
			data := dataOf(t, tg, mustPost(t, serve(t, rich), tg.path, tg.body))
			equal(t, "text", textOf(t, data), rich.Thinking+rich.Text)
			equal(t, "thought", parse(t, data[0]).at("candidates", 0, "content", "parts", 0, "thought"), true)
			previous := 0.0
			for i, each := range data {
				node := parse(t, each)
				equal(t, "prompt", node.at("usageMetadata", "promptTokenCount"), 100.0)
				candidates, _ := node.at("usageMetadata", "candidatesTokenCount").(float64)
				if candidates < previous {
					t.Errorf("usage is not cumulative: %s", each)
				}
				previous = candidates
				_, finished := node.at("candidates", 0, "finishReason").(string)
				equal(t, "finished", finished, i == len(data)-1)
			}
			first, last := parse(t, data[len(data)-2]), parse(t, data[len(data)-1])
			part := tree{first.at("candidates", 0, "content", "parts", 0)}
			equal(t, "signed", part.has("thoughtSignature"), true)
			equal(t, "argument", part.at("functionCall", "args", "city"), "Zürich")
			equal(t, "finish", last.at("candidates", 0, "finishReason"), "STOP")
			equal(t, "candidates", last.at("usageMetadata", "candidatesTokenCount"), 30.0)
			equal(t, "thoughts", last.at("usageMetadata", "thoughtsTokenCount"), 20.0)
			equal(t, "total", last.at("usageMetadata", "totalTokenCount"), 150.0)
		})
	}
}

func TestWholeAnswers(t *testing.T) {
	srv := serve(t, rich)
	openAI := parse(t, mustPost(t, srv, openAIPath, wholes[0].body))
	equal(t, "openai text", openAI.at("choices", 0, "message", "content"), rich.Text)
	equal(t, "openai tool", openAI.at("choices", 0, "message", "tool_calls", 1, "function", "name"), "clock")
	equal(t, "openai usage", openAI.at("usage", "completion_tokens_details", "reasoning_tokens"), 20.0)
	anthropic := parse(t, mustPost(t, srv, anthropicPath, wholes[1].body))
	equal(t, "anthropic text", anthropic.at("content", 1, "text"), rich.Text)
	equal(t, "anthropic input", anthropic.at("content", 2, "input", "days"), 3.0)
	equal(t, "anthropic usage", anthropic.at("usage", "input_tokens"), 30.0)
	gemini := parse(t, mustPost(t, srv, geminiPath, wholes[2].body))
	equal(t, "gemini text", gemini.at("candidates", 0, "content", "parts", 1, "text"), rich.Text)
	equal(t, "gemini usage", gemini.at("usageMetadata", "candidatesTokenCount"), 30.0)
	for _, call := range srv.Calls() {
		equal(t, "prompt", call.Prompt, 100)
		equal(t, "completion", call.Completion, 50)
		equal(t, "finished", call.Finished, true)
		equal(t, "model", call.Model, "m")
	}
}

func TestEmbeddings(t *testing.T) {
	srv := serve(t, testllm.Reply{Vectors: [][]float32{{0.5, -0.1}}})
	path := "/v1/embeddings"
	floats := parse(t, mustPost(t, srv, path, []byte(`{"model":"m","input":["a","b"],"dimensions":3}`)))
	equal(t, "scripted", floats.at("data", 0, "embedding", 1), -0.1)
	equal(t, "made up", len(floats.at("data", 1, "embedding").([]any)), 3)
	packed := parse(t, mustPost(t, srv, path, []byte(`{"model":"m","input":[1,2],"encoding_format":"base64"}`)))
	equal(t, "one input", len(packed.at("data").([]any)), 1)
	raw, err := base64.StdEncoding.DecodeString(packed.at("data", 0, "embedding").(string))
	if err != nil || len(raw) != 8 {
		t.Fatalf("base64: %v, %d bytes", err, len(raw))
	}
	equal(t, "packed", math.Float32frombits(binary.LittleEndian.Uint32(raw[4:])), float32(-0.1))
	one := parse(t, mustPost(t, srv, "/v1beta/models/e:embedContent", []byte(`{"content":{}}`)))
	equal(t, "gemini", one.at("embedding", "values", 0), 0.5)
	body := []byte(`{"requests":[{},{"outputDimensionality":5}]}`)
	batch := parse(t, mustPost(t, srv, "/v1beta/models/e:batchEmbedContents", body))
	equal(t, "gemini batch", len(batch.at("embeddings", 1, "values").([]any)), 5)
	equal(t, "completion", srv.Calls()[0].Completion, 0)
	equal(t, "model", srv.Calls()[3].Model, "e")
}

func TestModels(t *testing.T) {
	srv := serve(t, testllm.Reply{Status: 500})
	srv.SetModels("alpha", "beta")
	list := func(path, header string) tree {
		request, _ := http.NewRequest(http.MethodGet, srv.URL+path, nil)
		request.Header.Set(header, "x")
		response, err := newClient(t).Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		var text strings.Builder
		_ = response.Write(&text)
		_, body, _ := strings.Cut(text.String(), "\r\n\r\n")
		return parse(t, body)
	}
	equal(t, "openai", list("/v1/models", "Authorization").at("data", 1, "object"), "model")
	equal(t, "anthropic", list("/v1/models", "Anthropic-Version").at("last_id"), "beta")
	equal(t, "gemini", list("/v1beta/models", "X-Goog-Api-Key").at("models", 0, "name"), "models/alpha")
}
