package openai

import (
	"errors"
	"fmt"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/usage"
)

var errNoAnswer = errors.New("openai: the answer is not of this format")

// envelope is the top-level members of an answer or a chunk, found in one pass.
type envelope struct {
	root                     jsonbytes.Value
	id, model, created, tier jsonbytes.Value
	choices, usage, groq     jsonbytes.Value
	failure, reply           jsonbytes.Value // error, MiniMax's base_resp
	message, detail          jsonbytes.Value // of errors without an envelope
	searchResults, citations jsonbytes.Value // Perplexity's
}

// openEnvelope validates a text and takes it apart.
func openEnvelope(data []byte) (e envelope, err error) {
	if err = jsonbytes.Check(data, 0); err != nil {
		return e, fmt.Errorf("openai: the answer is %w", err)
	}
	e.root = jsonbytes.Parse(data)
	if e.root.Kind() != jsonbytes.Object {
		return e, errNoAnswer
	}
	for key, value := range e.root.Members() {
		switch string(key) {
		case "id":
			e.id = value
		case "model":
			e.model = value
		case "created":
			e.created = value
		case "service_tier":
			e.tier = value
		case "choices":
			e.choices = value
		case "usage":
			e.usage = value
		case "x_groq":
			e.groq = value
		case "error":
			e.failure = value
		case "base_resp":
			e.reply = value
		case "message":
			e.message = value
		case "detail":
			e.detail = value
		case "search_results":
			e.searchResults = value
		case "citations":
			e.citations = value
		}
	}
	return e, nil
}

// counts reads the usage: where it belongs, or where Groq has it too.
func (e *envelope) counts() usage.Tokens {
	if t := ReadUsage(e.usage); t.Known {
		return t
	}
	return ReadUsage(e.groq.Get("usage"))
}

// sources are what Perplexity lists beside its choices: {title, url} or, in
// older answers, the URL alone.
func (e *envelope) sources() jsonbytes.Value {
	if e.searchResults.Len() > 0 {
		return e.searchResults
	}
	return e.citations
}

// failed returns the error that an answer is although its status promised
// none, nil if it is an answer. named tells that its event was called error.
func (e *envelope) failed(named bool) *transform.Error {
	code, _ := e.reply.Get("status_code").Int()
	flat := (e.message.HasText() || !e.detail.Empty()) && e.choices == nil && e.root.Get("data") == nil && e.root.Get("results") == nil
	if !named && !flat && !isError(e.failure) && code == 0 {
		return nil
	}
	failure := &transform.Error{Kind: transform.ErrUpstream}
	if status := statusInside(e.failure, e.root); status != 0 {
		failure.Status, failure.Kind = status, transform.KindOfStatus(status)
	}
	readError(failure, e.root)
	refine(failure)
	if failure.Message == "" {
		failure.Message = "The provider broke off its answer and did not say why."
	}
	return failure
}

func isError(v jsonbytes.Value) bool {
	switch v.Kind() {
	case jsonbytes.Object:
		return v.Len() > 0
	case jsonbytes.String:
		return !v.Is("")
	}
	return false
}
