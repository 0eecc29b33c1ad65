package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/caddyllm/llmproxy/catalog"
	"github.com/caddyllm/llmproxy/internal/decimal"
)

// collection is the models by the type of their provider and by name.
type collection map[string]map[string]*catalog.Model

// add adds a model; of two of the same name the first stays.
func (c collection) add(kind, name string, m *catalog.Model) {
	name = strings.ToLower(name)
	if kind == "" || name == "" || strings.ContainsAny(name, " ,\n") {
		return
	}
	if c[kind] == nil {
		c[kind] = make(map[string]*catalog.Model)
	}
	if c[kind][name] == nil {
		copied := *m
		c[kind][name] = &copied
	}
}

// fill takes over what an older source has and c has not.
func (c collection) fill(older collection) {
	for kind, models := range older {
		for name, old := range models {
			known := c[kind][name]
			if known == nil {
				c.add(kind, name, old)
				continue
			}
			known.ContextWindow = cmp.Or(known.ContextWindow, old.ContextWindow)
			known.MaxInput = cmp.Or(known.MaxInput, old.MaxInput)
			known.MaxOutput = cmp.Or(known.MaxOutput, old.MaxOutput)
			known.Can |= old.Can
			fillPrice(&known.Price, old.Price)
		}
	}
}

// fillPrice completes a price with one that is the same as far as it goes: what
// changed since has no common parts.
func fillPrice(known *catalog.Price, old catalog.Price) {
	switch {
	case !known.Known():
		*known = old
	case known.Input == old.Input && known.Output == old.Output:
		for _, field := range rateNames {
			if rate := field.of(&known.Rates); !rate.Known() {
				*rate = *field.of(&old.Rates)
			}
		}
		if len(known.Tiers) == 0 {
			known.Tiers = old.Tiers
		}
	}
}

// fillVertex completes what Vertex AI sells at the prices of the Gemini API.
func (c collection) fillVertex() {
	both := make(map[string]*catalog.Model)
	for name := range c["vertex"] {
		if m := c["gemini"][name]; m != nil {
			both[name] = m
		}
	}
	c.fill(collection{"vertex": both})
}

// names are those of one model.
type names struct {
	kind string
	list []string
}

// share gives what is known under one name of a model to its others, as far as
// it is sure: a name may stand for several versions.
func (c collection) share(groups []names) {
	for _, group := range groups {
		var sure *catalog.Model
		for _, name := range group.list {
			m := c[group.kind][strings.ToLower(name)]
			switch {
			case m == nil || m.MaxOutput == 0:
			case sure == nil:
				copied := *m
				sure = &copied
			default:
				sure.MaxOutput = min(sure.MaxOutput, m.MaxOutput)
				sure.Can &= m.Can
			}
		}
		if sure == nil {
			continue
		}
		for _, name := range group.list {
			if m := c[group.kind][strings.ToLower(name)]; m != nil && m.MaxOutput == 0 && m.Price.Rates == sure.Price.Rates {
				m.MaxOutput, m.Can, m.ContextWindow = sure.MaxOutput, m.Can|sure.Can, cmp.Or(m.ContextWindow, sure.ContextWindow)
			}
		}
	}
}

// completeClaude adds what tokens cost that Claude keeps for an hour: twice the input.
func (c collection) completeClaude() {
	double := func(r *catalog.Rates) {
		if !r.CacheWrite1h.Known() && r.CacheWrite.Known() && r.Input > 0 {
			r.CacheWrite1h = 2 * r.Input
		}
	}
	for _, models := range c {
		for name, m := range models {
			if strings.Contains(name, "claude") {
				double(&m.Price.Rates)
				for i := range m.Price.Tiers {
					double(&m.Price.Tiers[i].Rates)
				}
			}
		}
	}
}

// text is the data file.
func (c collection) text() []byte {
	var out bytes.Buffer
	for _, kind := range slices.Sorted(maps.Keys(c)) {
		fmt.Fprintf(&out, "\n[%s]\n", kind)
		// Models that are the same share a line.
		names := make(map[string][]string)
		for _, name := range slices.Sorted(maps.Keys(c[kind])) {
			if row := rowOf(c[kind][name]); row != "" {
				names[row] = append(names[row], name)
			}
		}
		rows := slices.SortedFunc(maps.Keys(names), func(a, b string) int { return cmp.Compare(names[a][0], names[b][0]) })
		for _, row := range rows {
			fmt.Fprintf(&out, "%s%s\n", strings.Join(names[row], ","), row)
		}
	}
	return out.Bytes()
}

func rowOf(m *catalog.Model) string {
	var row []byte
	number := func(name string, n int64) {
		if n > 0 {
			row = strconv.AppendInt(append(row, " "+name+"="...), n, 10)
		}
	}
	rates := func(r *catalog.Rates) {
		for _, field := range rateNames {
			if rate := *field.of(r); rate.Known() {
				row = append(row, " "+field.name+"="...)
				row = append(row, dollars(rate)...)
			}
		}
	}
	number("ctx", m.ContextWindow)
	number("maxin", m.MaxInput)
	number("max", m.MaxOutput)
	if m.Can != 0 {
		row = append(row, " can="+m.Can.String()...)
	}
	rates(&m.Price.Rates)
	for i := range m.Price.Tiers {
		number("over", m.Price.Tiers[i].Over)
		rates(&m.Price.Tiers[i].Rates)
	}
	return string(row)
}

// dollars is what a million tokens cost.
func dollars(r catalog.Rate) string {
	n := max(int64(r), 0)
	text := strconv.FormatInt(n/1e6, 10)
	if rest := n % 1e6; rest > 0 {
		text += strings.TrimRight(fmt.Sprintf(".%06d", rest), "0")
	}
	return text
}

var rateNames = []struct {
	name string
	of   func(*catalog.Rates) *catalog.Rate
}{
	{"in", func(r *catalog.Rates) *catalog.Rate { return &r.Input }},
	{"out", func(r *catalog.Rates) *catalog.Rate { return &r.Output }},
	{"cr", func(r *catalog.Rates) *catalog.Rate { return &r.CacheRead }},
	{"cw", func(r *catalog.Rates) *catalog.Rate { return &r.CacheWrite }},
	{"cw1h", func(r *catalog.Rates) *catalog.Rate { return &r.CacheWrite1h }},
	{"ain", func(r *catalog.Rates) *catalog.Rate { return &r.AudioInput }},
	{"aout", func(r *catalog.Rates) *catalog.Rate { return &r.AudioOutput }},
	{"think", func(r *catalog.Rates) *catalog.Rate { return &r.Reasoning }},
}

// rate reads dollars per million tokens; nothing and 0 are not known, as
// packages write 0 for both.
func rate(n json.Number) catalog.Rate {
	amount, _ := decimal.Parse(n.String(), 6)
	return catalog.Rate(amount)
}

func isFree(name string) bool {
	return strings.HasSuffix(name, ":free") || strings.HasSuffix(name, "-free")
}
