package transform

import (
	"strings"
	"time"

	"github.com/caddyllm/llmproxy/internal/duration"
	"github.com/caddyllm/llmproxy/internal/jsonbytes"
)

// GoogleDetails are those of the details of a Google API's error that change
// what to do. https://cloud.google.com/apis/design/errors#error_details
type GoogleDetails struct {
	// Reason is ErrorInfo's.
	Reason string
	// RetryAfter is RetryInfo's, 0 if it is not there. Of a used up daily quota
	// it is at least [LongWait]: what is said then is the minute's.
	RetryAfter time.Duration
}

// ReadGoogleDetails reads the member details of an error; there may be none.
func ReadGoogleDetails(list jsonbytes.Value) (d GoogleDetails) {
	daily := false
	for _, detail := range list.Elements() {
		kind, _ := detail.Get("@type").Text()
		switch kind[strings.LastIndexByte(kind, '.')+1:] {
		case "ErrorInfo":
			d.Reason, _ = detail.Get("reason").Text()
			daily = daily || ofDay(detail.Get("metadata").Get("quota_limit"))
		case "RetryInfo":
			text, _ := detail.Get("retryDelay").Text()
			if wait, ok := duration.Parse(text); ok && wait <= MaxWait {
				d.RetryAfter = wait
			}
		case "QuotaFailure":
			for _, violation := range detail.Get("violations").Elements() {
				daily = daily || ofDay(violation.Get("quotaId")) || ofDay(violation.Get("quotaMetric"))
			}
		}
	}
	if daily && d.RetryAfter <= time.Minute {
		d.RetryAfter = LongWait
	}
	return d
}

// ofDay tells by its name whether a quota is a day's.
func ofDay(quota jsonbytes.Value) bool {
	name, _ := quota.Text()
	return Mentions(name, "PerDay", "per_day")
}
