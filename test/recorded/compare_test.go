package recorded_test

import (
	"fmt"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/caddyllm/llmproxy/transform"
)

// verdict is how a feature of an answer came through.
type verdict struct {
	feature string
	// skip tells that there was nothing to check, or that the client's format
	// cannot say it.
	skip      bool
	bad       bool
	want, got string
}

// comparison holds what a client read against what the recording says. All that
// may differ is in this file.
type comparison struct {
	dialect string // of the client
	wire    wire
	want    norm
	got     norm
	list    []verdict
}

func (c *comparison) same() bool { return c.wire.dialect == c.dialect }

func (c *comparison) add(feature string, ok bool, want, got any) {
	c.list = append(c.list, verdict{feature: feature, bad: !ok, want: fmt.Sprint(want), got: fmt.Sprint(got)})
}

func (c *comparison) skip(feature string) {
	c.list = append(c.list, verdict{feature: feature, skip: true})
}

func compare(dialect string, w wire, want, got norm) []verdict {
	c := &comparison{dialect: dialect, wire: w, want: want, got: got}
	switch {
	case want.fault != nil:
		c.fault()
	case got.fault != nil:
		c.add("error", false, "none", got.fault)
	default:
		c.texts()
		c.calls()
		c.stop()
		c.usage()
	}
	return c.list
}

var (
	aboutKeys    = regexp.MustCompile(`(?i)api.?key`)
	aboutModels  = regexp.MustCompile(`(?i)not.?found|does not exist|invalid model|no such model`)
	aboutContent = regexp.MustCompile(`(?i)usage guidelines|content policy|safety`)
	aboutLength  = regexp.MustCompile(`(?i)context|too long|exceeds the maximum`)
)

// statuses are those that a client of another format may be told for the provider's.
func statuses(f *fault) []int {
	switch s := f.status; {
	case s == http.StatusUnauthorized, s == http.StatusForbidden:
		return []int{500, 502} // the gateway's own credential failed
	case s == http.StatusBadRequest && aboutKeys.MatchString(f.message):
		return []int{500, 502}
	case s == http.StatusNotFound:
		return []int{404, 400} // Responses has 400 for an unknown model
	case s == http.StatusBadRequest && aboutModels.MatchString(f.message):
		return []int{400, 404}
	case s == http.StatusUnprocessableEntity:
		return []int{422, 400}
	case s == http.StatusTooManyRequests && aboutLength.MatchString(f.message):
		return []int{429, 400}
	case s == http.StatusInternalServerError:
		return []int{500, 502}
	case s == http.StatusServiceUnavailable, s == 529:
		return []int{503, 529}
	default:
		return []int{s}
	}
}

func (c *comparison) fault() {
	want, got := c.want.fault, c.got.fault
	if got == nil {
		c.add("error", false, want, "none")
		return
	}
	// What became of a body that only resembles the client's format is its vendor's doing.
	wrong := got.wrong
	if c.same() && !c.wire.strict {
		wrong = ""
	}
	if want.late {
		// In the stream or before it, but told in both.
		c.add("error", wrong == "" && (got.status >= 400 || got.late) && got.message != "cut off", want, got)
		return
	}
	ok := statuses(want)
	if want.status == http.StatusForbidden && got.ofContent {
		ok = []int{403, 400} // the request's fault
	}
	if c.same() && want.status == http.StatusBadRequest {
		ok = []int{want.status} // in the provider's own words
	}
	if ok[0] >= 500 {
		c.add("error", wrong == "" && slices.Contains(ok, got.status), ok, got)
		return
	}
	c.add("error", wrong == "" && slices.Contains(ok, got.status) && tells(got.message, want.message), fmt.Sprint(ok, " ", want), got)
}

// tells tells whether a message says what another does, without secrets.
func tells(got, want string) bool {
	begin := func(s string) string { return s[:min(len(s), 40)] }
	return strings.Contains(got, begin(want)) || strings.Contains(got, begin(transform.Scrub(want))) || strings.Contains(want, begin(got))
}

