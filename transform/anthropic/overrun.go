package anthropic

import (
	"strconv"
	"strings"
)

// Counts of tokens below and above which a number is something else.
const (
	leastTokens = 512
	mostTokens  = 100_000_000
)

// overrun says in Anthropic's words by how much a prompt is too long, as far as
// another vendor's message tells: clients read both numbers from there. It is
// empty unless the message has exactly two counts.
func overrun(message string) string {
	if !strings.Contains(strings.ToLower(message), "token") {
		return ""
	}
	counts := tokenCounts(message)
	if len(counts) != 2 || counts[0] == counts[1] {
		return ""
	}
	return strconv.FormatInt(max(counts[0], counts[1]), 10) + " tokens > " +
		strconv.FormatInt(min(counts[0], counts[1]), 10) + " maximum: "
}

// tokenCounts are the different whole numbers of a message that may be counts
// of tokens, three at most. Digits within a name or a fraction are none.
func tokenCounts(message string) (counts []int64) {
	for _, word := range strings.FieldsFunc(message, isBetween) {
		word = strings.Trim(word, ".,")
		n, err := strconv.ParseInt(strings.ReplaceAll(word, ",", ""), 10, 64)
		if err != nil || n < leastTokens || n > mostTokens {
			continue
		}
		if counts = append(counts, n); len(counts) > 2 {
			break
		}
	}
	return counts
}

func isBetween(r rune) bool { return strings.ContainsRune(" \t\n()[]{}<>:;=\"'`", r) }
