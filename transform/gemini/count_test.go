package gemini

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

func TestCountRequests(t *testing.T) {
	for _, test := range []struct{ body, want, model, dropped string }{
		{`{"contents":["a"]}`, "user: [text \"a\"]\n", "", ""},
		{`{"contents":["a"],"systemInstruction":"s","tools":[{"functionDeclarations":[{"name":"f"}]}]}`, "system: [text \"s\"]\nuser: [text \"a\"]\n", "", ""},
		{`{"generateContentRequest":{"model":"models/m","contents":["a"],"x":1},"y":2}`, "user: [text \"a\"]\n", "m", "/generateContentRequest/x /y"},
		{`{"model":"models/n","generate_content_request":{"contents":[{"parts":[{"x":1},{"text":"a"}]}]}}`, "user: [text \"a\"]\n", "n",
			"/generate_content_request/contents/0/parts/0/x"},
	} {
		var lost transform.Losses
		r, err := Codec{}.DecodeCountRequest([]byte(test.body), &lost)
		if err != nil {
			t.Fatal(err)
		}
		if got := outline(r); got != test.want || r.Model != test.model {
			t.Errorf("%s: %s%s", test.body, got, r.Model)
		}
		sameLosses(t, &lost, test.dropped, "")
	}
	for _, body := range []string{`{}`, `[]`, `{"generateContentRequest":{}}`, `{"generateContentRequest":null}`, `{"generateContentRequest":5}`} {
		if _, err := (Codec{}).DecodeCountRequest([]byte(body), new(transform.Losses)); err == nil {
			t.Errorf("%s is no error", body)
		}
	}
	if got := string(Codec{}.AppendCount(nil, 42)); got != `{"totalTokens":42}` {
		t.Errorf("got %s", got)
	}
}

func TestCountsAreAskedFor(t *testing.T) {
	r, _ := decode(t, `{"systemInstruction":"s","contents":["a"],"tools":[{"functionDeclarations":[{"name":"f"}]}],"toolConfig":{"functionCallingConfig":{"mode":"AUTO"}},"generationConfig":{"temperature":1}}`)
	for _, test := range []struct {
		codec Codec
		want  string
	}{
		{Codec{}, `{"generateContentRequest":{"model":"models/gemini-2.5-flash","systemInstruction":{"parts":[{"text":"s"}]},"tools":[{"functionDeclarations":[{"name":"f"}]}],` +
			`"toolConfig":{"functionCallingConfig":{"mode":"AUTO"}},"contents":[{"role":"user","parts":[{"text":"a"}]}],"generationConfig":{"temperature":1}}}`},
		{Codec{Vertex: true}, `{"systemInstruction":{"parts":[{"text":"s"}]},"tools":[{"functionDeclarations":[{"name":"f"}]}],"contents":[{"role":"user","parts":[{"text":"a"}]}]}`},
	} {
		var lost transform.Losses
		got, err := test.codec.AppendCountRequest([]byte("before"), r, google, &lost)
		if err != nil || string(got) != "before"+test.want {
			t.Errorf("%v\ngot  %s\nwant %s", err, got, test.want)
		}
		sameLosses(t, &lost, "", "")
		if _, err := test.codec.AppendCountRequest(nil, new(transform.Request), google, &lost); err == nil {
			t.Error("no contents are no error")
		}
	}
}

func TestCounts(t *testing.T) {
	if n, err := (Codec{}).DecodeCount([]byte(`{"totalTokens": 31, "promptTokensDetails": []}`)); n != 31 || err != nil {
		t.Errorf("%d %v", n, err)
	}
	for _, body := range []string{``, `{}`, `{"totalTokens":-1}`, `{"totalTokens":"x"}`, `[1]`} {
		if n, err := (Codec{}).DecodeCount([]byte(body)); err == nil {
			t.Errorf("%s: %d", body, n)
		}
	}
	_, err := Codec{}.DecodeCount([]byte(`{"error":{"code":404,"message":"m","status":"NOT_FOUND"}}`))
	var e *transform.Error
	if !errors.As(err, &e) || e.Kind != transform.ErrNotFound {
		t.Errorf("%v", err)
	}
}

