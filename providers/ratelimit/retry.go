package ratelimit

import (
	"net/http"
	"strings"
	"time"

	"github.com/caddyllm/llmproxy/internal/duration"
)

// maxWait is the longest wait that is believed.
const maxWait = 24 * time.Hour

// milliseconds are the fields that are finer than Retry-After: of OpenAI, of
// Azure, and of Amazon's services.
var milliseconds = [...]string{"Retry-After-Ms", "X-Ms-Retry-After-Ms", "X-Amz-Retry-After"}

// RetryAfter reads how long the header of a failed answer asks to wait, 0 if it
// does not say anything sensible. Some providers send the field with good
// answers too, where it means nothing.
func RetryAfter(header http.Header, now time.Time) time.Duration {
	for _, name := range milliseconds {
		if wait, ok := duration.Decimal(single(header[name]), time.Millisecond); ok && wait > 0 && wait <= maxWait {
			return wait
		}
	}
	value := single(header["Retry-After"])
	wait, ok := duration.Decimal(value, time.Second)
	if !ok {
		date, err := http.ParseTime(value)
		if err != nil {
			return 0
		}
		wait = date.Sub(now)
	}
	if wait < 0 || wait > maxWait {
		return 0
	}
	return wait
}

// single is the one value of a field, empty if there are several that differ.
func single(values []string) string {
	if len(values) == 0 {
		return ""
	}
	for _, value := range values[1:] {
		if value != values[0] {
			return ""
		}
	}
	return values[0]
}

// hints come before how long to wait in the messages of errors, in lower case.
var hints = [...]string{"try again in ", "retry in ", "retry after ", "please wait "}

// Hint reads how long the message of an error asks to wait, as in "Please try
// again in 1m26.4s." or "Please retry after 55 seconds."; 0: it does not say. It
// is for errors that say it nowhere else.
func Hint(message string) time.Duration {
	if len(message) > 4<<10 {
		return 0
	}
	message = strings.ToLower(message)
	for _, hint := range hints {
		if _, after, found := strings.Cut(message, hint); found {
			if wait, ok := duration.Prefix(after); ok && wait <= maxWait {
				return wait
			}
		}
	}
	return 0
}
