package answers

import (
	"bytes"
	"net/http"
	"time"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/usage"
)

// Reason is why an answer is not cached.
type Reason uint8

// The reasons.
const (
	// Admitted: there is none.
	Admitted Reason = iota
	// Off: the operator does not want it.
	Off
	// UnknownOperation: it is no answer of a kind that is cached.
	UnknownOperation
	// ClientNoStore: the client does not want it.
	ClientNoStore
	// Stored: the provider keeps the answer, or the request refers to what it kept.
	Stored
	// ServerTools: the provider looks elsewhere for the answer, or acts.
	ServerTools
	// Several: more than one answer was asked for.
	Several
	// NotDeterministic: the temperature is not 0.
	NotDeterministic
	// BadStatus: the status is not 200.
	BadStatus
	// Unfinished: nothing proves that it is whole.
	Unfinished
	// CutByLength and Filtered: it stopped before its end.
	CutByLength
	Filtered
	// CallsTools: it ends with calls.
	CallsTools
	// UnknownFinish: it does not say why it ended.
	UnknownFinish
	// NoUsage: it does not say what it cost.
	NoUsage
	// Empty: it says nothing.
	Empty
	// TooLarge: it has more bytes than an entry may.
	TooLarge
	// UpstreamNoStore: the provider does not want it.
	UpstreamNoStore
	reasons
)

// Reasons counts the reasons, for arrays of counters.
const Reasons = int(reasons)

var reasonNames = [Reasons]string{
	"", "off", "operation", "no_store", "stored_response", "server_tools", "several_choices", "not_deterministic",
	"status", "unfinished", "length", "content_filter", "tool_calls", "unknown_finish", "no_usage", "empty", "too_large", "upstream_no_store",
}

// String is the reason's name in metrics, empty for [Admitted].
func (r Reason) String() string {
	if int(r) < len(reasonNames) {
		return reasonNames[r]
	}
	return ""
}

// Cacheable tells whether the answer to such a request may be cached, before
// anyone is asked for it.
func (r *Rules) Cacheable(f Facts) Reason {
	switch {
	case r.Off():
		return Off
	case f.Operation == OtherOperation:
		return UnknownOperation
	case f.Refers, f.Retention == Retained, f.Retention == RetainedUnasked && r.Scope != ScopeKey:
		// An answer's id is a handle for who asked, and nobody else's.
		return Stored
	case f.ServerTools:
		return ServerTools
	case f.Several:
		return Several
	case r.OnlyDeterministic && f.Operation == Chat && !f.Deterministic:
		return NotDeterministic
	}
	return Admitted
}

// Answer is what must be known of an answer that may be stored.
type Answer struct {
	Status int
	// Whole tells that its end is proven, and that it is no error.
	Whole bool
	// Content tells that it says something.
	Content bool
	Finish  transform.Finish
	Usage   usage.Tokens
	// Body is the answer as the client got it.
	Body []byte
	// Upstream is the header of the provider's answer.
	Upstream http.Header
}

// Admit tells whether an answer is stored, and for how long it is fresh then.
func (r *Rules) Admit(f Facts, c Control, a *Answer) (ttl time.Duration, reason Reason) {
	if reason = r.Cacheable(f); reason != Admitted {
		return 0, reason
	}
	if c.NoStore {
		return 0, ClientNoStore
	}
	if reason = r.judge(f, a); reason != Admitted {
		return 0, reason
	}
	if ttl = lifetime(r.TTL, a.Upstream, r.RespectUpstream); ttl <= 0 {
		return 0, UpstreamNoStore
	}
	return ttl, Admitted
}

func (r *Rules) judge(f Facts, a *Answer) Reason {
	switch {
	case a.Status != http.StatusOK:
		return BadStatus
	case !a.Whole:
		return Unfinished
	case !a.Usage.Known || a.Usage.Estimated:
		return NoUsage
	case len(a.Body) == 0:
		return Empty
	case len(a.Body) > r.maxEntry():
		return TooLarge
	case f.Operation != Chat:
		return Admitted // such an answer has no finish
	case !a.Content:
		return Empty
	}
	switch a.Finish {
	case transform.FinishStop:
	case transform.FinishToolCalls:
		if !r.ToolCalls {
			return CallsTools
		}
	case transform.FinishLength:
		return CutByLength
	case transform.FinishContentFilter:
		return Filtered
	default:
		return UnknownFinish
	}
	if refuses(a.Body) {
		return Filtered
	}
	return Admitted
}

var refusalMember = []byte(`"refusal"`)

// refuses tells whether the model refused in a member of its own, as OpenAI's do
// under an ordinary finish. Inside of a text the quotes would have backslashes.
func refuses(body []byte) bool {
	for {
		at := bytes.Index(body, refusalMember)
		if at < 0 {
			return false
		}
		body = body[at+len(refusalMember):]
		value := bytes.TrimLeft(body, " \t\r\n")
		if len(value) == 0 || value[0] != ':' {
			continue
		}
		value = bytes.TrimLeft(value[1:], " \t\r\n")
		if len(value) > 1 && value[0] == '"' && value[1] != '"' {
			return true
		}
	}
}

// isZero tells whether a number is 0, however it is written.
func isZero(v jsonbytes.Value) bool {
	f, ok := v.Float()
	return ok && f == 0
}
