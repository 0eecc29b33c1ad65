package catalog

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/caddyllm/llmproxy/internal/glob"
	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/internal/yamljson"
)

// Prices are what an operator says of models, by <provider>/<model>, by the
// model's name alone, or by a glob of either. The provider is its name or its type.
type Prices struct {
	exact map[string]*Model
	globs []pricedGlob // the most specific first
}

type pricedGlob struct {
	pattern string
	model   *Model
}

// Len is how many entries there are.
func (p *Prices) Len() int { return len(p.exact) + len(p.globs) }

// add adds an entry; false if there is one of that name.
func (p *Prices) add(name string, m *Model) bool {
	name = strings.ToLower(name)
	if glob.IsPattern(name) {
		if slices.ContainsFunc(p.globs, func(g pricedGlob) bool { return g.pattern == name }) {
			return false
		}
		p.globs = append(p.globs, pricedGlob{name, m})
		return true
	}
	if p.exact[name] != nil {
		return false
	}
	p.exact[name] = m
	return true
}

// find looks for the entry that says most precisely which model it means.
func (p *Prices) find(asked question) (found *Model) {
	provider, kind, model := strings.ToLower(asked.provider), asked.kind, strings.ToLower(asked.model)
	eachSpelling(kind, model, func(name string) bool {
		found = p.exact[provider+"/"+name]
		if found == nil {
			found = p.exact[kind+"/"+name]
		}
		if found == nil && !strings.Contains(name, "/") {
			found = p.exact[name]
		}
		return found == nil
	})
	if found != nil {
		return found
	}
	for _, g := range p.globs {
		for _, name := range [...]string{provider + "/" + model, kind + "/" + model, model} {
			if _, ok := glob.Match(g.pattern, name); ok {
				return g.model
			}
		}
	}
	return nil
}

// maxPricesFile bounds a prices file: the largest that are published have a few MiB.
const maxPricesFile = 32 << 20

// ReadPrices reads an operator's file. It has one of three shapes, which show in
// what it holds: prices by model, as [Prices] has them, in YAML or JSON;
// the api.json of models.dev; LiteLLM's model_prices_and_context_window.json.
func ReadPrices(path string) (*Prices, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading the prices: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxPricesFile+1))
	if err != nil {
		return nil, fmt.Errorf("reading the prices: %w", err)
	}
	if len(text) > maxPricesFile {
		return nil, fmt.Errorf("%s is larger than %d bytes", path, maxPricesFile)
	}
	return ParsePrices(path, text)
}

// ParsePrices is ReadPrices for what was read. Errors begin with name, and with
// line and column where the text is YAML.
func ParsePrices(name string, text []byte) (*Prices, error) {
	f := &pricesFile{name: name, prices: Prices{exact: make(map[string]*Model)}}
	root, err := f.parse(bytes.TrimSpace(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))))
	if err != nil {
		return nil, err
	}
	if err := f.read(root); err != nil {
		return nil, err
	}
	slices.SortStableFunc(f.prices.globs, func(a, b pricedGlob) int {
		return cmp.Compare(glob.Specificity(b.pattern), glob.Specificity(a.pattern))
	})
	return &f.prices, nil
}

// pricesFile is a file being read.
type pricesFile struct {
	name   string
	places yamljson.Places // of YAML
	prices Prices
}

// parse makes JSON of the text, if it is not JSON.
func (f *pricesFile) parse(text []byte) (jsonbytes.Value, error) {
	if len(text) > 0 && text[0] == '{' && jsonbytes.Check(text, 0) == nil {
		return jsonbytes.Value(text), nil
	}
	node, err := yamljson.Parse(text)
	if err == nil {
		text, f.places, err = yamljson.Convert(node)
	}
	var placed *yamljson.Error
	switch {
	case errors.As(err, &placed):
		return nil, f.at(placed.Place, err)
	case err != nil:
		return nil, f.at(yamljson.Place{}, err)
	}
	return jsonbytes.Value(text), nil
}

var errShape = errors.New("is no file of prices: write prices by <provider>/<model> below \"prices:\", or take the api.json of models.dev or LiteLLM's model_prices_and_context_window.json")

func (f *pricesFile) read(root jsonbytes.Value) error {
	if root.Kind() != jsonbytes.Object {
		return f.at(yamljson.Place{}, errShape)
	}
	if root.Get("prices") != nil {
		return f.readOwn(root)
	}
	for _, entry := range root.Members() {
		switch {
		case entry.Get("models").Kind() == jsonbytes.Object:
			return f.readModelsDev(root)
		case entry.Get("litellm_provider").Kind() == jsonbytes.String:
			return f.readLiteLLM(root)
		}
	}
	return f.at(yamljson.Place{}, errShape)
}

func (f *pricesFile) at(place yamljson.Place, err error) error {
	if place == (yamljson.Place{}) {
		return fmt.Errorf("%s: %w", f.name, err)
	}
	return fmt.Errorf("%s:%d:%d: %w", f.name, place.Line, place.Column, err)
}

// fail is an error of what a JSON pointer names.
func (f *pricesFile) fail(pointer, format string, arguments ...any) error {
	err := fmt.Errorf(format, arguments...)
	if place := f.places[pointer]; place != (yamljson.Place{}) {
		return f.at(place, err)
	}
	return f.at(yamljson.Place{}, fmt.Errorf("%s: %w", pointer, err))
}

// rate reads a price, nothing if it is absent or null. It may be a string, as in
// some entries of LiteLLM's.
func (f *pricesFile) rate(into *Rate, v jsonbytes.Value, unit int, pointer string) error {
	if v.Empty() {
		return nil
	}
	text := []byte(v)
	if v.Kind() == jsonbytes.String {
		text = v.AppendText(nil)
	}
	amount, ok := parseRate(text, unit)
	if !ok {
		return f.fail(pointer, "must be a number of dollars, not negative, and a dollar for a token at most")
	}
	*into = amount
	return nil
}

// maxWindow is above every context window there is.
const maxWindow = 1 << 40

// count reads a number of tokens, nothing if it is absent, null or 0.
func (f *pricesFile) count(into *int64, v jsonbytes.Value, pointer string) error {
	if v.Empty() {
		return nil
	}
	n, ok := v.Int()
	if !ok || n < 0 || n > maxWindow {
		return f.fail(pointer, "must be a whole number of tokens")
	}
	*into = n
	return nil
}
