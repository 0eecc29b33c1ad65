package cohere

import (
	"strconv"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// maxStops is how many stop sequences the API takes.
const maxStops = 5

// sampling writes how tokens are chosen. The ranges are those of
// https://docs.cohere.com/reference/chat
func (e *encoder) sampling() {
	s := &e.r.Sampling
	if s.MaxTokens > 0 {
		e.Key("max_tokens")
		e.Int(s.MaxTokens)
	}
	p, k := s.TopP, s.TopK
	if e.extra.p != nil {
		p = e.extra.p
	}
	if e.extra.k != nil {
		k = e.extra.k
	}
	e.number("temperature", "temperature", s.Temperature, 0, 2)
	e.number("p", "top_p", p, 0.01, 0.99)
	e.number("k", "top_k", k, 0, 500)
	if seed, ok := s.Seed.Int(); ok && seed >= 0 {
		e.Key("seed")
		e.Int(seed)
	} else if !s.Seed.Empty() {
		e.drop("seed")
	}
	e.penalty("frequency_penalty", s.FrequencyPenalty)
	e.penalty("presence_penalty", s.PresencePenalty)
	if s.N > 1 {
		e.refuse("n")
	}
	e.stops()
	if e.r.Logprobs {
		e.Key("logprobs")
		e.Raw("true")
	}
	if e.r.TopLogprobs > 0 {
		e.drop("top_logprobs")
	}
}

// number writes a number, brought into the range that the API takes.
func (e *encoder) number(name, from string, v jsonbytes.Value, low, high float64) {
	if v.Empty() {
		return
	}
	n, ok := v.Float()
	switch {
	case !ok:
		e.drop(from)
	case n < low:
		e.Key(name)
		e.Out = strconv.AppendFloat(e.Out, low, 'g', -1, 64)
	case n > high:
		e.Key(name)
		e.Out = strconv.AppendFloat(e.Out, high, 'g', -1, 64)
	default:
		e.Key(name)
		e.Value(v)
	}
}

// penalty writes a penalty. Cohere has no rewards, which negative ones are.
func (e *encoder) penalty(name string, v jsonbytes.Value) {
	if n, ok := v.Float(); ok && n < 0 {
		e.drop(name)
		return
	}
	e.number(name, name, v, 0, 1)
}

func (e *encoder) stops() {
	var stops []transform.Literal
	for _, stop := range e.r.Sampling.Stop {
		if stop.HasText() {
			stops = append(stops, stop)
		}
	}
	if len(stops) > maxStops {
		e.drop("stop")
		stops = stops[:maxStops]
	}
	if len(stops) == 0 {
		return
	}
	e.Key("stop_sequences")
	e.Raw("[")
	for _, stop := range stops {
		e.Comma()
		e.Value(stop)
	}
	e.Raw("]")
}
