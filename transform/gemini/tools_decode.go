package gemini

import (
	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// tool reads an element of tools: functions, or a tool of Google's.
func (d *requestDecoder) tool(_ int, v jsonbytes.Value, at *transform.Path) error {
	return members(v, at, func(f *field) error {
		switch f.name {
		case "functionDeclarations":
			return f.each(d.declaration)
		case "googleSearch", "googleSearchRetrieval":
			return d.search(f)
		case "computerUse": // the client runs it, and counts on it
			d.lost.Refuse(f.at)
		default: // codeExecution, urlContext, retrieval and the like run at Google only
			d.hosted = append(d.hosted, f.at)
		}
		return nil
	})
}

// search asks for a web search by Chat Completions' name for it.
func (d *requestDecoder) search(f *field) error {
	if !d.searches {
		d.searches = true
		d.r.Say("web_search_options", f.at)
		d.r.Rest = append(d.r.Rest, transform.Member{Name: "web_search_options", Value: jsonbytes.Value("{}"), Offered: true})
	}
	return members(f.value, &f.at, func(f *field) error {
		d.lost.Drop(f.at)
		return nil
	})
}

func (d *requestDecoder) declaration(_ int, v jsonbytes.Value, at *transform.Path) error {
	t := transform.Tool{At: *at}
	var legacy field
	err := members(v, at, func(f *field) (err error) {
		switch f.name {
		case "name":
			t.Name, err = f.text()
		case "description":
			t.Description, err = f.literal()
		case "parameters":
			if f.value.Kind() != jsonbytes.Object {
				return wrongType(f.at, "an object")
			}
			legacy = *f
		case "parametersJsonSchema":
			if f.value.Kind() != jsonbytes.Object {
				return wrongType(f.at, "an object")
			}
			t.Schema, t.SchemaAt = f.value, f.at
		default: // response, responseJsonSchema, behavior
			d.lost.Drop(f.at)
		}
		return err
	})
	switch {
	case err != nil:
		return err
	case t.Name == "":
		return missing(at.Key("name"))
	case legacy.value == nil:
	case t.Schema != nil:
		d.lost.Drop(legacy.at)
	default:
		t.Schema, t.SchemaAt = jsonSchema(legacy.value), legacy.at
	}
	d.r.Tools = append(d.r.Tools, t)
	return nil
}

// toolConfig reads a member of toolConfig.
func (d *requestDecoder) toolConfig(f *field) error {
	switch f.name {
	case "functionCallingConfig":
		d.r.Say("tool_choice", f.at)
		return d.functionCalling(f)
	case "includeServerSideToolInvocations":
		shown, err := f.boolean()
		if shown {
			d.invocations = *f
		}
		return err
	}
	d.lost.Drop(f.at)
	return nil
}

// functionCalling reads {mode, allowedFunctionNames}.
func (d *requestDecoder) functionCalling(from *field) error {
	var allowed, mode field
	var names []string
	err := members(from.value, &from.at, func(f *field) error {
		switch f.name {
		case "mode":
			mode = *f
		case "allowedFunctionNames":
			allowed = *f
			return f.each(func(_ int, v jsonbytes.Value, at *transform.Path) error {
				one := field{value: v, at: *at}
				name, err := one.text()
				names = append(names, name)
				return err
			})
		default: // streamFunctionCallArguments
			d.lost.Drop(f.at)
		}
		return nil
	})
	if err != nil {
		return err
	}
	word := ""
	if mode.value != nil {
		if word, err = mode.enum(callingModes); err != nil {
			return err
		}
	}
	choice := &d.r.ToolChoice
	switch word {
	case "", "MODE_UNSPECIFIED", "AUTO":
		if word == "AUTO" || names != nil {
			choice.Mode, choice.Allowed = transform.ToolsAuto, names
		}
	case "VALIDATED":
		// Arguments that keep to the schema are not asked for where that makes
		// providers refuse schemas; with names it is how a choice is narrowed.
		choice.Mode, choice.Allowed = transform.ToolsAuto, names
		if names == nil {
			d.lost.Drop(mode.at)
		}
	case "ANY":
		choice.Mode, choice.Allowed = transform.ToolsRequired, names
		if len(names) == 1 {
			*choice = transform.ToolChoice{Mode: transform.ToolsNamed, Name: names[0]}
		}
	case "NONE":
		choice.Mode = transform.ToolsNone
		if names != nil {
			d.lost.Drop(allowed.at)
		}
	default:
		return badRequest(mode.at, "must be AUTO, ANY, NONE or VALIDATED")
	}
	return nil
}
