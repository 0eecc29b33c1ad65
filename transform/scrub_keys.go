package transform

import (
	"regexp"
	"strings"
)

// ScrubKeys removes what looks like a credential from a text that is kept for its
// operator: vendors' keys, what follows Bearer or Basic, and values named key,
// token, password or the like. Unlike [Scrub] it leaves everything else, and JSON
// that was valid stays so.
func ScrubKeys(text string) string {
	for _, p := range vendorKeys {
		text = p.ReplaceAllStringFunc(text, func(found string) string {
			if plainWord(withoutTail(found)) {
				return found
			}
			return redacted + found[len(strings.TrimRight(found, `\`)):] // which may escape a quote
		})
	}
	for _, p := range namedKeys {
		text = p.ReplaceAllStringFunc(text, func(found string) string {
			name := p.FindStringSubmatch(found)[1]
			if plainWord(found[len(name):]) {
				return found
			}
			return name + redacted
		})
	}
	return text
}

// namedKeys are narrower than labelled: prompts have many words for secrets.
var namedKeys = [...]*regexp.Regexp{
	regexp.MustCompile(`(?i)(\b(?:bearer|basic)\s+)[A-Za-z0-9._~+/=*-]{8,}`),
	regexp.MustCompile(`(?i)((?:\b|_|api)(?:key|token|secret|password|credential)(?:\\?["'])?\s*[=:]\s*\\?["'])[^\s"'&,;\\]{8,}`),
	regexp.MustCompile(`(?i)((?:\b|_|api)(?:key|token|secret|password|credential)\s*[=:]\s*)[^\s"'&,;\\{}\[\]]{8,}`),
	regexp.MustCompile(`()\bllmp_[A-Za-z0-9]{8}_[A-Za-z0-9]{8,}(?:_[A-Za-z0-9]+)?`),
}
