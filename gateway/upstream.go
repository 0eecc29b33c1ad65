package gateway

import (
	"bytes"
	"context"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/providers"
	"github.com/caddyllm/llmproxy/routing"
	"github.com/caddyllm/llmproxy/transform"
)

// Header values that never change are shared: a header map keeps the slices.
var (
	headerJSON     = []string{"application/json"}
	headerStream   = []string{"text/event-stream"}
	headerAny      = []string{"*/*"}
	headerIdentity = []string{"identity"}
	headerAgent    = []string{"caddy-llm-proxy"}
)

// unsignedRequest is the request to the provider without a credential. Nothing of the client's
// header goes along but what its format needs there: an allow-list.
func (a *attempt) unsignedRequest(ctx context.Context, body *buffer) *http.Request {
	header := make(http.Header, 8)
	header["Content-Type"] = headerJSON
	header["Accept"] = headerJSON
	switch {
	case a.op == opForward:
		header["Accept"] = headerAny
		if a.form != nil {
			header["Content-Type"] = a.r.Header["Content-Type"] // which names the boundary
		}
	case a.endpoint.Framing == transform.FramingAWS, a.endpoint.Framing == transform.FramingAWSChunks:
		header["Accept"] = headerAny
	case a.streams && a.endpoint.Framing == transform.FramingSSE:
		header["Accept"] = headerStream
	}
	// Without this Go's transport asks for gzip, and a stream would wait in a
	// compressor's window.
	header["Accept-Encoding"] = headerIdentity
	header["User-Agent"] = headerAgent
	maps.Copy(header, a.endpoint.Header)
	if a.sameFormat() {
		for _, name := range a.endpoint.Forward {
			// A translation is of the version that it was written for.
			if values := a.r.Header[name]; len(values) > 0 && (a.same || header[name] == nil) {
				header[name] = values
			}
		}
	}
	maps.Copy(header, a.target.Upstream.Base().FixedHeader())
	return (&http.Request{
		Method: http.MethodPost, URL: a.endpoint.URL, Host: a.endpoint.URL.Host, Header: header,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		ContentLength: int64(len(body.bytes)),
		Body:          a.open(body),
		GetBody:       func() (io.ReadCloser, error) { return a.reopen(body) },
	}).WithContext(ctx)
}

// upstreamRequest is the request to the provider, with its credential. What the
// operator set in the credential's place stays.
func (a *attempt) upstreamRequest(ctx context.Context, body *buffer) (*http.Request, error) {
	request := a.unsignedRequest(ctx, body)
	if signer, ok := a.target.Upstream.Provider.(providers.Signer); ok {
		return request, signer.Sign(request, body.bytes, a.credential)
	}
	if a.credential != "" {
		a.target.Upstream.Authorize(request.Header, a.credential)
		maps.Copy(request.Header, a.target.Upstream.Base().FixedHeader())
	}
	return request, nil
}

// upstreamBody is what the provider gets, as one ownership of a buffer: the
// client's bytes with as few edits as can be, or a translation.
func (a *attempt) upstreamBody() (*buffer, error) {
	a.record.Dropped = nil // of a target that failed
	var body *buffer
	if a.same {
		body = a.editedBody()
	} else {
		body = newBuffer()
		if err := a.translate(body); err != nil {
			body.release()
			return nil, err
		}
	}
	if dropped := a.record.Dropped; len(dropped) > 0 && a.onUnsupported() == routing.RefuseUnsupported {
		body.release()
		return nil, unsupported(dropped, a.endpoint.Codec.Format())
	}
	return body, nil
}

// editedBody puts the target's model in, asks for usage, and removes or renames
// what the provider's preset says. Bytes without edits are not even copied.
func (a *attempt) editedBody() *buffer {
	if a.form != nil {
		return a.editedForm()
	}
	var patch jsonbytes.Patch
	switch {
	case a.client.Format() == transform.Gemini:
		if a.has("model") {
			patch.Remove("model") // the path names it
		}
	case a.target.Model != a.routing.model:
		patch.Replace("model", jsonbytes.AppendString(nil, a.target.Model))
	}
	if a.streams != a.routing.stream && a.client.Format() != transform.Gemini {
		a.otherManner(&patch)
	}
	if edits := a.endpoint.Edits; edits != nil {
		if a.streams && !a.routing.includeUsage && edits.AskUsage {
			patch.Set("stream_options", a.usageOption())
		}
		a.applyEdits(&patch, edits)
	}
	if patch.Empty() {
		a.body.owners.Add(1)
		return a.body
	}
	out := newBuffer()
	out.bytes = patch.Append(out.bytes, a.body.bytes, a.routing.members)
	return out
}

// member is the value of a member of the client's request, nil if there is none.
func (c *call) member(name string) jsonbytes.Value {
	for _, m := range c.routing.members {
		if string(c.key(m)) == name {
			return m.Raw(c.body.bytes)
		}
	}
	return nil
}

