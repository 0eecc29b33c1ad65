package providers

import (
	"bytes"
	"context"
	"fmt"
	"hash/fnv"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/transform/openai"
	"github.com/caddyllm/llmproxy/usage"
)

func init() { caddy.RegisterModule(new(Mock)) }

// Mock is a provider inside the gateway, without key or network, for first
// steps, demos and tests. It answers the same request always the same way, and
// streams word by word. Its models:
//
//	echo            repeats the last user message
//	slow            the same after two seconds, in slow words
//	fail-<status>   an error of that HTTP status, such as fail-429
//	die-mid-stream  half of the answer, then a broken connection
type Mock struct {
	Settings

	chat, embeddings *url.URL
}

// mockEdits ask for the usage of streams, as of OpenAI.
var mockEdits = Edits{AskUsage: true}

const (
	mockWordDelay = 15 * time.Millisecond
	mockSlowDelay = 2 * time.Second
	// mockCreated is the time of every answer: the same request gets the same bytes.
	mockCreated = 1735689600
	// mockDimensions is the length of its vectors, unless asked for another.
	mockDimensions = 8
	// maxMockWords and maxMockNumbers bound what one request makes it write: the
	// words behind the last come as one.
	maxMockWords   = 10_000
	maxMockNumbers = 1 << 20
)

// CaddyModule returns the Caddy module information.
func (*Mock) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  Namespace + ".mock",
		New: func() caddy.Module { return new(Mock) },
	}
}

// Provision makes the provider its own transport.
func (p *Mock) Provision(ctx caddy.Context) error {
	if p.BaseURL != "" || len(p.APIKey) > 0 || p.TransportRaw != nil || p.Health != nil {
		return fmt.Errorf("the mock provider takes no base_url, api_key, transport or health: it never leaves the process")
	}
	p.transport = mockTransport{}
	if err := p.Resolve(ctx, Defaults{BaseURL: "http://mock.invalid/v1", Keyless: true}); err != nil {
		return err
	}
	p.chat = p.Join("/chat/completions")
	p.embeddings = p.Join("/embeddings")
	return nil
}

// Chat is answered in Chat Completions.
func (p *Mock) Chat(Call) Endpoint {
	return Endpoint{URL: p.chat, Codec: openai.Codec{}, Edits: &mockEdits}
}

// Embeddings are vectors made from the hash of each text.
func (p *Mock) Embeddings(Call) Endpoint {
	return Endpoint{URL: p.embeddings, Codec: openai.Codec{}}
}

// Authorize does nothing: there is nobody to convince.
func (*Mock) Authorize(http.Header, string) {}

// Keyless is true.
func (*Mock) Keyless() bool { return true }

// ListModels are the models that have a fixed name.
func (*Mock) ListModels() []string { return []string{"echo", "slow", "fail-429", "die-mid-stream"} }

// mockTransport answers requests without sending them.
type mockTransport struct{}

func (mockTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	r.Body.Close()
	if err != nil {
		return nil, err
	}
	if strings.HasSuffix(r.URL.Path, "/embeddings") {
		return mockEmbeddings(r, body)
	}
	var lost transform.Losses
	request, err := openai.Codec{}.DecodeRequest(body, &lost)
	if err != nil {
		return mockError(r, http.StatusBadRequest, err.Error()), nil
	}
	if status, ok := strings.CutPrefix(request.Model, "fail-"); ok {
		code, err := strconv.Atoi(status)
		if err != nil || code < 400 || code > 599 {
			return mockError(r, http.StatusNotFound, "fail- takes an HTTP status from 400 to 599"), nil
		}
		return mockError(r, code, "The mock provider was asked to fail."), nil
	}
	answer := mockAnswer{request: request, hash: hashOf(body), words: words(lastUserText(request))}
	answer.usage = usage.Tokens{Input: usage.EstimateBytes(len(body)), Output: int64(len(answer.words)), Known: true}
	switch request.Model {
	case "echo":
	case "slow":
		answer.delay = mockSlowDelay
	case "die-mid-stream":
		answer.dies = true
	default:
		return mockError(r, http.StatusNotFound, "The mock provider has the models echo, slow, fail-<status> and die-mid-stream."), nil
	}
	return answer.respond(r)
}

// mockAnswer is one answer to be.
type mockAnswer struct {
	request *transform.Request
	hash    uint64
	words   []string
	usage   usage.Tokens
	delay   time.Duration // before the answer
	dies    bool
}

func (a *mockAnswer) respond(r *http.Request) (*http.Response, error) {
	if err := wait(r.Context(), a.delay); err != nil {
		return nil, err
	}
	if a.request.Stream {
		return mockResponse(r, http.StatusOK, "text/event-stream", a.stream(r.Context())), nil
	}
	whole := openai.Codec{}.AppendResponse(nil, &transform.Response{
		ID: a.id(), Model: a.request.Model, Created: mockCreated, Usage: a.usage,
		Choices: []transform.Choice{{
			Parts:  []transform.Part{{Kind: transform.PartText, Text: transform.Quote(strings.Join(a.words, ""))}},
			Finish: transform.FinishStop,
		}},
	}, a.request)
	body := &mockBody{ctx: r.Context(), pieces: [][]byte{whole}}
	if a.dies {
		body.pieces[0], body.end = whole[:len(whole)/2], io.ErrUnexpectedEOF
	}
	return mockResponse(r, http.StatusOK, "application/json", body), nil
}

func (a *mockAnswer) id() string { return fmt.Sprintf("chatcmpl-mock-%016x", a.hash) }

