package openai

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	sdk "github.com/sashabaranov/go-openai"

	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/usage"
)

// serve gives a client of the SDK a server that always answers so.
func serve(t *testing.T, status int, contentType string, body []byte) *sdk.Client {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		w.Write(body)
	}))
	t.Cleanup(server.Close)
	config := sdk.DefaultConfig("test")
	config.BaseURL = server.URL
	return sdk.NewClientWithConfig(config)
}

func TestTheSDKReadsStreams(t *testing.T) {
	client := serve(t, 200, "text/event-stream", encodeStream(wholeStream(), &transform.Request{StreamUsage: true}))
	stream, err := client.CreateChatCompletionStream(context.Background(), sdk.ChatCompletionRequest{})
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	text, thought, arguments, finish, tokens := "", "", "", "", 0
	for {
		chunk, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if chunk.ID != "msg_1" || chunk.Created != 7 || chunk.Model != "claude" {
			t.Errorf("%+v", chunk)
		}
		for _, c := range chunk.Choices {
			text += c.Delta.Content
			thought += c.Delta.ReasoningContent
			finish += string(c.FinishReason)
			for _, call := range c.Delta.ToolCalls {
				if *call.Index == 0 {
					arguments += call.Function.Arguments
				}
			}
		}
		if chunk.Usage != nil {
			tokens = chunk.Usage.TotalTokens
		}
	}
	if text != "a\n\"b\"" || thought != "tuv" || arguments != `{"a":1}` || finish != "tool_calls" || tokens != 3 {
		t.Errorf("%q %q %q %q %d", text, thought, arguments, finish, tokens)
	}
}

func TestTheSDKReadsAnswers(t *testing.T) {
	body := Codec{}.AppendResponse(nil, &transform.Response{
		ID: "x", Model: "m", Usage: usage.Tokens{Input: 5, CacheRead: 2, Output: 3, Reasoning: 1},
		Choices: []transform.Choice{{Parts: []transform.Part{
			{Kind: transform.PartReasoning, Text: quote("t")}, said("a"),
			{Kind: transform.PartToolCall, Call: transform.ToolCall{ID: "c", Name: "f"}},
		}}},
	}, nil)
	a, err := serve(t, 200, "application/json", body).CreateChatCompletion(context.Background(), sdk.ChatCompletionRequest{})
	if err != nil {
		t.Fatal(err)
	}
	m := a.Choices[0].Message
	if m.Content != "a" || m.ReasoningContent != "t" || m.ToolCalls[0].Function.Arguments != "{}" || a.Choices[0].FinishReason != sdk.FinishReasonToolCalls {
		t.Errorf("%+v", a)
	}
	if a.Usage.TotalTokens != 8 || a.Usage.PromptTokensDetails.CachedTokens != 2 || a.Usage.CompletionTokensDetails.ReasoningTokens != 1 {
		t.Errorf("%+v", a.Usage)
	}
}

func TestTheSDKReadsErrors(t *testing.T) {
	e := &transform.Error{Kind: transform.ErrRateLimit, Message: "m", Param: "p"}
	client := serve(t, Codec{}.Status(e), "application/json", Codec{}.AppendError(nil, e, ""))
	_, err := client.CreateChatCompletion(context.Background(), sdk.ChatCompletionRequest{})
	var got *sdk.APIError
	if !errors.As(err, &got) || got.HTTPStatusCode != 429 || got.Code != "rate_limit_exceeded" || got.Type != "rate_limit_error" || got.Message != "m" || *got.Param != "p" {
		t.Errorf("%#v", err)
	}
	encoder := Codec{}.NewStreamEncoder(nil)
	start := transform.Delta{Kind: transform.DeltaStart}
	body := encoder.AppendError(encoder.Append(nil, &start), e, "")
	stream, err := serve(t, 200, "text/event-stream", body).CreateChatCompletionStream(context.Background(), sdk.ChatCompletionRequest{})
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	if _, err = stream.Recv(); err != nil {
		t.Fatal(err)
	}
	if _, err = stream.Recv(); !errors.As(err, &got) || got.Message != "m" {
		t.Errorf("%#v", err)
	}
}

func TestRequestsOfTheSDKAreRead(t *testing.T) {
	body, _ := json.Marshal(sdk.ChatCompletionRequest{
		Model: "m", MaxCompletionTokens: 5, Stop: []string{"x"}, ReasoningEffort: "low",
		Messages: []sdk.ChatCompletionMessage{
			{Role: "user", MultiContent: []sdk.ChatMessagePart{{Type: "text", Text: "a"}, {Type: "image_url", ImageURL: &sdk.ChatMessageImageURL{URL: "https://x.test", Detail: "low"}}}},
			{Role: "assistant", ToolCalls: []sdk.ToolCall{{ID: "c", Type: "function", Function: sdk.FunctionCall{Name: "f", Arguments: "{}"}}}},
			{Role: "tool", ToolCallID: "c", Content: "r"},
		},
		Tools:          []sdk.Tool{{Type: "function", Function: &sdk.FunctionDefinition{Name: "f", Parameters: map[string]any{"type": "object"}}}},
		ToolChoice:     sdk.ToolChoice{Type: "function", Function: sdk.ToolFunction{Name: "f"}},
		ResponseFormat: &sdk.ChatCompletionResponseFormat{Type: "json_object"},
		StreamOptions:  &sdk.StreamOptions{IncludeUsage: true},
	})
	r, lost := decode(t, string(body))
	if len(r.Turns) != 3 || r.ToolChoice.Name != "f" || r.Output.Kind != transform.OutputJSON || !r.StreamUsage || len(lost.Dropped) > 0 {
		t.Errorf("%+v %v", r, lost)
	}
}

func TestTheSDKReadsEmbeddings(t *testing.T) {
	a := &transform.EmbeddingResponse{Vectors: []transform.Literal{[]byte("[0.5,1]")}, Usage: usage.Tokens{Input: 2}}
	for _, format := range []sdk.EmbeddingEncodingFormat{sdk.EmbeddingEncodingFormatFloat, sdk.EmbeddingEncodingFormatBase64} {
		body, err := Codec{}.AppendEmbeddingResponse(nil, a, &transform.EmbeddingRequest{Model: "m", Base64: format == sdk.EmbeddingEncodingFormatBase64})
		if err != nil {
			t.Fatal(err)
		}
		got, err := serve(t, 200, "application/json", body).CreateEmbeddings(context.Background(), sdk.EmbeddingRequest{Input: "a", Model: "m", EncodingFormat: format})
		if err != nil || got.Data[0].Embedding[1] != 1 || got.Usage.PromptTokens != 2 {
			t.Errorf("%s: %+v %v", format, got, err)
		}
	}
}
