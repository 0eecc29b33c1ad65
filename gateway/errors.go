package gateway

import (
	"errors"
	"net/http"
	"time"

	"github.com/caddyllm/llmproxy/auth"
	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// Errors that say the same wherever they arise. Their texts are stable: clients
// may have learnt them.
var (
	errInvalidKey = &transform.Error{Kind: transform.ErrAuthentication, Code: "invalid_api_key", Message: "Invalid API key.", NoRetry: true}
	errNoKey      = &transform.Error{
		Kind: transform.ErrAuthentication, Code: "invalid_api_key", NoRetry: true,
		Message: "API key missing: send it as \"Authorization: Bearer <key>\".",
	}
	errAmbiguousKey = &transform.Error{
		Kind: transform.ErrBadRequest, Code: "ambiguous_credentials", NoRetry: true,
		Message: "The request has two different API keys: send one.",
	}
	errOrigin = &transform.Error{
		Kind: transform.ErrPermission, Code: "origin_not_allowed", NoRetry: true,
		Message: "This origin may not call without an API key: send one, or have the operator list the origin.",
	}
	errNoTokenKeys = &transform.Error{
		Kind: transform.ErrOverloaded, Code: "authentication_unavailable", RetryAfter: 30 * time.Second,
		Message: "This gateway cannot verify tokens at the moment: try again later.",
	}
	errModelNotAllowed = &transform.Error{
		Kind: transform.ErrPermission, Code: "model_not_allowed", NoRetry: true, Param: "model",
		Message: "This API key may not use the requested model.",
	}
	errUnknownPath = &transform.Error{Kind: transform.ErrNotFound, Code: "unknown_url", Message: "There is nothing at this path."}
	errBadMethod   = &transform.Error{
		Kind: transform.ErrBadRequest, Status: http.StatusMethodNotAllowed, Code: "method_not_allowed",
		Message: "This path does not take this method.",
	}
	errBodyTooLarge = &transform.Error{Kind: transform.ErrTooLarge, Code: "request_too_large", Message: "The request is larger than this gateway takes.", NoRetry: true}
	errEncoding     = &transform.Error{
		Kind: transform.ErrMediaType, Code: "unsupported_content_encoding", NoRetry: true,
		Message: "The request's content encoding is not supported: send it as it is, or as gzip or zstd.",
	}
	errBodyUnreadable = &transform.Error{Kind: transform.ErrBadRequest, Code: "invalid_body", Message: "The request's body could not be read."}
	errModelMissing   = &transform.Error{
		Kind: transform.ErrBadRequest, Code: "missing_required_parameter", Param: "model", NoRetry: true,
		Message: "The request names no model: set \"model\" to one that GET /v1/models lists, or to <provider>/<model>.",
	}
	errModelName = &transform.Error{
		Kind: transform.ErrBadRequest, Code: "invalid_value", Param: "model", NoRetry: true,
		Message: "The model's name is empty, too long, or has characters that no model's name has.",
	}
	errStreamType = &transform.Error{
		Kind: transform.ErrBadRequest, Code: "invalid_type", Param: "stream", NoRetry: true,
		Message: "\"stream\" must be true or false.",
	}
	errNoEmbeddings = &transform.Error{
		Kind: transform.ErrBadRequest, Code: "unsupported_operation", Param: "model", NoRetry: true,
		Message: "The provider of this model has no embeddings.",
	}
	errForm = &transform.Error{
		Kind: transform.ErrBadRequest, Code: "invalid_body", NoRetry: true,
		Message: "The request's form cannot be read: send multipart/form-data with a boundary.",
	}
	errNoOperation = &transform.Error{
		Kind: transform.ErrBadRequest, Code: "unsupported_operation", Param: "model", NoRetry: true,
		Message: "The provider of this model does not have what this path asks for.",
	}

	errUpstreamAuth = &transform.Error{
		Kind: transform.ErrUpstream, Code: "upstream_auth_error", NoRetry: true,
		Message: "The provider refused this gateway's own credential: the operator must check the provider's api_key.",
	}
	errNoUpstreamCredential = &transform.Error{
		Kind: transform.ErrUpstream, Code: "upstream_auth_error",
		Message: "This gateway could not get its own credential for the provider: the operator must check the provider's settings.",
	}
	errUpstreamProtocol = &transform.Error{Kind: transform.ErrUpstream, Code: "upstream_protocol_error", Message: "The provider's answer could not be read."}
	errUpstreamConnect  = &transform.Error{Kind: transform.ErrUpstream, Code: "upstream_error", Message: "The provider could not be reached."}
	errUpstreamBroken   = &transform.Error{Kind: transform.ErrUpstream, Code: "upstream_error", Message: "The provider broke the connection before it answered."}
	errUpstreamTimeout  = &transform.Error{Kind: transform.ErrTimeout, Code: "upstream_timeout", Message: "The provider did not answer in time."}
	errStreamBroken     = &transform.Error{Kind: transform.ErrUpstream, Code: "upstream_stream_error", Message: "Upstream stream ended unexpectedly."}
	errStreamStalled    = &transform.Error{Kind: transform.ErrTimeout, Code: "upstream_timeout", Message: "Upstream stream stalled."}
	errEventTooLarge    = &transform.Error{Kind: transform.ErrUpstream, Code: "event_too_large", Message: "An event of the upstream stream is larger than this gateway takes."}
	errAnswerTooLarge   = &transform.Error{Kind: transform.ErrUpstream, Code: "upstream_protocol_error", Message: "The provider's answer is larger than this gateway takes."}
	errNoTarget         = &transform.Error{Kind: transform.ErrOverloaded, Code: "no_healthy_upstream", Message: "No provider of this model can be reached at present: ask again later."}
	errTargetsLimited   = &transform.Error{Kind: transform.ErrRateLimit, Code: "rate_limit_exceeded", Message: "Every provider of this model wants to be left alone for a while: ask again later."}
	errInternal         = &transform.Error{Kind: transform.ErrInternal, Code: "internal_error", Message: "The gateway failed. The error is in its log."}
	errClientStalled    = &transform.Error{Kind: transform.ErrCancelled, Code: "client_stalled", Message: "The client did not read its answer."}
	errClientGone       = &transform.Error{Kind: transform.ErrCancelled, Code: "client_closed_request", Message: "The client closed the request."}
)

// What is wrong with the member that holds a request's content.

func (r *contentRule) missing() *transform.Error {
	member := r.members[0]
	return contentError("missing_required_parameter", member, "The request has no "+member+": send \""+member+"\", "+r.form()+" that is not empty.")
}

func (r *contentRule) empty() *transform.Error {
	member := r.members[0]
	return contentError("empty_array", member, "\""+member+"\" is empty: send at least one element.")
}

func (r *contentRule) wrongType() *transform.Error {
	member := r.members[0]
	return contentError("invalid_type", member, "\""+member+"\" must be "+r.form()+".")
}

func (r *contentRule) form() string {
	if r.text {
		return "a string or an array"
	}
	return "an array"
}

func contentError(code, param, message string) *transform.Error {
	return &transform.Error{Kind: transform.ErrBadRequest, Code: code, Param: param, Message: message, NoRetry: true}
}

// authError puts an authenticator's error into words for clients.
func authError(err error) *transform.Error {
	switch {
	case errors.Is(err, auth.ErrNoCredential):
		return errNoKey
	case errors.Is(err, auth.ErrAmbiguous):
		return errAmbiguousKey
	case errors.Is(err, auth.ErrOrigin):
		return errOrigin
	case errors.Is(err, auth.ErrUnavailable):
		return errNoTokenKeys
	}
	return errInvalidKey
}

// scanError puts a scanner's error into words for clients. It names places,
// never content.
func scanError(err error) *transform.Error {
	e := &transform.Error{Kind: transform.ErrBadRequest, Code: "invalid_json", NoRetry: true, Message: "The request's body cannot be read: " + err.Error() + "."}
	var duplicate *jsonbytes.DuplicateKeyError
	var variant *jsonbytes.KeyCaseError
	switch {
	case errors.As(err, &duplicate):
		e.Code, e.Param, e.Message = "duplicate_key", duplicate.Pointer, "The request has a member twice: send each once."
	case errors.As(err, &variant):
		e.Code, e.Param, e.Message = "invalid_key_case", variant.Pointer, "The request has a member whose name differs from a known one in letter case alone."
	}
	return e
}

// modelNotFound says how to make a name known.
func modelNotFound(model string) *transform.Error {
	return &transform.Error{
		Kind: transform.ErrNotFound, Code: "model_not_found", Param: "model", NoRetry: true,
		Message: "The model '" + model + "' is not configured. Ask for one that GET /v1/models lists, address a provider as <provider>/<model>, " +
			"or have the operator add \"model " + model + " <provider>/<model>\" to the config.",
	}
}

// codeUnsupported is the code of a request that a provider's format cannot carry.
const codeUnsupported = "unsupported_parameter"

// unsupported says which essential members the provider cannot be given.
func unsupported(pointers []string, format transform.Format) *transform.Error {
	message := "The request has what the provider's API (" + string(format) + ") cannot carry:"
	for _, pointer := range pointers {
		message += " " + pointer
	}
	return &transform.Error{
		Kind: transform.ErrBadRequest, Code: codeUnsupported, Param: pointers[0], NoRetry: true,
		Message: message + ". Leave it out, or ask for a model of another provider.",
	}
}
