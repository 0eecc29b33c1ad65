package recorded_test

import (
	"encoding/json"
	"fmt"
	"strings"
)

// norm is what an answer says, whatever its format.
type norm struct {
	text      string
	refusal   string // where the format keeps it apart
	reasoning string
	calls     []toolCall
	stop      string // one of the constants below, "" where the answer does not say
	usage     *counts
	fault     *fault

	// pieces are texts between which something may be shown that is no text
	// of the answer, such as sound or code that the provider ran; nil: nothing may.
	pieces []string
	// joined are other ways of joining several messages' texts.
	joined []string
	// plan is text that says what tools will be called for: text or reasoning,
	// as one likes.
	plan string
}

// The stops.
const (
	stopEnd      = "end"
	stopSequence = "stop_sequence"
	stopLength   = "length"
	stopTools    = "tool_calls"
	stopFilter   = "filter"
	stopOther    = "other"
)

// toolCall is one call. Arguments that are no JSON are in raw, free text of a
// custom tool is in custom.
type toolCall struct {
	id, name string
	args     any
	raw      string
	custom   *string
}

func (c toolCall) String() string {
	if c.custom != nil {
		return fmt.Sprintf("%s(custom %q)", c.name, *c.custom)
	}
	args, _ := json.Marshal(c.args)
	return fmt.Sprintf("%s(%s%s)", c.name, args, c.raw)
}

// newCall reads arguments that are written as text.
func newCall(id, name, arguments string) toolCall {
	c := toolCall{id: id, name: name, args: map[string]any{}}
	if strings.TrimSpace(arguments) == "" {
		return c
	}
	n, err := parse([]byte(arguments))
	if err != nil {
		c.args, c.raw = nil, arguments
		return c
	}
	c.args = n.v
	return c
}

// objectCall reads arguments that are an object.
func objectCall(id, name string, arguments node) toolCall {
	c := toolCall{id: id, name: name, args: arguments.v}
	if !arguments.given() {
		c.args = map[string]any{}
	}
	return c
}

// counts are tokens. The input counts cached tokens and those written to the
// cache, the output counts reasoning, whatever the format does; -1: not told.
type counts struct {
	input, output, cached, reasoning int64
	// outputs are other totals that are as good.
	outputs []int64
}

func (u *counts) String() string {
	if u == nil {
		return "none"
	}
	return fmt.Sprintf("in %d out %d cached %d reasoning %d", u.input, u.output, u.cached, u.reasoning)
}

// fault is an error.
type fault struct {
	status  int // 0: the answer does not say
	message string
	// ofContent tells that a provider's rules of what may be said are the reason.
	ofContent bool
	// late tells that it came in an answer that began well.
	late bool
	// wrong says what makes the body unreadable for clients of its format.
	wrong string
}

func (f *fault) String() string {
	if f == nil {
		return "none"
	}
	return fmt.Sprintf("%d %q late %v %s", f.status, f.message, f.late, f.wrong)
}

func failed(status int, message string) norm {
	return norm{fault: &fault{status: status, message: message, late: true}}
}

// squeeze is a text without white space.
func squeeze(s string) string { return strings.Join(strings.Fields(s), "") }
