package catalog

import (
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/caddyllm/llmproxy/internal/decimal"
)

// The data are gathered by internal/gen; models.txt says from where, LICENSES
// under which terms.
//
//go:generate go run ./internal/gen -o models.txt
//go:embed models.txt
var modelsText string

// table is the models by the type of their provider and by name, in lower case.
type table map[string]map[string]*Model

// builtin is the table that comes with the gateway. It is read when it is first
// needed.
var builtin = sync.OnceValue(func() table {
	t, err := parseTable(modelsText)
	if err != nil {
		panic("catalog: " + err.Error()) // a test reads it too
	}
	return t
})

// parseTable reads lines of three kinds: comments, which begin with #; the type
// of a provider in brackets; and its models:
//
//	<name>[,<name>...] [ctx=<n>] [maxin=<n>] [max=<n>] [can=<word>,...] [<rate>=<dollars>...] [over=<n> <rate>=<dollars>...]...
func parseTable(text string) (table, error) {
	t := make(table)
	var models map[string]*Model
	line := 0
	for text != "" {
		var row string
		row, text, _ = strings.Cut(text, "\n")
		line++
		switch {
		case row == "" || row[0] == '#':
		case row[0] == '[':
			models = make(map[string]*Model)
			t[strings.Trim(row, "[]")] = models
		case models == nil:
			return nil, fmt.Errorf("line %d: a model without a provider", line)
		default:
			names, rest, _ := strings.Cut(row, " ")
			m := new(Model)
			if err := m.parse(rest); err != nil {
				return nil, fmt.Errorf("line %d: %w", line, err)
			}
			for name := range strings.SplitSeq(names, ",") {
				models[name] = m
			}
		}
	}
	return t, nil
}

func (m *Model) parse(row string) error {
	rates := &m.Price.Rates
	for row != "" {
		var field string
		field, row, _ = strings.Cut(row, " ")
		key, value, _ := strings.Cut(field, "=")
		var number *int64
		switch key {
		case "ctx":
			number = &m.ContextWindow
		case "maxin":
			number = &m.MaxInput
		case "max":
			number = &m.MaxOutput
		case "over":
			m.Price.Tiers = append(m.Price.Tiers, Tier{})
			tier := &m.Price.Tiers[len(m.Price.Tiers)-1]
			number, rates = &tier.Over, &tier.Rates
		case "can":
			for name := range strings.SplitSeq(value, ",") {
				m.Can |= capability(name)
			}
			continue
		default:
			rate := rates.named(key)
			amount, ok := parseRate(value, perMillion)
			if rate == nil || !ok {
				return fmt.Errorf("%q is no price", field)
			}
			*rate = amount
			continue
		}
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil || n <= 0 {
			return fmt.Errorf("%q is no number", field)
		}
		*number = n
	}
	m.Price.sortTiers()
	return nil
}

func (p *Price) sortTiers() {
	slices.SortFunc(p.Tiers, func(a, b Tier) int { return int(min(max(a.Over-b.Over, -1), 1)) })
}

// named is the rate that the data file calls so, nil if there is none.
func (r *Rates) named(name string) *Rate {
	switch name {
	case "in":
		return &r.Input
	case "out":
		return &r.Output
	case "cr":
		return &r.CacheRead
	case "cw":
		return &r.CacheWrite
	case "cw1h":
		return &r.CacheWrite1h
	case "ain":
		return &r.AudioInput
	case "aout":
		return &r.AudioOutput
	case "think":
		return &r.Reasoning
	}
	return nil
}

// What dollars are for: a power of ten that makes them a [Rate].
const (
	perMillion = 6
	perToken   = 12
)

// parseRate reads a price in dollars.
func parseRate[T ~string | ~[]byte](dollars T, unit int) (Rate, bool) {
	n, ok := decimal.Parse(dollars, unit)
	switch {
	case !ok || Rate(n) > maxRate:
		return 0, false
	case n == 0:
		return Free, true
	}
	return Rate(n), true
}
