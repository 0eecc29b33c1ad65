package openai

import (
	"strconv"
	"strings"

	"github.com/caddyllm/llmproxy/transform"
)

// Family is what OpenAI's API refuses of one model. The zero value refuses
// nothing: other providers of this format ignore what they do not know.
type Family struct {
	openAI      bool
	reasoning   bool // thinks: no sampling parameters, no stop
	sampling    bool // allows some of them nevertheless while it does not think
	search      bool // a search model: no temperature, but web_search_options
	breakpoints bool // takes prompt_cache_breakpoint
	// efforts it knows, from the least to the most, by their place in efforts
	least, most int
	minimal     bool // knows minimal, of which later models made none
}

var efforts = [...]string{"none", "minimal", "low", "medium", "high", "xhigh", "max"}

const (
	effortNone = iota
	_
	effortLow
	_
	effortHigh
	effortXHigh
	effortMax
)

// familyOf goes by the model's name, of which families have a prefix each.
func familyOf(to transform.Target) Family {
	if to.Vendor != transform.VendorOpenAI {
		return Family{}
	}
	f := Family{openAI: true}
	name := to.Model[strings.LastIndexByte(to.Model, '/')+1:]
	f.search = strings.Contains(name, "-search-")
	if len(name) > 1 && name[0] == 'o' && name[1] >= '1' && name[1] <= '9' {
		f.reasoning, f.least, f.most = true, effortLow, effortHigh
		return f
	}
	rest, ok := strings.CutPrefix(name, "gpt-")
	if !ok {
		return f
	}
	major, minor := version(rest)
	v := major*100 + minor
	if v < 500 || strings.Contains(rest, "-chat") {
		return f
	}
	f.reasoning = true
	f.sampling = v > 500 && v < 600
	f.breakpoints = v >= 506
	f.minimal = v == 500
	f.least, f.most = effortNone, effortMax
	switch {
	case f.minimal:
		f.least, f.most = effortNone+1, effortHigh
	case v < 506:
		f.most = effortXHigh
	case v >= 600 && !strings.Contains(rest, "-sol") && !strings.Contains(rest, "-luna"):
		f.least = effortLow
	}
	return f
}

// version reads the "5.4" of "5.4-mini"; without a point the minor one is 0.
func version(s string) (major, minor int) {
	end := strings.IndexFunc(s, func(r rune) bool { return r != '.' && (r < '0' || r > '9') })
	if end < 0 {
		end = len(s)
	}
	whole, part, _ := strings.Cut(s[:end], ".")
	major, _ = strconv.Atoi(whole)
	minor, _ = strconv.Atoi(part)
	return min(major, 99), min(minor, 99)
}

// FamilyOf goes by the model's name, with or without a vendor before it as
// Amazon has it.
func FamilyOf(to transform.Target) Family {
	if at := strings.LastIndex(to.Model, "openai."); at >= 0 {
		to.Model = to.Model[at+len("openai."):]
	}
	return familyOf(to)
}

// OpenAI tells whether the API is OpenAI's own.
func (f *Family) OpenAI() bool { return f.openAI }

// Reasons tells whether the model thinks.
func (f *Family) Reasons() bool { return f.reasoning }

// Samples tells whether the model takes sampling parameters while it thinks
// with that effort.
func (f *Family) Samples(effort string) bool {
	return !f.reasoning || f.sampling && effort == "none"
}

// Breakpoints tells whether the model takes prompt_cache_breakpoint.
func (f *Family) Breakpoints() bool { return f.breakpoints }

// Effort is the nearest that the model knows, empty if it knows none at all.
func (f *Family) Effort(wish string) string {
	if !f.openAI || wish == "" {
		return wish
	}
	if !f.reasoning {
		return ""
	}
	at := -1
	for i, e := range efforts {
		if e == wish {
			at = i
		}
	}
	if at < 0 {
		return wish // newer than this table
	}
	at = min(max(at, f.least), f.most)
	if efforts[at] == "minimal" && !f.minimal {
		at = effortLow
	}
	return efforts[at]
}
