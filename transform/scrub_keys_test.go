package transform

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"
)

func TestScrubKeysLeavesTheRestOfAPayload(t *testing.T) {
	for in, want := range map[string]string{
		`{"content":"my key is sk-proj-AbC123_defGHI456, and https://example.com/a is a page"}`: `{"content":"my key is [redacted], and https://example.com/a is a page"}`,
		`{"content":"\"sk-AbC123defGHI456/x\\\" it said"}`:                                      `{"content":"\"[redacted]\\\" it said"}`,
		`{"content":"Authorization: Bearer abcdefgh12345\n"}`:                                   `{"content":"Authorization: Bearer [redacted]\n"}`,
		`{"secretAccessKey":"wJalrXUtnFEMI12345"}, risky, "monkey":"hunter2hunter2"`:            `{"secretAccessKey":"[redacted]"}, risky, "monkey":"hunter2hunter2"`,
		`{"password":"hunter2hunter2"}`:                                                         `{"password":"[redacted]"}`,
		`{"arguments":"{\"api_key\":\"AbCd12345678\"}"}`:                                        `{"arguments":"{\"api_key\":\"[redacted]\"}"}`,
		`GET /?api_key=AbCd12345678&x=1`:                                                        `GET /?api_key=[redacted]&x=1`,
		`llmp_Ab12Cd34_0123456789012345678901234567890123456789012_AbCdEf`:                      `[redacted]`,
		`{"content":"keys:\nllmp_Ab12Cd34_01234567890123456789012345678901234"}`:                `{"content":"keys:\n[redacted]"}`,
		`{"content":"\tBearer abcdefgh12345\u000aghp_AbCd1234EfGh5678IjKl"}`:                    `{"content":"\tBearer [redacted]\u000a[redacted]"}`,
	} {
		if got := ScrubKeys(in); got != want {
			t.Errorf("%s\n became %s\nand not %s", in, got, want)
		}
	}
	for _, text := range []string{
		`{"max_tokens":1024,"total_tokens":123456789,"token":"understanding","key":[12345678],"secret":{"a":1},"logprobs":{"token":12345678}}`,
		`{"content":"basic understanding of risk-adjusted, task-specific returns at 10.0.0.1:443, host llm.example.com"}`,
		`{"id":"chatcmpl-0123456789abcdef0123456789abcdef","tool_call_id":"call_0123456789abcdef01234567"}`,
		"data: {\"choices\":[]}\n\ndata: [DONE]\n\n",
	} {
		if got := ScrubKeys(text); got != text {
			t.Errorf("%s\n became %s", text, got)
		}
	}
}

func FuzzScrubKeysKeepsJSONValid(f *testing.F) {
	f.Add(`my "key" is sk-AbC123defGHI456/x\`, "token")
	f.Add(`secret="abcdefgh1234\\" Bearer abc12345678"`, `password`)
	f.Fuzz(func(t *testing.T, value, name string) {
		text, err := json.Marshal(map[string]any{name: value, "token": []any{value, 12345678}, "in": `{"key":"` + value + `"}`})
		if err != nil {
			return
		}
		if got := ScrubKeys(string(text)); !json.Valid([]byte(got)) {
			t.Errorf("%s\n became %s", text, got)
		}
		if strings.Contains(ScrubKeys("sk-proj-C4n4ry9Zx8Wv7Ut6Sr5Qp4 "+value), "C4n4ry9Zx8Wv7Ut6Sr5Qp4") {
			t.Error("a key is left")
		}
	})
}

func BenchmarkScrubKeys(b *testing.B) {
	text := strings.Repeat(`data: {"choices":[{"delta":{"content":"some words of an answer"}}],"usage":{"prompt_tokens":12}}`+"\n\n", 660)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		ScrubKeys(text)
	}
}

// A text must not be able to have itself searched over and over: one full of beginnings
// takes not much longer than one with a single one. The best of several tries counts.
func TestScrubKeysSearchesOnce(t *testing.T) {
	took := func(text string) time.Duration {
		best := time.Duration(math.MaxInt64)
		for range 5 {
			begun := time.Now()
			ScrubKeys(text)
			best = min(best, time.Since(begun))
		}
		return best
	}
	once := took("-hf-" + strings.Repeat("x", maxKey))
	for _, piece := range []string{"-hf-", "key=", "key:a.", "sk-", "password:", "bearer a"} {
		if all := took(strings.Repeat(piece, maxKey/len(piece))); all > 50*once {
			t.Errorf("%q: it took %.0f times as long", piece, float64(all)/float64(once))
		}
	}
}
