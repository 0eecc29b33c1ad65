// Package converse speaks Amazon Bedrock's Converse and ConverseStream, towards
// Bedrock only: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html.
//
// Tools, tool choice, sampling and forced output have the meaning that they have
// in Anthropic's Messages format, from which Converse took them. The encoder has
// that format's codec decide on them (see parameters.go) and lays out only the
// conversation itself; what differs from model to model is in family.go.
package converse

import "github.com/caddyllm/llmproxy/transform"

// Codec translates requests to, and answers from, the Converse format.
type Codec struct {
	// Vendor is who reads the opaque pieces of the answers. Empty: Amazon, for
	// models of which nobody says whose they are. The signatures of Claude are
	// good wherever Claude is served, so its vendor is Anthropic.
	Vendor transform.Vendor
}

// Format is transform.Converse.
func (Codec) Format() transform.Format { return transform.Converse }

func (c Codec) vendor() transform.Vendor {
	if c.Vendor == "" {
		return transform.VendorAmazon
	}
	return c.Vendor
}

var (
	_ transform.ProviderCodec     = Codec{}
	_ transform.CountProvider     = Codec{}
	_ transform.EmbeddingProvider = Codec{}
)
