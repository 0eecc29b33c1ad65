package providers

import (
	"bytes"
	"context"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// Inventory is implemented by providers whose API lists its models, which costs nothing.
type Inventory interface {
	// ModelsURL is where to GET the list. It is shared and must not be changed.
	ModelsURL() *url.URL
}

// Standing is what a provider makes of a credential.
type Standing string

// The standings.
const (
	// Accepted: the provider answered what only callers with a credential get.
	Accepted Standing = "ok"
	// Refused: it does not know the credential, or it has no rights.
	Refused Standing = "refused"
	// Penniless: the account has no money or no quota left.
	Penniless Standing = "no_quota"
	// Throttled: the credential is known, and its limits are used up for now.
	Throttled Standing = "rate_limited"
	// Unreachable: there was no answer.
	Unreachable Standing = "unreachable"
	// Failing: the answer was an error that has nothing to do with the credential.
	Failing Standing = "failing"
	// Unproven: the provider answers, but nothing that it was asked says anything of
	// the credential.
	Unproven Standing = "unproven"
)

// Proof is what came of trying a credential. It holds no secret and nothing that the
// provider said.
type Proof struct {
	Standing Standing
	// By is what was asked: models, count or chat.
	By string
	// Detail says more, if there is more to say.
	Detail string
	// Latency is how long the last answer took.
	Latency time.Duration
}

// Prove tries a credential, empty if the provider has none of its own, with what
// costs least: a list of models where the provider has one that is not for everybody,
// else a count of tokens, else an answer of one token. model is what to ask for, if there is one.
func (u *Upstream) Prove(ctx context.Context, key, model string) (proof Proof) {
	defer func() {
		if r := recover(); r != nil { // which net/http does for requests
			proof = Proof{Standing: Unreachable, Detail: "its transport cannot be used"}
		}
	}()
	// Transports may look for the placeholders of a request.
	ctx = context.WithValue(ctx, caddy.ReplacerCtxKey, caddy.NewReplacer())
	proof, done := u.proveByList(ctx, key)
	if done || model == "" && proof.Standing == Refused {
		return proof
	}
	if model == "" {
		return Proof{Standing: Unproven, By: "models", Detail: "its list of models is for everybody, and the config names no model to ask for"}
	}
	call := Call{Model: model, Client: transform.OpenAIChat}
	if counter, ok := u.Provider.(TokenCounter); ok {
		if endpoint, ok := counter.CountTokens(call); ok {
			return u.post(ctx, key, "count", endpoint, call)
		}
	}
	return u.post(ctx, key, "chat", u.Chat(call), call)
}

// proveByList is not done where there is no list, or one for everybody.
func (u *Upstream) proveByList(ctx context.Context, key string) (proof Proof, done bool) {
	inventory, ok := u.Provider.(Inventory)
	if !ok {
		return proof, false
	}
	ask := func(signed bool) (Proof, int) {
		request, err := u.bareRequest(ctx, http.MethodGet, inventory.ModelsURL(), key, signed)
		if err != nil {
			return Proof{Standing: Failing, By: "models", Detail: "its credential could not be had"}, 0
		}
		endpoint := u.Chat(Call{Client: transform.OpenAIChat})
		for name, values := range endpoint.Header {
			if request.Header[name] == nil && name != "Accept" {
				request.Header[name] = values
			}
		}
		return u.send(ctx, request, "models", endpoint)
	}
	proof, status := ask(true)
	switch {
	case status == http.StatusForbidden, // a key may be for answers alone
		status == http.StatusNotFound, status == http.StatusMethodNotAllowed, status == http.StatusNotImplemented:
		return proof, false
	case proof.Standing != Accepted:
		return proof, true
	}
	_, signs := u.Provider.(Signer)
	if key == "" && !signs {
		return proof, true // there is nothing to prove
	}
	_, status = ask(false)
	return proof, status == http.StatusUnauthorized || status == http.StatusForbidden
}

// post asks for something about a short conversation.
func (u *Upstream) post(ctx context.Context, key, by string, endpoint Endpoint, call Call) Proof {
	body, err := tinyRequest(by, endpoint, call)
	if err != nil {
		return Proof{Standing: Unproven, By: by, Detail: "no request could be made for " + call.Model}
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint.URL.String(), bytes.NewReader(body))
	if err != nil {
		return Proof{Standing: Failing, By: by, Detail: "its address is no URL"}
	}
	request.Header = http.Header{
		"Content-Type": {"application/json"}, "Accept": {"application/json"}, "Accept-Encoding": {"identity"}, "User-Agent": {"caddy-llm-proxy"},
	}
	maps.Copy(request.Header, endpoint.Header)
	if err := u.credit(request, body, key); err != nil {
		return Proof{Standing: Failing, By: by, Detail: "its credential could not be had"}
	}
	proof, _ := u.send(ctx, request, by, endpoint)
	if proof.Detail != "" {
		proof.Detail += ", for " + call.Model
	}
	return proof
}

// tinyRequest is the shortest conversation there is, in the provider's format.
func tinyRequest(by string, endpoint Endpoint, call Call) ([]byte, error) {
	chat := &transform.Request{
		Model: call.Model, Stream: endpoint.StreamOnly, Sampling: transform.Sampling{MaxTokens: 1},
		Turns: []transform.Turn{{Role: transform.RoleUser, Parts: []transform.Part{{Kind: transform.PartText, Text: transform.Quote("Hi")}}}},
	}
	to, lost := transform.Target{Model: call.Model, Stream: endpoint.StreamOnly, Vendor: endpoint.Vendor}, transform.Losses{}
	var body []byte
	var err error
	if counter, ok := endpoint.Codec.(transform.CountProvider); ok && by == "count" {
		body, err = counter.AppendCountRequest(nil, chat, to, &lost)
	} else {
		body, err = endpoint.Codec.AppendRequest(nil, chat, to, &lost)
	}
	if err != nil || endpoint.Edits == nil {
		return body, err
	}
	members, err := jsonbytes.Scan(nil, body, 0)
	if err != nil {
		return nil, err
	}
	var patch jsonbytes.Patch
	for _, m := range endpoint.Edits.Set {
		patch.Set(m.Name, m.Value)
	}
	for _, name := range endpoint.Edits.Omit {
		patch.Remove(name)
	}
	return patch.Append(nil, body, members), nil
}

// bareRequest is one without a body, with the credential if it is to be signed.
func (u *Upstream) bareRequest(ctx context.Context, method string, to *url.URL, key string, signed bool) (*http.Request, error) {
	request, err := http.NewRequestWithContext(ctx, method, to.String(), nil)
	if err != nil {
		return nil, err
	}
	request.Header["User-Agent"] = []string{"caddy-llm-proxy"}
	if !signed {
		maps.Copy(request.Header, u.Base().FixedHeader())
		return request, nil
	}
	return request, u.credit(request, nil, key)
}

// credit adds the credential and what the operator set, which prevails.
func (u *Upstream) credit(request *http.Request, body []byte, key string) error {
	signer, signs := u.Provider.(Signer)
	if !signs && key != "" {
		u.Authorize(request.Header, key)
	}
	maps.Copy(request.Header, u.Base().FixedHeader())
	if signs {
		return signer.Sign(request, body, key)
	}
	return nil
}

// maxProofAnswer is how much of an error is read, to know its kind.
const maxProofAnswer = 64 << 10

// send sends a request and judges the answer, whose status is 0 if there is none.
func (u *Upstream) send(ctx context.Context, request *http.Request, by string, endpoint Endpoint) (proof Proof, status int) {
	began := time.Now()
	proof.By = by
	response, err := u.Base().Transport().RoundTrip(request)
	proof.Latency = time.Since(began)
	if err != nil {
		proof.Standing, proof.Detail = Unreachable, whyUnreachable(ctx, err)
		return proof, 0
	}
	defer response.Body.Close()
	status = response.StatusCode
	if status/100 == 2 {
		proof.Standing = Accepted
		return proof, status
	}
	body, _ := io.ReadAll(io.LimitReader(response.Body, maxProofAnswer)) // a part is enough
	kind := endpoint.DecodeError(status, response.Header, body, time.Now()).Kind
	proof.Standing, proof.Detail = standingOf(status, kind), "HTTP "+strconv.Itoa(status)+", "+kind.String()
	return proof, status
}

func standingOf(status int, kind transform.ErrorKind) Standing {
	switch {
	case kind == transform.ErrQuota:
		return Penniless
	case kind == transform.ErrRateLimit:
		return Throttled
	case kind == transform.ErrAuthentication, kind == transform.ErrPermission, status == http.StatusUnauthorized, status == http.StatusForbidden:
		return Refused
	case kind == transform.ErrBadRequest:
		return Unproven
	}
	return Failing
}

// whyUnreachable puts an error of the transport into words that hold no address of a
// proxy with its password.
func whyUnreachable(ctx context.Context, err error) string {
	if ctx.Err() != nil {
		return "no answer in time"
	}
	text := err.Error() // Caddy's error of a dialer cannot be unwrapped
	for _, known := range []struct{ part, words string }{
		{"no such host", "its host is not found"},
		{"x509: ", "its certificate is not trusted"},
		{"connection refused", "the connection is refused"},
	} {
		if strings.Contains(text, known.part) {
			return known.words
		}
	}
	return "there is no connection"
}
