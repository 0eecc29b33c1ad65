package gemini

import (
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/usage"
)

func TestSoundIsCountedBothWays(t *testing.T) {
	body := `{"candidates":[{}],"usageMetadata":{"promptTokenCount":20,"candidatesTokenCount":9,"thoughtsTokenCount":1,` +
		`"promptTokensDetails":[{"modality":"TEXT","tokenCount":8},{"modality":"AUDIO","tokenCount":12}],"candidatesTokensDetails":[{"modality":"AUDIO","tokenCount":9}]}}`
	a, err := Codec{}.DecodeResponse([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	want := usage.Tokens{Input: 20, AudioInput: 12, Output: 10, Reasoning: 1, AudioOutput: 9, Known: true}
	if a.Usage != want {
		t.Errorf("%+v", a.Usage)
	}
	written := string(appendUsage(nil, want, ""))
	for _, part := range []string{`"promptTokensDetails":[{"modality":"TEXT","tokenCount":8},{"modality":"AUDIO","tokenCount":12}]`, `"candidatesTokensDetails":[{"modality":"AUDIO","tokenCount":9}]`} {
		if !strings.Contains(written, part) {
			t.Errorf("%s is not in %s", part, written)
		}
	}
	if text := string(appendUsage(nil, usage.Tokens{Input: 1, Output: 1}, "")); strings.Contains(text, "Details") {
		t.Error(text)
	}
}

func TestNonsenseInDetailsCountsNothing(t *testing.T) {
	for _, details := range []string{`5`, `[]`, `[5]`, `[{"modality":"AUDIO"}]`, `[{"modality":"AUDIO","tokenCount":-3}]`, `[{"modality":"AUDIO","tokenCount":"x"}]`, `{"modality":"AUDIO","tokenCount":3}`} {
		a, err := Codec{}.DecodeResponse([]byte(`{"candidates":[{}],"usageMetadata":{"promptTokenCount":5,"promptTokensDetails":` + details + `}}`))
		if err != nil || a.Usage != (usage.Tokens{Input: 5, Known: true}) {
			t.Errorf("%s: %v, %v", details, a, err)
		}
	}
}
