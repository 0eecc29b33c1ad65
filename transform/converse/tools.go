package converse

import (
	"slices"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/transform/blocks"
)

// maxName is how long ids of calls and names of tools may be.
const maxName = 64

// dropLongNames takes out tools whose names are longer than Bedrock allows;
// other formats allow more.
func (e *encoder) dropLongNames(stub *transform.Request) {
	tooLong := func(t transform.Tool) bool { return len(t.Name) > maxName }
	if !slices.ContainsFunc(stub.Tools, tooLong) {
		return
	}
	var kept []transform.Tool
	for _, t := range stub.Tools {
		if tooLong(t) {
			e.lost.Refuse(t.At)
		} else {
			kept = append(kept, t)
		}
	}
	stub.Tools = kept
}

// planForce takes back a choice of tools that the model does not know.
func (e *encoder) planForce(stub *transform.Request) {
	c := &stub.ToolChoice
	named := c.Mode == transform.ToolsNamed
	if e.family.forced == forceNamed || !named && c.Mode != transform.ToolsRequired {
		return
	}
	if named {
		// Of tools that may not be called none is declared.
		c.Allowed, c.Name = []string{c.Name}, ""
	}
	c.Mode = transform.ToolsRequired
	if e.family.forced == forceNone {
		e.lost.Refuse(e.r.At("tool_choice"))
		c.Mode = transform.ToolsAuto
	}
}

// readTools takes over tools of the Messages format.
func (e *encoder) readTools(list jsonbytes.Value) {
	for _, v := range list.Elements() {
		t := tool{description: v.Get("description"), schema: v.Get("input_schema")}
		t.name, _ = v.Get("name").Text()
		if t.schema == nil {
			continue // one of Anthropic's own, of which Cloud admits none
		}
		if !v.Get("cache_control").Empty() {
			t.cache = &transform.CacheMark{}
			t.cache.TTL, _ = v.Get("cache_control").Get("ttl").Text()
		}
		for i := range e.r.Tools {
			if e.r.Tools[i].Name == t.name && t.cache != nil && e.r.Tools[i].Cache != nil {
				t.cache.At = e.r.Tools[i].Cache.At
				break
			}
		}
		if t.name == blocks.AnswerTool {
			e.parameters.constrained = true
		}
		e.parameters.tools = append(e.parameters.tools, t)
	}
}

// readChoice takes over tool_choice. What toolChoice cannot say Claude takes
// from its own member; then there must be no toolChoice.
func (e *encoder) readChoice(choice jsonbytes.Value) {
	p := &e.parameters
	kind, _ := choice.Get("type").Text()
	serial, _ := choice.Get("disable_parallel_tool_use").Bool()
	p.forced = kind == "any" || kind == "tool"
	if e.family.claude && (serial || kind == "none") {
		e.add("tool_choice", choice)
		return
	}
	if serial && e.r.ParallelTools != nil && !*e.r.ParallelTools {
		e.lost.Drop(e.r.At("parallel_tool_calls"))
	}
	switch kind {
	case "any":
		p.choice = kind
	case "tool":
		p.choice = kind
		p.chosen, _ = choice.Get("name").Text()
		if e.family.forced == forceAny {
			p.choice = "any" // the answer's own, which is the only one then
		}
	case "none":
		e.forbidTools()
	case "auto":
		if e.r.ToolChoice.Mode == transform.ToolsAuto && e.family.forced != forceNone {
			p.choice = kind
		}
	}
}

var noTools = transform.Quote("Answer without calling any tool.")

// forbidTools is for models that cannot be told so but in words: without
// toolConfig there is nothing to call, but Bedrock wants it where the
// conversation has calls.
func (e *encoder) forbidTools() {
	if !e.Tools {
		e.parameters.tools = nil
		return
	}
	e.lost.Drop(e.r.At("tool_choice"))
	e.Instruct(noTools)
}

// keepTools declares a tool where the conversation has calls and the client
// none: Bedrock refuses calls without toolConfig.
func (e *encoder) keepTools() {
	if len(e.parameters.tools) > 0 || !e.Tools {
		return
	}
	e.parameters.tools = []tool{{
		name:        "no_tool",
		description: transform.Quote("Not available. Never call it."),
		schema:      jsonbytes.Value(`{"type":"object","properties":{}}`),
	}}
}

func (e *encoder) writeTools() {
	p := &e.parameters
	if len(p.tools) == 0 {
		return
	}
	e.Key("toolConfig")
	e.Raw(`{"tools":[`)
	for i := range p.tools {
		t := &p.tools[i]
		e.Comma()
		e.Raw(`{"toolSpec":{`)
		e.Text("name", t.name)
		if !t.description.Blank() {
			e.Member("description", t.description)
		}
		e.Key("inputSchema")
		e.Raw(`{"json":`)
		e.Value(t.schema)
		e.Raw(`}}}`)
		e.writeCachePoint(t.cache)
	}
	e.Raw("]")
	if p.choice != "" {
		e.Key("toolChoice")
		e.Raw("{")
		e.Key(p.choice)
		e.Raw("{")
		if p.choice == "tool" {
			e.Text("name", p.chosen)
		}
		e.Raw(`}}`)
	}
	e.Raw("}")
}
