package catalog

import "strings"

// Gemini is what requests to a Gemini model depend on. The zero value stands
// for a model nobody knows, such as a tuned one: it is asked for nothing special.
type Gemini struct {
	// Generation is the first number of the version, 3 for gemini-3.1-pro.
	Generation int
	// Thinking is the member of thinkingConfig that sets how much it thinks.
	Thinking GeminiThinking
	// Levels are the thinking levels that it takes, the least first. Others are refused.
	Levels []string
	// LeastBudget and MostBudget bound the thinking budget, in tokens.
	LeastBudget, MostBudget int64
	// Disables tells that a budget of 0 is allowed too and turns thinking off.
	Disables bool
	// NoSystem tells that it refuses system instructions.
	NoSystem bool
	// NoPenalties tells that Google AI Studio refuses presence and frequency
	// penalties for it; Vertex does not.
	NoPenalties bool
}

// GeminiThinking is how a Gemini model's thinking is set. It refuses requests
// with the member that it does not know.
type GeminiThinking uint8

// The ways to set how much a Gemini model thinks.
const (
	// GeminiThinkingFixed: it does not think, or as much as it likes.
	GeminiThinkingFixed GeminiThinking = iota
	// GeminiThinkingBudget: thinkingBudget, a number of tokens (2.5).
	GeminiThinkingBudget
	// GeminiThinkingLevel: thinkingLevel, a word (3 and later).
	GeminiThinkingLevel
)

var (
	allLevels     = []string{"MINIMAL", "LOW", "MEDIUM", "HIGH"}
	usualLevels   = []string{"LOW", "MEDIUM", "HIGH"}
	firstPro      = []string{"LOW", "HIGH"}
	drawingLevels = []string{"MINIMAL", "HIGH"}
)

// geminiModels maps the beginnings of names to what the models are; the
// longest one that fits holds. What is not listed but has a generation of 3 or
// more is taken for a model of the usual levels: LOW and HIGH are known to all.
var geminiModels = []struct {
	prefix string
	model  Gemini
}{
	{"gemma-", Gemini{NoSystem: true}},

	{"gemini-2.5-", Gemini{Generation: 2, NoPenalties: true}},
	{"gemini-2.5-flash", budget(0, 24576, true)},
	{"gemini-2.5-flash-lite", budget(512, 24576, true)},
	{"gemini-2.5-pro", budget(128, 32768, false)},
	{"gemini-2.5-computer-use", budget(128, 32768, false)},
	{"gemini-2.5-flash-image", Gemini{Generation: 2, NoPenalties: true}},
	{"gemini-2.5-flash-preview-tts", Gemini{Generation: 2, NoPenalties: true}},
	{"gemini-2.5-flash-tts", Gemini{Generation: 2, NoPenalties: true}},
	{"gemini-2.5-pro-preview-tts", Gemini{Generation: 2, NoPenalties: true}},
	{"gemini-2.5-pro-tts", Gemini{Generation: 2, NoPenalties: true}},

	{"gemini-3-pro", level(firstPro)},
	{"gemini-3-pro-image", Gemini{Generation: 3}},
	{"gemini-3-flash", level(allLevels)},
	{"gemini-3.1-flash", level(allLevels)},
	{"gemini-3.1-flash-image", level(drawingLevels)},
	{"gemini-3.1-flash-lite-image", level(drawingLevels)},
	{"gemini-3.5-flash", level(allLevels)},
	{"gemini-3.6-flash", level(allLevels)},

	{"gemini-pro-latest", level(usualLevels)},
	{"gemini-flash-latest", level(usualLevels)},
	{"gemini-flash-lite-latest", level(allLevels)},
}

func budget(least, most int64, disables bool) Gemini {
	return Gemini{
		Generation: 2, Thinking: GeminiThinkingBudget, NoPenalties: true,
		LeastBudget: least, MostBudget: most, Disables: disables,
	}
}

func level(levels []string) Gemini {
	return Gemini{Generation: 3, Thinking: GeminiThinkingLevel, Levels: levels}
}

// LookupGemini says what the model of that name is. Names may be paths, such
// as models/gemini-2.5-pro or publishers/google/models/gemini-2.5-pro.
func LookupGemini(name string) Gemini {
	name = strings.ToLower(name[strings.LastIndexByte(name, '/')+1:])
	var found Gemini
	longest := 0
	for i := range geminiModels {
		if m := &geminiModels[i]; len(m.prefix) > longest && strings.HasPrefix(name, m.prefix) {
			longest, found = len(m.prefix), m.model
		}
	}
	if longest > 0 {
		return found
	}
	generation := geminiGeneration(name)
	switch {
	case generation < 3:
		return Gemini{Generation: generation}
	case strings.Contains(name, "-tts"):
		return Gemini{Generation: generation}
	}
	found = level(usualLevels)
	found.Generation = generation
	return found
}

// geminiGeneration reads the first number of a name such as gemini-3.1-pro.
func geminiGeneration(name string) int {
	version, ok := strings.CutPrefix(name, "gemini-")
	if !ok {
		return 0
	}
	generation := 0
	for _, c := range []byte(version) {
		if c < '0' || c > '9' || generation > 9 {
			break
		}
		generation = generation*10 + int(c-'0')
	}
	return generation
}
