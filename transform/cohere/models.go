package cohere

import "strings"

// plainModels are the families that do not think. Models that are not known
// yet do: all newer ones do.
var plainModels = [...]string{
	"command-r", "command-a-03", "command-a-vision", "command-a-translate", "command-light", "command-nightly",
	"c4ai-", "aya-", "tiny-aya",
}

func thinks(model string) bool {
	for _, prefix := range plainModels {
		if strings.HasPrefix(model, prefix) {
			return false
		}
	}
	return model != "command"
}
