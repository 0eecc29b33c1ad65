package anthropic

import (
	"errors"
	"slices"
	"strconv"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

var errNoCount = errors.New("the answer is not a count in Anthropic's format")

// AppendCount writes the answer to POST /v1/messages/count_tokens.
func (Codec) AppendCount(dst []byte, tokens int64) []byte {
	dst = append(dst, `{"input_tokens":`...)
	dst = strconv.AppendInt(dst, tokens, 10)
	return append(dst, '}')
}

// AppendCountRequest writes r as the body of POST /v1/messages/count_tokens:
// what makes up the prompt, and nothing of how to continue it.
func (c Codec) AppendCountRequest(dst []byte, r *transform.Request, to transform.Target, lost *transform.Losses) ([]byte, error) {
	e := encoder{Writer: jsonbytes.Writer{Out: dst}, r: r, to: to, lost: lost, cloud: c.Cloud}
	if err := e.plan(); err != nil {
		return dst, err
	}
	e.Raw("{")
	e.writePrompt()
	e.writeChoice()
	e.writeThinking()
	e.writeOutputConfig()
	for _, m := range e.rest {
		if slices.Contains(countedMembers, m.Name) {
			e.Key(m.Name)
			e.Value(m.Value)
		}
	}
	e.Raw("}")
	return e.Out, nil
}

// countedMembers are the members that the endpoint knows among those that no
// other format has.
var countedMembers = []string{"cache_control", "context_management", "mcp_servers"}

// DecodeCount reads the answer.
func (Codec) DecodeCount(body []byte) (int64, error) {
	if err := jsonbytes.Check(body, 0); err != nil {
		return 0, err
	}
	answer := jsonbytes.Parse(body)
	if isFailure(answer) {
		return 0, decodeError(0, answer)
	}
	tokens, ok := answer.Get("input_tokens").Int()
	if !ok || tokens < 0 {
		return 0, errNoCount
	}
	return tokens, nil
}
