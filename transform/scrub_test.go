package transform

import (
	"strings"
	"testing"
)

func TestScrubRemovesWhatOnlyTheOperatorMaySee(t *testing.T) {
	tests := map[string]string{
		"Incorrect API key provided: sk-ab***xyz9.":                                         "Incorrect API key provided: [redacted]",
		"Incorrect API key provided: bad-key-**********test. See the docs":                  "Incorrect API key provided: [redacted] See the docs",
		"key sk-proj-AbC123_defGHI456 is wrong":                                             "key [redacted] is wrong",
		"key sk-AbC123_defGHI456+x/y&zZ9=, they say":                                        "key [redacted], they say",
		"API key not valid: AIzaSyA1234567890abcdefghijklmnop":                              "API key not valid: [redacted]",
		"got header 'Authorization: Bearer abcdefgh12345'":                                  "got header 'Authorization: Bearer [redacted]'",
		"GET https://api.example.com/v1/models?key=abcd1234&x=1 failed":                     "GET https://[redacted]/v1/models?key=[redacted]&x=1 failed",
		`{"api_key":"topsecret"}`:                                                           `{"api_key":"[redacted]"}`,
		"dial tcp 10.0.12.7:443: connection refused":                                        "dial tcp [redacted]: connection refused",
		"dial tcp [fe80::1]:443: refused":                                                   "dial tcp [redacted]: refused",
		"lookup llm.prod.svc.cluster.local: no such host":                                   "lookup [redacted]: no such host",
		"upstream vllm-7.gpu.corp:8000 is down":                                             "upstream [redacted] is down",
		"0123456789abcdef0123456789abcdef is no key":                                        "[redacted] is no key",
		"Rate limit reached for gpt-4o in organization org-AbCdEf1234567 on tokens per min": "Rate limit reached for gpt-4o in organization [redacted] on tokens per min",
		"token AKIAIOSFODNN7EXAMPLE here":                                                   "token [redacted] here",
	}
	for in, want := range tests {
		if got := Scrub(in); got != want {
			t.Errorf("Scrub(%q)\n got %q\nwant %q", in, got, want)
		}
	}
}

func TestScrubKeepsWhatAClientNeeds(t *testing.T) {
	for _, message := range []string{
		"The model `gpt-4o-mini-search-preview-2025-03-11` does not exist.",
		"This model's maximum context length is 1048565 tokens. However, you requested 1250025 tokens.",
		"meta-llama/Llama-4-Maverick-17B-128E-Instruct-FP8 is not available",
		"accounts/fireworks/models/deepseek-v3p1 is not available",
		"max_tokens: 4096 is too large; choose risk-adjusted or task-specific limits",
		"messages[0].content[1].image_url: unknown variant `image_url`, expected `text` at line 1 column 216",
		"Invalid 'tools[0].function.name': string does not match pattern.",
		"anthropic.claude-3-5-sonnet-20241022-v2 needs another region",
	} {
		if got := Scrub(message); got != message {
			t.Errorf("Scrub(%q) = %q", message, got)
		}
	}
}

func FuzzScrubLetsNoCanaryThrough(f *testing.F) {
	f.Add("Incorrect API key provided: ", ". Try again.")
	f.Add("GET https://host/path?a=1 ", "")
	f.Add("{\"error\":\"", "\"}")
	f.Add("Bearer ", "\x00\xff")
	f.Add("sk-", "-sk")
	f.Fuzz(func(t *testing.T, before, after string) {
		for _, canary := range []string{
			"sk-proj-C4n4ry9Zx8Wv7Ut6Sr5Qp4",
			"AIzaSyC4n4ry9Zx8Wv7Ut6Sr5Qp4On3Ml2Kj",
			"gsk_C4n4ry9Zx8Wv7Ut6Sr5Qp4On3Ml2Kj1Ih0",
			"c4n4ry00112233445566778899aabbcc",
		} {
			for _, form := range []string{canary, "Bearer " + canary, "?key=" + canary, `"api_key": "` + canary + `"`} {
				got := Scrub(before + " " + form + " " + after)
				if strings.Contains(strings.ReplaceAll(before+after, canary, ""), canary[4:20]) {
					return // the fuzzer wrote a part of it in a form of its own
				}
				if strings.Contains(got, canary[4:20]) {
					t.Fatalf("%q lets %q through: %q", before+" "+form+" "+after, canary, got)
				}
			}
		}
	})
}
