package blocks

import (
	"strconv"
	"strings"

	"github.com/caddyllm/llmproxy/transform"
)

// maxMessage is how much of a provider's message a client gets to read, in bytes.
const maxMessage = 4 << 10

// ErrorMessage is what a client is told of a provider's error; its status is 0 inside
// of a stream.
func ErrorMessage(status int, words string) string {
	if len(words) > maxMessage {
		words = strings.ToValidUTF8(words[:maxMessage], "") + "…"
	}
	switch {
	case words != "":
		return transform.Scrub(words)
	case status != 0:
		return "the provider answered with status " + strconv.Itoa(status) + " and did not say why"
	}
	return "the provider ended its answer with an error and did not say why"
}
