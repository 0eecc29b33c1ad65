package responses

import (
	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/transform/openai"
)

func (d *requestDecoder) readTools(v jsonbytes.Value, at transform.Path) error {
	if v.Kind() != jsonbytes.Array {
		return openai.WrongType(at, "an array of tools", v)
	}
	for i, e := range v.Elements() {
		if err := d.tool(e, at.Index(i)); err != nil {
			return err
		}
	}
	return nil
}

func (d *requestDecoder) tool(v jsonbytes.Value, at transform.Path) error {
	if err := openai.Object(v, at); err != nil {
		return err
	}
	kind := v.Get("type")
	word, ok := kind.Text()
	switch {
	case kind.Empty():
		return openai.Missing(at.Key("type"))
	case !ok:
		return openai.WrongType(at.Key("type"), "a string", kind)
	}
	switch word {
	case "function", "custom":
		return d.ownTool(v, at, word == "custom")
	case "web_search", "web_search_2025_08_26", "web_search_preview", "web_search_preview_2025_03_11":
		return d.webSearch(v, at)
	case "namespace":
		if d.names.space == nil {
			return d.namespace(v, at)
		}
	}
	if clientRuns(word) {
		d.lost.Refuse(at) // a part of OpenAI's models
	} else {
		d.hosted = append(d.hosted, at)
	}
	return nil
}

// ownTool reads a tool of the client's: {name, description, parameters, strict}
// or, of a custom one, {name, description, format}.
func (d *requestDecoder) ownTool(v jsonbytes.Value, at transform.Path, custom bool) error {
	tool := transform.Tool{Custom: custom, At: at}
	strictSaid := false
	for key, value := range v.Members() {
		name := jsonbytes.Name(key)
		here := at.Key(name)
		var err error
		if name == "strict" && !custom {
			strictSaid = true // null too: as the provider likes
		}
		switch {
		case value.IsNull(), name == "type":
		case name == "name":
			tool.Name, err = openai.Text(value, here)
		case name == "description":
			tool.Description, err = openai.Literal(value, here)
		case name == "parameters" && !custom:
			tool.SchemaAt = here
			if tool.Schema = value; value.Kind() != jsonbytes.Object {
				err = openai.WrongType(here, "an object", value)
			}
		case name == "strict" && !custom:
			var strict bool
			strict, err = openai.Boolean(value, here)
			tool.Strict, tool.StrictAt = &strict, here
		case name == "format" && custom:
			tool.Grammar, err = d.grammar(value, here)
		case openai.IsCacheMark(name):
			err = d.mark(&tool.Cache, value, here)
		default:
			d.lost.Drop(here)
		}
		if err != nil {
			return err
		}
	}
	if tool.Name == "" {
		return openai.Missing(at.Key("name"))
	}
	// Who says nothing means strict, as far as the schema allows it.
	if !custom && !strictSaid && fitsStrict(tool.Schema) {
		strict := true
		tool.Strict = &strict
	}
	d.declare(&tool)
	return nil
}

// grammar reads {type: grammar, syntax, definition} into the form that Chat
// Completions has, in which the last two are nested.
func (d *requestDecoder) grammar(v jsonbytes.Value, at transform.Path) (jsonbytes.Value, error) {
	isGrammar := v.Get("type").Is("grammar")
	inner := []byte(`{"type":"grammar","grammar":{`)
	begun := len(inner)
	err := d.eachMember(v, at, func(name string, value jsonbytes.Value, here transform.Path) error {
		switch {
		case name == "type":
		case isGrammar && (name == "syntax" || name == "definition"):
			if _, err := openai.Literal(value, here); err != nil {
				return err
			}
			if len(inner) > begun {
				inner = append(inner, ',')
			}
			inner = jsonbytes.AppendString(inner, name)
			inner = append(inner, ':')
			inner = append(inner, value...)
		case !v.Get("type").Is("text") && !isGrammar:
			d.lost.Refuse(here)
		default:
			d.lost.Drop(here)
		}
		return nil
	})
	if err != nil || !isGrammar {
		return nil, err
	}
	return append(inner, `}}`...), nil
}

// fitsStrict tells whether a schema keeps the rules of strict tools: every
// object is closed and needs all its properties.
func fitsStrict(v jsonbytes.Value) bool {
	switch v.Kind() {
	case jsonbytes.Absent:
		return false
	case jsonbytes.Array:
		for _, e := range v.Elements() {
			if !fitsStrict(e) {
				return false
			}
		}
		return true
	case jsonbytes.Object:
	default:
		return true
	}
	properties := v.Get("properties")
	if v.Get("type").Is("object") || properties.Kind() == jsonbytes.Object {
		if string(v.Get("additionalProperties")) != "false" || v.Get("required").Len() != properties.Len() {
			return false
		}
	}
	for key, value := range v.Members() {
		switch string(key) {
		case "properties", "$defs", "definitions":
			for _, inner := range value.Members() {
				if !fitsStrict(inner) {
					return false
				}
			}
		case "items", "anyOf":
			if !fitsStrict(value) {
				return false
			}
		case "oneOf", "allOf", "not", "patternProperties":
			return false
		}
	}
	return true
}

