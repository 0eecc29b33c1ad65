package responses

import (
	"slices"
	"strconv"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// tools writes the tools and how free the model is to call them.
func (e *requestEncoder) tools() {
	choice := &e.r.ToolChoice
	// Only OpenAI can narrow a choice; for others the list itself is narrowed.
	narrow := choice.Allowed != nil && !e.family.OpenAI()
	written := 0
	next := func() {
		if written++; written == 1 {
			e.Raw(`,"tools":[`)
		} else {
			e.Raw(`,`)
		}
	}
	for i := range e.r.Tools {
		tool := &e.r.Tools[i]
		if narrow && !slices.Contains(choice.Allowed, tool.Name) {
			continue
		}
		e.lost.DropMark(tool.Cache)
		next()
		e.Out = appendTool(e.Out, tool)
	}
	own := written
	if searches(e.r, choice) {
		own++
	}
	if options := e.r.Leftover("web_search_options"); options.Kind() == jsonbytes.Object {
		next()
		e.webSearch(options)
	}
	if written > 0 {
		e.Raw(`]`)
	}
	if own == 0 && (choice.Mode == transform.ToolsRequired || choice.Mode == transform.ToolsNamed) {
		e.refuse("tool_choice")
		return
	}
	if written == 0 {
		return
	}
	if choice.Mode != transform.ToolsUnset {
		e.Key("tool_choice")
		if narrow {
			choice = &transform.ToolChoice{Mode: choice.Mode, Name: choice.Name}
		}
		e.Out = appendToolChoice(e.Out, choice, e.r)
	}
	if e.r.ParallelTools != nil {
		e.Key("parallel_tool_calls")
		e.Bool(*e.r.ParallelTools)
	}
}

// appendTool writes a tool. Its strictness is always said, for the default is
// another than in any other format.
func appendTool(dst []byte, tool *transform.Tool) []byte {
	if tool.Custom {
		dst = append(dst, `{"type":"custom","name":`...)
	} else {
		dst = append(dst, `{"type":"function","name":`...)
	}
	dst = jsonbytes.AppendString(dst, tool.Name)
	if tool.Description != nil {
		dst = append(dst, `,"description":`...)
		dst = append(dst, tool.Description...)
	}
	if tool.Custom {
		dst = appendGrammar(dst, tool.Grammar)
		return append(dst, '}')
	}
	dst = append(dst, `,"parameters":`...)
	if tool.Schema == nil {
		dst = append(dst, `{"type":"object","properties":{}}`...)
	} else {
		dst = append(dst, tool.Schema...)
	}
	dst = append(dst, `,"strict":`...)
	dst = strconv.AppendBool(dst, tool.Strict != nil && *tool.Strict)
	return append(dst, '}')
}

// appendGrammar writes a custom tool's format, which Chat Completions nests.
func appendGrammar(dst []byte, grammar jsonbytes.Value) []byte {
	if grammar.Kind() != jsonbytes.Object {
		return dst
	}
	inner := grammar.Get("grammar")
	if inner.Kind() != jsonbytes.Object {
		dst = append(dst, `,"format":`...)
		return append(dst, grammar...)
	}
	dst = append(dst, `,"format":{"type":"grammar"`...)
	for _, name := range [...]string{"syntax", "definition"} {
		if v := inner.Get(name); v.Kind() == jsonbytes.String {
			dst = append(dst, `,"`...)
			dst = append(dst, name...)
			dst = append(dst, `":`...)
			dst = append(dst, v...)
		}
	}
	return append(dst, '}')
}

// appendToolChoice writes a choice that was made.
func appendToolChoice(dst []byte, choice *transform.ToolChoice, r *transform.Request) []byte {
	mode := "auto"
	switch choice.Mode {
	case transform.ToolsNone:
		mode = "none"
	case transform.ToolsRequired:
		mode = "required"
	case transform.ToolsNamed:
		if searches(r, choice) {
			return append(dst, `{"type":"web_search"}`...)
		}
		return appendToolRef(dst, choice.Name, r)
	}
	if choice.Allowed == nil || choice.Mode == transform.ToolsNone {
		return jsonbytes.AppendString(dst, mode)
	}
	dst = append(dst, `{"type":"allowed_tools","mode":"`...)
	dst = append(dst, mode...)
	dst = append(dst, `","tools":[`...)
	for i, name := range choice.Allowed {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendToolRef(dst, name, r)
	}
	return append(dst, `]}`...)
}

// appendToolRef names a tool.
func appendToolRef(dst []byte, name string, r *transform.Request) []byte {
	kind := `{"type":"function","name":`
	for i := range r.Tools {
		if r.Tools[i].Name == name && r.Tools[i].Custom {
			kind = `{"type":"custom","name":`
		}
	}
	dst = append(dst, kind...)
	dst = jsonbytes.AppendString(dst, name)
	return append(dst, '}')
}

// webSearch writes Chat Completions' web_search_options as the tool that it is
// here.
func (e *requestEncoder) webSearch(options jsonbytes.Value) {
	at := e.r.At("web_search_options")
	e.Raw(`{"type":"web_search"`)
	for key, value := range options.Members() {
		switch name := jsonbytes.Name(key); name {
		case "search_context_size":
			e.Key("search_context_size")
			e.Value(value)
		case "user_location":
			e.location(value)
		default:
			e.lost.Drop(at.Key(name))
		}
	}
	e.Raw(`}`)
}

func (e *requestEncoder) location(v jsonbytes.Value) {
	if inner := v.Get("approximate"); inner.Kind() == jsonbytes.Object {
		v = inner
	}
	if v.Kind() != jsonbytes.Object {
		return
	}
	e.Raw(`,"user_location":{"type":"approximate"`)
	for _, name := range [...]string{"city", "country", "region", "timezone"} {
		if value := v.Get(name); value.Kind() == jsonbytes.String {
			e.Raw(`,"` + name + `":`)
			e.Value(value)
		}
	}
	e.Raw(`}`)
}
