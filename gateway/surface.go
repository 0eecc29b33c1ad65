package gateway

import (
	"net/http"
	"strings"

	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/transform/anthropic"
	"github.com/caddyllm/llmproxy/transform/gemini"
	"github.com/caddyllm/llmproxy/transform/openai"
	"github.com/caddyllm/llmproxy/transform/responses"
)

// Surface says which paths are claimed. The zero value claims none.
type Surface struct {
	OpenAI    bool
	Anthropic bool
	Gemini    bool
	Health    bool
}

// operation is what a request asks for.
type operation uint8

const (
	opNone operation = iota // not ours
	opChat                  // an answer of a model, in any format
	opEmbeddings
	opCount   // the number of a request's tokens
	opForward // a path of OpenAI's that is passed on
	opListModels
	opGetModel
	opLive
	opReady
	opPreflight
	opNotFound  // below a prefix that is ours alone
	opBadMethod // ours, but not with this method
)

var operationNames = [...]string{
	opChat: "chat", opEmbeddings: "embeddings", opCount: "count_tokens", opForward: "forward", opListModels: "models", opGetModel: "models",
}

func (op operation) String() string {
	if int(op) < len(operationNames) {
		return operationNames[op]
	}
	return ""
}

// operationName is what records call the operation.
func (c *call) operationName() string {
	if c.resumed {
		return "resume"
	}
	if c.op == opForward {
		name, _, _ := strings.Cut(c.path[1:], "/")
		return name // completions, images, audio, moderations or rerank
	}
	return c.op.String()
}

// claim is what a path says of a request.
type claim struct {
	op operation
	// client is the format in which the client speaks.
	client transform.ClientCodec
	// model is the model that the path names, if it does.
	model string
	// stream tells that the path asks for a stream.
	stream bool
	// path is what is passed on, without the version: /images/generations.
	path string
}

// The prefixes below which everything is of one format, and ours.
const (
	openAIPrefix    = "/openai"
	anthropicPrefix = "/anthropic"
	geminiPrefix    = "/gemini"
)

// match says what a request asks for. Only exact paths count: no case folding,
// no doubled slashes, no dots.
func (s Surface) match(r *http.Request) claim {
	path := r.URL.Path
	if s.Health {
		switch path {
		case "/health/live":
			return claim{op: opLive, client: openai.Codec{}}.by(r, http.MethodGet)
		case "/health/ready":
			return claim{op: opReady, client: openai.Codec{}}.by(r, http.MethodGet)
		}
	}
	if s.OpenAI {
		if rest, ok := below(path, openAIPrefix); ok {
			return orNotFound(openai.Codec{}, openAI(r, deployment(rest)), openAI(r, "/v1"+deployment(rest)))
		}
	}
	if s.Anthropic {
		if rest, ok := below(path, anthropicPrefix); ok {
			return orNotFound(anthropic.Codec{}, messages(r, rest), messages(r, "/v1"+rest))
		}
	}
	if s.Gemini {
		if rest, ok := below(path, geminiPrefix); ok {
			return orNotFound(gemini.Codec{}, generateContent(r, rest), generateContent(r, "/v1beta"+rest))
		}
	}
	return s.shared(r, path)
}

// shared finds the format of a path that stands beside other sites'. The list of
// models has one path in all formats: Anthropic's clients say their version.
func (s Surface) shared(r *http.Request, path string) claim {
	for _, format := range [...]struct {
		claimed bool
		find    func(*http.Request, string) claim
	}{
		{s.Anthropic && r.Header["Anthropic-Version"] != nil, messages},
		{s.OpenAI, openAI},
		{s.Anthropic, messages},
		{s.Gemini, generateContent},
	} {
		if !format.claimed {
			continue
		}
		if c := format.find(r, path); c.op != opNone {
			return c
		}
	}
	return claim{}
}

// below is what follows a prefix of whole segments.
func below(path, prefix string) (rest string, ok bool) {
	rest, ok = strings.CutPrefix(path, prefix)
	return rest, ok && (rest == "" || rest[0] == '/')
}

// orNotFound is the first claim there is; below a prefix of its own a format
// answers for every path.
func orNotFound(client transform.ClientCodec, claims ...claim) claim {
	for _, c := range claims {
		if c.op != opNone {
			return c
		}
	}
	return claim{op: opNotFound, client: client}
}

// deployment leaves out /deployments/<name>, which Azure's SDKs put before the
// path: the body names the model too.
func deployment(path string) string {
	rest, ok := strings.CutPrefix(path, "/deployments/")
	if !ok {
		return path
	}
	if _, rest, ok = strings.Cut(rest, "/"); !ok {
		return path
	}
	return "/" + rest
}

