package gemini

import (
	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// extra is what members that only some formats know ask for.
type extra struct {
	safety, cached, labels jsonbytes.Value
	store                  jsonbytes.Value
	thinking               jsonbytes.Value // a thinkingConfig
	modalities             []string
	search                 bool
}

// extras decides on the members that the client's format does not know: those
// that Gemini has are taken, everything else is reported.
func (e *encoder) extras() {
	for _, m := range e.r.Rest {
		if !m.Value.Empty() && !e.takeExtra(m) {
			e.r.Leave(&m, e.lost)
		}
	}
}

// takeExtra places a member, false if it has no place. Members that mean
// nothing different from their absence count as placed.
func (e *encoder) takeExtra(m transform.Member) bool {
	switch m.Name {
	case "extra_body":
		return e.extraBody(m.Value)
	case "google":
		at := e.r.At(m.Name)
		return e.google(m.Value, &at)
	case "store":
		if !e.vertex && m.Value.Kind() == jsonbytes.Bool {
			e.extra.store = m.Value
			return true
		}
		return string(m.Value) == "false"
	case "background":
		return string(m.Value) == "false"
	case "thinking":
		return m.Value.Get("type").Kind() == jsonbytes.String // see wished
	case "modalities":
		return e.takeModalities(m.Value)
	case "web_search_options":
		return e.takeSearch(m.Value)
	}
	return e.takeOwn(m.Name, m.Value)
}

// takeOwn takes what is Gemini's own, in either of the spellings that its
// endpoints accept.
func (e *encoder) takeOwn(name string, v jsonbytes.Value) bool {
	switch name {
	case "safety_settings", "safetySettings":
		return take(&e.extra.safety, v, jsonbytes.Array)
	case "cached_content", "cachedContent":
		return take(&e.extra.cached, v, jsonbytes.String)
	case "labels":
		return take(&e.extra.labels, v, jsonbytes.Object)
	}
	return false
}

func take(place *jsonbytes.Value, v jsonbytes.Value, kind jsonbytes.Kind) bool {
	if v.Kind() != kind || *place != nil {
		return false
	}
	*place = v
	return true
}

// extraBody reads {"google": {…}}, in which clients of Google's own
// OpenAI-compatible endpoint send what Chat Completions lacks.
func (e *encoder) extraBody(v jsonbytes.Value) bool {
	if v.Kind() != jsonbytes.Object || v.Unique("") != nil {
		return false
	}
	at := e.r.At("extra_body")
	for key, value := range v.Members() {
		here := at.Key(string(key))
		if value.Empty() || string(key) == "google" && e.google(value, &here) {
			continue
		}
		e.lost.Drop(here)
	}
	return true
}

func (e *encoder) google(v jsonbytes.Value, at *transform.Path) bool {
	if v.Kind() != jsonbytes.Object || v.Unique("") != nil {
		return false
	}
	for key, value := range v.Members() {
		name := string(key)
		switch {
		case value.Empty() || e.takeOwn(name, value):
		case (name == "thinking_config" || name == "thinkingConfig") && take(&e.extra.thinking, value, jsonbytes.Object):
		default:
			e.lost.Drop(at.Key(name))
		}
	}
	return true
}

// takeModalities takes text and images. Spoken answers are another format of
// sound than any client expects.
func (e *encoder) takeModalities(v jsonbytes.Value) bool {
	var names []string
	for _, modality := range v.Elements() {
		switch {
		case modality.Is("text"):
			names = append(names, "TEXT")
		case modality.Is("image"):
			names = append(names, "IMAGE")
		default:
			return false
		}
	}
	if len(names) > 1 || len(names) == 1 && names[0] != "TEXT" {
		e.extra.modalities = names
	}
	return len(names) > 0
}

// takeSearch turns web_search_options into Google's search. Before Gemini 3 a
// model has either search or functions.
func (e *encoder) takeSearch(v jsonbytes.Value) bool {
	if v.Kind() != jsonbytes.Object || len(e.r.Tools) > 0 && e.model.Generation < 3 {
		return false
	}
	e.extra.search = true
	at := e.r.At("web_search_options")
	for key := range v.Members() {
		e.lost.Drop(at.Key(string(key)))
	}
	return true
}

// settings writes what stands beside the conversation.
func (e *encoder) settings() {
	for _, m := range [...]struct {
		name  string
		value jsonbytes.Value
	}{
		{"safetySettings", e.extra.safety}, {"cachedContent", e.extra.cached},
		{"labels", e.extra.labels}, {"store", e.extra.store},
	} {
		if m.value != nil {
			e.key(m.name)
			e.value(m.value)
		}
	}
	e.tier()
	if e.r.User != "" {
		e.drop("user")
	}
}

// tier writes the service tier. Vertex takes it from a header.
func (e *encoder) tier() {
	tier := e.r.ServiceTier
	switch {
	case tier == "" || tier == "auto":
		return
	case e.vertex && tier == "default":
		return
	case e.vertex:
	case tier == "default":
		e.key("serviceTier")
		e.raw(`"standard"`)
		return
	case tier == "flex", tier == "priority":
		e.key("serviceTier")
		e.string(tier)
		return
	}
	e.drop("service_tier")
}
