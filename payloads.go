package llmproxy

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/caddyllm/llmproxy/gateway"
	"github.com/caddyllm/llmproxy/internal/directive"
)

// LogPayloads says of which calls the request and the answer are logged, on the
// logger http.handlers.llm_proxy.payloads. They hold prompts.
type LogPayloads struct {
	// Which calls: off, on, or sampled for a share of them. Default: off.
	Mode string `json:"mode,omitempty"`

	// The share of calls that sampled logs, more than 0 and less than 1. The call's id
	// decides, so that a call is logged whole or not at all.
	Ratio float64 `json:"ratio,omitempty"`
}

// Of which calls the payloads are logged.
const (
	payloadsOff     = "off"
	payloadsSampled = "sampled"
	payloadsOn      = "on"
)

func (l *LogPayloads) check() error {
	if l == nil {
		return nil
	}
	switch l.Mode {
	case "", payloadsOff, payloadsOn, payloadsSampled:
	default:
		return &placedError{"/log_payloads/mode", fmt.Errorf("log_payloads mode must be %s, %s or %s, not %q", payloadsOff, payloadsSampled, payloadsOn, l.Mode)}
	}
	switch sampled := l.Mode == payloadsSampled; {
	case sampled && !(l.Ratio > 0 && l.Ratio < 1):
		return &placedError{"/log_payloads/ratio", errors.New("log_payloads sampled takes a ratio between 0 and 1, such as 0.01")}
	case !sampled && l.Ratio != 0:
		return &placedError{"/log_payloads/ratio", fmt.Errorf("the ratio of log_payloads is for mode %s", payloadsSampled)}
	}
	return nil
}

// readLogPayloads reads log_payloads off|sampled <ratio>|on.
func (c *Config) readLogPayloads(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	l := new(LogPayloads)
	switch {
	case len(args) == 1 && (args[0] == payloadsOff || args[0] == payloadsOn):
		l.Mode = args[0]
	case len(args) == 2 && args[0] == payloadsSampled:
		ratio, err := strconv.ParseFloat(args[1], 64)
		if err != nil {
			return d.Errf("log_payloads sampled takes a ratio such as 0.01, not %q", args[1])
		}
		l.Mode, l.Ratio = payloadsSampled, ratio
		if err := l.check(); err != nil {
			return d.WrapErr(err)
		}
	default:
		return d.Errf("log_payloads takes off, sampled <ratio> or on")
	}
	c.LogPayloads = l
	return directive.NoBlock(d)
}

// payloads log what calls say as the config wants; nil: they do not.
func (l *LogPayloads) payloads(logger *zap.Logger) *gateway.Payloads {
	if l == nil || l.Mode == "" || l.Mode == payloadsOff {
		return nil
	}
	logger.Warn("prompts and answers are logged, on the logger http.handlers.llm_proxy.payloads: see who may read it, and for how long it is kept",
		zap.String("log_payloads", l.Mode))
	share := 1.0
	if l.Mode == payloadsSampled {
		share = l.Ratio
	}
	logger = logger.Named("payloads")
	return &gateway.Payloads{
		Wanted: func(requestID string) bool { return isSampled(requestID, share) },
		Log: func(p *gateway.Payload) {
			if c := logger.Check(zapcore.InfoLevel, "payload"); c != nil {
				c.Write(zap.Inline((*loggedPayload)(p)))
			}
		},
	}
}

// isSampled tells whether a call is in the share that is logged: the first 32 bits
// of its random id, as a fraction, are less than that.
func isSampled(requestID string, share float64) bool {
	const begin, digits = len("req_"), 8
	if share >= 1 || len(requestID) < begin+digits {
		return share >= 1
	}
	n, err := strconv.ParseUint(requestID[begin:begin+digits], 16, 32)
	return err == nil && float64(n) < share*(1<<32)
}

// loggedPayload is what a call said, as it is logged.
type loggedPayload gateway.Payload

// MarshalLogObject writes the bodies, always as strings: JSON that is cut off, and a
// stream, are none, and a field has one type.
func (p *loggedPayload) MarshalLogObject(e zapcore.ObjectEncoder) error {
	r := p.Record
	e.AddString("request_id", r.RequestID)
	addString(e, "user_id", r.Principal)
	e.AddString("operation", r.Operation)
	addString(e, "requested_model", r.RequestedModel)
	addString(e, "provider", r.Provider)
	addString(e, "model", r.Model)
	e.AddBool("stream", r.Stream)
	e.AddInt("status", r.Status)
	e.AddString("ending", string(r.Ending))
	e.AddString("request", p.Request.Text)
	e.AddInt64("request_bytes", p.Request.Size)
	if p.Request.Truncated {
		e.AddBool("request_truncated", true)
	}
	e.AddString("answer", p.Answer.Text)
	e.AddInt64("answer_bytes", p.Answer.Size)
	if p.Answer.Truncated {
		e.AddBool("answer_truncated", true)
	}
	return nil
}
