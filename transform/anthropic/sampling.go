package anthropic

import (
	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// sampling is what of the client's wishes is sent.
type sampling struct {
	temperature, topP, topK jsonbytes.Value
	stop                    []transform.Literal
	tier                    string
}

// planSampling decides on sampling, stop sequences and the service tier, and
// reports what the format has no member for.
func (e *encoder) planSampling() {
	in := &e.r.Sampling
	out := &e.sampling
	if in.N > 1 {
		e.lost.Refuse(e.r.At("n"))
	}
	if e.model.Sampling && !e.thinking.on() {
		out.temperature = e.temperature(in.Temperature)
		out.topK = in.TopK
		if out.temperature == nil || e.model.SamplingPair {
			out.topP = in.TopP
		}
	}
	// What a client asks for that is so anyway is not lost.
	e.dropUnless(out.temperature != nil || is(in.Temperature, 1), in.Temperature, "temperature")
	e.dropUnless(out.topP != nil || is(in.TopP, 1), in.TopP, "top_p")
	e.dropUnless(out.topK != nil, in.TopK, "top_k")
	e.dropUnless(false, in.Seed, "seed")
	e.dropUnless(is(in.PresencePenalty, 0), in.PresencePenalty, "presence_penalty")
	e.dropUnless(is(in.FrequencyPenalty, 0), in.FrequencyPenalty, "frequency_penalty")
	if e.r.Logprobs {
		e.lost.Drop(e.r.At("logprobs"))
	}
	if e.r.TopLogprobs > 0 {
		e.lost.Drop(e.r.At("top_logprobs"))
	}
	for _, stop := range in.Stop {
		if stop.Blank() {
			e.lost.Drop(e.r.At("stop"))
			continue
		}
		out.stop = append(out.stop, stop)
	}
	out.tier = e.tier(e.r.ServiceTier)
}

// temperature fits OpenAI's range of 0 to 2 into 0 to 1.
func (e *encoder) temperature(wish jsonbytes.Value) jsonbytes.Value {
	if f, ok := wish.Float(); ok && f > 1 {
		e.lost.Drop(e.r.At("temperature"))
		return jsonbytes.Value("1")
	}
	if wish.Empty() {
		return nil
	}
	return wish
}

// dropUnless reports a member that was given but is not sent.
func (e *encoder) dropUnless(placed bool, value jsonbytes.Value, name string) {
	if !placed && !value.Empty() {
		e.lost.Drop(e.r.At(name))
	}
}

func is(value jsonbytes.Value, number float64) bool {
	f, ok := value.Float()
	return ok && f == number
}

// tier is Anthropic's word for a service tier, empty to leave it out.
func (e *encoder) tier(openAI string) string {
	tier := ""
	switch openAI {
	case "":
		return ""
	case "auto", "priority":
		tier = "auto"
	case "default", "standard_only":
		tier = "standard_only"
	}
	if tier == "" || e.cloud {
		e.lost.Drop(e.r.At("service_tier"))
		return ""
	}
	return tier
}

func (e *encoder) writeSampling() {
	s := &e.sampling
	e.Member("temperature", s.temperature)
	e.Member("top_p", s.topP)
	e.Member("top_k", s.topK)
	if len(s.stop) > 0 {
		e.Key("stop_sequences")
		e.Raw("[")
		for _, stop := range s.stop {
			e.Comma()
			e.Value(stop)
		}
		e.Raw("]")
	}
	if s.tier != "" {
		e.Text("service_tier", s.tier)
	}
}
