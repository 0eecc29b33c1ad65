package anthropic

import (
	"github.com/caddyllm/llmproxy/catalog"
	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/transform/blocks"
)

// root is the client's request as a place for loss reports.
var root transform.Path

// AppendRequest writes r as the body of POST /v1/messages. The model is a
// member of the body; Bedrock and Vertex want it out again.
func (c Codec) AppendRequest(dst []byte, r *transform.Request, to transform.Target, lost *transform.Losses) ([]byte, error) {
	e := encoder{Writer: jsonbytes.Writer{Out: dst}, r: r, to: to, lost: lost, cloud: c.Cloud}
	if err := e.plan(); err != nil {
		return dst, err
	}
	e.write()
	return e.Out, nil
}

// encoder writes one request.
type encoder struct {
	jsonbytes.Writer
	r     *transform.Request
	to    transform.Target
	lost  *transform.Losses
	cloud bool
	model catalog.Claude

	blocks.Conversation[media]

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
	if err := e.Finish(e.prefills()); err != nil {
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
	e.Raw("{")
	e.writePrompt()
	e.Key("max_tokens")
	e.Int(e.maxTokens)
	if e.to.Stream {
		e.Key("stream")
		e.Raw("true")
	}
	e.writeChoice()
	e.writeThinking()
	e.writeOutputConfig()
	e.writeSampling()
	if e.userID != nil {
		e.Key("metadata")
		e.Raw(`{"user_id":`)
		e.Value(e.userID)
		e.Raw("}")
	}
	for _, m := range e.rest {
		e.Key(m.Name)
		e.Value(m.Value)
	}
	e.Raw("}")
}

// writePrompt writes the model and what it reads.
func (e *encoder) writePrompt() {
	e.Text("model", e.to.Model)
	e.writeTools()
	e.writeSystem()
	e.writeMessages()
}

// badRequest is an error that the client can mend.
func badRequest(param, message string) error {
	return &transform.Error{Kind: transform.ErrBadRequest, Param: param, Message: message}
}
