package gateway

import "testing"

func TestSurfaceClaimsExactPaths(t *testing.T) {
	all := Surface{OpenAI: true, Health: true}
	for _, test := range []struct {
		surface      Surface
		method, path string
		op           operation
		model        string
	}{
		{all, "POST", "/v1/chat/completions", opChat, ""},
		{all, "POST", "/chat/completions", opChat, ""},
		{all, "POST", "/openai/v1/chat/completions", opChat, ""},
		{all, "POST", "/openai/chat/completions", opChat, ""},
		{all, "POST", "/v1/embeddings", opEmbeddings, ""},
		{all, "POST", "/openai/embeddings", opEmbeddings, ""},
		{all, "GET", "/v1/models", opListModels, ""},
		{all, "HEAD", "/v1/models", opListModels, ""},
		{all, "GET", "/v1/models/m", opGetModel, "m"},
		{all, "GET", "/v1/models/openai/gpt-6", opGetModel, "openai/gpt-6"},
		{all, "GET", "/openai/models/a/b/c", opGetModel, "a/b/c"},
		{all, "GET", "/health/live", opLive, ""},
		{all, "HEAD", "/health/ready", opReady, ""},
		{all, "OPTIONS", "/v1/chat/completions", opPreflight, ""},
		{all, "OPTIONS", "/health/live", opPreflight, ""},
		{all, "GET", "/v1/chat/completions", opBadMethod, ""},
		{all, "HEAD", "/v1/chat/completions", opBadMethod, ""},
		{all, "post", "/v1/chat/completions", opBadMethod, ""},
		{all, "POST", "/v1/models", opBadMethod, ""},
		{all, "DELETE", "/v1/models/m", opBadMethod, "m"},
		{all, "POST", "/openai", opNotFound, ""},
		{all, "POST", "/openai/", opNotFound, ""},
		{all, "POST", "/openai/v1/v1/chat/completions", opNotFound, ""},
		{all, "POST", "/openai/openai/chat/completions", opNotFound, ""},
		{all, "GET", "/openai/health/live", opNotFound, ""},
		{all, "POST", "/openaix/chat/completions", opNone, ""},
		{all, "POST", "/v1/Chat/Completions", opNone, ""},
		{all, "POST", "/V1/chat/completions", opNone, ""},
		{all, "POST", "//v1/chat/completions", opNone, ""},
		{all, "POST", "/v1//chat/completions", opNone, ""},
		{all, "POST", "/v1/chat/completions/", opNone, ""},
		{all, "POST", "/v1/./chat/completions", opNone, ""},
		{all, "POST", "/x/../v1/chat/completions", opNone, ""},
		{all, "POST", "/v1/chat/completions;x", opNone, ""},
		{all, "GET", "/v1/models/", opNone, ""},
		{all, "GET", "/v1", opNone, ""},
		{all, "GET", "/health", opNone, ""},
		{all, "GET", "", opNone, ""},
		{Surface{OpenAI: true}, "GET", "/health/live", opNone, ""},
		{Surface{Health: true}, "POST", "/v1/chat/completions", opNone, ""},
		{Surface{Health: true}, "POST", "/openai/x", opNone, ""},
		{Surface{}, "GET", "/health/live", opNone, ""},
	} {
		if op, model := test.surface.match(test.method, test.path); op != test.op || model != test.model && op == opGetModel {
			t.Errorf("%+v: %s %s is %d %q, want %d %q", test.surface, test.method, test.path, op, model, test.op, test.model)
		}
	}
}

func TestOperationsHaveNamesInRecords(t *testing.T) {
	for op, want := range map[operation]string{opChat: "chat", opEmbeddings: "embeddings", opListModels: "models", opGetModel: "models", opNone: "", opBadMethod: ""} {
		if op.String() != want {
			t.Errorf("operation %d is called %q, want %q", op, op, want)
		}
	}
}
