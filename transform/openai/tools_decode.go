package openai

import (
	"slices"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

func (d *requestDecoder) readTools(v jsonbytes.Value, at transform.Path) error {
	if v.Kind() != jsonbytes.Array {
		return WrongType(at, "an array of tools", v)
	}
	for i, e := range v.Elements() {
		if err := d.tool(e, at.Index(i)); err != nil {
			return err
		}
	}
	return nil
}

// tool reads {type, function|custom}. Tools of other types are some provider's
// own and cannot be carried.
func (d *requestDecoder) tool(v jsonbytes.Value, at transform.Path) error {
	if err := Object(v, at); err != nil {
		return err
	}
	kind, known := v.Get("type"), "function"
	switch {
	case kind.Is("custom"):
		known = "custom"
	case kind.Is("function"), kind.Empty() && !v.Get(known).Empty():
	case kind.Empty():
		return Missing(at.Key("type"))
	case kind.Kind() != jsonbytes.String:
		return WrongType(at.Key("type"), "a string", kind)
	default:
		d.lost.Refuse(at)
		return nil
	}
	inner := v.Get(known)
	if inner.Empty() {
		return Missing(at.Key(known))
	}
	tool := transform.Tool{At: at.Key(known)}
	for key, value := range v.Members() {
		switch name := jsonbytes.Name(key); {
		case name == "type" || name == known || value.IsNull():
		case IsCacheMark(name):
			if err := d.readMark(&tool.Cache, value, at.Key(name)); err != nil {
				return err
			}
		default:
			d.lost.Drop(at.Key(name))
		}
	}
	if err := d.toolDefinition(&tool, inner, known == "custom"); err != nil {
		return err
	}
	d.r.Tools = append(d.r.Tools, tool)
	return nil
}

// toolDefinition reads what a function or a custom tool is.
func (d *requestDecoder) toolDefinition(tool *transform.Tool, v jsonbytes.Value, custom bool) (err error) {
	at := tool.At
	if err = Object(v, at); err != nil {
		return err
	}
	tool.Custom = custom
	for key, value := range v.Members() {
		name := jsonbytes.Name(key)
		here := at.Key(name)
		if value.IsNull() {
			continue
		}
		switch {
		case name == "name":
			tool.Name, err = Text(value, here)
		case name == "description":
			tool.Description, err = Literal(value, here)
		case name == "parameters" && !custom:
			tool.SchemaAt = at.Key(name)
			if tool.Schema = value; value.Kind() != jsonbytes.Object {
				err = WrongType(here, "an object", value)
			}
		case name == "strict" && !custom:
			var strict bool
			strict, err = Boolean(value, here)
			tool.Strict, tool.StrictAt = &strict, here
		case name == "format" && custom:
			if err = Object(value, here); err == nil && !value.Get("type").Is("text") {
				tool.Grammar = value
			}
		case IsCacheMark(name):
			err = d.readMark(&tool.Cache, value, at.Key(name))
		default:
			d.lost.Drop(here)
		}
		if err != nil {
			return err
		}
	}
	if tool.Name == "" {
		return Missing(at.Key("name"))
	}
	return nil
}

// functions reads the tools of the time before tools. Who declares them so
// cannot read more than one call in an answer.
func (d *requestDecoder) functions(v jsonbytes.Value, at transform.Path) error {
	if v.Kind() != jsonbytes.Array {
		return WrongType(at, "an array of functions", v)
	}
	for i, e := range v.Elements() {
		tool := transform.Tool{At: at.Index(i)}
		if err := d.toolDefinition(&tool, e, false); err != nil {
			return err
		}
		d.r.Tools = append(d.r.Tools, tool)
	}
	if d.r.ParallelTools == nil {
		d.r.ParallelTools = new(bool)
	}
	return nil
}

// toolChoice reads tool_choice in all its forms, and function_call.
func (d *requestDecoder) toolChoice(v jsonbytes.Value, at transform.Path) (choice transform.ToolChoice, err error) {
	switch {
	case v.Kind() == jsonbytes.String:
		choice.Mode, err = toolMode(v, at)
		return choice, err
	case v.Kind() != jsonbytes.Object:
		return choice, WrongType(at, "a string or an object", v)
	}
	if err = unique(v, at); err != nil {
		return choice, err
	}
	switch kind := v.Get("type"); {
	case kind.Is("allowed_tools"):
		d.dropOthers(v, at, "type", "allowed_tools")
		return d.allowedTools(v.Get("allowed_tools"), at.Key("allowed_tools"))
	case kind.Is("function"), kind.Is("custom"), kind.Empty() && !v.Get("function").Empty():
		choice.Mode = transform.ToolsNamed
		choice.Name, err = d.toolRef(v, at)
	case kind.Empty(): // the old form, {name}
		choice.Mode = transform.ToolsNamed
		choice.Name, err = d.toolName(v, at)
	case kind.Kind() == jsonbytes.String:
		// Some clients wrap the word: {"type":"auto"}.
		d.dropOthers(v, at, "type")
		choice.Mode, err = toolMode(kind, at.Key("type"))
	default:
		err = WrongType(at.Key("type"), "a string", kind)
	}
	return choice, err
}

// dropOthers reports the members of an object but for those of that name.
func (d *requestDecoder) dropOthers(v jsonbytes.Value, at transform.Path, names ...string) {
	for key, value := range v.Members() {
		if name := jsonbytes.Name(key); !value.IsNull() && !slices.Contains(names, name) {
			d.lost.Drop(at.Key(name))
		}
	}
}

func toolMode(v jsonbytes.Value, at transform.Path) (transform.ToolMode, error) {
	switch {
	case v.Is("auto"):
		return transform.ToolsAuto, nil
	case v.Is("none"):
		return transform.ToolsNone, nil
	case v.Is("required"), v.Is("any"): // any is Mistral's word
		return transform.ToolsRequired, nil
	}
	return transform.ToolsUnset, BadRequest(CodeInvalidValue, at, "must be auto, none, required or name a tool.")
}

// toolRef reads {type, function: {name}} or {type, custom: {name}}.
func (d *requestDecoder) toolRef(v jsonbytes.Value, at transform.Path) (string, error) {
	if err := Object(v, at); err != nil {
		return "", err
	}
	which := "function"
	if v.Get("type").Is("custom") {
		which = "custom"
	}
	d.dropOthers(v, at, "type", which)
	return d.toolName(v.Get(which), at.Key(which))
}

// toolName reads {name}.
func (d *requestDecoder) toolName(v jsonbytes.Value, at transform.Path) (string, error) {
	if v.Empty() {
		return "", Missing(at)
	}
	if err := Object(v, at); err != nil {
		return "", err
	}
	d.dropOthers(v, at, "name")
	name, _ := v.Get("name").Text()
	if name == "" {
		return "", Missing(at.Key("name"))
	}
	return name, nil
}

// allowedTools reads {mode, tools: [{type, function: {name}}]}.
func (d *requestDecoder) allowedTools(v jsonbytes.Value, at transform.Path) (choice transform.ToolChoice, err error) {
	if v.Empty() {
		return choice, Missing(at)
	}
	if err = Object(v, at); err != nil {
		return choice, err
	}
	d.dropOthers(v, at, "mode", "tools")
	choice.Mode = transform.ToolsAuto
	if mode := v.Get("mode"); !mode.Empty() {
		if choice.Mode, err = toolMode(mode, at.Key("mode")); err != nil {
			return choice, err
		}
	}
	list := at.Key("tools")
	if v.Get("tools").Kind() != jsonbytes.Array {
		return choice, WrongType(list, "an array of tools", v.Get("tools"))
	}
	choice.Allowed = []string{}
	for i, e := range v.Get("tools").Elements() {
		name, err := d.toolRef(e, list.Index(i))
		if err != nil {
			return choice, err
		}
		choice.Allowed = append(choice.Allowed, name)
	}
	return choice, nil
}

// IsCacheMark tells whether a member asks for caching: OpenAI's own word, and
// Anthropic's, which gateways for OpenAI clients took over.
func IsCacheMark(name string) bool {
	return name == "cache_control" || name == "prompt_cache_breakpoint"
}

// readMark reads {type, ttl} or {mode, ttl}. A part may have both words, of which
// one has the ttl.
func (d *requestDecoder) readMark(mark **transform.CacheMark, v jsonbytes.Value, at transform.Path) error {
	if err := Object(v, at); err != nil {
		return err
	}
	d.dropOthers(v, at, "type", "mode", "ttl")
	if ttl, _ := v.Get("ttl").Text(); *mark == nil || ttl != "" {
		*mark = &transform.CacheMark{TTL: ttl, At: at}
	}
	return nil
}
