package recorded_test

import (
	"regexp"
	"strings"
	"testing"
)

// reader reads whole answers and streams of a dialect.
type reader struct{ whole, stream func([]byte) norm }

var readers = map[string]reader{
	"chat":      {readChat, readChatStream},
	"mistral":   {readChat, readChatStream},
	"responses": {readResponses, readResponsesStream},
	"messages":  {readMessages, readMessagesStream},
	"gemini":    {readGemini, readGeminiStream},
	"converse":  {readConverse, readConverseStream},
	"invoke":    {readMessages, readInvokeStream},
	"cohere":    {readCohere, readCohereStream},
	"ollama":    {readOllama, readOllama},
}

// oracle is what a recording says.
func oracle(r *recording) norm {
	read := readers[wires[r.wire].dialect]
	var n norm
	switch {
	case r.status >= 400:
		body, err := parse(r.response)
		if err == nil && body.isList() {
			body = body.get(0)
		}
		n.fault = &fault{status: r.status, message: errorMessage(body)}
	case r.kind == "json":
		n = read.whole(r.response)
	default:
		n = read.stream(r.response)
	}
	if r.has("server-tool") && !r.has("tools") {
		n.withoutServerCalls()
	}
	// Some say "stop" when they call tools: the calls count.
	if n.stop == stopEnd && len(n.calls) > 0 {
		n.stop = stopTools
	}
	return n
}

// withoutServerCalls leaves out calls that the provider made itself.
func (n *norm) withoutServerCalls() {
	if len(n.calls) > 0 && n.stop == stopTools {
		n.stop = stopEnd
	}
	n.calls = nil
}

var thinkTags = regexp.MustCompile(`(?s)^\s*<think>(.*?)</think>\s*`)

// thought splits a text that begins with what the model thought.
func thought(text string) (reasoning, rest string, ok bool) {
	found := thinkTags.FindStringSubmatch(text)
	if found == nil {
		return "", text, false
	}
	return found[1], text[len(found[0]):], true
}

// The oracle is held against what the recordings are tagged with.
func TestOracleFindsWhatTheRecordingsAreTaggedWith(t *testing.T) {
	for _, r := range answers(t) {
		n := oracle(r)
		if r.failed() != (n.fault != nil) {
			t.Errorf("%s: error %v", r, n.fault)
			continue
		}
		if n.fault != nil {
			if n.fault.message == "" {
				t.Errorf("%s: error without a message", r)
			}
			continue
		}
		for _, check := range []struct {
			tag  string
			told bool
		}{
			{"text", n.text != "" || n.plan != ""},
			{"tool-call", len(n.calls) > 0 || r.has("server-tool", "citations")},
			{"parallel-tools", len(n.calls) > 1 || r.has("n-choices")}, // of the first choice
			{"thinking", n.reasoning != "" || wires[r.wire].dialect == "responses" || r.has("redacted-thinking")},
			{"max-tokens", n.stop == stopLength},
			{"stop-sequence", n.stop == stopSequence},
			{"safety-block", n.stop == stopFilter},
			{"refusal", n.refusal != "" || n.stop == stopFilter},
			{"usage-cached", n.usage != nil && n.usage.cached > 0},
			{"usage-reasoning", n.usage != nil && n.usage.reasoning > 0},
			{"usage-in-stream", n.usage != nil && n.usage.input > 0},
			{"inline-think-tags", strings.Contains(n.text, "<think>")},
		} {
			if r.has(check.tag) && !check.told {
				t.Errorf("%s: not %s: text %.40q reasoning %.40q calls %v stop %q usage %v", r, check.tag, n.text, n.reasoning, n.calls, n.stop, n.usage)
			}
		}
		if n.stop == "" && !r.has("truncated-stream") {
			t.Errorf("%s: no stop", r)
		}
		for _, c := range n.calls {
			if c.name == "" {
				t.Errorf("%s: a call without a name: %v", r, c)
			}
		}
	}
}

func TestEveryRecordingIsOfAWireThatIsTested(t *testing.T) {
	for _, r := range corpus(t) {
		if _, ok := wires[r.wire]; !ok && !isEmbedding(r) {
			t.Errorf("%s is of no wire in the table", r)
		}
	}
}

func isEmbedding(r *recording) bool { return strings.HasSuffix(r.wire, "-embeddings") }
