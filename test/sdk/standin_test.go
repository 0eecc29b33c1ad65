package sdk_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// The stand-in is a server that speaks every provider's format, written by hand
// from the vendors' documentation. What a model is to do stands in its name:
// gpt-5.4-sdk-parallel answers with two calls at once. A request that is not what
// a provider would have to get is answered with 400 and the reason.

// providerKey is the credential that the gateway has for every provider,
// clientKey the one that clients show to the gateway: no provider may see it.
const (
	providerKey = "sk-provider-0123456789"
	clientKey   = "sk-client-9876543210"
	awsKeyID    = "AKIDEXAMPLE"
)

type standIn struct {
	URL string

	heard tickets

	mu      sync.Mutex
	refused map[string]int // reasons of 400s that no scenario wanted
}

func newStandIn(t *testing.T) *standIn {
	s := &standIn{refused: make(map[string]int)}
	mux := http.NewServeMux()
	s.routes(mux)
	srv := httptest.NewUnstartedServer(mux)
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.Start()
	t.Cleanup(srv.Close)
	s.URL = srv.URL
	return s
}

// endpoint is a format at a path.
type endpoint struct {
	dialect
	framing  framing
	sigs     signatures
	key      func(r *http.Request) bool // whether the credential is the provider's
	jsonType string
	// path tells the model and whether a stream is wanted where the path does.
	path func(r *http.Request) (model string, stream bool)
}

var (
	anthropicSigs = signatures{reasoning: thinkingSignature, redacted: redactedThinking}
	googleSigs    = signatures{call: thoughtSignature}
	openAISigs    = signatures{reasoning: encryptedContent}
)

func bearer(r *http.Request) bool { return r.Header.Get("Authorization") == "Bearer "+providerKey }

func in(header string) func(*http.Request) bool {
	return func(r *http.Request) bool { return r.Header.Get(header) == providerKey }
}

func signed(r *http.Request) bool {
	return strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 Credential="+awsKeyID+"/") &&
		r.Header.Get("X-Amz-Date") != ""
}

func anybody(*http.Request) bool { return true }

func (s *standIn) routes(mux *http.ServeMux) {
	// OpenAI's own models reason, but do not show it here.
	openAI := endpoint{dialect: chat{newer: true}, framing: sse, key: bearer}
	mux.Handle("POST /openai/v1/chat/completions", s.serve(openAI))
	mux.Handle("POST /openai/v1/responses", s.serve(endpoint{dialect: responses{}, framing: sse, key: bearer, sigs: openAISigs}))
	mux.Handle("POST /openai/v1/responses/input_tokens", s.count(bearer, func(node) object {
		return object{"object": "response.input_tokens", "input_tokens": facts.Count}
	}))
	mux.Handle("POST /openai/v1/embeddings", s.embed(bearer, openAIEmbeddings))

	azure := openAI
	azure.key = in("Api-Key")
	mux.Handle("POST /azure/openai/deployments/{model}/chat/completions", s.serve(azure))
	mux.Handle("POST /azure/openai/responses", s.serve(endpoint{dialect: responses{}, framing: sse, key: azure.key, sigs: openAISigs}))
	mux.Handle("POST /azure/openai/deployments/{model}/embeddings", s.embed(azure.key, openAIEmbeddings))

	compat := endpoint{dialect: chat{reasons: true}, framing: sse, key: bearer}
	mux.Handle("POST /compat/v1/chat/completions", s.serve(compat))
	mux.Handle("POST /compat/v1/embeddings", s.embed(bearer, openAIEmbeddings))
	mux.Handle("POST /mistral/v1/chat/completions", s.serve(endpoint{dialect: chat{mistral: true}, framing: sse, key: bearer}))
	mux.Handle("POST /mistral/v1/embeddings", s.embed(bearer, mistralEmbeddings))

	anthropicKey := func(r *http.Request) bool { return bearer(r) || in("X-Api-Key")(r) }
	mux.Handle("POST /anthropic/v1/messages", s.serve(endpoint{dialect: messages{}, framing: sse, key: anthropicKey, sigs: anthropicSigs}))
	mux.Handle("POST /anthropic/v1/messages/count_tokens", s.count(anthropicKey, func(body node) object {
		return object{"input_tokens": facts.Count}
	}))

	s.googleRoutes(mux)
	s.bedrockRoutes(mux)

	mux.Handle("POST /cohere/v2/chat", s.serve(endpoint{dialect: cohere{}, framing: sse, key: bearer}))
	mux.Handle("POST /cohere/v2/embed", s.embed(bearer, cohereEmbeddings))
	mux.Handle("POST /ollama/api/chat", s.serve(endpoint{dialect: ollama{}, framing: lines, key: anybody}))
	mux.Handle("POST /ollama/api/embed", s.embed(anybody, ollamaEmbeddings))

	mux.HandleFunc("GET /heard/{ticket}", func(_ http.ResponseWriter, r *http.Request) { s.heard.call(r.PathValue("ticket")) })
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		s.refuse(w, r, chat{}, fmt.Sprintf("nothing is at %s %s", r.Method, r.URL.Path))
	})
}

