package answers

import (
	"net/http"
	"time"
)

// lifetime is how long an answer stays fresh: as long as the operator says, less
// where the provider says less. Providers say no-store and the like of every
// answer, often with max-age=0, for the sake of browsers: that counts only if it
// is to be respected.
func lifetime(ttl time.Duration, h http.Header, respect bool) time.Duration {
	age := Seconds{}
	shared := Seconds{}
	for _, line := range h["Cache-Control"] {
		for d, rest := nextDirective(line); d.name != "" || rest != ""; d, rest = nextDirective(rest) {
			switch {
			case d.is("no-store"), d.is("no-cache"), d.is("private"), d.is("must-revalidate"):
				if respect {
					return 0
				}
			case d.is("max-age"):
				age.shorten(d.seconds(0))
			case d.is("s-maxage"):
				shared.shorten(d.seconds(0))
			}
		}
	}
	if shared.Said { // it is said to caches that many use, RFC 9111, 5.2.2.10
		age = shared
	}
	if age.Said && (age.Duration > 0 || respect) {
		return min(ttl, age.Duration)
	}
	return ttl
}
