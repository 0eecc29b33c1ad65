package testllm

import "strings"

// ChatRequest is a minimal chat request body, valid for both OpenAI and
// Anthropic.
func ChatRequest(model string, stream bool, userText string) []byte {
	request := object{
		"model", model,
		"max_tokens", 64,
		"messages", []object{{"role", "user", "content", userText}},
	}
	if stream {
		request = append(request, "stream", true)
	}
	return encode(request)
}

// GeminiRequest is a minimal generateContent body; model and stream are in the
// path there.
func GeminiRequest(userText string) []byte {
	return encode(object{
		"contents", []object{{"role", "user", "parts", []object{{"text", userText}}}},
	})
}

// Body is a chat request of n bytes, or the smallest there is if n is less.
func Body(model string, n int) []byte {
	const filler = "The quick brown fox jumps over the lazy dog. "
	missing := max(0, n-len(ChatRequest(model, false, "")))
	text := strings.Repeat(filler, missing/len(filler)+1)[:missing]
	return ChatRequest(model, false, text)
}
