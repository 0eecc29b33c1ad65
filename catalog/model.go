package catalog

import (
	"strings"

	"github.com/caddyllm/llmproxy/usage"
)

// Model is what is known of a model as one provider serves it. Numbers that are
// not known are 0. The methods of a nil Model know nothing.
type Model struct {
	// ContextWindow is the most tokens that prompt and answer may have together.
	ContextWindow int64
	// MaxInput is the most tokens that a prompt may have, where that is less.
	MaxInput int64
	// MaxOutput is the most tokens that an answer may have, thinking included.
	MaxOutput int64
	// Can is what the model is known to be able to do.
	Can   Capabilities
	Price Price
}

// Cost is what a call with these tokens costs; see [Price.Cost].
func (m *Model) Cost(t usage.Tokens) (usage.Money, bool) {
	if m == nil {
		return 0, false
	}
	return m.Price.Cost(t)
}

// Estimate is what a call costs at most; see [Price.Estimate].
func (m *Model) Estimate(inputTokens, outputTokens int64) (usage.Money, bool) {
	if m == nil {
		return 0, false
	}
	return m.Price.Estimate(inputTokens, outputTokens)
}

// Fits tells whether a prompt of so many tokens and an answer of at most so many
// may go to the model. What is not known forbids nothing.
func (m *Model) Fits(inputTokens, outputTokens int64) bool {
	if m == nil {
		return true
	}
	return within(inputTokens, m.MaxInput) && within(inputTokens, m.ContextWindow) &&
		within(outputTokens, m.MaxOutput) && within(inputTokens+outputTokens, m.ContextWindow)
}

func within(n, most int64) bool { return most == 0 || n <= most }

// over is m, and what base knows where m says nothing. Prices are taken over one
// by one. A price for prompts or answers without tiers of its own holds for
// prompts of every length.
func (m *Model) over(base *Model) *Model {
	if base == nil {
		return m
	}
	merged := &Model{
		ContextWindow: either(m.ContextWindow, base.ContextWindow),
		MaxInput:      either(m.MaxInput, base.MaxInput),
		MaxOutput:     either(m.MaxOutput, base.MaxOutput),
		Can:           m.Can | base.Can,
		Price:         Price{Rates: m.Price.over(base.Price.Rates), Tiers: m.Price.Tiers},
	}
	if len(m.Price.Tiers) == 0 && !m.Price.Input.Known() && !m.Price.Output.Known() {
		merged.Price.Tiers = base.Price.Tiers
	}
	return merged
}

func either(n, otherwise int64) int64 {
	if n != 0 {
		return n
	}
	return otherwise
}

// Capabilities are what a model is known to be able to do. What is missing may
// be a gap in the data.
type Capabilities uint16

// The capabilities.
const (
	Tools Capabilities = 1 << iota
	Thinking
	Schemas
	ImageInput
	AudioInput
	VideoInput
	PDFInput
	ImageOutput
	AudioOutput
)

var capabilityNames = [...]string{"tools", "thinking", "schemas", "image", "audio", "video", "pdf", "image_output", "audio_output"}

// Has tells whether all of these are known.
func (c Capabilities) Has(these Capabilities) bool { return c&these == these }

// String lists them, as the data file does.
func (c Capabilities) String() string {
	var names []string
	for i, name := range capabilityNames {
		if c.Has(1 << i) {
			names = append(names, name)
		}
	}
	return strings.Join(names, ",")
}

// capability is the one of that name, 0 if there is none.
func capability(name string) Capabilities {
	for i, known := range capabilityNames {
		if known == name {
			return 1 << i
		}
	}
	return 0
}
