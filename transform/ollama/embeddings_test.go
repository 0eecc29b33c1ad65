package ollama

import (
	"errors"
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

func TestEmbeddingRequests(t *testing.T) {
	member := func(name, value string) transform.Member {
		return transform.Member{Name: name, Value: jsonbytes.Value(value)}
	}
	inputs := []transform.Literal{transform.Quote("a"), transform.Quote("b")}
	for _, test := range []struct {
		name       string
		request    transform.EmbeddingRequest
		want, lost string
	}{
		{"plain", transform.EmbeddingRequest{Base64: true, Purpose: "CLUSTERING"}, ``, ""},
		{"dimensions", transform.EmbeddingRequest{Dimensions: 256}, `,"dimensions":256`, ""},
		{"Ollama's own words", transform.EmbeddingRequest{Rest: []transform.Member{
			member("truncate", "false"), member("keep_alive", "60"), member("options", `{"num_ctx":512}`), member("think", "true"), member("task_type", `"x"`),
		}}, `,"options":{"num_ctx":512},"keep_alive":60,"truncate":false`, "/think /task_type"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var lost transform.Losses
			test.request.Inputs = inputs
			body, err := Codec{}.AppendEmbeddingRequest(nil, &test.request, transform.Target{Model: "nomic"}, &lost)
			want := `{"model":"nomic","input":["a","b"]` + test.want + "}"
			if err != nil || string(body) != want || strings.Join(lost.Dropped, " ") != test.lost {
				t.Errorf("%v, lost %q, got\n%s\nwant\n%s", err, lost.Dropped, body, want)
			}
		})
	}
	if _, err := (Codec{}).AppendEmbeddingRequest(nil, new(transform.EmbeddingRequest), local, nil); err == nil {
		t.Error("nothing to embed")
	}
}

func TestEmbeddingResponses(t *testing.T) {
	a, err := Codec{}.DecodeEmbeddingResponse([]byte(`{"model":"nomic","embeddings":[[1,2.50],[3,4]],"prompt_eval_count":7}`))
	if err != nil || len(a.Vectors) != 2 || string(a.Vectors[0]) != "[1,2.50]" || a.Usage.Input != 7 || !a.Usage.Known || a.Model != "nomic" {
		t.Errorf("%+v, %v", a, err)
	}
	if a, err = (Codec{}).DecodeEmbeddingResponse([]byte(`{"embeddings":[[1]]}`)); err != nil || a.Usage.Known {
		t.Errorf("%+v, %v", a, err)
	}
	for body, said := range map[string]bool{`{"error":"this model does not support embeddings"}`: true, `{"embedding":[1]}`: false, `{"embeddings":[1]}`: false, `x`: false} {
		_, err := Codec{}.DecodeEmbeddingResponse([]byte(body))
		var e *transform.Error
		if err == nil || errors.As(err, &e) != said {
			t.Errorf("%s: %v", body, err)
		}
	}
}