// stream renders every event at once and hands them out word by word.
func (a *mockAnswer) stream(ctx context.Context) *mockBody {
	encoder := openai.Codec{}.NewStreamEncoder(a.request)
	body := &mockBody{ctx: ctx, pause: mockWordDelay + a.delay/10}
	add := func(d transform.Delta) { body.pieces = append(body.pieces, encoder.Append(nil, &d)) }
	add(transform.Delta{Kind: transform.DeltaStart, ID: a.id(), Model: a.request.Model, Created: mockCreated})
	for i, word := range a.words {
		if a.dies && i >= (len(a.words)+1)/2 {
			body.end = io.ErrUnexpectedEOF
			return body
		}
		add(transform.Delta{Kind: transform.DeltaText, Text: transform.Quote(word)})
	}
	if a.dies {
		body.end = io.ErrUnexpectedEOF
		return body
	}
	add(transform.Delta{Kind: transform.DeltaUsage, Usage: a.usage})
	add(transform.Delta{Kind: transform.DeltaFinish, Finish: transform.FinishStop})
	body.pieces = append(body.pieces, encoder.AppendEnd(nil))
	return body
}

// lastUserText is what the user said last, as plain text.
func lastUserText(r *transform.Request) string {
	for i := len(r.Turns) - 1; i >= 0; i-- {
		if r.Turns[i].Role != transform.RoleUser {
			continue
		}
		var text []byte
		for _, part := range r.Turns[i].Parts {
			if part.Kind == transform.PartText {
				text = part.Text.AppendText(text)
			}
		}
		return string(text)
	}
	return ""
}

// words cuts a text behind each space, so that the pieces add up to it.
func words(text string) []string {
	if text == "" {
		text = "You said nothing."
	}
	return strings.SplitAfterN(text, " ", maxMockWords)
}

func hashOf(data []byte) uint64 {
	h := fnv.New64a()
	h.Write(data)
	return h.Sum64()
}

// mockEmbeddings answers with vectors that depend on the text alone.
func mockEmbeddings(r *http.Request, body []byte) (*http.Response, error) {
	var lost transform.Losses
	request, err := openai.Codec{}.DecodeEmbeddingRequest(body, &lost)
	if err != nil {
		return mockError(r, http.StatusBadRequest, err.Error()), nil
	}
	dimensions := request.Dimensions
	if dimensions <= 0 {
		dimensions = mockDimensions
	}
	if dimensions > maxMockNumbers || int64(len(request.Inputs)) > maxMockNumbers/dimensions {
		return mockError(r, http.StatusBadRequest, "The mock provider makes no answer of so many numbers."), nil
	}
	answer := &transform.EmbeddingResponse{
		Model: request.Model,
		Usage: usage.Tokens{Input: usage.EstimateBytes(len(body)), Known: true},
	}
	for _, input := range request.Inputs {
		state := hashOf(input)
		vector := []byte{'['}
		for i := range dimensions {
			if i > 0 {
				vector = append(vector, ',')
			}
			state = state*6364136223846793005 + 1442695040888963407
			vector = strconv.AppendFloat(vector, float64(int32(state>>32))/(1<<31), 'g', 6, 32)
		}
		answer.Vectors = append(answer.Vectors, jsonbytes.Value(append(vector, ']')))
	}
	whole, err := openai.Codec{}.AppendEmbeddingResponse(nil, answer, request)
	if err != nil {
		return nil, err
	}
	return mockResponse(r, http.StatusOK, "application/json", &mockBody{ctx: r.Context(), pieces: [][]byte{whole}}), nil
}

func mockError(r *http.Request, status int, message string) *http.Response {
	e := &transform.Error{Kind: transform.KindOfStatus(status), Message: message}
	body := openai.Codec{}.AppendError(nil, e, "")
	return mockResponse(r, status, "application/json", io.NopCloser(bytes.NewReader(body)))
}

func mockResponse(r *http.Request, status int, contentType string, body io.ReadCloser) *http.Response {
	return &http.Response{
		Status: strconv.Itoa(status) + " " + http.StatusText(status), StatusCode: status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header:        http.Header{"Content-Type": {contentType}},
		Body:          body,
		ContentLength: -1,
		Request:       r,
	}
}

// mockBody hands out pieces with a pause before each but the first.
type mockBody struct {
	ctx    context.Context //nolint:containedctx // a body is read on behalf of its request
	pieces [][]byte
	pause  time.Duration
	end    error // after the last piece, io.EOF if nil
	begun  bool
}

func (b *mockBody) Read(p []byte) (int, error) {
	if len(b.pieces) == 0 {
		if b.end != nil {
			return 0, b.end
		}
		return 0, io.EOF
	}
	if b.begun {
		if err := wait(b.ctx, b.pause); err != nil {
			return 0, err
		}
	}
	n := copy(p, b.pieces[0])
	if b.pieces[0] = b.pieces[0][n:]; len(b.pieces[0]) == 0 {
		b.pieces, b.begun = b.pieces[1:], true
	} else {
		b.begun = false // the rest of a piece follows at once
	}
	return n, b.ctx.Err()
}

func (b *mockBody) Close() error { return nil }

func wait(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}

// Interface guards
var (
	_ Provider          = (*Mock)(nil)
	_ Embedder          = (*Mock)(nil)
	_ Keyless           = (*Mock)(nil)
	_ ModelLister       = (*Mock)(nil)
	_ caddy.Provisioner = (*Mock)(nil)
)
