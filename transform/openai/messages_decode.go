package openai

import (
	"strconv"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// usualMessages is for how many there is room at once.
const usualMessages = 256

func (d *requestDecoder) messages(v jsonbytes.Value) error {
	at := d.root.Key("messages")
	switch {
	case v == nil:
		return Missing(at)
	case v.Kind() != jsonbytes.Array:
		return WrongType(at, "an array of messages", v)
	}
	count := v.Len()
	last := count - 1
	// Of a hostile list, which may be of anything, no more than its bytes can hold.
	d.left = min(count, 1+len(v)/len(`{"role":"user","content":""}`))
	d.r.Turns = make([]transform.Turn, 0, min(d.left, usualMessages))
	for i, e := range v.Elements() {
		if err := d.message(i, e, at.Index(i), i == last); err != nil {
			return err
		}
	}
	if len(d.r.Turns) == 0 {
		return BadRequest(CodeEmptyArray, at, "must hold at least one message.")
	}
	return nil
}

// message is one message, taken apart.
type message struct {
	role         jsonbytes.Value
	content      jsonbytes.Value
	refusal      jsonbytes.Value
	toolCalls    jsonbytes.Value
	functionCall jsonbytes.Value
	callID       jsonbytes.Value
	name         jsonbytes.Value
	annotations  jsonbytes.Value
	cache        jsonbytes.Value
	cacheName    string
	reasoning    reasoning
}

// message reads one message. A last one of the assistant is to be gone on with,
// which Mistral calls prefix and Moonshot partial.
func (d *requestDecoder) message(i int, v jsonbytes.Value, at transform.Path, last bool) error {
	if err := Object(v, at); err != nil {
		return err
	}
	var m message
	for key, value := range v.Members() {
		name := jsonbytes.Name(key)
		switch {
		case value.IsNull():
		case m.take(name, value):
		case (name == "prefix" || name == "partial") && (string(value) == "false" || last && v.Get("role").Is("assistant")):
		case name == "audio": // an earlier spoken answer, by its id
			d.lost.Refuse(at.Key(name))
		default:
			d.lost.Drop(at.Key(name))
		}
	}
	role, err := roleOf(m.role, at.Key("role"))
	if err != nil {
		return err
	}
	d.r.Turns = append(d.r.Turns, transform.Turn{Role: role, At: at})
	turn := &d.r.Turns[len(d.r.Turns)-1]
	if m.name != nil {
		if turn.Name, err = Text(m.name, at.Key("name")); err != nil {
			return err
		}
	}
	if role == transform.RoleTool {
		err = d.toolTurn(turn, &m)
	} else {
		err = d.spokenTurn(turn, &m, i)
	}
	if err == nil && m.cache != nil {
		err = d.markLast(turn, &m)
	}
	return err
}

func (m *message) take(name string, v jsonbytes.Value) bool {
	switch {
	case name == "role":
		m.role = v
	case name == "content":
		m.content = v
	case name == "refusal":
		m.refusal = v
	case name == "tool_calls":
		m.toolCalls = v
	case name == "function_call":
		m.functionCall = v
	case name == "tool_call_id":
		m.callID = v
	case name == "name":
		m.name = v
	case name == "annotations":
		m.annotations = v
	case IsCacheMark(name):
		m.cache, m.cacheName = v, name
	default:
		return m.reasoning.take(name, v)
	}
	return true
}

func roleOf(v jsonbytes.Value, at transform.Path) (transform.Role, error) {
	switch {
	case v.Is("user"):
		return transform.RoleUser, nil
	case v.Is("assistant"):
		return transform.RoleAssistant, nil
	case v.Is("tool"), v.Is("function"):
		return transform.RoleTool, nil
	case v.Is("system"):
		return transform.RoleSystem, nil
	case v.Is("developer"):
		return transform.RoleDeveloper, nil
	case v == nil:
		return 0, Missing(at)
	case v.Kind() != jsonbytes.String:
		return 0, WrongType(at, "a string", v)
	}
	return 0, BadRequest(CodeInvalidValue, at, "must be system, developer, user, assistant or tool.")
}

// toolTurn reads the result of a call. In the old form, role function, it names
// the function instead of the call.
func (d *requestDecoder) toolTurn(turn *transform.Turn, m *message) (err error) {
	at := &turn.At
	if m.role.Is("function") {
		if turn.Name == "" {
			return Missing(at.Key("name"))
		}
		turn.CallID, turn.ToolName, turn.Name = d.lastCall, turn.Name, ""
		turn.CallAt = at.Key("name")
	} else {
		if m.callID == nil {
			return Missing(at.Key("tool_call_id"))
		}
		turn.CallAt = at.Key("tool_call_id")
		if turn.CallID, err = Text(m.callID, turn.CallAt); err != nil {
			return err
		}
		if turn.ToolName = d.tools[turn.CallID]; turn.ToolName == "" {
			turn.ToolName = turn.Name
		}
		turn.Name = ""
	}
	if m.content == nil {
		return Missing(at.Key("content"))
	}
	if err = d.content(turn, m.content); err != nil {
		return err
	}
	d.dropMembers(turn, m)
	return nil
}

// spokenTurn reads what a user, the system or the model said.
func (d *requestDecoder) spokenTurn(turn *transform.Turn, m *message, i int) (err error) {
	at := &turn.At
	if turn.Role != transform.RoleAssistant {
		if m.content == nil {
			return Missing(at.Key("content"))
		}
		if err = d.content(turn, m.content); err != nil {
			return err
		}
		d.dropMembers(turn, m)
		return nil
	}
	if err = d.reasoned(turn, m); err != nil {
		return err
	}
	if !m.content.Empty() && !m.content.Is("") {
		if err = d.content(turn, m.content); err != nil {
			return err
		}
	}
	if m.refusal != nil {
		here := at.Key("refusal")
		said, err := Literal(m.refusal, here)
		if err != nil {
			return err
		}
		turn.Parts = append(turn.Parts, transform.Part{Kind: transform.PartRefusal, Text: said, At: here})
	}
	if err = d.toolCalls(turn, m, i); err != nil {
		return err
	}
	m.reasoning.signCalls(turn.Parts, at, d.lost)
	if m.annotations != nil {
		d.cited(turn, m.annotations)
	}
	if m.callID != nil {
		d.lost.Drop(at.Key("tool_call_id"))
	}
	return nil
}

// cited reads the annotations of an answer.
func (d *requestDecoder) cited(turn *transform.Turn, v jsonbytes.Value) {
	at := turn.At.Key("annotations")
	if v.Kind() != jsonbytes.Array {
		d.lost.Drop(at)
	}
	for i, e := range v.Elements() {
		turn.Parts = append(turn.Parts, transform.Part{Kind: transform.PartCitation, Citation: e, At: at.Index(i)})
	}
}

// dropMembers reports members that mean something with other roles only.
func (d *requestDecoder) dropMembers(turn *transform.Turn, m *message) {
	drop := func(name string, v jsonbytes.Value) {
		if v != nil {
			d.lost.Drop(turn.At.Key(name))
		}
	}
	drop("refusal", m.refusal)
	drop("tool_calls", m.toolCalls)
	drop("function_call", m.functionCall)
	drop("annotations", m.annotations)
	drop("reasoning_content", m.reasoning.content)
	drop("reasoning", m.reasoning.plain)
	drop("reasoning_details", m.reasoning.details)
	drop("thinking_blocks", m.reasoning.blocks)
	if turn.Role != transform.RoleTool {
		drop("tool_call_id", m.callID)
	}
}

func (d *requestDecoder) toolCalls(turn *transform.Turn, m *message, i int) error {
	if m.functionCall != nil {
		at := turn.At.Key("function_call")
		if err := Object(m.functionCall, at); err != nil {
			return err
		}
		// Deterministic: a prompt must stay the same from call to call.
		d.lastCall = "call_" + strconv.Itoa(i)
		part := transform.Part{Kind: transform.PartToolCall, At: at}
		if err := d.functionCall(&part, m.functionCall, at); err != nil {
			return err
		}
		part.Call.ID = d.lastCall
		turn.Parts = append(turn.Parts, part)
	}
	if m.toolCalls == nil {
		return nil
	}
	at := turn.At.Key("tool_calls")
	if m.toolCalls.Kind() != jsonbytes.Array {
		return WrongType(at, "an array of tool calls", m.toolCalls)
	}
	if d.tools == nil {
		d.tools = make(map[string]string)
	}
	for i, e := range m.toolCalls.Elements() {
		part := transform.Part{Kind: transform.PartToolCall, At: at.Index(i)}
		if err := d.toolCall(&part, e); err != nil {
			return err
		}
		d.tools[part.Call.ID] = part.Call.Name
		turn.Parts = append(turn.Parts, part)
	}
	return nil
}

// toolCall reads {id, type, function|custom}, with Google's signature in
// extra_content.
func (d *requestDecoder) toolCall(part *transform.Part, v jsonbytes.Value) (err error) {
	at := &part.At
	if err = Object(v, *at); err != nil {
		return err
	}
	known := "function"
	if v.Get("type").Is("custom") {
		known = "custom"
	}
	for key, value := range v.Members() {
		name := jsonbytes.Name(key)
		here := at.Key(name)
		switch {
		case value.IsNull(), name == "type", name == "index":
		case name == "id":
			part.Call.ID, err = Text(value, here)
		case name == known:
			if err = Object(value, here); err == nil {
				part.Call.Custom = known == "custom"
				err = d.functionCall(part, value, here)
			}
		case name == "extra_content":
			if err = signatureKeys(value, here); err != nil {
				return err
			}
			if signature := thoughtSignature(value); signature != nil {
				call := *at
				extra := call.Key(name)
				google := extra.Key("google")
				part.Opaque = transform.Opaque{
					Vendor: transform.VendorGoogle, Kind: transform.OpaqueSignature, Data: signature, At: google.Key("thought_signature"),
				}
			} else {
				d.lost.Drop(here)
			}
		case IsCacheMark(name):
			call := *at
			err = d.readMark(&part.Cache, value, call.Key(name))
		default:
			d.lost.Drop(here)
		}
		if err != nil {
			return err
		}
	}
	switch "" {
	case part.Call.ID:
		return Missing(at.Key("id"))
	case part.Call.Name:
		return Missing(at.Key(known))
	}
	return nil
}

// functionCall reads the name and the arguments of a call.
func (d *requestDecoder) functionCall(part *transform.Part, v jsonbytes.Value, at transform.Path) (err error) {
	arguments := "arguments"
	if part.Call.Custom {
		arguments = "input"
	}
	for key, value := range v.Members() {
		name := jsonbytes.Name(key)
		here := at.Key(name)
		switch {
		case value.IsNull():
		case name == "name":
			part.Call.Name, err = Text(value, here)
		case name == arguments:
			if part.Call.Arguments, err = Arguments(value), nil; part.Call.Arguments == nil {
				err = WrongType(here, "a string", value)
			}
		default:
			d.lost.Drop(here)
		}
		if err != nil {
			return err
		}
	}
	if part.Call.Name == "" {
		return Missing(at.Key("name"))
	}
	return nil
}

// Arguments reads a call's arguments: a string that holds JSON or, with
// some senders, the JSON itself. It is nil for anything else.
func Arguments(v jsonbytes.Value) []byte {
	switch v.Kind() {
	case jsonbytes.String:
		return v.AppendText(make([]byte, 0, len(v)))
	case jsonbytes.Object:
		return v
	}
	return nil
}

// thoughtSignature finds Google's signature of a call, nil if there is none.
func thoughtSignature(extra jsonbytes.Value) transform.Literal {
	if v := extra.Get("google").Get("thought_signature"); v.Kind() == jsonbytes.String {
		return v
	}
	return nil
}

func signatureKeys(extra jsonbytes.Value, at transform.Path) error {
	if err := unique(extra, at); err != nil {
		return err
	}
	return unique(extra.Get("google"), at.Key("google"))
}

// markLast takes the cache mark of a whole message as one of its last part.
func (d *requestDecoder) markLast(turn *transform.Turn, m *message) error {
	at := turn.At.Key(m.cacheName)
	if len(turn.Parts) == 0 {
		d.lost.Drop(at)
		return nil
	}
	return d.readMark(&turn.Parts[len(turn.Parts)-1].Cache, m.cache, at)
}
