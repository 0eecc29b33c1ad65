package transform

import (
	"regexp"
	"strings"
)

const redacted = "[redacted]"

// Scrub removes from a provider's message what must not reach a client: what
// looks like a credential, and the hosts and addresses that were called. In
// doubt it removes too much; a message is for reading. The time is linear in
// its length, which callers bound.
func Scrub(message string) string {
	for _, p := range labelled {
		message = p.ReplaceAllString(message, "${1}"+redacted)
	}
	for _, p := range vendorKeys {
		message = p.ReplaceAllStringFunc(message, func(found string) string {
			if plainWord(withoutTail(found)) {
				return found
			}
			return redacted
		})
	}
	for _, p := range credentials {
		message = p.ReplaceAllStringFunc(message, func(found string) string {
			if plainWord(found) {
				return found
			}
			return redacted
		})
	}
	for _, p := range addresses {
		message = p.ReplaceAllString(message, "${1}"+redacted)
	}
	return message
}

// HoldsKey tells whether a text has what looks like one of the vendors' keys. It
// is narrower than [Scrub], for texts that are passed on whole or not at all.
func HoldsKey(text []byte) bool {
	for _, p := range vendorKeys {
		for _, found := range p.FindAll(text, -1) {
			if !plainWord(withoutTail(string(found))) {
				return true
			}
		}
	}
	return labelled[0].Match(text)
}

// labelled find what stands behind a word for a secret. The label stays.
var labelled = [...]*regexp.Regexp{
	regexp.MustCompile(`(?i)(\b(?:bearer|basic)\s+)[A-Za-z0-9._~+/=*-]{8,}`),
	regexp.MustCompile(`(?i)((?:\b|_|api)(?:key|token|secret|password|credential|signature)(?: provided| given| id)?["']?\s*[=:]\s*["']?)[^\s"'&,;]{4,}`),
}

// tailMarks are not in the vendors' own keys. Where one follows, a key goes on
// that somebody made up in their fashion: half of it must not stay.
const tailMarks = "+/&=%~"

const tail = `(?:[` + tailMarks + `][^\s"'<>,;)\]}]*)?`

// withoutTail is what makes a key look like a vendor's.
func withoutTail(found string) string {
	if i := strings.IndexAny(found, tailMarks); i >= 0 {
		return found[:i]
	}
	return found
}

// vendorKeys find keys by how they begin.
var vendorKeys = [...]*regexp.Regexp{
	regexp.MustCompile(`(?:sk|pk)-[A-Za-z0-9_*.-]{8,}` + tail),
	regexp.MustCompile(`\b(?:rk|csk|gsk|xai|pplx|nvapi|hf|r8|fw|tgp|ghp|gho|pat|key)[_-][A-Za-z0-9_*.-]{8,}` + tail),
	regexp.MustCompile(`(?:AIza|AKIA|ASIA|ya29\.|eyJ)[A-Za-z0-9_*.-]{8,}` + tail),
}

// credentials find other keys too, by being long and without a pause: model
// names have dashes, dots or slashes.
var credentials = [...]*regexp.Regexp{
	regexp.MustCompile(`\b(?:org|proj|acct)[_-][A-Za-z0-9]{8,}`), // no keys, but the operator's affair
	regexp.MustCompile(`[A-Za-z0-9]{28,}`),
	regexp.MustCompile(`[A-Za-z0-9+/]{40,}={0,2}`),
}

// addresses find where a call went: the hosts of URLs, IP addresses, names with
// a port, and names that end like hosts.
var addresses = [...]*regexp.Regexp{
	regexp.MustCompile(`(?i)(\b[a-z][a-z0-9+.-]*://)[^\s/?#"'<>)\]]+`),
	regexp.MustCompile(`()\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b`),
	regexp.MustCompile(`()\[[0-9a-fA-F:.]*:[0-9a-fA-F:.]*\](?::\d+)?`),
	regexp.MustCompile(`(?i)()\b(?:[a-z0-9_-]+\.)+[a-z]{2,}:\d+\b`),
	regexp.MustCompile(`(?i)()\b(?:[a-z0-9_-]+\.)+(?:com|net|org|io|ai|dev|app|cloud|internal|local|svc|cn|eu)\b`),
}

// plainWord excepts words that only begin like a credential: risk-adjusted,
// task-specific. A credential has digits, stars or capitals.
func plainWord(found string) bool {
	return !strings.ContainsAny(found, "0123456789*") && strings.ToLower(found) == found
}
