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
	// Chat says how to ask for an answer of the model.
	Chat(model string, stream bool) Endpoint
	// Authorize adds a credential to the header of a request.
	Authorize(header http.Header, key string)
}

// Endpoint is where a call goes and in which format.
type Endpoint struct {
	// URL is shared: it must not be changed.
	URL   *url.URL
	Codec transform.ProviderCodec
	// Vendor reads the opaque pieces of its own answers. Empty: nobody does.
	Vendor transform.Vendor
}

// Embedder is implemented by providers that have embeddings. The codec of the
// endpoint must be a [transform.EmbeddingProvider] where its format is not the client's.
type Embedder interface {
	Embeddings(model string) Endpoint
}

// Editor is implemented by providers that take the client's own format but not
// all of its members: the ones that they refuse are removed or renamed.
type Editor interface {
	Edits() *Edits
}

// Edits are what becomes of top-level members of a request that is passed on in
// its own format.
type Edits struct {
	// Remove names members that the provider answers with an error.
	Remove []string
	// Rename gives members the name that the provider has for them.
	Rename map[string]string
	// AskUsage tells that a stream reports its usage only when asked to.
	AskUsage bool
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
