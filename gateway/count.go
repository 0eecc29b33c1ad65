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

// estimateCount answers for a provider that does not count: with about what the
// request takes, as clients do by themselves.
func (a *attempt) estimateCount() *failure {
	if err := a.decode(); err != nil {
		return a.asFailure(err)
	}
	size, media := len(a.body.bytes), 0
	for _, turn := range a.decoded.chat.Turns {
		for i := range turn.Parts {
			if data := turn.Parts[i].Media.Data; data != nil {
				size -= len(data)
				media++
			}
		}
	}
	out := a.client.(transform.CountClient).AppendCount(nil, usage.EstimateBytes(max(size, 0))+int64(media)*mediaTokens)
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
