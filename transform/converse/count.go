package converse

import (
	"errors"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// AppendCountRequest writes the body of POST /model/{id}/count-tokens, which
// takes of a request what the model reads.
func (c Codec) AppendCountRequest(dst []byte, r *transform.Request, to transform.Target, lost *transform.Losses) ([]byte, error) {
	e := encoder{Writer: jsonbytes.Writer{Out: dst}, r: r, to: to, lost: lost}
	if err := e.plan(); err != nil {
		return dst, err
	}
	e.Raw(`{"input":{"converse":{`)
	e.writePrompt()
	e.Raw(`}}}`)
	return e.Out, nil
}

// DecodeCount reads {"inputTokens":n}.
func (Codec) DecodeCount(body []byte) (int64, error) {
	if err := jsonbytes.Check(body, 0); err != nil {
		return 0, err
	}
	n, ok := jsonbytes.Parse(body).Get("inputTokens").Int()
	if !ok || n < 0 {
		return 0, errors.New("the answer has no inputTokens")
	}
	return n, nil
}