func TestRecordedCounts(t *testing.T) {
	each(t, "*gemini", func(t *testing.T, r recording) {
		if r.meta.Status != 200 || !strings.Contains(r.meta.Path, "countTokens") {
			t.Skip("no count")
		}
		if n, err := (Codec{}).DecodeCount(r.body); n <= 0 || err != nil {
			t.Errorf("%d %v", n, err)
		}
	})
}

func TestModels(t *testing.T) {
	list := []transform.Model{{ID: "openai/gpt-x", Owner: "openai"}, {ID: "smart"}}
	const methods = `"supportedGenerationMethods":["generateContent","streamGenerateContent","countTokens"]}`
	const first = `{"name":"models/openai/gpt-x","displayName":"openai/gpt-x","description":"served by openai",` + methods
	if got := string(Codec{}.AppendModel(nil, list[0])); got != first {
		t.Errorf("got %s", got)
	}
	if got := string(Codec{}.AppendModels(nil, list)); got != `{"models":[`+first+`,{"name":"models/smart","displayName":"smart",`+methods+`]}` {
		t.Errorf("got %s", got)
	}
	if got := string(Codec{}.AppendModels(nil, nil)); got != `{"models":[]}` {
		t.Errorf("got %s", got)
	}
}

func TestEmbeddingClients(t *testing.T) {
	for _, test := range []struct {
		name, body, model, inputs, purpose, title, dropped, refused string
		dimensions                                                  int64
		single                                                      bool
	}{
		{name: "one", body: `{"content":{"parts":[{"text":"a"},{"text":"b"}]},"taskType":"RETRIEVAL_QUERY","title":"t","outputDimensionality":3,"x":1}`,
			inputs: `"ab"`, purpose: "RETRIEVAL_QUERY", title: `"t"`, dropped: "/x", dimensions: 3, single: true},
		{name: "one, of a newer SDK", body: `{"model":"models/m","content":"a","embedContentConfig":{"task_type":1,"output_dimensionality":"3","autoTruncate":true}}`,
			model: "m", inputs: `"a"`, purpose: "RETRIEVAL_QUERY", dropped: "/embedContentConfig/autoTruncate", dimensions: 3, single: true},
		{name: "a batch", body: `{"requests":[{"model":"models/m","content":{"role":"user","parts":[{"text":"a"}]},"taskType":"CLUSTERING"},{"model":"models/m","content":{"parts":[{"text":"b"}]},"taskType":"CLUSTERING"}],"y":1}`,
			model: "m", inputs: `"a" "b"`, purpose: "CLUSTERING", dropped: "/y"},
		{name: "a batch of different wishes", body: `{"requests":[{"content":"a","taskType":"CLUSTERING","title":"t"},{"content":"b","outputDimensionality":3,"taskType":"RETRIEVAL_QUERY","title":"u"}]}`,
			inputs: `"a" "b"`, purpose: "CLUSTERING", title: `"t"`,
			dropped: "/requests/1/taskType /requests/1/outputDimensionality /requests/1/title", refused: "/requests/1/taskType /requests/1/outputDimensionality"},
		{name: "an image", body: `{"content":{"parts":[{"text":"a"},{"inlineData":{"mimeType":"image/png","data":"AA"}}]}}`, inputs: `"a"`, single: true,
			dropped: "/content/parts/1/inlineData", refused: "/content/parts/1/inlineData"},
		{name: "unspecified", body: `{"content":"a","taskType":"TASK_TYPE_UNSPECIFIED"}`, inputs: `"a"`, single: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			var lost transform.Losses
			r, err := Codec{}.DecodeEmbeddingRequest([]byte(test.body), &lost)
			if err != nil {
				t.Fatal(err)
			}
			var inputs []string
			for _, input := range r.Inputs {
				inputs = append(inputs, string(input))
			}
			title := ""
			if len(r.Rest) > 0 {
				title = string(r.Rest[0].Value)
			}
			if strings.Join(inputs, " ") != test.inputs || r.Model != test.model || r.Purpose != test.purpose || r.Dimensions != test.dimensions || r.Single != test.single || title != test.title {
				t.Errorf("%+v %q %s", r, inputs, title)
			}
			sameLosses(t, &lost, test.dropped, test.refused)
		})
	}
	for _, body := range []string{``, `{}`, `[]`, `{"requests":[]}`, `{"requests":[{}]}`, `{"content":{"parts":[]}}`, `{"content":5}`, `{"content":"a","outputDimensionality":-1}`} {
		if _, err := (Codec{}).DecodeEmbeddingRequest([]byte(body), new(transform.Losses)); err == nil {
			t.Errorf("%s is no error", body)
		}
	}
}

