package anthropic

import (
	"strings"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

func (d *requestDecoder) readTools(v jsonbytes.Value, at transform.Path) error {
	if v.Kind() != jsonbytes.Array {
		return wrongType(at, "an array of tools")
	}
	for i, e := range v.Elements() {
		if err := d.tool(e, at.Index(i)); err != nil {
			return err
		}
	}
	return nil
}

// tool reads a tool of the client's own, one that Anthropic defined and the
// client runs, or the search that providers run. What else a provider runs
// cannot be carried.
func (d *requestDecoder) tool(v jsonbytes.Value, at transform.Path) error {
	if err := object(v, at); err != nil {
		return err
	}
	kind := ""
	if typ := v.Get("type"); !typ.Empty() {
		var err error
		if kind, err = stringOf(typ, at.Key("type")); err != nil {
			return err
		}
	}
	switch {
	case kind == "" || kind == "custom":
		return d.clientTool(transform.Tool{At: at}, v)
	case strings.HasPrefix(kind, "web_search_"):
		return d.webSearch(v, at)
	}
	if known, ok := knownTool(kind); ok {
		known.Type, known.At = kind, at
		return d.clientTool(known, v)
	}
	if strings.HasPrefix(kind, "computer_") {
		d.lost.Refuse(at) // the client runs it, and counts on it
	} else {
		d.hosted = append(d.hosted, at)
	}
	return nil
}

// clientTool reads {name, description, input_schema, strict}. Where Anthropic
// defined the tool, t has the last three already.
func (d *requestDecoder) clientTool(t transform.Tool, v jsonbytes.Value) error {
	custom := t.Type == ""
	err := d.eachMember(v, &t.At, func(name string, v jsonbytes.Value, at transform.Path) (ok bool, err error) {
		switch {
		case name == "type":
		case name == "name":
			t.Name, err = stringOf(v, at)
		case name == "description" && custom:
			t.Description, err = literalOf(v, at)
		case name == "input_schema" && custom:
			t.SchemaAt = at
			if t.Schema = v; v.Kind() != jsonbytes.Object {
				err = wrongType(at, "a JSON Schema, which is an object")
			}
		case name == "strict" && custom:
			var strict bool
			strict, err = boolOf(v, at)
			t.Strict, t.StrictAt = &strict, at
		case name == "eager_input_streaming" && custom:
			t.Eager, err = boolOf(v, at)
		case name == "cache_control":
			err = d.readMark(&t.Cache, v, at)
		default:
			return saysNothing(name, v), nil
		}
		return true, err
	})
	switch {
	case err != nil:
		return err
	case t.Name == "":
		return missing(t.At.Key("name"))
	case t.Schema == nil && custom:
		return missing(t.At.Key("input_schema"))
	}
	d.r.Tools = append(d.r.Tools, t)
	return nil
}

// saysNothing tells whether a tool's member means the same as its absence.
func saysNothing(name string, v jsonbytes.Value) bool {
	switch name {
	case "defer_loading", "strict":
		return string(v) == "false"
	case "allowed_callers":
		for _, caller := range v.Elements() {
			return caller.Is("direct") && v.Len() == 1
		}
	}
	return false
}

// webSearch keeps the search that Anthropic runs as Chat Completions'
// web_search_options, which the encoders of providers with a search know.
func (d *requestDecoder) webSearch(v jsonbytes.Value, at transform.Path) error {
	if d.search != nil {
		d.lost.Refuse(at)
		return nil
	}
	options := []byte{'{'}
	d.searchAt = at
	err := d.eachMember(v, &at, func(name string, v jsonbytes.Value, at transform.Path) (ok bool, err error) {
		switch name {
		case "type", "name":
		case "user_location":
			options, err = d.location(options, v, at)
		case "cache_control":
			return d.markTool(v, at)
		default:
			return saysNothing(name, v), nil
		}
		return true, err
	})
	d.search = append(options, '}')
	return err
}

// location appends {type: "approximate", city, …} as Chat Completions nests it.
func (d *requestDecoder) location(dst []byte, v jsonbytes.Value, at transform.Path) ([]byte, error) {
	dst = append(dst, `"user_location":{"type":"approximate","approximate":{`...)
	err := d.eachMember(v, &at, func(name string, v jsonbytes.Value, at transform.Path) (bool, error) {
		switch name {
		case "type":
			return v.Is("approximate"), nil
		case "city", "country", "region", "timezone":
			text, err := literalOf(v, at)
			dst = jsonbytes.AppendKey(dst, name)
			dst = append(dst, text...)
			return true, err
		}
		return false, nil
	})
	return append(dst, `}}`...), err
}

// markTool moves the mark of a tool that is none of the model's to the tool
// before it: the prefix is the same but for its end.
func (d *requestDecoder) markTool(v jsonbytes.Value, at transform.Path) (bool, error) {
	last := len(d.r.Tools) - 1
	if last < 0 || d.r.Tools[last].Cache != nil {
		return false, nil
	}
	return true, d.readMark(&d.r.Tools[last].Cache, v, at)
}

// toolChoice reads {type, name, disable_parallel_tool_use}.
func (d *requestDecoder) toolChoice(v jsonbytes.Value, at transform.Path) error {
	c := &d.r.ToolChoice
	err := d.eachMember(v, &at, func(name string, v jsonbytes.Value, at transform.Path) (ok bool, err error) {
		switch name {
		case "type":
			c.Mode, err = toolMode(v, at)
		case "name":
			c.Name, err = stringOf(v, at)
		case "disable_parallel_tool_use":
			var one bool
			one, err = boolOf(v, at)
			parallel := !one
			d.r.Say("parallel_tool_calls", at)
			d.r.ParallelTools = &parallel
		default:
			return false, nil
		}
		return true, err
	})
	switch {
	case err != nil:
		return err
	case c.Mode == transform.ToolsUnset:
		return missing(at.Key("type"))
	case c.Mode == transform.ToolsNamed && c.Name == "":
		return missing(at.Key("name"))
	case c.Mode != transform.ToolsNamed && c.Name != "":
		c.Name = ""
		d.lost.Drop(at.Key("name"))
	}
	return nil
}

func toolMode(v jsonbytes.Value, at transform.Path) (transform.ToolMode, error) {
	switch {
	case v.Is("auto"):
		return transform.ToolsAuto, nil
	case v.Is("any"):
		return transform.ToolsRequired, nil
	case v.Is("tool"):
		return transform.ToolsNamed, nil
	case v.Is("none"):
		return transform.ToolsNone, nil
	}
	return transform.ToolsUnset, wrongType(at, "auto, any, tool or none")
}
