// Package providers holds the modules of the namespace llm_proxy.providers: where
// the calls of a provider go, how they are signed, which API format they speak.
// A module outside this repository adds a provider by registering a type that
// implements [Provider].
package providers

import (
	"net/http"
	"net/url"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddyllm/llmproxy/transform"
)

// Namespace is where provider modules live. Their inline key is "provider".
const Namespace = "llm_proxy.providers"

// Provider is a provisioned provider. Its methods are called for every request,
// by many goroutines at once.
type Provider interface {
	caddy.Module
	// Base returns the settings that all providers share. A module gets this
	// method by embedding [Settings].
	Base() *Settings
	// Chat says how to ask for an answer.
	Chat(call Call) Endpoint
	// Authorize adds a credential to the header of a request.
	Authorize(header http.Header, key string)
}

// Call is what an endpoint is asked for.
type Call struct {
	// Model is the model's name as the provider knows it.
	Model string
	// Stream asks for a stream.
	Stream bool
	// Client is the client's format. A provider that speaks several answers in
	// this one, if it can.
	Client transform.Format
	// Array tells that a client of Gemini's format wants its stream as one
	// JSON array.
	Array bool
	// Single tells that a client of Gemini's format wants one vector, not several.
	Single bool
}

// Endpoint is where a call goes and in which format.
type Endpoint struct {
	// URL is shared: it must not be changed.
	URL   *url.URL
	Codec transform.ProviderCodec
	// Vendor reads the opaque pieces of its own answers. Empty: nobody does.
	Vendor transform.Vendor
	// Framing is how a stream is cut into events.
	Framing transform.Framing
	// Whole tells that there are no streams here, StreamOnly that there is nothing
	// else: the provider is asked in its manner, and clients get what they asked for.
	Whole, StreamOnly bool
	// Edits are made to requests that are passed on in their own format; nil: none.
	Edits *Edits
	// Header has fields that the format needs. It is shared and must not be changed.
	Header http.Header
	// Forward names fields of the client's header that mean something to a
	// provider of the same format. They replace those of Header.
	Forward []string
}

// Edits are what becomes of top-level members of a request that is passed on in
// its own format.
type Edits struct {
	// Remove names members that the provider answers with an error.
	Remove []string
	// Omit names members that the provider takes from elsewhere, such as the
	// path: their absence is no loss and not reported.
	Omit []string
	// Rename gives members the name that the provider has for them.
	Rename map[string]string
	// Set gives members that the provider wants a value; it replaces the client's.
	Set []transform.Member
	// Betas names a member that gets what the client's header Anthropic-Beta
	// lists, as an array, for providers that take it from the body. Empty: none.
	Betas string
	// AskUsage tells that a stream reports its usage only when asked to.
	AskUsage bool
}

// Embedder is implemented by providers that have embeddings. The codec of the
// endpoint must be a [transform.EmbeddingProvider] where its format is not the client's.
type Embedder interface {
	Embeddings(call Call) Endpoint
}

// TokenCounter is implemented by providers that count the tokens of a request.
// The codec of the endpoint must be a [transform.CountProvider].
type TokenCounter interface {
	// CountTokens returns false for models whose tokens the provider does not count.
	CountTokens(call Call) (Endpoint, bool)
}

// Forwarder is implemented by providers of OpenAI's format that have more of its
// paths than this module translates, such as /images/generations.
type Forwarder interface {
	// Forward says where a call goes whose path below the version is path. Its
	// body may be a form, of which edits concern the model alone.
	Forward(call Call, path string) Endpoint
}

// Signer is implemented by providers whose credential is more than a header
// with a key: it may need the whole request, or a token that is fetched.
type Signer interface {
	// Sign is called once the request is complete, instead of Authorize. key is
	// the credential to use, empty if none is configured. It must heed the
	// request's context. Its error must not tell a secret.
	Sign(r *http.Request, body []byte, key string) error
}

// ModelLister is implemented by providers that know their models without being asked.
type ModelLister interface {
	ListModels() []string
}

// Keyless is implemented by providers that can be called without a credential.
type Keyless interface {
	Keyless() bool
}

// Discoverable is implemented by providers that the line "providers env" finds.
type Discoverable interface {
	// Environment names the variables that usually hold the provider's key,
	// the first that is set wins.
	Environment() []string
}
