package transform

import (
	"testing"
	"time"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
)

func TestReadGoogleDetails(t *testing.T) {
	for _, test := range []struct {
		name, list string
		want       GoogleDetails
	}{
		{"none", ``, GoogleDetails{}},
		{"no list", `{"retryDelay":"5s"}`, GoogleDetails{}},
		{"a reason", `[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"API_KEY_INVALID"}]`, GoogleDetails{Reason: "API_KEY_INVALID"}},
		{"a wait", `[{"@type":"x"},{"@type":"google.rpc.RetryInfo","retryDelay":"34.074824224s"}]`, GoogleDetails{RetryAfter: 34074824224}},
		{"a wait that is none", `[{"@type":"google.rpc.RetryInfo","retryDelay":"-5s"}]`, GoogleDetails{}},
		{"a wait of years", `[{"@type":"google.rpc.RetryInfo","retryDelay":"999999999s"}]`, GoogleDetails{}},
		{"a wait that is no text", `[{"@type":"google.rpc.RetryInfo","retryDelay":5},null,7]`, GoogleDetails{}},
		{"a minute's quota", `[{"@type":"google.rpc.QuotaFailure","violations":[{"quotaId":"RequestsPerMinute"}]}]`, GoogleDetails{}},
		{"a day's quota", `[{"@type":"google.rpc.QuotaFailure","violations":[{},{"quotaId":"RequestsPerDayPerModel"}]}]`, GoogleDetails{RetryAfter: LongWait}},
		{"a day's quota by its metric", `[{"@type":"google.rpc.QuotaFailure","violations":[{"quotaMetric":"a/requests_per_day"}]}]`, GoogleDetails{RetryAfter: LongWait}},
		{"a day's quota by its limit", `[{"@type":"google.rpc.ErrorInfo","reason":"RATE_LIMIT_EXCEEDED","metadata":{"quota_limit":"RequestsPerDay"}}]`, GoogleDetails{Reason: "RATE_LIMIT_EXCEEDED", RetryAfter: LongWait}},
		{"a day's quota and the minute's wait", `[{"@type":"google.rpc.RetryInfo","retryDelay":"59s"},{"@type":"google.rpc.QuotaFailure","violations":[{"quotaId":"RequestsPerDay"}]}]`, GoogleDetails{RetryAfter: LongWait}},
		{"a day's quota and its own wait", `[{"@type":"google.rpc.QuotaFailure","violations":[{"quotaId":"RequestsPerDay"}]},{"@type":"google.rpc.RetryInfo","retryDelay":"7200s"}]`, GoogleDetails{RetryAfter: 2 * time.Hour}},
	} {
		if got := ReadGoogleDetails(jsonbytes.Parse([]byte(test.list))); got != test.want {
			t.Errorf("%s: %+v, want %+v", test.name, got, test.want)
		}
	}
}

func TestOutOfMoneyKnowsMoneyOnly(t *testing.T) {
	for message, want := range map[string]bool{
		"your credit balance is too low":                                 true,
		"insufficient balance":                                           true,
		"your team doesn't have any credits yet":                         true,
		"you exceeded your current quota, please check your billing":     false, // Google's word for a minute's limit
		"limit reached: free-models-per-day. add 10 credits to get more": false,
		"your input was flagged. no credits were charged":                false,
		"too many tokens per minute":                                     false,
	} {
		if OutOfMoney(message) != want {
			t.Errorf("%q: %v", message, !want)
		}
	}
}
