package openai

import "github.com/caddyllm/llmproxy/transform"

// tools writes the tools and how free the model is to call them.
func (e *requestEncoder) tools() {
	choice := &e.r.ToolChoice
	// Only OpenAI can narrow a choice; for others the list itself is narrowed.
	var allowed map[string]bool
	if choice.Allowed != nil && !e.family.openAI {
		allowed = setOf(choice.Allowed)
	}
	forced := choice.Mode == transform.ToolsRequired || choice.Mode == transform.ToolsNamed
	taken := e.takes("tools")
	switch {
	case choice.Mode == transform.ToolsNone && !(taken && e.choosable(choice.Mode)):
		return // a model without tools calls none
	case len(e.r.Tools) > 0 && !taken:
		e.refuse("tools")
		return
	}
	written := 0
	for i := range e.r.Tools {
		tool := &e.r.Tools[i]
		if allowed != nil && !allowed[tool.Name] {
			continue
		}
		if tool.Custom && !e.family.openAI {
			tool = e.emulated(tool)
		}
		if written++; written == 1 {
			e.Raw(`,"tools":[`)
		} else {
			e.Raw(`,`)
		}
		e.tool(tool)
	}
	if written == 0 {
		if forced {
			e.refuse("tool_choice")
		}
		return
	}
	e.Raw(`]`)
	switch {
	case e.choosable(choice.Mode):
		e.toolChoice()
	case forced:
		e.refuse("tool_choice")
	}
	if e.r.ParallelTools != nil && e.begin("parallel_tool_calls") {
		e.Bool(*e.r.ParallelTools)
	}
}

// choosable tells whether the provider has a word for a mode.
func (e *requestEncoder) choosable(mode transform.ToolMode) bool {
	switch {
	case !e.takes("tool_choice"):
		return false
	case mode == transform.ToolsRequired:
		return e.p.Choice == ChoiceAny
	case mode == transform.ToolsNamed, mode == transform.ToolsNone:
		return e.p.Choice != ChoiceAuto
	}
	return true
}

func (e *requestEncoder) tool(tool *transform.Tool) {
	kind := "function"
	if tool.Custom {
		kind = "custom"
	}
	e.Raw(`{"type":"` + kind + `","` + kind + `":{"name":`)
	e.String(tool.Name)
	e.Member("description", tool.Description)
	switch {
	case tool.Custom && tool.Grammar != nil:
		e.Key("format")
		e.Value(tool.Grammar)
	case tool.Custom:
	case tool.Schema != nil:
		e.Key("parameters")
		e.Value(tool.Schema)
	default: // some providers insist on it
		e.Raw(`,"parameters":{"type":"object","properties":{}}`)
	}
	switch {
	case tool.Strict == nil || tool.Custom:
	case !e.p.NoStrict:
		e.Key("strict")
		e.Bool(*tool.Strict)
	case *tool.Strict:
		e.lost.Drop(tool.StrictAt)
	}
	e.Raw(`}`)
	if tool.Cache != nil {
		if e.to.Vendor == transform.VendorAnthropic {
			e.cacheControl(tool.Cache)
		} else {
			e.lost.Drop(tool.Cache.At)
		}
	}
	e.Raw(`}`)
}

func (e *requestEncoder) toolChoice() {
	choice := &e.r.ToolChoice
	mode := ""
	switch choice.Mode {
	case transform.ToolsUnset:
		return
	case transform.ToolsAuto:
		mode = "auto"
	case transform.ToolsNone:
		mode = "none"
	case transform.ToolsRequired:
		mode = "required"
	case transform.ToolsNamed:
		e.Key("tool_choice")
		e.toolRef(choice.Name, e.customTools())
		return
	}
	if choice.Allowed == nil || !e.family.openAI || choice.Mode == transform.ToolsNone {
		e.Raw(`,"tool_choice":"` + mode + `"`)
		return
	}
	e.Raw(`,"tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"` + mode + `","tools":[`)
	custom := e.customTools()
	for _, name := range choice.Allowed {
		e.Comma()
		e.toolRef(name, custom)
	}
	e.Raw(`]}}`)
}

// customTools are the names of the tools that are sent as custom ones.
func (e *requestEncoder) customTools() map[string]bool {
	custom := make(map[string]bool)
	for i := range e.r.Tools {
		if e.r.Tools[i].Custom && e.family.openAI {
			custom[e.r.Tools[i].Name] = true
		}
	}
	return custom
}

func setOf(names []string) map[string]bool {
	set := make(map[string]bool, len(names))
	for _, name := range names {
		set[name] = true
	}
	return set
}

// toolRef names a tool.
func (e *requestEncoder) toolRef(name string, custom map[string]bool) {
	kind := "function"
	if custom[name] {
		kind = "custom"
	}
	e.Raw(`{"type":"` + kind + `","` + kind + `":{"name":`)
	e.String(name)
	e.Raw(`}}`)
}

// cacheControl writes a cache mark in Anthropic's form, which providers that
// serve Anthropic's models in this format take.
func (e *requestEncoder) cacheControl(mark *transform.CacheMark) {
	e.Raw(`,"cache_control":{"type":"ephemeral"`)
	if mark.TTL != "" {
		e.Text("ttl", mark.TTL)
	}
	e.Raw(`}`)
}
