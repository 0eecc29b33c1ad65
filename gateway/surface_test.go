package gateway

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/caddyllm/llmproxy/transform"
)

func requestOf(method, path, query string) *http.Request {
	return &http.Request{Method: method, URL: &url.URL{Path: path, RawQuery: query}, Header: http.Header{}}
}

func TestA09SurfaceClaimsExactPaths(t *testing.T) {
	all := Surface{OpenAI: true, Anthropic: true, Gemini: true, Health: true}
	const (
		chat      = transform.OpenAIChat
		responses = transform.Responses
		claude    = transform.Anthropic
		gemini    = transform.Gemini
	)
	for _, test := range []struct {
		surface      Surface
		method, path string
		op           operation
		format       transform.Format
		model        string
	}{
		{all, "POST", "/v1/chat/completions", opChat, chat, ""},
		{all, "POST", "/chat/completions", opChat, chat, ""},
		{all, "POST", "/openai/v1/chat/completions", opChat, chat, ""},
		{all, "POST", "/openai/chat/completions", opChat, chat, ""},
		{all, "POST", "/openai/deployments/d/chat/completions", opChat, chat, ""},
		{all, "POST", "/openai/deployments/d/embeddings", opEmbeddings, chat, ""},
		{all, "POST", "/openai/deployments/d", opNotFound, chat, ""},
		{all, "POST", "/v1/responses", opChat, responses, ""},
		{all, "POST", "/openai/responses", opChat, responses, ""},
		{all, "POST", "/v1/responses/input_tokens", opCount, responses, ""},
		{all, "POST", "/v1/responses/compact", opNone, "", ""},
		{all, "POST", "/responses", opNone, "", ""},
		{all, "POST", "/v1/embeddings", opEmbeddings, chat, ""},
		{all, "POST", "/openai/embeddings", opEmbeddings, chat, ""},
		{all, "POST", "/v1/completions", opForward, chat, ""},
		{all, "POST", "/v1/images/edits", opForward, chat, ""},
		{all, "POST", "/v1/audio/transcriptions", opForward, chat, ""},
		{all, "POST", "/v1/moderations", opForward, chat, ""},
		{all, "POST", "/openai/rerank", opForward, chat, ""},
		{all, "POST", "/v1/images/../files", opNone, "", ""},
		{all, "POST", "/v1/files", opNone, "", ""},
		{all, "POST", "/openai/files", opNotFound, chat, ""},

		{all, "POST", "/v1/messages", opChat, claude, ""},
		{all, "POST", "/v1/messages/count_tokens", opCount, claude, ""},
		{all, "POST", "/v1/messages/batches", opNone, "", ""},
		{all, "POST", "/anthropic/v1/messages", opChat, claude, ""},
		{all, "POST", "/anthropic/messages", opChat, claude, ""},
		{all, "GET", "/anthropic/v1/models", opListModels, claude, ""},
		{all, "GET", "/anthropic/v1/models/a/b", opGetModel, claude, "a/b"},
		{all, "POST", "/anthropic/v1/messages/batches", opNotFound, claude, ""},
		{all, "GET", "/v1/messages", opBadMethod, claude, ""},

		{all, "POST", "/v1beta/models/gemini-x:generateContent", opChat, gemini, "gemini-x"},
		{all, "POST", "/v1beta/models/p/gemini-x:streamGenerateContent", opChat, gemini, "p/gemini-x"},
		{all, "POST", "/v1/models/gemini-x:generateContent", opChat, gemini, "gemini-x"},
		{all, "POST", "/v1beta/models/llama3:8b:generateContent", opChat, gemini, "llama3:8b"},
		{all, "POST", "/v1beta/models/m:countTokens", opCount, gemini, "m"},
		{all, "POST", "/v1beta/models/m:embedContent", opEmbeddings, gemini, "m"},
		{all, "POST", "/v1beta/models/m:batchEmbedContents", opEmbeddings, gemini, "m"},
		{all, "POST", "/v1beta1/projects/p/locations/l/publishers/google/models/m:generateContent", opChat, gemini, "m"},
		{all, "POST", "/v1/publishers/google/models/m:generateContent", opChat, gemini, "m"},
		{all, "POST", "/v1beta1/anything/publishers/google/models/m:generateContent", opNone, "", ""},
		{all, "POST", "/v1/xpublishers/google/models/m:generateContent", opNone, "", ""},
		{all, "POST", "/gemini/v1beta/models/m:generateContent", opChat, gemini, "m"},
		{all, "POST", "/gemini/models/m:generateContent", opChat, gemini, "m"},
		{all, "GET", "/v1beta/models", opListModels, gemini, ""},
		{all, "GET", "/v1beta/models/a/b", opGetModel, gemini, "a/b"},
		{all, "GET", "/v1beta/models/llama3:8b", opGetModel, gemini, "llama3:8b"},
		{all, "POST", "/v1beta/models/m:tune", opBadMethod, gemini, ""},
		{all, "POST", "/v1beta/files", opNone, "", ""},
		{all, "POST", "/gemini/v1beta/files", opNotFound, gemini, ""},

		{all, "GET", "/v1/models", opListModels, chat, ""},
		{all, "HEAD", "/v1/models", opListModels, chat, ""},
		{all, "GET", "/v1/models/m", opGetModel, chat, "m"},
		{all, "GET", "/v1/models/llama3:8b", opGetModel, chat, "llama3:8b"},
		{all, "GET", "/v1/models/openai/gpt-6", opGetModel, chat, "openai/gpt-6"},
		{all, "GET", "/openai/models/a/b/c", opGetModel, chat, "a/b/c"},
		{all, "GET", "/health/live", opLive, chat, ""},
		{all, "HEAD", "/health/ready", opReady, chat, ""},
		{all, "OPTIONS", "/v1/chat/completions", opPreflight, chat, ""},
		{all, "OPTIONS", "/v1beta/models/m:generateContent", opPreflight, gemini, "m"},
		{all, "OPTIONS", "/health/live", opPreflight, chat, ""},
		{all, "GET", "/v1/chat/completions", opBadMethod, chat, ""},
		{all, "HEAD", "/v1/chat/completions", opBadMethod, chat, ""},
		{all, "post", "/v1/chat/completions", opBadMethod, chat, ""},
		{all, "POST", "/v1/models", opBadMethod, chat, ""},
		{all, "DELETE", "/v1/models/m", opBadMethod, chat, "m"},
		{all, "POST", "/openai", opNotFound, chat, ""},
		{all, "POST", "/openai/", opNotFound, chat, ""},
		{all, "POST", "/openai/v1/v1/chat/completions", opNotFound, chat, ""},
		{all, "POST", "/openai/openai/chat/completions", opNotFound, chat, ""},
		{all, "GET", "/openai/health/live", opNotFound, chat, ""},
		{all, "POST", "/openaix/chat/completions", opNone, "", ""},
		{all, "POST", "/v1/Chat/Completions", opNone, "", ""},
		{all, "POST", "/V1/chat/completions", opNone, "", ""},
		{all, "POST", "//v1/chat/completions", opNone, "", ""},
		{all, "POST", "/v1//chat/completions", opNone, "", ""},
		{all, "POST", "/v1/chat/completions/", opNone, "", ""},
		{all, "POST", "/v1/./chat/completions", opNone, "", ""},
		{all, "POST", "/x/../v1/chat/completions", opNone, "", ""},
		{all, "POST", "/v1/chat/completions;x", opNone, "", ""},
		{all, "GET", "/v1/models/", opNone, "", ""},
		{all, "GET", "/v1", opNone, "", ""},
		{all, "GET", "/health", opNone, "", ""},
		{all, "GET", "", opNone, "", ""},
		{Surface{OpenAI: true}, "GET", "/health/live", opNone, "", ""},
		{Surface{OpenAI: true}, "POST", "/v1/messages", opNone, "", ""},
		{Surface{OpenAI: true}, "POST", "/v1/models/m:generateContent", opNone, "", ""},
		{Surface{OpenAI: true}, "POST", "/gemini/models/m:generateContent", opNone, "", ""},
		{Surface{Anthropic: true}, "GET", "/v1/models", opListModels, claude, ""},
		{Surface{Anthropic: true}, "POST", "/v1/chat/completions", opNone, "", ""},
		{Surface{Gemini: true}, "GET", "/v1/models", opListModels, gemini, ""},
		{Surface{Health: true}, "POST", "/v1/chat/completions", opNone, "", ""},
		{Surface{Health: true}, "POST", "/openai/x", opNone, "", ""},
		{Surface{}, "GET", "/health/live", opNone, "", ""},
	} {
		c := test.surface.match(requestOf(test.method, test.path, ""))
		var format transform.Format
		if c.client != nil {
			format = c.client.Format()
		}
		if c.op != test.op || format != test.format || test.op != opBadMethod && c.model != test.model {
			t.Errorf("%+v: %s %s is %d %s %q, want %d %s %q", test.surface, test.method, test.path, c.op, format, c.model, test.op, test.format, test.model)
		}
	}
}

