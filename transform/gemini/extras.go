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
	return e.takeOwn(m)
}

// takeOwn takes what is Gemini's own, in either of the spellings that its
// endpoints accept.
func (e *encoder) takeOwn(m transform.Member) bool {
	switch m.Name {
	case "safety_settings", "safetySettings":
		return m.Fill(&e.extra.safety, jsonbytes.Array)
	case "cached_content", "cachedContent":
		return m.Fill(&e.extra.cached, jsonbytes.String)
	case "labels":
		return m.Fill(&e.extra.labels, jsonbytes.Object)
	}
	return false
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
		m := transform.Member{Name: string(key), Value: value}
		switch {
		case value.Empty() || e.takeOwn(m):
		case (m.Name == "thinking_config" || m.Name == "thinkingConfig") && m.Fill(&e.extra.thinking, jsonbytes.Object):
		default:
			e.lost.Drop(at.Key(m.Name))
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
		e.Member(m.name, m.value)
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
		e.Key("serviceTier")
		e.Raw(`"standard"`)
		return
	case tier == "flex", tier == "priority":
		e.Text("serviceTier", tier)
		return
	}
	e.drop("service_tier")
}
