package llmproxy

import (
	"testing"

	"go.uber.org/zap/zapcore"

	"github.com/caddyllm/llmproxy/usage"
)

func TestWhatTheGatewayOrAProviderDidWrongIsAnError(t *testing.T) {
	const (
		info, warn, loud = zapcore.InfoLevel, zapcore.WarnLevel, zapcore.ErrorLevel
	)
	for name, test := range map[string]struct {
		record usage.Record
		want   zapcore.Level
		advice bool
	}{
		"success":                            {usage.Record{Ending: usage.Complete, Status: 200}, info, false},
		"client's mistake":                   {usage.Record{Ending: usage.Refused, Status: 400, Error: "invalid_json", ErrorStatus: 400}, info, false},
		"bad key":                            {usage.Record{Ending: usage.Refused, Status: 401, Error: "invalid_api_key", ErrorStatus: 401}, info, false},
		"own limit":                          {usage.Record{Ending: usage.Refused, Status: 429, Error: "rate_limit_exceeded", ErrorStatus: 429}, info, false},
		"client gone":                        {usage.Record{Ending: usage.ClientGone, Status: 499, Error: "client_closed_request", ErrorStatus: 499}, info, false},
		"client wants a stored answer":       {usage.Record{Ending: usage.Refused, Status: 504, Error: "not_cached", ErrorStatus: 504}, info, false},
		"provider refuses the request":       {usage.Record{Ending: usage.Failed, Status: 400, Error: "context_length_exceeded", ErrorStatus: 400}, info, false},
		"provider's limit":                   {usage.Record{Ending: usage.Failed, Status: 429, Error: "rate_limit_exceeded", ErrorStatus: 429}, warn, true},
		"stop of the process":                {usage.Record{Ending: usage.Broken, Status: 200, Error: "gateway_stopping"}, warn, true},
		"provider down":                      {usage.Record{Ending: usage.Failed, Status: 502, Error: "upstream_error", ErrorStatus: 502}, loud, true},
		"provider down, after the header":    {usage.Record{Ending: usage.Failed, Status: 200, Error: "upstream_error", ErrorStatus: 502}, loud, true},
		"client's mistake, after the header": {usage.Record{Ending: usage.Failed, Status: 200, Error: "invalid_request", ErrorStatus: 400}, info, false},
		"own key refused":                    {usage.Record{Ending: usage.Failed, Status: 502, Error: "upstream_auth_error", ErrorStatus: 502}, loud, true},
		"stream cut":                         {usage.Record{Ending: usage.Broken, Status: 200, Error: "upstream_stream_error"}, loud, true},
		"panic before any attempt":           {usage.Record{Ending: usage.Refused, Status: 500, Error: "internal_error", ErrorStatus: 500}, loud, true},
		"panic that cut the connection":      {usage.Record{Ending: usage.Failed, Error: "internal_error", ErrorStatus: 500}, loud, true},
		"nobody to ask":                      {usage.Record{Ending: usage.Refused, Status: 503, Error: "no_healthy_upstream", ErrorStatus: 503}, loud, true},
		"a provider's own code": {usage.Record{
			Ending: usage.Failed, Status: 529, Error: "their_word", ErrorStatus: 503, Failures: []usage.Failure{{Kind: "overloaded"}},
		}, loud, true},
	} {
		if got := level(&test.record); got != test.want {
			t.Errorf("%s: %v, not %v", name, got, test.want)
		}
		fields := zapcore.NewMapObjectEncoder()
		if err := (*loggedRecord)(&test.record).MarshalLogObject(fields); err != nil {
			t.Fatal(err)
		}
		if _, advised := fields.Fields["advice"]; advised != test.advice {
			t.Errorf("%s: advised %v: %v", name, advised, fields.Fields["advice"])
		}
	}
}

func TestShareOfCallsIsThatOfTheirIDs(t *testing.T) {
	for id, share := range map[string]float64{"req_00000000f": 0, "req_40000000f": .25, "req_7fffffffa": .4999999, "req_ffffffff0": .99999999} {
		if isSampled(id, share) || !isSampled(id, 1) || !isSampled(id, share+.001) && share < .9 {
			t.Errorf("%s is not where %v ends", id, share)
		}
	}
	if isSampled("", .5) || isSampled("req_not hex 1", .5) {
		t.Error("what is no id is in the share")
	}
}
