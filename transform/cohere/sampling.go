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
		e.key("max_tokens")
		e.int(s.MaxTokens)
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
		e.key("seed")
		e.int(seed)
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
		e.key("logprobs")
		e.raw("true")
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
		e.key(name)
		e.dst = strconv.AppendFloat(e.dst, low, 'g', -1, 64)
	case n > high:
		e.key(name)
		e.dst = strconv.AppendFloat(e.dst, high, 'g', -1, 64)
	default:
		e.key(name)
		e.value(v)
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
		if !empty(stop) {
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
	e.key("stop_sequences")
	e.raw("[")
	for _, stop := range stops {
		e.comma()
		e.value(stop)
	}
	e.raw("]")
}
