package ollama

import (
	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// extra is what members that only this format knows ask for.
type extra struct {
	keepAlive, truncate, shift jsonbytes.Value
	think                      jsonbytes.Value
	options                    []transform.Member
}

// isOption tells whether a name is one of the server's options that no other
// member of a request stands for.
// https://github.com/ollama/ollama/blob/main/docs/modelfile.md
func isOption(name string) bool {
	switch name {
	case "num_ctx", "num_keep", "num_batch", "num_gpu", "main_gpu", "num_thread", "numa", "use_mmap", "use_mlock",
		"low_vram", "f16_kv", "min_p", "typical_p", "tfs_z", "repeat_last_n", "repeat_penalty",
		"mirostat", "mirostat_tau", "mirostat_eta", "penalize_newline", "draft_num_predict":
		return true
	}
	return false
}

// planRest decides on the members that the client's format does not know:
// those that Ollama has are taken, everything else is reported.
func (e *encoder) planRest() {
	for _, m := range e.r.Rest {
		if !m.Value.Empty() && !e.takeRest(m) {
			e.r.Leave(&m, e.lost)
		}
	}
}

// takeRest places a member, false if it has no place. Members that mean
// nothing different from their absence count as placed.
func (e *encoder) takeRest(m transform.Member) bool {
	kind := m.Value.Kind()
	switch m.Name {
	case "keep_alive":
		return take(&e.extra.keepAlive, m.Value, kind == jsonbytes.String || kind == jsonbytes.Number)
	case "truncate":
		return take(&e.extra.truncate, m.Value, kind == jsonbytes.Bool)
	case "shift":
		return take(&e.extra.shift, m.Value, kind == jsonbytes.Bool)
	case "think":
		return take(&e.extra.think, m.Value, (kind == jsonbytes.Bool || kind == jsonbytes.String) && e.undecided())
	case "thinking":
		return e.takeThinking(m.Value)
	case "options":
		return e.takeOptions(m.Value)
	case "store", "background":
		return string(m.Value) == "false"
	}
	return e.takeOption(m)
}

func take(place *jsonbytes.Value, v jsonbytes.Value, fits bool) bool {
	if fits {
		*place = v
	}
	return fits
}

// undecided tells whether nothing else says how much the model should think.
func (e *encoder) undecided() bool {
	return e.r.Reasoning.Effort == "" && e.r.Reasoning.Budget <= 0 && e.extra.think == nil
}

// takeThinking takes Anthropic's member for it, which gateways took over for
// other formats.
func (e *encoder) takeThinking(v jsonbytes.Value) bool {
	kind := v.Get("type")
	on := kind.Is("enabled") || kind.Is("adaptive")
	if !on && !kind.Is("disabled") || !e.undecided() {
		return false
	}
	e.extra.think = jsonbytes.Value("false")
	if on {
		e.extra.think = jsonbytes.Value("true")
	}
	at := e.r.At("thinking")
	for key, value := range v.Members() {
		switch budget, _ := value.Int(); {
		case string(key) == "type":
		case string(key) == "budget_tokens" && on && budget > 0:
			e.extra.think = transform.Quote(levelOfBudget(budget))
		default:
			e.lost.Drop(at.Key(string(key)))
		}
	}
	return true
}

// takeOptions takes the server's own member for its options.
func (e *encoder) takeOptions(v jsonbytes.Value) bool {
	if v.Kind() != jsonbytes.Object {
		return false
	}
	at := e.r.At("options")
	for key, value := range v.Members() {
		if !value.Empty() && !e.takeOption(transform.Member{Name: string(key), Value: value}) {
			e.lost.Drop(at.Key(string(key)))
		}
	}
	return true
}

// takeOption takes an option that was not given before.
func (e *encoder) takeOption(m transform.Member) bool {
	kind := m.Value.Kind()
	fits := kind == jsonbytes.Number || kind == jsonbytes.Bool
	if m.Name == "stop" {
		fits = kind == jsonbytes.Array
	}
	if !fits || !isOption(m.Name) && !e.free(m.Name) {
		return false
	}
	for _, given := range e.extra.options {
		if given.Name == m.Name {
			return false
		}
	}
	e.extra.options = append(e.extra.options, m)
	return true
}

// free tells whether an option for which other formats have a member was not
// given by that.
func (e *encoder) free(name string) bool {
	s := &e.r.Sampling
	switch name {
	case "num_predict":
		return s.MaxTokens == 0
	case "temperature":
		return s.Temperature.Empty()
	case "top_p":
		return s.TopP.Empty()
	case "top_k":
		return s.TopK.Empty()
	case "seed":
		return s.Seed.Empty()
	case "presence_penalty":
		return s.PresencePenalty.Empty()
	case "frequency_penalty":
		return s.FrequencyPenalty.Empty()
	case "stop":
		return len(s.Stop) == 0
	}
	return false
}

// options writes how tokens are chosen, and how the model is run.
func (e *encoder) options() {
	before := len(e.Out)
	e.Key("options")
	e.Raw("{")
	inside := len(e.Out)
	s := &e.r.Sampling
	if s.MaxTokens > 0 {
		e.Key("num_predict")
		e.Int(s.MaxTokens)
	}
	e.number("temperature", s.Temperature)
	e.number("top_p", s.TopP)
	e.number("top_k", s.TopK)
	e.number("seed", s.Seed)
	e.number("presence_penalty", s.PresencePenalty)
	e.number("frequency_penalty", s.FrequencyPenalty)
	e.stops()
	for _, m := range e.extra.options {
		e.Key(m.Name)
		e.Value(m.Value)
	}
	if len(e.Out) == inside {
		e.Out = e.Out[:before]
	} else {
		e.Raw("}")
	}
	if s.N > 1 {
		e.refuse("n")
	}
}

func (e *encoder) number(name string, v jsonbytes.Value) {
	switch v.Kind() {
	case jsonbytes.Number:
		e.Key(name)
		e.Value(v)
	case jsonbytes.Absent, jsonbytes.Null:
	default:
		e.drop(name)
	}
}

func (e *encoder) stops() {
	open := false
	for _, stop := range e.r.Sampling.Stop {
		if !stop.HasText() {
			continue
		}
		if !open {
			e.Key("stop")
			e.Raw("[")
		}
		open = true
		e.Comma()
		e.Value(stop)
	}
	if open {
		e.Raw("]")
	}
}

// account writes how long the model stays loaded and what becomes of a prompt
// that is too long, and reports who asked.
func (e *encoder) account() {
	for _, m := range [...]transform.Member{
		{Name: "keep_alive", Value: e.extra.keepAlive}, {Name: "truncate", Value: e.extra.truncate}, {Name: "shift", Value: e.extra.shift},
	} {
		e.Member(m.Name, m.Value)
	}
	if e.r.User != "" {
		e.drop("user")
	}
	if tier := e.r.ServiceTier; tier != "" && tier != "auto" && tier != "default" {
		e.drop("service_tier")
	}
}
