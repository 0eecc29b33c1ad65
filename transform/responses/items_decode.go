package responses

import (
	"bytes"
	"slices"
	"strings"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/transform/openai"
)

// item reads one item of the input.
func (d *requestDecoder) item(v jsonbytes.Value, at transform.Path) error {
	if err := openai.Object(v, at); err != nil {
		return err
	}
	kind := v.Get("type")
	word, ok := kind.Text()
	if !ok && !kind.Empty() {
		return openai.WrongType(at.Key("type"), "a string", kind)
	}
	switch {
	case word == "message", kind.Empty() && v.Get("role") != nil:
		return d.message(v, at)
	case kind.Empty() && v.Get("id") == nil:
		return openai.Missing(at.Key("type"))
	}
	switch word {
	case "function_call", "custom_tool_call":
		return d.call(v, at, word == "custom_tool_call")
	case "function_call_output", "custom_tool_call_output":
		return d.callOutput(v, at)
	case "reasoning":
		return d.reasoningItem(v, at)
	case "web_search_call", "file_search_call", "code_interpreter_call", "image_generation_call", "mcp_list_tools", "mcp_call":
		// What OpenAI's own tools did; what came of it stands in the messages.
		d.lost.Drop(at)
	case "additional_tools": // read before the conversation: see settleTools
	case "configuration_update", "tool_search_call", "tool_search_output", "program", "program_output":
		// How it was set up and how it found its tools; those are read already.
		d.lost.Drop(at)
	default:
		// References, compactions and calls of other kinds hold a part of the
		// conversation that nobody else can read. What was thought can be missed.
		if id, _ := v.Get("id").Text(); (word == "" || word == "item_reference") && strings.HasPrefix(id, prefixReasoning) {
			d.lost.Drop(at)
		} else {
			d.lost.Refuse(at)
		}
	}
	return nil
}

// step is the turn of the model that an item at that place belongs to. Items
// that follow each other are of one turn: the reasoning, the message and the
// calls of one step. A second message that no call separates begins another,
// and takes the reasoning before it along.
func (d *requestDecoder) step(at transform.Path, message bool) *transform.Turn {
	turns := d.r.Turns
	if len(turns) == 0 || turns[len(turns)-1].Role != transform.RoleAssistant {
		d.r.Turns = append(turns, transform.Turn{Role: transform.RoleAssistant, At: at})
		return &d.r.Turns[len(turns)]
	}
	turn := &turns[len(turns)-1]
	if !message {
		return turn
	}
	spoken := 0 // up to there
	for i := range turn.Parts {
		switch turn.Parts[i].Kind {
		case transform.PartToolCall:
			return turn
		case transform.PartReasoning:
		default:
			spoken = i + 1
		}
	}
	if spoken == 0 {
		return turn
	}
	next := transform.Turn{Role: transform.RoleAssistant, At: at}
	next.Parts = append(next.Parts, turn.Parts[spoken:]...)
	turn.Parts = turn.Parts[:spoken]
	d.r.Turns = append(turns, next)
	return &d.r.Turns[len(turns)]
}

// message reads {role, content} in its long and its short forms.
func (d *requestDecoder) message(v jsonbytes.Value, at transform.Path) error {
	var role, content jsonbytes.Value
	for key, value := range v.Members() {
		switch name := jsonbytes.Name(key); {
		case value.IsNull():
		case name == "role":
			role = value
		case name == "content":
			content = value
		case name == "type", name == "id", name == "status":
		default: // phase is OpenAI's own
			d.lost.Drop(at.Key(name))
		}
	}
	speaker, err := roleOf(role, at.Key("role"))
	switch {
	case err != nil:
		return err
	case content == nil:
		return openai.Missing(at.Key("content"))
	case speaker == transform.RoleAssistant:
		return d.content(d.step(at, true), content, at.Key("content"))
	}
	d.r.Turns = append(d.r.Turns, transform.Turn{Role: speaker, At: at})
	return d.content(&d.r.Turns[len(d.r.Turns)-1], content, at.Key("content"))
}

