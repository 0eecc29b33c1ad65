package bedrock

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/providers"
	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/transform/anthropic"
	"github.com/caddyllm/llmproxy/transform/converse"
)

// headerStream asks for what Bedrock sends anyway.
var headerStream = http.Header{"Accept": {"application/vnd.amazon.eventstream"}}

// claudeEdits make a Messages request one of InvokeModel: the model and the wish
// for a stream are in the path, the betas in the body, the tier in a header.
var claudeEdits = providers.Edits{
	Omit:   []string{"model", "stream"},
	Remove: []string{"service_tier", "inference_geo"},
	Set:    []transform.Member{{Name: "anthropic_version", Value: jsonbytes.Value(`"bedrock-2023-05-31"`)}},
	Betas:  "anthropic_beta",
}

// Chat is POST {base_url}/model/{id}/converse or /converse-stream, for Claude
// /invoke or /invoke-with-response-stream.
func (p *Bedrock) Chat(call providers.Call) providers.Endpoint {
	var e providers.Endpoint
	if call.Stream {
		e.Header = headerStream
	}
	if isClaude(call.Model) {
		e.Codec, e.Vendor, e.Edits = anthropic.Codec{Cloud: true}, transform.VendorAnthropic, &claudeEdits
		e.URL = p.method(call.Model, "invoke")
		if call.Stream {
			e.URL = p.method(call.Model, "invoke-with-response-stream")
			e.Framing = transform.FramingAWSChunks
		}
		return e
	}
	e.Codec, e.Vendor = converse.Codec{}, transform.VendorAmazon
	e.URL = p.method(call.Model, "converse")
	if call.Stream {
		e.URL = p.method(call.Model, "converse-stream")
		e.Framing = transform.FramingAWS
	}
	return e
}

// CountTokens is POST {base_url}/model/{id}/count-tokens. It exists for Claude,
// by the id of the model itself, not of an inference profile.
func (p *Bedrock) CountTokens(call providers.Call) (providers.Endpoint, bool) {
	if !isClaude(call.Model) {
		return providers.Endpoint{}, false
	}
	return providers.Endpoint{
		URL:   p.method(foundation(call.Model), "count-tokens"),
		Codec: converse.Codec{Vendor: transform.VendorAnthropic}, Vendor: transform.VendorAnthropic,
	}, true
}

// Embeddings is POST {base_url}/model/{id}/invoke, for models of Amazon and Cohere.
func (p *Bedrock) Embeddings(call providers.Call) providers.Endpoint {
	return providers.Endpoint{URL: p.method(call.Model, "invoke"), Codec: converse.Codec{}}
}

func (p *Bedrock) method(model, method string) *url.URL {
	return p.JoinEscaped("/model/" + escape(model) + "/" + method)
}

const claude = "anthropic.claude"

// isClaude tells whether an id names a Claude. ARNs of applications' inference
// profiles do not tell.
func isClaude(model string) bool { return strings.Contains(model, claude) }

// foundation is the id of the model behind an inference profile or in an ARN.
func foundation(model string) string {
	id, _, _ := strings.Cut(model[strings.Index(model, claude):], "/")
	return id
}

// escape makes one segment of a path of an id, as AWS's SDKs do: all but what
// RFC 3986 never reserves. A segment of dots alone cannot lead out of its place.
func escape(id string) string {
	const digits = "0123456789ABCDEF"
	dots := strings.Trim(id, ".") == ""
	escaped := make([]byte, 0, len(id)+16)
	for _, c := range []byte(id) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_', c == '~', c == '.' && !dots:
			escaped = append(escaped, c)
		default:
			escaped = append(escaped, '%', digits[c>>4], digits[c&15])
		}
	}
	return string(escaped)
}