func TestVectors(t *testing.T) {
	a := &transform.EmbeddingResponse{Vectors: []jsonbytes.Value{jsonbytes.Value(`[ 0.1,2]`)}}
	got, err := Codec{}.AppendEmbeddingResponse(nil, a, &transform.EmbeddingRequest{Single: true})
	if err != nil || string(got) != `{"embedding":{"values":[0.1,2]}}` {
		t.Errorf("%s %v", got, err)
	}
	a.Vectors = append(a.Vectors, jsonbytes.Value("[3]"))
	a.Usage.Known, a.Usage.Input = true, 7
	if _, err := (Codec{}).AppendEmbeddingResponse(nil, a, &transform.EmbeddingRequest{Single: true}); err == nil {
		t.Error("two vectors for one text are no error")
	}
	got, err = Codec{}.AppendEmbeddingResponse(nil, a, nil)
	if err != nil || string(got) != `{"embeddings":[{"values":[0.1,2]},{"values":[3]}],"usageMetadata":{"promptTokenCount":7}}` {
		t.Errorf("%s %v", got, err)
	}
}

func TestPurposesAndSinglesAreAskedFor(t *testing.T) {
	r := &transform.EmbeddingRequest{Inputs: []transform.Literal{transform.Quote("a")}, Purpose: "CLUSTERING", Single: true, Dimensions: 2}
	got, err := Codec{}.AppendEmbeddingRequest(nil, r, to("m"), new(transform.Losses))
	if err != nil || string(got) != `{"model":"models/m","content":{"parts":[{"text":"a"}]},"taskType":"CLUSTERING","outputDimensionality":2}` {
		t.Errorf("%s %v", got, err)
	}
	got, err = Codec{Vertex: true}.AppendEmbeddingRequest(nil, r, to("m"), new(transform.Losses))
	if err != nil || string(got) != `{"instances":[{"content":"a","task_type":"CLUSTERING"}],"parameters":{"outputDimensionality":2}}` {
		t.Errorf("%s %v", got, err)
	}
}

func TestRecordedEmbeddingRequests(t *testing.T) {
	each(t, "gemini-embeddings", func(t *testing.T, r recording) {
		body, err := os.ReadFile(filepath.Join(r.folder, "request.json"))
		if err != nil {
			t.Fatal(err)
		}
		var lost transform.Losses
		in, err := Codec{}.DecodeEmbeddingRequest(body, &lost)
		if err != nil {
			t.Fatal(err)
		}
		out, err := Codec{}.AppendEmbeddingRequest(nil, in, to(in.Model), &lost)
		if err != nil || string(out) != string(jsonbytes.AppendCompact(nil, body)) {
			t.Errorf("%v\ngot  %s\nwant %s", err, out, body)
		}
		sameLosses(t, &lost, "", "")
		vectors, err := Codec{}.DecodeEmbeddingResponse(r.body)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := Codec{}.AppendEmbeddingResponse(nil, vectors, in)
		if again, err2 := (Codec{}).DecodeEmbeddingResponse(answer); err != nil || err2 != nil || len(again.Vectors) != len(in.Inputs) {
			t.Errorf("%v %v", err, err2)
		}
	})
}