func roleOf(v jsonbytes.Value, at transform.Path) (transform.Role, error) {
	switch {
	case v.Is("user"):
		return transform.RoleUser, nil
	case v.Is("assistant"):
		return transform.RoleAssistant, nil
	case v.Is("system"):
		return transform.RoleSystem, nil
	case v.Is("developer"):
		return transform.RoleDeveloper, nil
	case v == nil:
		return 0, openai.Missing(at)
	case v.Kind() != jsonbytes.String:
		return 0, openai.WrongType(at, "a string", v)
	}
	return 0, openai.BadRequest(openai.CodeInvalidValue, at, "must be user, assistant, system or developer.")
}

// call reads {call_id, name, arguments} or, of a custom tool, {…, input}.
func (d *requestDecoder) call(v jsonbytes.Value, at transform.Path, custom bool) error {
	part := transform.Part{Kind: transform.PartToolCall, At: at}
	call := &part.Call
	call.Custom = custom
	space := ""
	arguments := "arguments"
	if custom {
		arguments = "input"
	}
	for key, value := range v.Members() {
		name := jsonbytes.Name(key)
		here := at.Key(name)
		var err error
		switch {
		case value.IsNull(), name == "type", name == "id", name == "status":
		case name == "call_id":
			call.ID, err = openai.Text(value, here)
		case name == "name":
			call.Name, err = openai.Text(value, here)
		case name == "namespace":
			space, err = openai.Text(value, here)
		case name == arguments:
			if call.Arguments = openai.Arguments(value); call.Arguments == nil {
				err = openai.WrongType(here, "a string", value)
			}
		case name == "caller":
			err = d.caller(value, here)
		default:
			d.lost.Drop(here)
		}
		if err != nil {
			return err
		}
	}
	switch "" {
	case call.ID:
		return openai.Missing(at.Key("call_id"))
	case call.Name:
		return openai.Missing(at.Key("name"))
	}
	call.Name = d.names.of(space, call.Name)
	d.tools[call.ID] = call.Name
	turn := d.step(at, false)
	turn.Parts = append(turn.Parts, part)
	return nil
}

// caller reads {type}: the model itself, or a program that it wrote.
func (d *requestDecoder) caller(v jsonbytes.Value, at transform.Path) error {
	if v.Get("type").Is("program") {
		d.lost.Drop(at)
		return nil
	}
	return d.eachMember(v, at, func(name string, _ jsonbytes.Value, here transform.Path) error {
		if name != "type" {
			d.lost.Drop(here)
		}
		return nil
	})
}

// callOutput reads {call_id, output}, whose output is a string or parts.
func (d *requestDecoder) callOutput(v jsonbytes.Value, at transform.Path) error {
	turn := transform.Turn{Role: transform.RoleTool, At: at}
	var output jsonbytes.Value
	for key, value := range v.Members() {
		name := jsonbytes.Name(key)
		here := at.Key(name)
		var err error
		switch {
		case value.IsNull(), name == "type", name == "id", name == "status":
		case name == "call_id":
			turn.CallAt = here
			turn.CallID, err = openai.Text(value, here)
		case name == "output":
			output = value
		case name == "caller":
			err = d.caller(value, here)
		default:
			d.lost.Drop(here)
		}
		if err != nil {
			return err
		}
	}
	switch {
	case turn.CallID == "":
		return openai.Missing(at.Key("call_id"))
	case output == nil:
		return openai.Missing(at.Key("output"))
	}
	turn.ToolName = d.tools[turn.CallID]
	d.r.Turns = append(d.r.Turns, turn)
	return d.content(&d.r.Turns[len(d.r.Turns)-1], output, at.Key("output"))
}

