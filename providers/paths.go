package providers

import (
	"net/url"
	"strings"
)

// JoinEscaped adds a path below the base URL whose segments are escaped already.
func (s *Settings) JoinEscaped(path string) *url.URL {
	u := *s.base
	raw := u.EscapedPath() + path
	plain, err := url.PathUnescape(raw)
	if err != nil { // not made by Segment
		return s.Join(path)
	}
	u.Path, u.RawPath = plain, raw
	return &u
}

// Segment makes one segment of a path of a name that a client may have chosen:
// it cannot lead out of its place.
func Segment(name string) string {
	if strings.Trim(name, ".") == "" {
		return strings.ReplaceAll(name, ".", "%2E")
	}
	return url.PathEscape(name)
}
