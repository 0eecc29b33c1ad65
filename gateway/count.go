package gateway

import (
	"bytes"
	"net/http"

	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/usage"
)

// translateCount is a provider's count as the client's format tells it.
func (a *attempt) translateCount(body []byte) ([]byte, error) {
	codec, ok := a.endpoint.Codec.(transform.CountProvider)
	if !ok {
		return nil, errInternal
	}
	tokens, err := codec.DecodeCount(body)
	if err != nil {
		return nil, err
	}
	return a.client.(transform.CountClient).AppendCount(nil, tokens), nil
}

// checkCount reads a count that is passed on.
func (a *attempt) checkCount(body []byte) error {
	codec, ok := a.endpoint.Codec.(transform.CountProvider)
	if !ok {
		return nil
	}
	_, err := codec.DecodeCount(body)
	return err
}

// mediaTokens is about what one image or page takes, by any vendor's rule.
const mediaTokens = 1500

// leastMedia is the shortest run of base64 that is taken for media: no word is so long.
const leastMedia = 4 << 10

// estimateInput guesses the tokens of the request. How large media are says
// little of what they take.
func (c *call) estimateInput() int64 {
	if c.form != nil {
		return c.form.estimate(len(c.body.bytes))
	}
	text, media := len(c.body.bytes), 0
	for rest := c.body.bytes; len(rest) >= leastMedia; {
		run := bytes.IndexFunc(rest, isNotBase64)
		if run < 0 {
			run = len(rest)
		}
		if run >= leastMedia {
			text -= run
			media++
		}
		rest = rest[min(run+1, len(rest)):]
	}
	return usage.EstimateBytes(text) + int64(media)*mediaTokens
}

func isNotBase64(r rune) bool {
	return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '+' || r == '/' || r == '=' || r == '-' || r == '_')
}

// estimateCount answers for a provider that does not count: with about what the
// request takes, as clients do by themselves.
func (a *attempt) estimateCount() *failure {
	if err := a.decode(); err != nil {
		return a.asFailure(err)
	}
	out := a.client.(transform.CountClient).AppendCount(nil, a.estimateInput())
	a.committed = true
	a.record.Status, a.record.Ending = http.StatusOK, usage.Complete
	a.writeJSON(http.StatusOK, out)
	return nil
}

// hasNoCount tells that a provider has no such path.
func hasNoCount(status int) bool {
	switch status {
	case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusNotImplemented:
		return true
	}
	return false
}