// method is what stands behind the model's name in Google's paths.
func method(r *http.Request) (model, method string) {
	at := strings.LastIndexByte(r.PathValue("call"), ':')
	if at < 0 {
		return r.PathValue("call"), ""
	}
	return r.PathValue("call")[:at], r.PathValue("call")[at+1:]
}

func googlePath(r *http.Request) (model string, stream bool) {
	model, what := method(r)
	return model, what == "streamGenerateContent" || what == "streamRawPredict"
}

func (s *standIn) googleRoutes(mux *http.ServeMux) {
	studio := in("X-Goog-Api-Key")
	google := func(key func(*http.Request) bool, vertex bool) http.Handler {
		serve := func(d gemini) http.Handler {
			return s.serve(endpoint{
				dialect: d, framing: crlf, key: key, sigs: googleSigs, path: googlePath,
				jsonType: "application/json; charset=UTF-8",
			})
		}
		newer, older := serve(gemini{vertex: vertex, idless: vertex}), serve(gemini{vertex: vertex, idless: true, budget: true})
		count := s.count(key, func(node) object { return object{"totalTokens": facts.Count} })
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			model, what := method(r)
			chat := newer
			if strings.HasPrefix(model, "gemini-2.5") {
				chat = older
			}
			switch {
			case what == "generateContent", what == "streamGenerateContent" && r.URL.Query().Get("alt") == "sse":
				chat.ServeHTTP(w, r)
			case what == "countTokens":
				count.ServeHTTP(w, r)
			case what == "embedContent" && !vertex:
				s.embed(key, geminiEmbedding).ServeHTTP(w, r)
			case what == "batchEmbedContents" && !vertex:
				s.embed(key, geminiEmbeddings).ServeHTTP(w, r)
			case what == "predict" && vertex:
				s.embed(key, vertexEmbeddings).ServeHTTP(w, r)
			default:
				s.refuse(w, r, gemini{}, "unknown method "+r.URL.String())
			}
		})
	}
	mux.Handle("POST /gemini/v1beta/models/{call}", google(studio, false))
	const root = "POST /vertex/v1/projects/p/locations/us-central1/publishers/"
	mux.Handle(root+"google/models/{call}", google(bearer, true))
	claude := s.serve(endpoint{
		dialect: messages{cloud: "vertex-2023-10-16"}, framing: sse, key: bearer, sigs: anthropicSigs, path: googlePath,
	})
	count := s.count(bearer, func(node) object { return object{"input_tokens": facts.Count} })
	mux.HandleFunc(root+"anthropic/models/{call}", func(w http.ResponseWriter, r *http.Request) {
		switch model, what := method(r); {
		case model == "count-tokens" && what == "rawPredict":
			count.ServeHTTP(w, r)
		case what == "rawPredict", what == "streamRawPredict":
			claude.ServeHTTP(w, r)
		default:
			s.refuse(w, r, messages{}, "unknown method "+what)
		}
	})
}

func (s *standIn) bedrockRoutes(mux *http.ServeMux) {
	at := func(stream bool) func(r *http.Request) (string, bool) {
		return func(r *http.Request) (string, bool) { return r.PathValue("model"), stream }
	}
	claude := invoke{messages{cloud: "bedrock-2023-05-31"}}
	for path, e := range map[string]endpoint{
		"converse":                    {dialect: converse{}, path: at(false)},
		"converse-stream":             {dialect: converse{}, framing: awsFrame, path: at(true)},
		"invoke":                      {dialect: claude, path: at(false)},
		"invoke-with-response-stream": {dialect: claude, framing: awsChunk, path: at(true)},
	} {
		e.key, e.sigs = signed, anthropicSigs
		handler := s.serve(e)
		if path == "invoke" {
			embed := s.embed(signed, cohereEmbeddings)
			chat := handler
			handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.HasPrefix(r.PathValue("model"), "cohere.") {
					embed.ServeHTTP(w, r)
					return
				}
				chat.ServeHTTP(w, r)
			})
		}
		mux.Handle("POST /bedrock/model/{model}/"+path, handler)
	}
	mux.Handle("POST /bedrock/model/{model}/count-tokens", s.count(signed, func(body node) object {
		if !body.at("input", "converse").ok() && !body.at("input", "invokeModel", "body").ok() {
			return nil
		}
		return object{"inputTokens": facts.Count}
	}))
}

// receive reads a request and what any provider would look at first.
func (s *standIn) receive(r *http.Request, key func(*http.Request) bool) (body node, fault string) {
	read, err := io.ReadAll(r.Body)
	if err != nil {
		return body, "the body breaks off: " + err.Error()
	}
	if body, err = parse(read); err != nil {
		return body, "the body is no JSON: " + err.Error()
	}
	if !key(r) {
		return body, "the credential is not the provider's"
	}
	for name, values := range r.Header {
		if strings.Contains(strings.Join(values, " "), clientKey) {
			return body, "the client's own credential came in " + name
		}
	}
	if u, _ := url.QueryUnescape(r.URL.RawQuery); strings.Contains(u, clientKey) {
		return body, "the client's own credential came in the query"
	}
	return body, ""
}