// openAI is the surface of OpenAI's API.
func openAI(r *http.Request, path string) claim {
	if path == "/chat/completions" {
		path = "/v1/chat/completions"
	}
	path, ok := strings.CutPrefix(path, "/v1")
	if !ok {
		return claim{}
	}
	chat := openai.Codec{}
	switch path {
	case "/chat/completions":
		return claim{op: opChat, client: chat}.by(r, http.MethodPost)
	case "/responses":
		return claim{op: opChat, client: responses.Codec{}}.by(r, http.MethodPost)
	case "/responses/input_tokens":
		return claim{op: opCount, client: responses.Codec{}}.by(r, http.MethodPost)
	case "/embeddings":
		return claim{op: opEmbeddings, client: chat}.by(r, http.MethodPost)
	case "/models":
		return claim{op: opListModels, client: chat}.by(r, http.MethodGet)
	}
	if model := modelOf(r, path, "/models/"); model != "" {
		return claim{op: opGetModel, client: chat, model: model}.by(r, http.MethodGet)
	}
	if isForwarded(path) {
		return claim{op: opForward, client: chat, path: path}.by(r, http.MethodPost)
	}
	return claim{}
}

// modelOf is the model whose entry a path asks for, empty if it does not: a colon
// in what is posted to begins a method of Gemini's.
func modelOf(r *http.Request, path, prefix string) string {
	model, ok := strings.CutPrefix(path, prefix)
	if !ok || r.Method == http.MethodPost && strings.Contains(model, ":") {
		return ""
	}
	return model
}

// isForwarded tells the paths of OpenAI's API that are passed on to a provider
// that has them.
func isForwarded(path string) bool {
	switch path {
	case completionsPath, "/moderations", "/rerank",
		"/images/generations", "/images/edits", "/images/variations",
		"/audio/speech", "/audio/transcriptions", "/audio/translations":
		return true
	}
	return false
}

// messages is the surface of Anthropic's API.
func messages(r *http.Request, path string) claim {
	client := anthropic.Codec{}
	switch path {
	case "/v1/messages":
		return claim{op: opChat, client: client}.by(r, http.MethodPost)
	case "/v1/messages/count_tokens":
		return claim{op: opCount, client: client}.by(r, http.MethodPost)
	case "/v1/models":
		return claim{op: opListModels, client: client}.by(r, http.MethodGet)
	}
	if model := modelOf(r, path, "/v1/models/"); model != "" {
		return claim{op: opGetModel, client: client, model: model}.by(r, http.MethodGet)
	}
	return claim{}
}

// generateContent is the surface of Gemini's API, and of Vertex AI's for SDKs
// in that mode: what stands between the version and publishers/google is theirs.
func generateContent(r *http.Request, path string) claim {
	rest := ""
	for _, version := range [...]string{"/v1beta/", "/v1beta1/", "/v1/"} {
		if after, ok := strings.CutPrefix(path, version); ok {
			rest = after
			break
		}
	}
	if before, after, ok := strings.Cut(rest, "publishers/google/models/"); ok && isPlace(before) {
		rest = "models/" + after
	}
	client := gemini.Codec{}
	if rest == "models" {
		return claim{op: opListModels, client: client}.by(r, http.MethodGet)
	}
	name, ok := strings.CutPrefix(rest, "models/")
	if !ok || name == "" {
		return claim{}
	}
	colon := strings.LastIndexByte(name, ':') // a model may have one too
	if colon < 0 {
		return claim{op: opGetModel, client: client, model: name}.by(r, http.MethodGet)
	}
	c := claim{client: client, model: name[:colon]}
	switch name[colon+1:] {
	case "generateContent":
		c.op = opChat
	case "streamGenerateContent":
		c.op, c.stream = opChat, true
		c.client = gemini.Codec{Array: r.URL.Query().Get("alt") != "sse"}
	case "countTokens":
		c.op = opCount
	case "embedContent", "batchEmbedContents":
		c.op = opEmbeddings
	default:
		return claim{op: opGetModel, client: client, model: name}.by(r, http.MethodGet)
	}
	return c.by(r, http.MethodPost)
}

// isPlace tells what Vertex AI's paths begin with: projects/<p>/locations/<l>/, or
// nothing for clients with an API key.
func isPlace(path string) bool {
	s := strings.Split(path, "/")
	return path == "" || len(s) == 5 && s[0] == "projects" && s[1] != "" && s[2] == "locations" && s[3] != "" && s[4] == ""
}

// isArray tells whether a client takes its streams as one JSON array.
func isArray(client transform.ClientCodec) bool {
	c, ok := client.(gemini.Codec)
	return ok && c.Array
}

// by is the claim if the request's method is the one that it takes.
func (c claim) by(r *http.Request, allowed string) claim {
	switch {
	case r.Method == allowed, r.Method == http.MethodHead && allowed == http.MethodGet:
	case r.Method == http.MethodOptions:
		c.op = opPreflight
	default:
		c.op = opBadMethod
	}
	return c
}

// methods lists what a claimed path takes.
func (s Surface) methods(r *http.Request) string {
	asked := *r
	asked.Method = http.MethodGet
	if s.match(&asked).op == opBadMethod {
		return "POST, OPTIONS"
	}
	return "GET, HEAD, OPTIONS"
}
