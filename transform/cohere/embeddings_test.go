package cohere

import (
	"errors"
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

func TestEmbeddingRequests(t *testing.T) {
	inputs := []transform.Literal{transform.Quote("a"), transform.Quote("b")}
	member := func(name, value string) transform.Member {
		return transform.Member{Name: name, Value: jsonbytes.Value(value)}
	}
	for _, test := range []struct {
		name       string
		request    transform.EmbeddingRequest
		want, lost string
	}{
		{"plain", transform.EmbeddingRequest{}, `"input_type":"search_document","embedding_types":["float"]`, ""},
		{"dimensions", transform.EmbeddingRequest{Dimensions: 256, Base64: true}, `"input_type":"search_document","embedding_types":["float"],"output_dimension":256`, ""},
		{"a query", transform.EmbeddingRequest{Purpose: "RETRIEVAL_QUERY"}, `"input_type":"search_query","embedding_types":["float"]`, ""},
		{"a document", transform.EmbeddingRequest{Purpose: "RETRIEVAL_DOCUMENT"}, `"input_type":"search_document","embedding_types":["float"]`, ""},
		{"classification", transform.EmbeddingRequest{Purpose: "CLASSIFICATION"}, `"input_type":"classification","embedding_types":["float"]`, ""},
		{"clustering", transform.EmbeddingRequest{Rest: []transform.Member{member("task_type", `"CLUSTERING"`)}}, `"input_type":"clustering","embedding_types":["float"]`, ""},
		{"Cohere's own words", transform.EmbeddingRequest{Purpose: "CLUSTERING", Rest: []transform.Member{
			member("input_type", `"search_query"`), member("truncate", `"END"`), member("max_tokens", "9"), member("priority", "1"),
			member("title", `"t"`), member("x", "null"), member("truncate", "1"),
		}}, `"input_type":"search_query","embedding_types":["float"],"truncate":"END","max_tokens":9,"priority":1`, "/title /truncate"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var lost transform.Losses
			test.request.Inputs = inputs
			body, err := Codec{}.AppendEmbeddingRequest(nil, &test.request, transform.Target{Model: "embed-v4.0"}, &lost)
			want := `{"model":"embed-v4.0","texts":["a","b"],` + test.want + "}"
			if err != nil || string(body) != want || strings.Join(lost.Dropped, " ") != test.lost {
				t.Errorf("%v, lost %q, got\n%s\nwant\n%s", err, lost.Dropped, body, want)
			}
		})
	}
	if _, err := (Codec{}).AppendEmbeddingRequest(nil, new(transform.EmbeddingRequest), transform.Target{}, nil); err == nil {
		t.Error("nothing to embed")
	}
}

func TestEmbeddingResponses(t *testing.T) {
	for _, body := range []string{
		`{"id":"x","embeddings":{"float":[[1,2.50],[3,4]]},"meta":{"billed_units":{"input_tokens":7}}}`,
		`{"embeddings":[[1,2.50],[3,4]],"meta":{"tokens":{"input_tokens":7},"billed_units":{"input_tokens":9}}}`,
	} {
		a, err := Codec{}.DecodeEmbeddingResponse([]byte(body))
		if err != nil {
			t.Fatal(err)
		}
		if len(a.Vectors) != 2 || string(a.Vectors[0]) != "[1,2.50]" || a.Usage.Input != 7 || !a.Usage.Known {
			t.Errorf("%s: %+v", body, a)
		}
	}
	for body, said := range map[string]bool{
		`{"message":"model not found"}`: true, `{"embeddings":{"int8":[[1]]}}`: false, `{"embeddings":{"float":[1]}}`: false, `{}`: false, `x`: false,
	} {
		_, err := Codec{}.DecodeEmbeddingResponse([]byte(body))
		var e *transform.Error
		if err == nil || errors.As(err, &e) != said {
			t.Errorf("%s: %v", body, err)
		}
	}
}
