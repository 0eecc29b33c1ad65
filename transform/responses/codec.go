// Package responses is OpenAI's Responses format, as its SDKs, the AI SDK and
// Codex speak it and OpenAI, Azure, xAI, Amazon Bedrock and LM Studio serve it.
//
// A conversation is a flat list of items here: messages, reasoning, calls and
// their outputs. The items of one step of the model become one neutral turn.
package responses

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"strconv"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/transform/openai"
)

// Codec reads and writes Responses, for clients and for providers. Its zero
// value is ready; it has no state.
type Codec struct{}

var errNoAnswer = errors.New("responses: the answer is not of this format")

// Format returns [transform.Responses].
func (Codec) Format() transform.Format { return transform.Responses }

// Heartbeat is what fills a silence: a comment, which no SDK reads.
func (Codec) Heartbeat() []byte { return heartbeat }

var heartbeat = []byte(": keep-alive\n\n")

// Foreign tells whether a request has something in it that an answer of another
// vendor left there: sealed pieces, or reasoning that only has the name that it
// got here. OpenAI refuses both, so that such a body must be translated even for
// an endpoint of the same format.
func (Codec) Foreign(body []byte) bool {
	return transform.HoldsSealed(body) || holdsOurReasoning(body)
}

// DecodeCountRequest reads the request of POST /v1/responses/input_tokens, which
// is that of an answer but for what concerns the answer alone.
func (c Codec) DecodeCountRequest(body []byte, lost *transform.Losses) (*transform.Request, error) {
	return c.DecodeRequest(body, lost)
}

// AppendCount writes a number of tokens.
func (Codec) AppendCount(dst []byte, tokens int64) []byte {
	dst = append(dst, `{"object":"response.input_tokens","input_tokens":`...)
	dst = strconv.AppendInt(dst, tokens, 10)
	return append(dst, '}')
}

// DecodeCount reads a number of tokens.
func (Codec) DecodeCount(body []byte) (int64, error) {
	if jsonbytes.Check(body, 0) != nil {
		return 0, errNoAnswer
	}
	root := jsonbytes.Parse(body)
	if failure := root.Get("error"); failure.Kind() == jsonbytes.Object {
		return 0, failureOf(body)
	}
	tokens, ok := root.Get("input_tokens").Int()
	if !ok || tokens < 0 {
		return 0, errNoAnswer
	}
	return tokens, nil
}

// The errors of this format, outside of streams, are those of OpenAI's other one.

// Status is as of [openai.Codec].
func (Codec) Status(e *transform.Error) int { return openai.Codec{}.Status(e) }

// IsError is as of [openai.Codec].
func (Codec) IsError(body []byte) bool { return openai.Codec{}.IsError(body) }

// AppendError is as of [openai.Codec].
func (Codec) AppendError(dst []byte, e *transform.Error, requestID string) []byte {
	return openai.Codec{}.AppendError(dst, e, requestID)
}

// DecodeError is as of [openai.Codec].
func (Codec) DecodeError(status int, body []byte) *transform.Error {
	return openai.Codec{}.DecodeError(status, body)
}

const idLetters = "abcdefghijklmnopqrstuvwxyz0123456789"

// newTail makes what follows the prefix of an id, for answers whose provider
// gave none. It identifies, it does not protect.
func newTail() string {
	tail := make([]byte, 24)
	for i := range tail {
		tail[i] = idLetters[rand.IntN(len(idLetters))]
	}
	return string(tail)
}

var ownReasoningID = []byte(`"` + prefixOwnReasoning)

// holdsOurReasoning finds ids of reasoning that were made here.
func holdsOurReasoning(body []byte) bool { return bytes.Contains(body, ownReasoningID) }

func appendInt(dst []byte, n int64) []byte { return strconv.AppendInt(dst, n, 10) }

// Interface guards
var (
	_ transform.ClientCodec   = Codec{}
	_ transform.ProviderCodec = Codec{}
	_ transform.CountClient   = Codec{}
	_ transform.CountProvider = Codec{}
)