func (c *call) has(name string) bool { return c.member(name) != nil }

// applyEdits reports what it removes; what it renames is carried.
func (a *attempt) applyEdits(patch *jsonbytes.Patch, edits *providers.Edits) {
	for _, m := range edits.Set {
		patch.Set(m.Name, m.Value)
	}
	if edits.Betas != "" {
		if betas := a.betas(); betas != nil {
			patch.Set(edits.Betas, betas)
		}
	}
	if len(edits.Remove) == 0 && len(edits.Rename) == 0 && len(edits.Omit) == 0 {
		return
	}
	for _, m := range a.routing.members {
		name := string(a.key(m))
		for _, remove := range edits.Remove {
			if name == remove {
				patch.Remove(name)
				a.dropped("/" + name)
			}
		}
		if slices.Contains(edits.Omit, name) {
			patch.Remove(name)
		}
		if to, ok := edits.Rename[name]; ok {
			patch.Rename(name, to)
		}
	}
}

// betas lists what the client's header Anthropic-Beta names, as a JSON array;
// nil if there is nothing.
func (a *attempt) betas() []byte {
	var list []byte
	for _, value := range a.r.Header["Anthropic-Beta"] {
		for name := range strings.SplitSeq(value, ",") {
			if name = strings.TrimSpace(name); name != "" {
				list = jsonbytes.AppendString(append(list, ','), name)
			}
		}
	}
	if list == nil {
		return nil
	}
	list[0] = '['
	return append(list, ']')
}

var usageOption = []byte(`{"include_usage":true}`)

// usageOption asks for usage and keeps the other stream options that the client sent.
func (a *attempt) usageOption() []byte {
	options := a.member("stream_options")
	if options.Kind() != jsonbytes.Object || options.Len() == 0 {
		return usageOption
	}
	var patch jsonbytes.Patch
	patch.Set("include_usage", []byte("true"))
	members, err := jsonbytes.Scan(nil, options, a.g.Limits.Depth)
	if err != nil {
		return usageOption
	}
	return patch.Append(nil, options, members)
}

// dropped notes what the provider could not be given.
func (c *call) dropped(pointers ...string) {
	for _, pointer := range pointers {
		if len(c.record.Dropped) < 64 {
			c.record.Dropped = append(c.record.Dropped, pointer)
		}
	}
}

// redact takes out of a provider's words what is not for clients.
func (a *attempt) redact(message string) string {
	for _, secret := range a.secrets() {
		message = strings.ReplaceAll(message, secret, "[redacted]") // not every key looks like one
	}
	return transform.Scrub(message)
}

// mayPass tells whether a provider's own error can go to the client as it is.
func (a *attempt) mayPass(text []byte) bool {
	return !transform.HoldsKey(text) &&
		!slices.ContainsFunc(a.secrets(), func(secret string) bool { return bytes.Contains(text, []byte(secret)) })
}

// leastSecret is the shortest value of an operator's header that is taken for a secret.
const leastSecret = 8

// secrets are what no error may tell: the provider's keys, what the operator
// sends along, and where the provider lives.
func (a *attempt) secrets() []string {
	settings := a.target.Upstream.Base()
	list := slices.Concat(settings.Keys(), settings.Secrets())
	for _, values := range settings.FixedHeader() {
		for _, value := range values {
			if value = strings.TrimPrefix(value, "Bearer "); len(value) >= leastSecret {
				list = append(list, value)
			}
		}
	}
	if host := a.endpoint.URL.Hostname(); host != "" {
		list = append(list, host)
	}
	return list
}

// echoes tells whether a provider repeats a secret that it was sent.
func (a *attempt) echoes(text string) bool {
	settings := a.target.Upstream.Base()
	for _, list := range [...][]string{settings.Keys(), settings.Secrets()} {
		for _, secret := range list {
			if len(secret) >= leastSecret && strings.Contains(text, secret) {
				return true
			}
		}
	}
	for _, values := range settings.FixedHeader() {
		for _, value := range values {
			if value = strings.TrimPrefix(value, "Bearer "); len(value) >= leastSecret && strings.Contains(text, value) {
				return true
			}
		}
	}
	return false
}

// hideEchoes takes a secret out of the words of an error that are passed on, counted
// and logged as they are.
func (a *attempt) hideEchoes(e *transform.Error) {
	for _, word := range [...]*string{&e.Code, &e.Type, &e.Param} {
		if *word != "" && a.echoes(*word) {
			*word = ""
		}
	}
}

// upstreamRequestID is the provider's own name for a request, for its support.
func (a *attempt) upstreamRequestID(h http.Header) string {
	for _, name := range [...]string{"X-Request-Id", "Request-Id", "Apim-Request-Id", "X-Amzn-Requestid", "Cf-Ray"} {
		if id := h[name]; len(id) > 0 && len(id[0]) <= 128 && !a.echoes(id[0]) {
			return id[0]
		}
	}
	return ""
}
