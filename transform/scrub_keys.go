package transform

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
)

// ScrubKeys removes what looks like a credential from a text that is kept for its
// operator: vendors' keys, what follows Bearer or Basic, and values named key,
// token, password or the like. Unlike [Scrub] it leaves everything else, and JSON
// that was valid stays so. It is made for long texts, in which it looks more closely
// only where a key may begin.
func ScrubKeys(text string) string {
	found := findKeys(text)
	if found == nil {
		return text
	}
	slices.SortFunc(found, func(a, b keySpan) int { return cmp.Compare(a.from, b.from) })
	var out strings.Builder
	at := 0
	for _, key := range found {
		if key.from >= at {
			out.WriteString(text[at:key.from])
			out.WriteString(redacted)
		}
		at = max(at, key.to)
	}
	out.WriteString(text[at:])
	return out.String()
}

// keySpan is where a key stands in a text.
type keySpan struct{ from, to int }

// maxKey is how far a key is followed.
const maxKey = 8 << 10

func findKeys(text string) (found []keySpan) {
	lower := lowered(text)
	for i := range keyShapes {
		shape := &keyShapes[i]
		for _, hint := range shape.hints {
			in := text
			if shape.anyCase {
				in = lower
			}
			for at := strings.Index(in, hint); at >= 0; {
				next := at + len(hint)
				key, ok := shape.match(text, at)
				if ok {
					found = append(found, key)
				}
				// What is a plain word as a whole has no key of the shape in it.
				next = max(next, key.to)
				step := strings.Index(in[next:], hint)
				if step < 0 {
					break
				}
				at = next + step
			}
		}
	}
	return found
}

// keyShape is what a key looks like, from its beginning on or from its name's.
type keyShape struct {
	hints   []string
	anyCase bool
	// bound tells that no letter, digit or underscore stands before; named, that the
	// last word of a name begins there, such as api_key or secretKey.
	bound, named bool
	// pattern has the name in its one group.
	pattern *regexp.Regexp
}

func (s *keyShape) match(text string, at int) (key keySpan, ok bool) {
	before := byte(' ')
	if at > 0 && !endsEscape(text[:at]) {
		before = text[at-1]
	}
	switch {
	case s.bound && (isAlphanumeric(before) || before == '_'):
		return key, false
	case s.named && isAlphanumeric(before) && text[at]-'A' >= 26 && !strings.EqualFold(text[max(0, at-len("api")):at], "api"):
		return key, false
	}
	m := s.pattern.FindStringSubmatchIndex(text[at:min(len(text), at+maxKey)])
	if m == nil {
		return key, false
	}
	key = keySpan{at + m[3], at + m[1]}
	value := text[key.from:key.to]
	if plainWord(withoutTail(value)) {
		return key, false
	}
	key.to -= len(value) - len(strings.TrimRight(value, `\`)) // which may escape a quote
	return key, true
}

// EscapedAt is how many bytes at a place of JSON are the rest of an escape that a
// backslash before it begins, such as the n of a line feed: none of a word.
func EscapedAt(text string, at int) int {
	for _, n := range [...]int{1, 5} {
		if at+n <= len(text) && endsEscape(text[:at+n]) {
			return n
		}
	}
	return 0
}

// endsEscape tells whether a text ends with an escape of JSON: a letter that it ends
// with is none then. To take a backslash for one does no harm.
func endsEscape(text string) bool {
	n := len(text)
	if n >= 2 && text[n-2] == '\\' && strings.IndexByte("bfnrt", text[n-1]) >= 0 {
		return true
	}
	return n >= 6 && text[n-6] == '\\' && text[n-5] == 'u' && strings.Trim(text[n-4:], "0123456789abcdefABCDEF") == ""
}

func isAlphanumeric(b byte) bool {
	return b-'0' <= 9 || b|0x20 >= 'a' && b|0x20 <= 'z'
}

// lowered has the capitals of ASCII in lower case, and every byte in its place.
func lowered(text string) string {
	lower := []byte(text)
	for i, b := range lower {
		if b-'A' < 26 {
			lower[i] = b | 0x20
		}
	}
	return string(lower)
}

// secretNames are words for secrets. Prompts have many, so values must look like more than words.
var secretNames = []string{"key", "token", "secret", "password", "credential"}

var keyShapes = [...]keyShape{
	{hints: []string{"sk-", "pk-"}, pattern: beginning(vendorKeys[0])},
	{hints: separated("rk", "csk", "gsk", "xai", "pplx", "nvapi", "hf", "r8", "fw", "tgp", "ghp", "gho", "pat", "key"), bound: true, pattern: beginning(vendorKeys[1])},
	{hints: []string{"AIza", "AKIA", "ASIA", "ya29.", "eyJ"}, pattern: beginning(vendorKeys[2])},
	{hints: []string{"llmp_"}, bound: true, pattern: regexp.MustCompile(`^()llmp_[A-Za-z0-9]{8}_[A-Za-z0-9]{8,}(?:_[A-Za-z0-9]+)?`)},
	{hints: []string{"bearer", "basic"}, anyCase: true, bound: true, pattern: regexp.MustCompile(`^((?i:bearer|basic)\s+)[A-Za-z0-9._~+/=*-]{8,}`)},
	{hints: secretNames, anyCase: true, named: true, pattern: regexp.MustCompile(`^((?i:key|token|secret|password|credential)(?:\\?["'])?\s*[=:]\s*\\?["'])[^\s"'&,;\\]{8,}`)},
	{hints: secretNames, anyCase: true, named: true, pattern: regexp.MustCompile(`^((?i:key|token|secret|password|credential)\s*[=:]\s*)[^\s"'&,;\\{}\[\]]{8,}`)},
}

// beginning is a pattern for the beginning of a text, with an empty name.
func beginning(p *regexp.Regexp) *regexp.Regexp { return regexp.MustCompile(`^()` + p.String()) }

// separated are words with what separates them from the rest of a key.
func separated(words ...string) (hints []string) {
	for _, word := range words {
		hints = append(hints, word+"-", word+"_")
	}
	return hints
}
