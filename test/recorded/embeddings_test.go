package recorded_test

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"testing"
)

// embedders serve the wires of embeddings.
var embedders = map[string]struct{ provider, prefix string }{
	"cohere-embeddings": {"cohere", ""}, "gemini-embeddings": {"gemini", ""}, "mistral-embeddings": {"mistral", ""},
	"openai-embeddings": {"openai", ""}, "vertex-embeddings": {"vertex", "gemini-"},
}

// vectors are the numbers of an answer of any format, and the tokens that were
// counted for them, 0 if none were.
func vectors(body node) (list [][]float32, tokens int64) {
	add := func(v node) {
		if v.isText() {
			list = append(list, unpack(v.text()))
			return
		}
		vector := make([]float32, 0, len(v.list()))
		for _, number := range v.list() {
			f, _ := strconv.ParseFloat(number.String(), 32)
			vector = append(vector, float32(f))
		}
		list = append(list, vector)
	}
	for _, entry := range body.get("data").list() { // OpenAI, Mistral
		add(entry.get("embedding"))
	}
	for _, vector := range body.get("embeddings", "float").list() { // Cohere
		add(vector)
	}
	for _, entry := range body.get("embeddings").list() { // Gemini
		add(entry.get("values"))
	}
	for _, entry := range body.get("predictions").list() { // Vertex
		add(entry.get("embeddings", "values"))
		tokens += entry.get("embeddings", "statistics", "token_count").count()
	}
	tokens += body.get("usage", "prompt_tokens").count()
	tokens += body.get("meta", "billed_units", "input_tokens").count()
	tokens += body.get("usageMetadata", "promptTokenCount").count()
	return list, tokens
}

// unpack reads 32-bit floats, little-endian, in base64.
func unpack(text string) (vector []float32) {
	data, _ := base64.StdEncoding.DecodeString(text)
	for ; len(data) >= 4; data = data[4:] {
		vector = append(vector, math.Float32frombits(binary.LittleEndian.Uint32(data)))
	}
	return vector
}

// embeddingQuestion asks for so many vectors.
func embeddingQuestion(dialect, model string, n int) (path string, body []byte) {
	var inputs, requests []any
	for i := range max(n, 1) {
		text := fmt.Sprint(said, i)
		inputs = append(inputs, text)
		requests = append(requests, object{"model": "models/" + model, "content": object{"parts": []any{object{"text": text}}}})
	}
	switch dialect {
	case "gemini":
		body, _ = json.Marshal(object{"requests": requests})
		return "/v1beta/models/" + model + ":batchEmbedContents", body
	case "base64":
		body, _ = json.Marshal(object{"model": model, "input": inputs, "encoding_format": "base64"})
	default:
		body, _ = json.Marshal(object{"model": model, "input": inputs})
	}
	return "/v1/embeddings", body
}

// Recorded vectors reach the clients of both formats that have them.
func TestRecordedEmbeddingsReachEveryClient(t *testing.T) {
	list := slices.DeleteFunc(slices.Clone(corpus(t)), func(r *recording) bool { return !isEmbedding(r) })
	replay := newReplay(list)
	g := openGate(t, replay)
	for _, r := range list {
		at := embedders[r.wire]
		for _, dialect := range []string{"chat", "base64", "gemini"} {
			t.Run(r.String()+"/"+dialect, func(t *testing.T) {
				recorded, err := parse(r.response)
				if err != nil {
					t.Fatal(err)
				}
				want, tokens := vectors(recorded)
				path, body := embeddingQuestion(dialect, at.provider+"/"+at.prefix+r.id(), len(want))
				a := g.send(t, dialect, path, body)
				arrived := replay.take(r.id())
				if arrived == nil || arrived.mismatch != "" {
					t.Fatalf("arrived %+v; answer %d %.300s", arrived, a.status, a.body)
				}
				if r.status != http.StatusOK {
					f := &fault{status: r.status, message: errorMessage(recorded)}
					got := readError(dialect, a.status, a.body).fault
					if !slices.Contains(statuses(f), got.status) || got.wrong != "" || !tells(got.message, f.message) {
						t.Errorf("error is %v, want %v", got, f)
					}
					return
				}
				answer, err := parse(a.body)
				if err != nil || a.status != http.StatusOK {
					t.Fatalf("answer is %d %.300s", a.status, a.body)
				}
				got, counted := vectors(answer)
				if !slices.EqualFunc(got, want, func(a, b []float32) bool { return slices.Equal(a, b) }) {
					t.Errorf("%d vectors %.100v, want %d %.100v", len(got), got, len(want), want)
				}
				if tokens > 0 && counted != tokens && (dialect != "gemini" || counted > 0) {
					t.Errorf("%d tokens, want %d", counted, tokens)
				}
			})
		}
	}
}

// Counts of tokens reach the clients of the formats that ask for them.
func TestRecordedTokenCountsReachEveryClient(t *testing.T) {
	list := slices.DeleteFunc(slices.Clone(corpus(t)), func(r *recording) bool { return !r.has("count-tokens") })
	replay := newReplay(list)
	g := openGate(t, replay)
	for _, r := range list {
		w := wires[r.wire]
		model := w.provider + "/" + w.prefix + r.id()
		for dialect, path := range map[string]string{
			"responses": "/v1/responses/input_tokens", "messages": "/v1/messages/count_tokens",
			"gemini": "/v1beta/models/" + model + ":countTokens",
		} {
			t.Run(r.String()+"/"+dialect, func(t *testing.T) {
				a := g.send(t, dialect, path, countQuestion(t, dialect, model))
				arrived := replay.take(r.id())
				if arrived == nil || arrived.mismatch != "" {
					t.Fatalf("arrived %+v; answer %d %.300s", arrived, a.status, a.body)
				}
				recorded, _ := parse(r.response)
				got, err := parse(a.body)
				if err != nil {
					t.Fatalf("answer is %d %.300s", a.status, a.body)
				}
				counted := got.first("input_tokens", "totalTokens").count()
				if want := recorded.first("input_tokens", "totalTokens").count(); r.status == http.StatusOK && counted != want {
					t.Errorf("counted %d, want %d", counted, want)
				}
				if r.status != http.StatusOK && a.status != r.status && counted == 0 {
					t.Errorf("answer is %d %.300s, want the error or an estimate", a.status, a.body)
				}
			})
		}
	}
}

func countQuestion(t *testing.T, dialect, model string) []byte {
	t.Helper()
	body := topLevel(t, question{model: model}.body(dialect))
	delete(body, "max_tokens")
	delete(body, "store")
	text, _ := json.Marshal(body)
	return text
}
