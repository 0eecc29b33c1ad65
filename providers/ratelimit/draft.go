package ratelimit

import (
	"net/http"
	"strings"
	"time"

	"github.com/caddyllm/llmproxy/internal/duration"
)

// The fields of draft-ietf-httpapi-ratelimit-headers name policies:
//
//	RateLimit-Policy: "rpm";q=60;w=60, "day";q=5000;w=86400
//	RateLimit: "rpm";r=12;t=30, "day";r=4998;t=69076
//
// Before, RateLimit was "limit=60, remaining=12, reset=30".

// maxPolicies bounds how many policies of an answer are read.
const maxPolicies = 8

// policy is one member of either field.
type policy struct {
	name, unit              string
	quota, remaining, reset string // as written; empty: not there
}

func (h *Headroom) readDraft(header http.Header, now time.Time) {
	states := header["Ratelimit"]
	if len(states) != 1 {
		return
	}
	policies := header["Ratelimit-Policy"]
	list := states[0]
	for range maxPolicies {
		var state policy
		if state, list = nextPolicy(list); state.remaining == "" {
			if list == "" {
				return
			}
			continue
		}
		if state.quota == "" && len(policies) == 1 {
			state.take(policies[0])
		}
		var b Budget
		if b.Remaining, b.Known = number(state.remaining); !b.Known {
			continue
		}
		b.Limit, _ = number(state.quota)
		if in, ok := duration.Decimal(state.reset, time.Second); ok && in <= absurd {
			b.Reset = now.Add(min(in, maxReset))
		}
		if of, ok := state.dimension(); ok {
			h.put(of, b, now)
		}
	}
}

// take fills in what the policy of the same name says.
func (p *policy) take(list string) {
	for range maxPolicies {
		var of policy
		if of, list = nextPolicy(list); of.name == p.name {
			p.quota, p.unit = of.quota, of.unit
			return
		}
		if list == "" {
			return
		}
	}
}

// dimension tells what a policy counts: requests, unless its unit or, for lack
// of one, its name says otherwise. The draft has no unit for tokens.
func (p *policy) dimension() (dimension, bool) {
	switch {
	case strings.Contains(p.unit, "token"), p.unit == "" && (strings.Contains(p.name, "token") || strings.Contains(p.name, "tpm")):
		return tokens, true
	case p.unit == "", p.unit == "requests":
		return requests, true
	}
	return 0, false // content-bytes, concurrent-requests
}

// nextPolicy cuts the first member off a list. The older form, which has
// commas where there are semicolons now, is one member.
func nextPolicy(list string) (p policy, rest string) {
	old := false
	for list != "" {
		part, separator, rest := nextPart(list)
		list = rest
		key, value, isParameter := strings.Cut(part, "=")
		switch {
		case !isParameter || part[0] == '"':
			p.name = strings.Trim(part, `"`)
		case key == "q", key == "limit":
			p.quota = value
		case key == "r", key == "remaining":
			p.remaining = value
		case key == "t", key == "reset":
			p.reset = value
		case key == "qu":
			p.unit = strings.Trim(value, `"`)
		}
		old = old || key == "limit" || key == "remaining" || key == "reset"
		if separator == ',' && !old {
			return p, list
		}
	}
	return p, ""
}

// nextPart cuts off what stands before the next semicolon or comma that is in
// no string.
func nextPart(list string) (part string, separator byte, rest string) {
	quoted := false
	for i := 0; i < len(list); i++ {
		switch c := list[i]; {
		case c == '\\' && quoted:
			i++
		case c == '"':
			quoted = !quoted
		case !quoted && (c == ';' || c == ','):
			return nonEmpty(list[:i]), c, list[i+1:]
		}
	}
	return nonEmpty(list), 0, ""
}

// nonEmpty trims a part and has it not be empty.
func nonEmpty(part string) string {
	if part = strings.Trim(part, " \t"); part == "" {
		return `""`
	}
	return part
}
