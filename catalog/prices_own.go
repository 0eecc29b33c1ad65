package catalog

import (
	"strconv"
	"strings"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/internal/yamljson"
)

// readOwn reads our own shape, in dollars per million tokens:
//
//	prices:
//	  openai/gpt-6:
//	    input: 1.25
//	    output: 10
//	    cache_read: 0.125
//	    tiers:
//	      - { over: 200000, input: 2.5, output: 15, cache_read: 0.25 }
//	  "local/*": { input: 0, output: 0, context_window: 131072 }
//	  gpt-6-mini: { output: 2 }
//
// A name without a slash is a model of any provider. Members are those of
// [Rates], and context_window, max_input, max_output and tiers.
func (f *pricesFile) readOwn(root jsonbytes.Value) error {
	for key := range root.Members() {
		if string(key) != "prices" {
			return f.fail("/"+yamljson.Escape(string(key)), "unknown member %q: a file of prices has only prices", key)
		}
	}
	prices := root.Get("prices")
	if prices.Kind() != jsonbytes.Object || prices.Len() == 0 {
		return f.fail("/prices", "must name models, as in openai/gpt-6: { input: 1.25, output: 10 }")
	}
	for key, entry := range prices.Members() {
		name := string(key)
		pointer := "/prices/" + yamljson.Escape(name)
		if name == "" || strings.HasPrefix(name, "/") || strings.HasSuffix(name, "/") || strings.ContainsAny(name, " \t\n") {
			return f.fail(pointer, "%q is neither <provider>/<model> nor a model", name)
		}
		m, err := f.ownModel(entry, pointer)
		if err != nil {
			return err
		}
		if !f.prices.add(name, m) {
			return f.fail(pointer, "%q is there twice", name)
		}
	}
	return nil
}

func (f *pricesFile) ownModel(entry jsonbytes.Value, pointer string) (*Model, error) {
	if entry.Kind() != jsonbytes.Object || entry.Len() == 0 {
		return nil, f.fail(pointer, "must say something, such as input: 1.25")
	}
	m := new(Model)
	for key, v := range entry.Members() {
		inner := pointer + "/" + yamljson.Escape(string(key))
		var err error
		switch name := string(key); name {
		case "context_window":
			err = f.count(&m.ContextWindow, v, inner)
		case "max_input":
			err = f.count(&m.MaxInput, v, inner)
		case "max_output":
			err = f.count(&m.MaxOutput, v, inner)
		case "tiers":
			m.Price.Tiers, err = f.ownTiers(v, inner)
		default:
			err = f.ownRate(&m.Price.Rates, name, v, inner)
		}
		if err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (f *pricesFile) ownTiers(list jsonbytes.Value, pointer string) ([]Tier, error) {
	if list.Kind() != jsonbytes.Array || list.Len() == 0 {
		return nil, f.fail(pointer, "must be a list, as in [ { over: 200000, input: 2.5, output: 15 } ]")
	}
	var tiers []Tier
	for i, entry := range list.Elements() {
		place := pointer + "/" + strconv.Itoa(i)
		var tier Tier
		for key, v := range entry.Members() {
			inner := place + "/" + yamljson.Escape(string(key))
			var err error
			if string(key) == "over" {
				err = f.count(&tier.Over, v, inner)
			} else {
				err = f.ownRate(&tier.Rates, string(key), v, inner)
			}
			if err != nil {
				return nil, err
			}
		}
		switch {
		case tier.Over == 0:
			return nil, f.fail(place, "must say for prompts of how many tokens and more it is: over: 200000")
		case tier.Rates == Rates{}:
			return nil, f.fail(place, "has no price")
		case len(tiers) > 0 && tiers[len(tiers)-1].Over >= tier.Over:
			return nil, f.fail(place, "must be for longer prompts than the one before")
		}
		tiers = append(tiers, tier)
	}
	return tiers, nil
}

func (f *pricesFile) ownRate(rates *Rates, name string, v jsonbytes.Value, pointer string) error {
	var rate *Rate
	switch name {
	case "input":
		rate = &rates.Input
	case "output":
		rate = &rates.Output
	case "cache_read":
		rate = &rates.CacheRead
	case "cache_write":
		rate = &rates.CacheWrite
	case "cache_write_1h":
		rate = &rates.CacheWrite1h
	case "audio_input":
		rate = &rates.AudioInput
	case "audio_output":
		rate = &rates.AudioOutput
	case "reasoning":
		rate = &rates.Reasoning
	default:
		return f.fail(pointer, "unknown member %q: there are input, output, cache_read, cache_write, cache_write_1h, audio_input, audio_output, "+
			"reasoning, context_window, max_input, max_output and tiers", name)
	}
	if v.Kind() != jsonbytes.Number {
		return f.fail(pointer, "must be a number of dollars per million tokens")
	}
	return f.rate(rate, v, perMillion, pointer)
}
