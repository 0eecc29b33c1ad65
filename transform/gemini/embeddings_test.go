package gemini

import (
	"errors"
	"testing"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/usage"
)

func TestEmbeddingRequests(t *testing.T) {
	r := &transform.EmbeddingRequest{
		Inputs: []transform.Literal{transform.Quote("a"), transform.Quote(`"b"`)}, Dimensions: 3,
		Rest: []transform.Member{
			{Name: "task_type", Value: jsonbytes.Value(`"RETRIEVAL_DOCUMENT"`)}, {Name: "title", Value: jsonbytes.Value(`"t"`)},
			{Name: "user", Value: jsonbytes.Value(`"u"`)}, {Name: "input_type", Value: jsonbytes.Value("null")},
		},
	}
	for _, test := range []struct {
		codec Codec
		model string
		want  string
	}{
		{Codec{}, "gemini-embedding-001", `{"requests":[` +
			`{"model":"models/gemini-embedding-001","content":{"parts":[{"text":"a"}]},"taskType":"RETRIEVAL_DOCUMENT","title":"t","outputDimensionality":3},` +
			`{"model":"models/gemini-embedding-001","content":{"parts":[{"text":"\"b\""}]},"taskType":"RETRIEVAL_DOCUMENT","title":"t","outputDimensionality":3}]}`},
		{Codec{Vertex: true}, "gemini-embedding-001", `{"instances":[{"content":"a","task_type":"RETRIEVAL_DOCUMENT","title":"t"},` +
			`{"content":"\"b\"","task_type":"RETRIEVAL_DOCUMENT","title":"t"}],"parameters":{"outputDimensionality":3}}`},
	} {
		var lost transform.Losses
		got, err := test.codec.AppendEmbeddingRequest(nil, r, to(test.model), &lost)
		if err != nil || string(got) != test.want {
			t.Errorf("%v\ngot  %s\nwant %s", err, got, test.want)
		}
		sameLosses(t, &lost, "/user", "")
	}
	one := &transform.EmbeddingRequest{Inputs: []transform.Literal{transform.Quote("a")}}
	got, _ := Codec{}.AppendEmbeddingRequest(nil, one, to("models/x"), new(transform.Losses))
	if string(got) != `{"requests":[{"model":"models/x","content":{"parts":[{"text":"a"}]}}]}` {
		t.Errorf("got %s", got)
	}
	if _, err := (Codec{}).AppendEmbeddingRequest(nil, new(transform.EmbeddingRequest), google, new(transform.Losses)); err == nil {
		t.Error("no input is no error")
	}
}

func TestEmbeddingAnswers(t *testing.T) {
	for _, test := range []struct {
		name, body, want string
		usage            usage.Tokens
	}{
		{"a batch", `{"embeddings":[{"values":[ 0.10,
			-4.6e-05 ]},{"values":[2]}],"new":{}}`, "[0.10,-4.6e-05] [2] ", usage.Tokens{}},
		{"one", `{"embedding":{"values":[1]}}`, "[1] ", usage.Tokens{}},
		{"counted", `{"embedding":{"values":[1]},"usageMetadata":{"promptTokenCount":7}}`, "[1] ", usage.Tokens{Input: 7, Known: true}},
		{"Vertex", `{"predictions":[{"embeddings":{"statistics":{"truncated":false,"token_count":3},"values":[1]}},{"embeddings":{"statistics":{"token_count":2},"values":[2]}}]}`,
			"[1] [2] ", usage.Tokens{Input: 5, Known: true}},
	} {
		a, err := Codec{}.DecodeEmbeddingResponse([]byte(test.body))
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		got := ""
		for _, v := range a.Vectors {
			got += string(v) + " "
		}
		if got != test.want || a.Usage != test.usage {
			t.Errorf("%s: %s %+v", test.name, got, a.Usage)
		}
	}
	for _, body := range []string{"", "{}", "x", `{"embeddings":[]}`, `{"embeddings":[{}]}`, `{"embedding":{"values":"x"}}`} {
		if a, err := (Codec{}).DecodeEmbeddingResponse([]byte(body)); err == nil {
			t.Errorf("%s: %+v", body, a)
		}
	}
	_, err := Codec{}.DecodeEmbeddingResponse([]byte(`{"error":{"code":429,"message":"slow"}}`))
	var e *transform.Error
	if !errors.As(err, &e) || e.Kind != transform.ErrRateLimit {
		t.Errorf("%v", err)
	}
}
