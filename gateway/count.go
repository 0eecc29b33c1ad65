package gateway

import (
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

// estimateInput guesses the tokens of the request.
func (c *call) estimateInput() int64 {
	if c.estimated == 0 && c.body != nil {
		if c.form != nil {
			c.estimated = c.form.estimate(len(c.body.bytes))
		} else {
			c.estimated = estimateTokens(c.body.bytes)
		}
	}
	return c.estimated
}

// estimateTokens guesses the tokens of a body. How large media are says little of
// what they take. Every run of base64 that is long enough holds one of the places
// that are looked at.
func estimateTokens(body []byte) int64 {
	text, media := len(body), 0
	for at := leastMedia - 1; at < len(body); at += leastMedia {
		from, to := at, at
		for from > 0 && isBase64(body[from-1]) {
			from--
		}
		for to < len(body) && isBase64(body[to]) {
			to++
		}
		if to-from >= leastMedia {
			text -= to - from
			media++
			at = to
		}
	}
	return usage.EstimateBytes(text) + int64(media)*mediaTokens
}

func isBase64(b byte) bool {
	return 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || '0' <= b && b <= '9' || b == '+' || b == '/' || b == '=' || b == '-' || b == '_'
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
