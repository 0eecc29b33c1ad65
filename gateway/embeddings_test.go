package gateway_test

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"math"
	"net/http"
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/internal/testllm"
	"github.com/caddyllm/llmproxy/usage"
)

const embeddingsPath = "/v1/embeddings"

func TestEmbeddingsArePassedOnByteForByte(t *testing.T) {
	g, srv := single(t, nil)
	request := `{ "model":"openai/text-embedding-3-small","input":["a",[1,2]] ,"dimensions":3.0,"novel":1e0}`
	answer := `{"object":"list","data":[{"embedding":[1.0e-3,0.10]}],"usage":{"prompt_tokens":7,"total_tokens":7}, "x":1}`
	srv.Script(testllm.Reply{Body: []byte(answer), ContentType: "application/json"})
	equal(t, "answer", g.do(t, http.MethodPost, embeddingsPath, request).body, answer)
	equal(t, "request", string(srv.Calls()[0].Body), strings.Replace(request, "openai/", "", 1))
	record := g.record(t)
	equal(t, "operation", record.Operation, "embeddings")
	equal(t, "tokens", record.Tokens, usage.Tokens{Input: 7, Known: true})
}

func TestForeignEmbeddings(t *testing.T) {
	vectors := [][]float32{{0.5, -0.25, 1}, {0, 2, -1}}
	g, srv := foreign(t, "gemini", nil)
	for _, format := range []string{"float", "base64"} {
		srv.Script(testllm.Reply{Vectors: vectors, NoUsage: true})
		got := g.do(t, http.MethodPost, embeddingsPath, `{"model":"p/gemini-embedding-001","input":["one","two"],"dimensions":3,"encoding_format":"`+format+`","user":"u"}`)
		equal(t, "X-Llm-Dropped", got.header.Get("X-Llm-Dropped"), "/user")
		var list struct {
			Object, Model string
			Data          []struct {
				Object    string
				Index     int
				Embedding json.RawMessage
			}
			Usage struct {
				Prompt int `json:"prompt_tokens"`
			}
		}
		if err := json.Unmarshal([]byte(got.body), &list); err != nil || len(list.Data) != 2 || list.Object != "list" || list.Model != "gemini-embedding-001" {
			t.Fatalf("answer is %s (%v)", got.body, err)
		}
		for i, entry := range list.Data {
			equal(t, "index", entry.Index, i)
			for j, want := range vectors[i] {
				equal(t, "value", vectorOf(t, entry.Embedding)[j], want)
			}
		}
		tokens := g.record(t).Tokens
		if !tokens.Estimated || tokens.Input == 0 || list.Usage.Prompt != int(tokens.Input) {
			t.Errorf("tokens are %+v, told as %d", tokens, list.Usage.Prompt)
		}
	}
	if body := string(srv.Calls()[0].Body); !strings.Contains(body, "one") || !strings.Contains(body, "two") || strings.Contains(body, `"user"`) {
		t.Errorf("the provider got %s", body)
	}
}

// vectorOf reads a vector of either encoding.
func vectorOf(t *testing.T, raw json.RawMessage) (vector []float32) {
	t.Helper()
	var packed string
	if json.Unmarshal(raw, &packed) != nil {
		if err := json.Unmarshal(raw, &vector); err != nil {
			t.Fatal(err)
		}
		return vector
	}
	data, err := base64.StdEncoding.DecodeString(packed)
	if err != nil {
		t.Fatal(err)
	}
	for ; len(data) > 0; data = data[4:] {
		vector = append(vector, math.Float32frombits(binary.LittleEndian.Uint32(data)))
	}
	return vector
}

func TestEmbeddingsThatCannotBeHad(t *testing.T) {
	g, srv := foreign(t, "anthropic", nil)
	wantError(t, g.do(t, http.MethodPost, embeddingsPath, `{"model":"p/claude-x","input":"hi"}`), http.StatusBadRequest, "unsupported_operation")
	for _, test := range []struct{ body, code string }{
		{`{"model":"p/x"}`, "missing_required_parameter"}, {`{"model":"p/x","input":[]}`, "empty_array"},
		{`{"model":"p/x","input":{}}`, "invalid_type"}, {`{"model":"p/x","input":1}`, "invalid_type"},
		{`{"model":"p/x","input":"a","Input":"b"}`, "invalid_key_case"},
	} {
		wantError(t, g.do(t, http.MethodPost, embeddingsPath, test.body), http.StatusBadRequest, test.code)
	}
	wantCalls(t, srv, 0)
}