func (c *comparison) texts() {
	want, got := c.want, c.got
	text := got.text == want.text || slices.Contains(want.joined, got.text)
	reasoning := squeeze(got.reasoning) == squeeze(want.reasoning)
	if !c.same() {
		if inside, rest, ok := thought(want.text); ok && strings.TrimSpace(got.text) == strings.TrimSpace(rest) {
			text, reasoning = true, squeeze(got.reasoning) == squeeze(inside)
		}
		if want.pieces != nil {
			text = inOrder(got.text, want.pieces)
		}
	}
	if want.plan != "" {
		// Shown once, before the text or among the reasoning.
		inText := squeeze(got.text) == squeeze(want.plan+want.text) && reasoning
		inReasoning := text && squeeze(got.reasoning) == squeeze(want.reasoning+want.plan)
		text = inText || inReasoning
		reasoning = text
	}
	if want.refusal != "" {
		// A format without refusals says it as text.
		c.add("text", got.refusal == want.refusal && text || !c.same() && got.text == want.refusal, want.refusal, got.text+"|"+got.refusal)
	} else if want.text != "" || want.plan != "" || got.text != "" || got.refusal != "" {
		c.add("text", text && got.refusal == "", want.text, got.text+got.refusal)
	} else {
		c.skip("text")
	}
	if want.reasoning != "" || got.reasoning != "" || want.plan != "" {
		c.add("reasoning", reasoning, want.reasoning, got.reasoning)
	} else {
		c.skip("reasoning")
	}
}

func inOrder(s string, pieces []string) bool {
	for _, p := range pieces {
		at := strings.Index(s, p)
		if at < 0 {
			return false
		}
		s = s[at+len(p):]
	}
	return true
}

func (c *comparison) calls() {
	want, got := c.want.calls, c.got.calls
	if len(want) == 0 && len(got) == 0 {
		c.skip("calls")
		return
	}
	ok := len(want) == len(got)
	ids := map[string]bool{}
	for i := range min(len(want), len(got)) {
		ok = ok && c.sameCall(want[i], got[i])
		ids[got[i].id] = true
	}
	// Each call has an id of its own but in Gemini's format, which may have none.
	if !c.same() && c.dialect != "gemini" && (len(ids) != len(got) || ids[""]) {
		ok = false
	}
	c.add("calls", ok, want, got)
}

func (c *comparison) sameCall(want, got toolCall) bool {
	if want.name != got.name {
		return false
	}
	switch {
	case want.custom != nil && got.custom != nil:
		return *want.custom == *got.custom
	case want.custom != nil:
		// A format without custom tools wraps the text.
		return reflect.DeepEqual(got.args, object{"input": *want.custom})
	case want.raw != "" && (c.dialect == "chat" || c.dialect == "responses" || got.raw != ""):
		return got.raw == want.raw
	case want.raw != "":
		return true // a format of parsed arguments cannot show what is cut off
	}
	return got.raw == "" && reflect.DeepEqual(want.args, got.args)
}

func (c *comparison) stop() {
	want, got := c.want.stop, c.got.stop
	ok := []string{want}
	switch {
	case want == stopOther, want == "": // any will do
		c.skip("stop")
		return
	case want == stopSequence && (c.dialect != "messages" || c.wire.dialect == "cohere"):
		ok = append(ok, stopEnd) // it is told apart, with its text, only by Anthropic's models
	case c.want.refusal != "" && want == stopEnd && !c.same():
		ok = append(ok, stopFilter)
	case want == stopTools && c.same():
		ok = append(ok, stopEnd) // as the provider said it
	}
	c.add("stop", slices.Contains(ok, got), strings.Join(ok, " or "), got)
}

func (c *comparison) usage() {
	want, got := c.want.usage, c.got.usage
	if want == nil {
		c.skip("usage")
		return
	}
	if got == nil {
		c.add("usage", false, want, "none")
		return
	}
	ok := got.output == want.output || slices.Contains(want.outputs, got.output)
	ok = ok && got.cached == want.cached
	// One vendor reports more cached tokens than tokens.
	ok = ok && (got.input == want.input || want.cached > want.input)
	ok = ok && (want.reasoning <= 0 || want.reasoning == got.reasoning)
	c.add("usage", ok, want, got)
}
