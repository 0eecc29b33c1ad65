package transform

import (
	"bytes"
	"slices"
)

var billingLine = []byte(`"x-anthropic-billing-header`)

// WithoutBilling is turns without the line with which Claude Code bills itself,
// which is the first part of its system prompt and reported as left out. It
// changes with each session: another provider's prompt cache would never hit.
func WithoutBilling(turns []Turn, lost *Losses) []Turn {
	if len(turns) == 0 || turns[0].Role != RoleSystem || len(turns[0].Parts) == 0 || !bytes.HasPrefix(turns[0].Parts[0].Text, billingLine) {
		return turns
	}
	lost.Drop(turns[0].Parts[0].At)
	if len(turns[0].Parts) == 1 {
		return turns[1:]
	}
	turns = slices.Clone(turns)
	turns[0].Parts = turns[0].Parts[1:]
	return turns
}
