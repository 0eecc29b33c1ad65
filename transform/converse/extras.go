package converse

import (
	"regexp"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// extras is what members that only some formats know ask for.
type extras struct {
	tier                   string
	guardrail, performance jsonbytes.Value
	metadata               []byte
	paths                  jsonbytes.Value
	additional             jsonbytes.Value
}

// planExtras decides on the members that the client's format does not know: what
// Converse knows is taken, what a Claude may know is left to the Messages codec,
// everything else is reported.
func (e *encoder) planExtras(stub *transform.Request) {
	if e.r.User != "" {
		e.lost.Drop(e.r.At("user"))
	}
	e.extras.tier = e.tier(e.r.ServiceTier)
	for _, m := range e.r.Rest {
		at := e.r.At(m.Name)
		switch {
		case m.Value.Empty() || e.takeExtra(m, &at):
		case m.Name == "metadata", m.Name == "safety_identifier", m.Name == "cache_control":
			e.lost.Drop(at)
		case e.family.claude:
			stub.Rest = append(stub.Rest, m)
		default:
			e.r.Leave(&m, e.lost)
		}
	}
}

// takeExtra places a member, false if it has no place. Members that mean
// nothing different from their absence count as placed.
func (e *encoder) takeExtra(m transform.Member, at *transform.Path) bool {
	x := &e.extras
	switch m.Name {
	case "guardrailConfig":
		return m.Fill(&x.guardrail, jsonbytes.Object)
	case "performanceConfig":
		return m.Fill(&x.performance, jsonbytes.Object)
	case "additionalModelRequestFields":
		return m.Value.Unique("") == nil && m.Fill(&x.additional, jsonbytes.Object)
	case "additionalModelResponseFieldPaths":
		return m.Fill(&x.paths, jsonbytes.Array)
	case "metadata", "requestMetadata":
		return e.takeMetadata(m.Value, at)
	case "modalities":
		for _, modality := range m.Value.Elements() {
			return m.Value.Len() == 1 && modality.Is("text")
		}
	case "store", "background":
		return string(m.Value) == "false"
	}
	return false
}

// What requestMetadata may hold.
const maxMetadata = 16

var metadataText = regexp.MustCompile(`^[a-zA-Z0-9\s:_@$#=/+,.-]{0,256}$`)

// takeMetadata takes what labels a call in Bedrock's invocation logs.
func (e *encoder) takeMetadata(v jsonbytes.Value, at *transform.Path) bool {
	if v.Kind() != jsonbytes.Object || e.extras.metadata != nil || v.Unique("") != nil {
		return false
	}
	labels, n := []byte{'{'}, 0
	for name, value := range v.Members() {
		text, ok := value.Text()
		if !ok || n == maxMetadata || len(name) == 0 || !metadataText.Match(name) || !metadataText.MatchString(text) {
			e.lost.Drop(at.Key(string(name)))
			continue
		}
		n++
		labels = jsonbytes.AppendBytes(jsonbytes.AppendComma(labels), name)
		labels = append(append(labels, ':'), value...)
	}
	if n > 0 {
		e.extras.metadata = append(labels, '}')
	}
	return true
}

// tier is Bedrock's word for a service tier, empty to leave it out.
func (e *encoder) tier(openAI string) string {
	switch openAI {
	case "", "auto":
		return ""
	case "default", "priority", "flex", "reserved":
		return openAI
	case "standard_only":
		return "default"
	}
	e.lost.Drop(e.r.At("service_tier"))
	return ""
}
