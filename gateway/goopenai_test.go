package gateway_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"testing"

	goopenai "github.com/sashabaranov/go-openai"

	"github.com/caddyllm/llmproxy/gateway"
	"github.com/caddyllm/llmproxy/internal/testllm"
	"github.com/caddyllm/llmproxy/providers"
)

// eachSDK runs a test with the go-openai client, before each format.
func eachSDK(t *testing.T, test func(t *testing.T, client *goopenai.Client, srv *testllm.Server)) {
	for _, module := range []string{"openai", "anthropic", "gemini"} {
		t.Run(module, func(t *testing.T) {
			srv := testllm.New(t)
			g := setup{
				upstreams: []*providers.Upstream{load(t, "p", module, srv.URL)},
				aliases:   []alias{{name: "smart", to: []string{"p/x"}}},
				change:    func(g *gateway.Gateway) { g.CostHeader = true }, // a trailer disturbs no client
			}.start(t)
			config := goopenai.DefaultConfig("sk-client")
			config.BaseURL, config.HTTPClient = g.URL+"/v1", g.client
			test(t, goopenai.NewClientWithConfig(config), srv)
		})
	}
}

var sdkRequest = goopenai.ChatCompletionRequest{
	Model: "smart", Messages: []goopenai.ChatCompletionMessage{{Role: "system", Content: "be brief"}, {Role: "user", Content: "hi"}},
}

var sdkTool = goopenai.Tool{Type: goopenai.ToolTypeFunction, Function: &goopenai.FunctionDefinition{
	Name: "weather", Parameters: map[string]any{"type": "object", "properties": map[string]any{"city": map[string]any{"type": "string"}}},
}}

func TestSDKAnswers(t *testing.T) {
	eachSDK(t, func(t *testing.T, client *goopenai.Client, srv *testllm.Server) {
		srv.Script(testllm.Reply{Text: "Hello, caf\u00e9.", Usage: testllm.Usage{Input: 5, Output: 6}})
		a, err := client.CreateChatCompletion(t.Context(), sdkRequest)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "content", a.Choices[0].Message.Content, "Hello, caf\u00e9.")
		equal(t, "finish", a.Choices[0].FinishReason, goopenai.FinishReasonStop)
		equal(t, "usage", [3]int{a.Usage.PromptTokens, a.Usage.CompletionTokens, a.Usage.TotalTokens}, [3]int{5, 6, 11})
	})
}

func TestSDKStreams(t *testing.T) {
	eachSDK(t, func(t *testing.T, client *goopenai.Client, srv *testllm.Server) {
		srv.Script(testllm.Reply{Text: "one two three", Usage: testllm.Usage{Input: 5, Output: 6}})
		request := sdkRequest
		request.StreamOptions = &goopenai.StreamOptions{IncludeUsage: true}
		stream, err := client.CreateChatCompletionStream(t.Context(), request)
		if err != nil {
			t.Fatal(err)
		}
		defer stream.Close()
		text, total := "", 0
		for {
			chunk, err := stream.Recv()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range chunk.Choices {
				text += c.Delta.Content
			}
			if chunk.Usage != nil {
				total += chunk.Usage.TotalTokens
			}
		}
		equal(t, "text", text, "one two three")
		equal(t, "tokens", total, 11)
	})
}

func TestSDKSeesABrokenStream(t *testing.T) {
	eachSDK(t, func(t *testing.T, client *goopenai.Client, srv *testllm.Server) {
		srv.Script(testllm.Reply{Text: "one two three four five six seven eight", ErrorAfter: 5, ChunkDelay: 5e6})
		stream, err := client.CreateChatCompletionStream(t.Context(), sdkRequest)
		if err != nil {
			t.Fatal(err)
		}
		defer stream.Close()
		for err == nil {
			_, err = stream.Recv()
		}
		var said *goopenai.APIError
		if !errors.As(err, &said) || said.Message == "" {
			t.Errorf("the stream ended with %v", err)
		}
	})
}

func TestSDKToolLoop(t *testing.T) {
	eachSDK(t, func(t *testing.T, client *goopenai.Client, srv *testllm.Server) {
		srv.Script(testllm.Reply{Chunks: []string{}, Tools: twoTools}, testllm.Reply{Text: "done"})
		request := sdkRequest
		request.Tools = []goopenai.Tool{sdkTool}
		a, err := client.CreateChatCompletion(t.Context(), request)
		if err != nil {
			t.Fatal(err)
		}
		message := a.Choices[0].Message
		equal(t, "finish", a.Choices[0].FinishReason, goopenai.FinishReasonToolCalls)
		request.Messages = append(request.Messages[:2:2], message)
		for _, call := range message.ToolCalls {
			request.Messages = append(request.Messages, goopenai.ChatCompletionMessage{Role: "tool", ToolCallID: call.ID, Content: "sunny in " + call.Function.Arguments})
		}
		equal(t, "messages", len(request.Messages), 5)
		if a, err = client.CreateChatCompletion(t.Context(), request); err != nil {
			t.Fatal(err)
		}
		equal(t, "content", a.Choices[0].Message.Content, "done")
	})
}

func TestSDKErrors(t *testing.T) {
	eachSDK(t, func(t *testing.T, client *goopenai.Client, srv *testllm.Server) {
		srv.Script(testllm.Reply{Status: 429})
		for _, test := range []struct {
			model, kind string
			status      int
			code        any
		}{
			{"smart", "rate_limit_error", 429, "rate_limit_exceeded"},
			{"unheard-of", "invalid_request_error", 404, "model_not_found"},
			{"", "invalid_request_error", 400, "invalid_value"},
		} {
			request := sdkRequest
			request.Model = test.model
			_, err := client.CreateChatCompletion(t.Context(), request)
			var said *goopenai.APIError
			if !errors.As(err, &said) {
				t.Fatalf("error is %v", err)
			}
			equal(t, "status", said.HTTPStatusCode, test.status)
			equal(t, "type", said.Type, test.kind)
			equal(t, "code", said.Code, test.code)
		}
	})
}

func TestSDKEmbeddings(t *testing.T) {
	eachSDK(t, func(t *testing.T, client *goopenai.Client, srv *testllm.Server) {
		srv.Script(testllm.Reply{Vectors: [][]float32{{0.5, -1}, {2, 0.25}}})
		for _, format := range []goopenai.EmbeddingEncodingFormat{goopenai.EmbeddingEncodingFormatFloat, goopenai.EmbeddingEncodingFormatBase64, ""} {
			a, err := client.CreateEmbeddings(t.Context(), goopenai.EmbeddingRequest{Model: "p/text", Input: []string{"a", "b"}, EncodingFormat: format})
			if t.Name() == "TestSDKEmbeddings/anthropic" {
				var said *goopenai.APIError
				if !errors.As(err, &said) || said.HTTPStatusCode != http.StatusBadRequest {
					t.Errorf("error is %v", err)
				}
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			equal(t, "vectors", len(a.Data), 2)
			equal(t, "value", a.Data[1].Embedding[1], 0.25)
		}
	})
}

func TestSDKModels(t *testing.T) {
	eachSDK(t, func(t *testing.T, client *goopenai.Client, _ *testllm.Server) {
		list, err := client.ListModels(t.Context())
		if err != nil || len(list.Models) != 1 || list.Models[0].ID != "smart" {
			t.Errorf("models are %+v (%v)", list, err)
		}
		model, err := client.GetModel(context.Background(), "smart")
		if err != nil || model.ID != "smart" {
			t.Errorf("model is %+v (%v)", model, err)
		}
	})
}
