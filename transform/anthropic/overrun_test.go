package anthropic

import (
	"testing"

	"github.com/caddyllm/llmproxy/transform"
)

func TestPromptsThatAreTooLongSayByHowMuch(t *testing.T) {
	for message, want := range map[string]string{
		"This model's maximum context length is 128000 tokens. However, your messages resulted in 130000 tokens. Please reduce the length of the messages.": "130000 tokens > 128000 maximum: ",
		"The input token count (1500000) exceeds the maximum number of tokens allowed (1048576).":                                                           "1500000 tokens > 1048576 maximum: ",
		"maximum context length is 131,072 tokens, got 140,001.":                                                                                            "140001 tokens > 131072 maximum: ",
		"gpt-4o-2024-08-06 takes 128000 tokens, not 130000":                                                                                                 "130000 tokens > 128000 maximum: ",
		"maximum is 128000 tokens, you requested 130000 tokens (126000 in the messages, 4000 in the completion)":                                            "",
		"maximum is 128000 tokens":               "",
		"128000 tokens are more than 128000":     "",
		"Your input exceeds the context window.": "",
		"limit 5000, got 6000 characters":        "",
		"tokens: -5000 99999999999999999999 7":   "",
	} {
		e := &transform.Error{Kind: transform.ErrContextLength, Message: message}
		if got := messageOfError(e); got != "prompt is too long: "+want+message {
			t.Errorf("%s", got)
		}
	}
}
