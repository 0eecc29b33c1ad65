package gemini

import (
	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// config writes generationConfig.
func (e *encoder) config() {
	e.nested("generationConfig", "{}", func() {
		e.sampling()
		e.penalties()
		e.candidates()
		e.stops()
		e.logprobs()
		e.output()
		e.nested("responseModalities", "[]", func() {
			for _, name := range e.extra.modalities {
				e.Comma()
				e.Raw(`"` + name + `"`)
			}
		})
		e.thinkingConfig()
	})
}

func (e *encoder) sampling() {
	s := &e.r.Sampling
	if s.MaxTokens > 0 {
		e.Key("maxOutputTokens") // thoughts included, as everywhere
		e.Int(s.MaxTokens)
	}
	e.number("temperature", "temperature", s.Temperature)
	e.number("topP", "top_p", s.TopP)
	e.number("topK", "top_k", s.TopK)
	if !s.Seed.Empty() {
		if seed, ok := s.Seed.Int(); ok {
			e.Key("seed")
			e.Int(foldSeed(seed))
		} else {
			e.drop("seed")
		}
	}
}

func (e *encoder) number(name, from string, v jsonbytes.Value) {
	switch v.Kind() {
	case jsonbytes.Number:
		e.Key(name)
		e.Value(v)
	case jsonbytes.Absent, jsonbytes.Null:
	default:
		e.drop(from)
	}
}

// foldSeed makes a 32-bit seed of a longer one: equal ones stay equal.
func foldSeed(seed int64) int64 {
	if int64(int32(seed)) == seed {
		return seed
	}
	return int64(int32(seed ^ seed>>32))
}

func (e *encoder) penalties() {
	s := &e.r.Sampling
	if e.model.NoPenalties && !e.vertex {
		e.unlessZero("presence_penalty", s.PresencePenalty)
		e.unlessZero("frequency_penalty", s.FrequencyPenalty)
		return
	}
	e.number("presencePenalty", "presence_penalty", s.PresencePenalty)
	e.number("frequencyPenalty", "frequency_penalty", s.FrequencyPenalty)
}

// unlessZero reports a number that makes a difference.
func (e *encoder) unlessZero(name string, v jsonbytes.Value) {
	if n, ok := v.Float(); !v.Empty() && (!ok || n != 0) {
		e.drop(name)
	}
}

// maxAnswers is how many candidates the API gives at most.
const maxAnswers = 8

func (e *encoder) candidates() {
	switch n := e.r.Sampling.N; {
	case n > maxAnswers:
		e.refuse("n")
	case n > 1:
		e.Key("candidateCount")
		e.Int(n)
	}
}

// maxStops is how many stop sequences the API takes.
const maxStops = 5

func (e *encoder) stops() {
	e.nested("stopSequences", "[]", func() {
		n := 0
		for _, stop := range e.r.Sampling.Stop {
			switch {
			case !stop.HasText():
			case n == maxStops:
				e.drop("stop")
				return
			default:
				n++
				e.Comma()
				e.Value(stop)
			}
		}
	})
}

func (e *encoder) logprobs() {
	if !e.r.Logprobs {
		if e.r.TopLogprobs > 0 {
			e.drop("top_logprobs")
		}
		return
	}
	e.Key("responseLogprobs")
	e.Raw("true")
	if n := min(e.r.TopLogprobs, 20); n > 0 {
		e.Key("logprobs")
		e.Int(int64(n))
	}
}

// output writes the form that the text must have. Before Gemini 3 a model that
// may call functions cannot be held to one.
func (e *encoder) output() {
	out := &e.r.Output
	if out.Kind != transform.OutputJSON && out.Kind != transform.OutputSchema {
		return
	}
	if len(e.r.Tools) > 0 && e.model.Generation < 3 && e.r.ToolChoice.Mode != transform.ToolsNone {
		e.refuse("response_format")
		return
	}
	e.Key("responseMimeType")
	e.Raw(`"application/json"`)
	if out.Kind == transform.OutputJSON || out.Schema.Kind() != jsonbytes.Object {
		return
	}
	e.Key("responseJsonSchema")
	e.schema(out.Schema, out.SchemaAt)
	if out.Description.HasText() {
		e.lost.Drop(out.DescriptionAt)
	}
}
