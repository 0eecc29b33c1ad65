// Package glob matches model names. A * stands for any run of characters within
// one segment of a name; a * that is the whole last segment stands for all the
// rest, slashes included. So gpt-4 does not reach gpt-4o, anthropic/* does not
// reach anthropicx/claude, and * reaches everything.
package glob

import "strings"

// Match reports whether pattern matches name, and what its first * stood for.
func Match(pattern, name string) (star string, ok bool) {
	head, tail, wild := strings.Cut(pattern, "*")
	if !wild {
		return "", pattern == name
	}
	if !strings.HasPrefix(name, head) {
		return "", false
	}
	rest := name[len(head):]
	if tail == "" && (head == "" || strings.HasSuffix(head, "/")) {
		return rest, rest != ""
	}
	// The * ends before the next slash: try each end, the longest first.
	end := strings.IndexByte(rest, '/')
	if end < 0 {
		end = len(rest)
	}
	for ; end >= 0; end-- {
		if _, ok := Match(tail, rest[end:]); ok || tail == "" && end == len(rest) {
			return rest[:end], true
		}
	}
	return "", false
}

// IsPattern reports whether s has a *.
func IsPattern(s string) bool { return strings.Contains(s, "*") }

// Any reports whether one of the patterns matches name.
func Any(patterns []string, name string) bool {
	for _, p := range patterns {
		if _, ok := Match(p, name); ok {
			return true
		}
	}
	return false
}

// Expand puts star in place of the first * of target.
func Expand(target, star string) string { return strings.Replace(target, "*", star, 1) }

// Specificity orders patterns that match the same name: the longer the text
// before the first *, the more specific.
func Specificity(pattern string) int {
	if i := strings.IndexByte(pattern, '*'); i >= 0 {
		return i
	}
	return len(pattern) + 1
}
