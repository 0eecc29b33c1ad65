package openai

import (
	"strconv"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
)

// sampling writes how tokens are chosen.
func (e *requestEncoder) sampling() {
	s := &e.r.Sampling
	e.maxTokens(s.MaxTokens)
	quiet := e.family.reasoning
	some := !e.family.Samples(e.r.Reasoning.Effort)
	e.parameter("temperature", e.temperature(s.Temperature), some || e.family.search, "1")
	e.parameter("top_p", s.TopP, some, "1")
	e.parameter("frequency_penalty", s.FrequencyPenalty, quiet, "0")
	e.parameter("presence_penalty", s.PresencePenalty, quiet, "0")
	e.parameter("seed", s.Seed, false, "")
	e.parameter("top_k", s.TopK, true, "")
	switch {
	case s.N <= 1:
	case e.p.Single || !e.takes("n"):
		e.refuse("n")
	default:
		e.Key("n")
		e.Int(s.N)
	}
	e.stop()
	e.logprobs(some)
}

// maxTokens writes the limit. Its old name is the one that every provider knows
// but OpenAI's own reasoning models.
func (e *requestEncoder) maxTokens(n int64) {
	name := e.p.MaxTokens
	switch {
	case name != "":
	case e.family.openAI:
		name = "max_completion_tokens"
	default:
		name = "max_tokens"
	}
	if n > 0 && e.begin(name) {
		e.Int(n)
	}
}

// temperature brings one into the provider's range.
func (e *requestEncoder) temperature(v jsonbytes.Value) jsonbytes.Value {
	t, ok := v.Float()
	switch most := e.p.TemperatureMax; {
	case !ok:
	case most > 0 && t > most:
		return strconv.AppendFloat(nil, most, 'g', -1, 64)
	case e.p.TemperatureAboveZero && t <= 0:
		return jsonbytes.Value("0.01")
	}
	return v
}

// parameter writes a number, or leaves it out where the model refuses it; what
// the default would do anyway is not lost.
func (e *requestEncoder) parameter(name string, v jsonbytes.Value, refused bool, usual string) {
	switch {
	case v == nil:
	case !refused && e.takes(name):
		e.begin(name)
		e.Value(v)
	case string(v) != usual:
		e.drop(name)
	}
}

func (e *requestEncoder) stop() {
	stops := e.r.Sampling.Stop
	most := e.p.Stops
	if most == 0 {
		most = 4 // OpenAI's limit, which others took over
	}
	if len(stops) == 0 {
		return
	}
	if e.family.reasoning {
		e.drop("stop")
		return
	}
	if !e.begin("stop") {
		return
	}
	if len(stops) > most {
		e.drop("stop")
		stops = stops[:most]
	}
	e.Raw(`[`)
	for _, s := range stops {
		e.Comma()
		e.Value(s)
	}
	e.Raw(`]`)
}

func (e *requestEncoder) logprobs(refused bool) {
	switch {
	case !e.r.Logprobs:
	case refused || !e.takes("logprobs"):
		e.drop("logprobs")
		if e.r.TopLogprobs > 0 {
			e.drop("top_logprobs")
		}
	default:
		e.Raw(`,"logprobs":true`)
		if e.r.TopLogprobs > 0 && e.begin("top_logprobs") {
			e.Int(int64(e.r.TopLogprobs))
		}
	}
}