// reasoningItem reads {id, summary, content, encrypted_content}.
func (d *requestDecoder) reasoningItem(v jsonbytes.Value, at transform.Path) (err error) {
	part := transform.Part{Kind: transform.PartReasoning, At: at}
	var id string
	var texts []transform.Literal
	var encrypted transform.Literal
	for key, value := range v.Members() {
		name := jsonbytes.Name(key)
		here := at.Key(name)
		switch {
		case value.IsNull(), name == "type", name == "status":
		case name == "id":
			id, err = openai.Text(value, here)
		case name == "summary", name == "content":
			texts, err = d.thoughts(texts, value, here)
		case name == "encrypted_content":
			encrypted, err = openai.Literal(value, here)
		default:
			d.lost.Drop(here)
		}
		if err != nil {
			return err
		}
	}
	part.Text = jsonbytes.Join(`\n\n`, texts...)
	if encrypted.HasText() {
		part.Opaque = unseal(encrypted, id)
		part.Opaque.At = at.Key("encrypted_content")
	}
	if part.Text == nil && part.Opaque.Kind == transform.OpaqueNone {
		d.lost.Drop(at) // it only names what OpenAI keeps
		return nil
	}
	turn := d.step(at, false)
	turn.Parts = append(turn.Parts, part)
	return nil
}

// thoughts reads [{type, text}].
func (d *requestDecoder) thoughts(texts []transform.Literal, v jsonbytes.Value, at transform.Path) ([]transform.Literal, error) {
	if v.Kind() != jsonbytes.Array {
		return nil, openai.WrongType(at, "an array", v)
	}
	for i, e := range v.Elements() {
		err := d.eachMember(e, at.Index(i), func(name string, value jsonbytes.Value, here transform.Path) error {
			switch name {
			case "type":
			case "text":
				said, err := openai.Literal(value, here)
				if said.HasText() {
					texts = append(texts, said)
				}
				return err
			default:
				d.lost.Drop(here)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return texts, nil
}

// unseal finds the maker of encrypted_content. What nobody sealed is OpenAI's,
// whose pieces have the name of their item.
func unseal(encrypted transform.Literal, id string) transform.Opaque {
	if bytes.IndexByte(encrypted, '\\') >= 0 { // base64 with \/
		encrypted = jsonbytes.AppendBytes(nil, encrypted.AppendText(nil))
	}
	o := transform.Unseal(encrypted, transform.VendorOpenAI)
	if o.Vendor == transform.VendorOpenAI && o.Kind == transform.OpaqueSignature {
		o.Kind, o.ID = transform.OpaqueRedacted, id
	}
	return o
}

// signCalls gives calls the signatures that came as items of their own: with
// the id of the call, or right before it.
func signCalls(turn *transform.Turn) {
	for i := range turn.Parts {
		part := &turn.Parts[i]
		if part.Kind != transform.PartReasoning || part.Text != nil || !signsCall(&part.Opaque) {
			continue
		}
		if call := signedCall(turn.Parts, i, part.Opaque.ID); call != nil {
			call.Opaque, part.Opaque = part.Opaque, transform.Opaque{}
			call.Opaque.ID = ""
		}
	}
	turn.Parts = slices.DeleteFunc(turn.Parts, func(p transform.Part) bool {
		return p.Kind == transform.PartReasoning && p.Text == nil && p.Opaque.Kind == transform.OpaqueNone
	})
}

// signsCall tells whether a piece may be what Google vouches for a call with.
func signsCall(o *transform.Opaque) bool {
	return o.Kind == transform.OpaqueSignature && o.Vendor == transform.VendorGoogle
}

// signedCall finds the call that the piece at i belongs to.
func signedCall(parts []transform.Part, i int, id string) *transform.Part {
	if id == "" {
		if i+1 < len(parts) && parts[i+1].Kind == transform.PartToolCall && parts[i+1].Opaque.Kind == transform.OpaqueNone {
			return &parts[i+1]
		}
		return nil
	}
	for j := range parts {
		if p := &parts[j]; p.Kind == transform.PartToolCall && p.Call.ID == id && p.Opaque.Kind == transform.OpaqueNone {
			return p
		}
	}
	return nil
}
