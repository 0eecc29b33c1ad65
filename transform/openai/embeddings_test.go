package openai

import (
	"errors"
	"slices"
	"testing"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/usage"
)

func TestEmbeddingRequests(t *testing.T) {
	lost := new(transform.Losses)
	r, err := Codec{}.DecodeEmbeddingRequest([]byte(`{"model":"m","input":["a","b"],"dimensions":8,"encoding_format":"base64","user":"u","x":1}`), lost)
	if err != nil || r.Model != "m" || len(r.Inputs) != 2 || r.Dimensions != 8 || !r.Base64 || len(r.Rest) != 1 || !slices.Equal(lost.Dropped, []string{"/user"}) {
		t.Fatalf("%+v %v %v", r, err, lost)
	}
	got, err := Codec{}.AppendEmbeddingRequest(nil, r, transform.Target{Model: "t"}, lost)
	if want := `{"model":"t","input":["a","b"],"dimensions":8}`; err != nil || string(got) != want || !slices.Equal(lost.Dropped, []string{"/user", "/x"}) {
		t.Errorf("%s %v %v", got, err, lost)
	}
	for body, param := range map[string]string{
		`{"model":"m"}`:                                       "input",
		`{"input":"a"}`:                                       "model",
		`{"model":"m","input":[1,2]}`:                         "input[0]",
		`{"model":"m","input":[]}`:                            "input",
		`{"model":"m","input":5}`:                             "input",
		`{"model":"m","input":"a","dimensions":0}`:            "dimensions",
		`{"model":"m","input":"a","encoding_format":"ubyte"}`: "encoding_format",
	} {
		_, err := Codec{}.DecodeEmbeddingRequest([]byte(body), lost)
		var e *transform.Error
		if !errors.As(err, &e) || e.Param != param {
			t.Errorf("%s: %v", body, err)
		}
	}
}

func TestEmbeddingAnswers(t *testing.T) {
	a := &transform.EmbeddingResponse{Model: "m", Vectors: []jsonbytes.Value{[]byte(`[0.5,-1]`), []byte(`[1e0, 2]`)}, Usage: usage.Tokens{Input: 3}}
	for _, packed := range []bool{false, true} {
		out, err := Codec{}.AppendEmbeddingResponse(nil, a, &transform.EmbeddingRequest{Base64: packed})
		if err != nil {
			t.Fatal(err)
		}
		want := `{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.5,-1]},{"object":"embedding","index":1,"embedding":[1e0, 2]}],"model":"m","usage":{"prompt_tokens":3,"total_tokens":3}}`
		if packed {
			want = `{"object":"list","data":[{"object":"embedding","index":0,"embedding":"AAAAPwAAgL8="},{"object":"embedding","index":1,"embedding":"AACAPwAAAEA="}],"model":"m","usage":{"prompt_tokens":3,"total_tokens":3}}`
		}
		if string(out) != want {
			t.Errorf("%s", out)
		}
		back, err := Codec{}.DecodeEmbeddingResponse(out)
		if err != nil || len(back.Vectors) != 2 || back.Usage.Input != 3 || back.Model != "m" {
			t.Fatalf("%+v %v", back, err)
		}
		if packed && string(back.Vectors[0]) != "[0.5,-1]" {
			t.Errorf("%s", back.Vectors[0])
		}
	}
	for _, body := range []string{`{}`, `{"data":[{"index":5,"embedding":[1]}]}`, `{"data":[{"embedding":"?"}]}`, `{"data":[{"index":0,"embedding":[1]},{"index":0,"embedding":[1]}]}`} {
		if _, err := (Codec{}).DecodeEmbeddingResponse([]byte(body)); err == nil {
			t.Errorf("decoded %s", body)
		}
	}
}

func TestRecordedEmbeddingsAreRead(t *testing.T) {
	for _, r := range recordings(t, []string{"openai-embeddings", "mistral-embeddings"}) {
		if r.status != 200 {
			continue
		}
		a, err := Codec{}.DecodeEmbeddingResponse(r.response)
		if err != nil || len(a.Vectors) == 0 || !a.Usage.Known {
			t.Errorf("%s: %v", r.name, err)
		}
		if s, err := (Codec{}).InspectResponse(r.response); err != nil || s.Usage != a.Usage {
			t.Errorf("%s: inspected %+v %v", r.name, s, err)
		}
	}
}
