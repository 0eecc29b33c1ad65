package testllm

import (
	"cmp"
	"fmt"
	"strings"
)

const (
	defaultModel      = "test-model"
	defaultText       = "Hello from the test provider."
	defaultSignature  = "dGVzdC1zaWduYXR1cmU="
	defaultDimensions = 4

	created = 1767225600 // fixed, so that answers compare equal
)

// answer is a reply with its defaults resolved, ready to render.
type answer struct {
	number       int // makes ids distinct
	model        string
	thinking     []string
	signature    string
	chunks       []string
	tools        []Tool
	finish       string
	usage        Usage
	tellUsage    bool
	includeUsage bool // OpenAI streams tell it only on request
	terminate    bool
	vectors      [][]float32
	base64       bool
	batch        bool
}

func resolve(r Reply, q request, index int) answer {
	a := answer{
		number:       index + 1,
		model:        cmp.Or(r.Model, q.model, defaultModel),
		thinking:     words(r.Thinking),
		signature:    cmp.Or(r.Signature, defaultSignature),
		chunks:       r.Chunks,
		finish:       r.Finish,
		usage:        billable(r, q),
		tellUsage:    !r.NoUsage,
		includeUsage: q.includeUsage && !r.NoUsage,
		terminate:    !r.NoTerminator && r.ErrorAfter == 0,
		base64:       q.base64,
		batch:        q.batch,
	}
	if r.Chunks == nil {
		a.chunks = words(r.Text)
		if r.Text == "" && r.Thinking == "" && len(r.Tools) == 0 {
			a.chunks = words(defaultText)
		}
	}
	for i, tool := range r.Tools {
		tool.Arguments = cmp.Or(tool.Arguments, "{}")
		if tool.ID == "" && q.format != Gemini {
			prefix := map[Format]string{OpenAI: "call", Responses: "call", Anthropic: "toolu"}[q.format]
			tool.ID = fmt.Sprintf("%s_%d_%d", prefix, a.number, i+1)
		}
		a.tools = append(a.tools, tool)
	}
	if a.finish == "" {
		a.finish = "stop"
		if len(a.tools) > 0 {
			a.finish = "tool_calls"
		}
	}
	if q.operation == Embeddings {
		a.vectors = vectors(r, q)
	}
	return a
}

// billable is the usage a complete answer costs.
func billable(r Reply, q request) Usage {
	usage := r.Usage
	if usage == (Usage{}) && !r.raw() {
		usage = DefaultUsage
	}
	if q.operation == Embeddings {
		usage.Output, usage.Reasoning = 0, 0
	}
	return usage
}

func (a answer) text() string { return strings.Join(a.chunks, "") }

func (a answer) thought() string { return strings.Join(a.thinking, "") }

// words splits so that the pieces join to the whole; nothing gives no pieces.
func words(text string) []string {
	if text == "" {
		return nil
	}
	return strings.SplitAfter(text, " ")
}

// fragments splits tool arguments into short pieces on rune boundaries, with
// no regard for JSON syntax, as the providers do.
func fragments(text string) []string {
	const length = 7
	var pieces []string
	for runes := []rune(text); len(runes) > 0; {
		n := min(length, len(runes))
		pieces = append(pieces, string(runes[:n]))
		runes = runes[n:]
	}
	return pieces
}

// vectors gives what was scripted, then made-up but distinct ones.
func vectors(r Reply, q request) [][]float32 {
	list := make([][]float32, max(q.inputs, 1))
	for i := range list {
		if i < len(r.Vectors) {
			list[i] = r.Vectors[i]
			continue
		}
		list[i] = make([]float32, cmp.Or(q.dimensions, defaultDimensions))
		for j := range list[i] {
			list[i][j] = 1 / float32(i+j+2)
		}
	}
	return list
}

// share is the part of a total that comes with sent of count pieces, rounded
// up; no pieces means all at once.
func share(total, sent, count int) int {
	if count == 0 {
		return total
	}
	return (total*sent + count - 1) / count
}