func TestListsOfModelsAreToldApartByTheClientsVersion(t *testing.T) {
	all := Surface{OpenAI: true, Anthropic: true, Gemini: true}
	r := requestOf("GET", "/v1/models", "")
	r.Header["Anthropic-Version"] = []string{"2023-06-01"}
	if c := all.match(r); c.client.Format() != transform.Anthropic {
		t.Errorf("the list is %s's", c.client.Format())
	}
	if c := (Surface{OpenAI: true}).match(r); c.client.Format() != transform.OpenAIChat {
		t.Errorf("the list is %s's", c.client.Format())
	}
}

func TestGeminiStreamsAreArraysUnlessAskedForEvents(t *testing.T) {
	for query, array := range map[string]bool{"": true, "alt=sse": false, "key=k&alt=sse": false, "alt=json": true} {
		c := Surface{Gemini: true}.match(requestOf("POST", "/v1beta/models/m:streamGenerateContent", query))
		if !c.stream || isArray(c.client) != array {
			t.Errorf("%q: %+v", query, c)
		}
	}
}

func TestOperationsHaveNamesInRecords(t *testing.T) {
	for op, want := range map[operation]string{opChat: "chat", opEmbeddings: "embeddings", opListModels: "models", opGetModel: "models", opCount: "count_tokens", opNone: "", opBadMethod: ""} {
		if op.String() != want {
			t.Errorf("operation %d is called %q, want %q", op, op, want)
		}
	}
}