func (s *standIn) serve(e endpoint) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, fault := s.receive(r, e.key)
		if fault != "" {
			s.refuse(w, r, e.dialect, fault)
			return
		}
		a := &asked{}
		e.read(a, r, body)
		if e.path != nil {
			a.model, a.stream = e.path(r)
		} else if named := r.PathValue("model"); named != "" {
			a.model = named // a deployment
		}
		_, a.scenario, _ = strings.Cut(a.model, "sdk-")
		a.scenario, a.ticket, _ = strings.Cut(a.scenario, ".")
		rp, failed := act(a, e.dialect, e.sigs)
		switch {
		case failed != nil:
			if len(a.faults) > 0 {
				s.note(r, failed.message)
			}
			fail(w, e.dialect, *failed)
		case a.stream:
			e.stream(w, rp, func() { s.heard.wait(r.Context(), a.ticket) })
		default:
			w.Header().Set("Content-Type", "application/json")
			if e.jsonType != "" {
				w.Header().Set("Content-Type", e.jsonType)
			}
			_, _ = io.WriteString(w, encode(e.answer(rp)))
		}
	})
}

func (e endpoint) streamType() string {
	switch e.dialect.(type) {
	case ollama:
		return "application/x-ndjson"
	case converse, invoke:
		return "application/vnd.amazon.eventstream"
	}
	return "text/event-stream"
}

// stream writes events one by one. One that fails or is cut does so after some
// content, and only once the client has heard of it: what comes in one read with
// an error a gateway need not pass on.
func (e endpoint) stream(w http.ResponseWriter, rp *reply, heard func()) {
	w.Header().Set("Content-Type", e.streamType())
	flush := http.NewResponseController(w)
	content, written := 0, 0
	for _, event := range e.events(rp) {
		if event.content {
			content++
		}
		if content > 2 && (rp.late || rp.cut) {
			heard()
			break
		}
		if event.content && rp.early {
			break
		}
		e.framing(w, event)
		written++
		_ = flush.Flush()
	}
	if rp.late || rp.early {
		e.framing(w, e.late(facts.Error, written))
	}
}

func fail(w http.ResponseWriter, d dialect, f failure) {
	status, header, body := d.failure(f)
	for name, values := range header {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, encode(body))
}

func (s *standIn) refuse(w http.ResponseWriter, r *http.Request, d dialect, why string) {
	s.note(r, "stand-in: "+why)
	fail(w, d, failure{status: http.StatusBadRequest, kind: "invalid", message: "stand-in: " + why})
}

// tickets are what clients say they have heard.
type tickets struct{ called sync.Map }

func (t *tickets) of(ticket string) chan struct{} {
	c, _ := t.called.LoadOrStore(ticket, make(chan struct{}, 1))
	return c.(chan struct{})
}

func (t *tickets) call(ticket string) {
	select {
	case t.of(ticket) <- struct{}{}:
	default:
	}
}

// wait gives up on clients that never hear anything: they fail by that.
func (t *tickets) wait(ctx context.Context, ticket string) {
	ctx, cancel := context.WithTimeout(ctx, hearing)
	defer cancel()
	select {
	case <-t.of(ticket):
	case <-ctx.Done():
	}
}

// hearing is how long a client may take to hear what was flushed.
const hearing = 3 * time.Second

func (s *standIn) note(r *http.Request, why string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	provider, _, _ := strings.Cut(r.URL.Path[1:], "/")
	s.refused[provider+": "+why]++
}

// report lists why requests were refused, the most frequent first.
func (s *standIn) report() (lines []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var reasons []string
	for reason := range s.refused {
		reasons = append(reasons, reason)
	}
	slices.SortFunc(reasons, func(a, b string) int {
		if n := s.refused[b] - s.refused[a]; n != 0 {
			return n
		}
		return strings.Compare(a, b)
	})
	for _, reason := range reasons {
		lines = append(lines, fmt.Sprintf("%5d  %s", s.refused[reason], reason))
	}
	return lines
}

// count answers how many tokens a request has; make returns nil for what is none.
func (s *standIn) count(key func(*http.Request) bool, answer func(body node) object) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, fault := s.receive(r, key)
		out := answer(body)
		if text := body.String(); fault == "" && !strings.Contains(text, encode(facts.Prompt)[1:10]) && !body.at("input", "invokeModel").ok() {
			fault = "the prompt did not come to be counted: " + text
		}
		if out == nil && fault == "" {
			fault = "the request to count is of no known form"
		}
		if fault != "" {
			s.refuse(w, r, chat{}, fault)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, encode(out))
	})
}