// webSearch turns the search tool into Chat Completions' web_search_options,
// which is where other formats look for it.
func (d *requestDecoder) webSearch(v jsonbytes.Value, at transform.Path) error {
	if d.options++; d.options > 1 {
		d.lost.Drop(at)
		return nil
	}
	options := []byte{'{'}
	err := d.eachMember(v, at, func(name string, value jsonbytes.Value, here transform.Path) error {
		switch name {
		case "type":
		case "search_context_size":
			options = appendMember(options, name, value)
		case "user_location":
			place := []byte(`{"type":"approximate","approximate":{`)
			err := d.eachMember(value, here, func(name string, value jsonbytes.Value, here transform.Path) error {
				switch name {
				case "type":
				case "city", "country", "region", "timezone":
					place = appendMember(place, name, value)
				default:
					d.lost.Drop(here)
				}
				return nil
			})
			options = appendMember(options, name, append(place, `}}`...))
			return err
		case "filters": // where it may not search
			d.lost.Refuse(here)
		default:
			d.lost.Drop(here)
		}
		return nil
	})
	d.r.Say("web_search_options", at)
	d.r.Rest = append(d.r.Rest, transform.Member{Name: "web_search_options", Value: append(options, '}'), Offered: true})
	return err
}

// appendMember writes a member into an object that is open.
func appendMember(dst []byte, name string, value []byte) []byte {
	if dst[len(dst)-1] != '{' {
		dst = append(dst, ',')
	}
	dst = jsonbytes.AppendString(dst, name)
	dst = append(dst, ':')
	return append(dst, value...)
}

// toolChoice reads a word, {type, name}, or {type: allowed_tools, mode, tools}.
func (d *requestDecoder) toolChoice(v jsonbytes.Value, at transform.Path) (err error) {
	choice := &d.r.ToolChoice
	if v.Kind() == jsonbytes.String {
		choice.Mode, err = toolMode(v, at)
		return err
	}
	if v.Kind() != jsonbytes.Object {
		return openai.WrongType(at, "a string or an object", v)
	}
	switch kind := v.Get("type"); {
	case kind.Is("allowed_tools"):
		return d.allowedTools(v, at)
	case kind.Is("function"), kind.Is("custom"):
		choice.Mode = transform.ToolsNamed
		choice.Name, err = d.toolName(v, at)
		return err
	case kind.Empty():
		return openai.Missing(at.Key("type"))
	case kind.Kind() != jsonbytes.String:
		return openai.WrongType(at.Key("type"), "a string", kind)
	default: // a tool of OpenAI's
		return d.hostedChoice(v, at)
	}
}

func toolMode(v jsonbytes.Value, at transform.Path) (transform.ToolMode, error) {
	switch {
	case v.Is("auto"):
		return transform.ToolsAuto, nil
	case v.Is("none"):
		return transform.ToolsNone, nil
	case v.Is("required"):
		return transform.ToolsRequired, nil
	}
	return transform.ToolsUnset, openai.BadRequest(openai.CodeInvalidValue, at, "must be auto, none, required or name a tool.")
}

// toolName reads {type, name, namespace}.
func (d *requestDecoder) toolName(v jsonbytes.Value, at transform.Path) (name string, err error) {
	var space string
	err = d.eachMember(v, at, func(key string, value jsonbytes.Value, here transform.Path) (err error) {
		switch key {
		case "type":
		case "name":
			name, err = openai.Text(value, here)
		case "namespace":
			space, err = openai.Text(value, here)
		default:
			d.lost.Drop(here)
		}
		return err
	})
	if err == nil && name == "" {
		err = openai.Missing(at.Key("name"))
	}
	return d.names.of(space, name), err
}

func (d *requestDecoder) allowedTools(v jsonbytes.Value, at transform.Path) error {
	choice := &d.r.ToolChoice
	choice.Mode = transform.ToolsAuto
	err := d.eachMember(v, at, func(name string, value jsonbytes.Value, here transform.Path) (err error) {
		switch name {
		case "type":
		case "mode":
			choice.Mode, err = toolMode(value, here)
		case "tools":
			err = d.allowed(value, here)
		default:
			d.lost.Drop(here)
		}
		return err
	})
	if err == nil && choice.Allowed == nil {
		err = openai.Missing(at.Key("tools"))
	}
	return err
}

func (d *requestDecoder) allowed(v jsonbytes.Value, at transform.Path) error {
	if v.Kind() != jsonbytes.Array {
		return openai.WrongType(at, "an array of tools", v)
	}
	d.r.ToolChoice.Allowed = []string{}
	for i, e := range v.Elements() {
		here := at.Index(i)
		if kind := e.Get("type"); !kind.Is("function") && !kind.Is("custom") {
			d.hosted = append(d.hosted, here)
			continue
		}
		name, err := d.toolName(e, here)
		if err != nil {
			return err
		}
		d.r.ToolChoice.Allowed = append(d.r.ToolChoice.Allowed, name)
	}
	return nil
}
