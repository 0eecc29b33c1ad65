package anthropic

import (
	"strconv"

	"github.com/caddyllm/llmproxy/catalog"
	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// root is the client's request as a place for loss reports.
var root transform.Path

// AppendRequest writes r as the body of POST /v1/messages. The model is a
// member of the body; Bedrock and Vertex want it out again.
func (c Codec) AppendRequest(dst []byte, r *transform.Request, to transform.Target, lost *transform.Losses) ([]byte, error) {
	e := encoder{dst: dst, r: r, to: to, lost: lost, cloud: c.Cloud}
	if err := e.plan(); err != nil {
		return dst, err
	}
	e.write()
	return e.dst, nil
}

// encoder writes one request.
type encoder struct {
	dst   []byte
	r     *transform.Request
	to    transform.Target
	lost  *transform.Losses
	cloud bool
	model catalog.Claude

	system   []block
	messages []message
	history  history

	tools    []tool
	choice   choice
	output   output
	thinking thinking

	maxTokens int64
	sampling  sampling
	userID    jsonbytes.Value
	rest      []transform.Member
}

// plan decides what goes into the body and reports what does not.
func (e *encoder) plan() error {
	e.model = unknownModel
	if model, ok := catalog.FindClaude(e.to.Model); ok {
		e.model = model
	}
	e.planMaxTokens()
	if err := e.layOut(); err != nil {
		return err
	}
	if err := e.planOutput(); err != nil {
		return err
	}
	if err := e.planTools(); err != nil {
		return err
	}
	e.planThinking()
	e.planSampling()
	if err := e.finishMessages(); err != nil {
		return err
	}
	e.planRest()
	e.limitCacheMarks()
	return nil
}

func (e *encoder) planMaxTokens() {
	e.maxTokens = e.r.Sampling.MaxTokens
	switch {
	case e.maxTokens <= 0 && e.model.MaxOutput > 0:
		e.maxTokens = e.model.MaxOutput
	case e.maxTokens <= 0:
		e.maxTokens = defaultMaxTokens
	case e.model.MaxOutput > 0:
		e.maxTokens = min(e.maxTokens, e.model.MaxOutput)
	}
}

// write writes the body. What is the same from turn to turn of a conversation
// comes first.
func (e *encoder) write() {
	e.dst = append(e.dst, '{')
	e.writePrompt()
	e.key("max_tokens")
	e.int(e.maxTokens)
	if e.to.Stream {
		e.key("stream")
		e.dst = append(e.dst, "true"...)
	}
	e.writeChoice()
	e.writeThinking()
	e.writeOutputConfig()
	e.writeSampling()
	if e.userID != nil {
		e.key("metadata")
		e.dst = append(e.dst, `{"user_id":`...)
		e.dst = append(e.dst, e.userID...)
		e.dst = append(e.dst, '}')
	}
	for _, m := range e.rest {
		e.key(m.Name)
		e.dst = append(e.dst, m.Value...)
	}
	e.dst = append(e.dst, '}')
}

// writePrompt writes the model and what it reads.
func (e *encoder) writePrompt() {
	e.key("model")
	e.dst = jsonbytes.AppendString(e.dst, e.to.Model)
	e.writeTools()
	e.writeSystem()
	e.writeMessages()
}

// key begins a member of the object that is being written.
func (e *encoder) key(name string) {
	e.dst = appendKey(e.dst, name)
}

func (e *encoder) int(n int64) {
	e.dst = strconv.AppendInt(e.dst, n, 10)
}

// appendKey begins a member of an object. name needs no escapes.
func appendKey(dst []byte, name string) []byte {
	dst = appendComma(dst)
	dst = append(dst, '"')
	dst = append(dst, name...)
	return append(dst, '"', ':')
}

// appendComma separates from what stands before, if anything does: no value
// ends with an opening bracket.
func appendComma(dst []byte) []byte {
	if c := dst[len(dst)-1]; c == '{' || c == '[' {
		return dst
	}
	return append(dst, ',')
}

// badRequest is an error that the client can mend.
func badRequest(param, message string) error {
	return &transform.Error{Kind: transform.ErrBadRequest, Param: param, Message: message}
}
