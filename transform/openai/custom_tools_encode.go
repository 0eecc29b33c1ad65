package openai

import (
	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

var customSchema = jsonbytes.Value(`{"type":"object","properties":{"input":{"type":"string"}},"required":["input"]}`)

// emulated is the function that stands for a custom tool where only OpenAI has
// such tools. Its grammar can only be told to the model.
func (e *requestEncoder) emulated(tool *transform.Tool) *transform.Tool {
	function := *tool
	function.Custom, function.Grammar, function.Schema = false, nil, customSchema
	grammar := tool.Grammar
	if grammar.Empty() || grammar.Get("type").Is("text") {
		return &function
	}
	e.lost.Drop(tool.At.Key("format"))
	if inner := grammar.Get("grammar"); inner.Kind() == jsonbytes.Object {
		grammar = inner
	}
	rule := "The input must follow this "
	if syntax, _ := grammar.Get("syntax").Text(); syntax != "" {
		rule += syntax + " "
	}
	definition, ok := grammar.Get("definition").Text()
	if !ok {
		definition = string(grammar)
	}
	rule += "grammar:\n" + definition
	if said := tool.Description; len(said) > len(`""`) {
		rule = string(said.AppendText(nil)) + "\n\n" + rule
	}
	function.Description = transform.Quote(rule)
	return &function
}
