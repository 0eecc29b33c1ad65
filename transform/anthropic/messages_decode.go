package anthropic

import (
	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/transform/blocks"
)

// system reads the instructions: a string or an array of text blocks. They
// become the first turn.
func (d *requestDecoder) system(v jsonbytes.Value) error {
	if v == nil {
		return nil
	}
	turn := transform.Turn{Role: transform.RoleSystem, At: root.Key("system")}
	if err := d.content(&turn, v, turn.At); err != nil {
		return err
	}
	if len(turn.Parts) > 0 {
		d.r.Turns = append(d.r.Turns, turn)
	}
	return nil
}

func (d *requestDecoder) messages(v jsonbytes.Value) error {
	at := root.Key("messages")
	switch {
	case v == nil:
		return invalid(at, "is missing: send the conversation")
	case v.Kind() != jsonbytes.Array:
		return wrongType(at, "an array of messages")
	case v.Len() == 0:
		return invalid(at, "must hold at least one message")
	}
	for i, e := range v.Elements() {
		if err := d.message(e, at.Index(i)); err != nil {
			return err
		}
	}
	return nil
}

// message reads {role, content}. The results of tools become turns of their
// own, in order, before what else the user says in the same message: the API
// wants them there.
func (d *requestDecoder) message(v jsonbytes.Value, at transform.Path) error {
	turn := transform.Turn{At: at}
	var role, content jsonbytes.Value
	err := d.eachMember(v, &turn.At, func(name string, v jsonbytes.Value, _ transform.Path) (bool, error) {
		switch name {
		case "role":
			role = v
		case "content":
			content = v
		default:
			return false, nil
		}
		return true, nil
	})
	if err != nil {
		return err
	}
	if turn.Role, err = roleOf(role, at.Key("role")); err != nil {
		return err
	}
	here := at.Key("content")
	if content == nil {
		return missing(here)
	}
	before := len(d.r.Turns)
	if err = d.content(&turn, content, here); err != nil {
		return err
	}
	switch {
	case len(turn.Parts) > 0:
		turn.Parts = signCalls(turn.Parts)
		d.r.Turns = append(d.r.Turns, turn)
	case turn.Role == transform.RoleUser && len(d.r.Turns) == before && len(content) <= len(`""`):
		return invalid(here, "must not be empty: leave the message out, or say something in it")
	}
	return nil
}

func roleOf(v jsonbytes.Value, at transform.Path) (transform.Role, error) {
	switch {
	case v.Is(blocks.User):
		return transform.RoleUser, nil
	case v.Is(blocks.Assistant):
		return transform.RoleAssistant, nil
	case v.Is(blocks.System):
		return transform.RoleSystem, nil
	case v == nil:
		return 0, missing(at)
	}
	return 0, wrongType(at, "user or assistant, or system between them; instructions for the whole conversation go into the top-level system")
}

// content reads a string or an array of blocks.
func (d *requestDecoder) content(turn *transform.Turn, v jsonbytes.Value, at transform.Path) error {
	switch v.Kind() {
	case jsonbytes.String:
		if len(v) > len(`""`) {
			turn.Parts = append(turn.Parts, transform.Part{Kind: transform.PartText, Text: v, At: at})
		}
		return nil
	case jsonbytes.Array:
		for i, e := range v.Elements() {
			if err := d.block(turn, e, at.Index(i)); err != nil {
				return err
			}
		}
		return nil
	}
	return wrongType(at, "a string or an array of blocks")
}

// result reads a tool_result as a turn.
func (d *requestDecoder) result(v jsonbytes.Value, at transform.Path) error {
	turn := transform.Turn{Role: transform.RoleTool, At: at}
	var content, mark jsonbytes.Value
	err := d.eachMember(v, &turn.At, func(name string, v jsonbytes.Value, at transform.Path) (ok bool, err error) {
		switch name {
		case "type":
		case "tool_use_id":
			turn.CallAt = at
			turn.CallID, err = stringOf(v, at)
		case "content":
			content = v
		case "is_error":
			turn.IsError, err = boolOf(v, at)
		case "cache_control":
			mark = v
		default:
			return false, nil
		}
		return true, err
	})
	if err != nil {
		return err
	}
	if turn.CallID == "" {
		return missing(at.Key("tool_use_id"))
	}
	turn.ToolName = d.tools[turn.CallID]
	if content != nil {
		if err = d.content(&turn, content, at.Key("content")); err != nil {
			return err
		}
	}
	if err = d.markLast(turn.Parts, mark, at.Key("cache_control")); err != nil {
		return err
	}
	d.r.Turns = append(d.r.Turns, turn)
	return nil
}

// markLast takes the mark of a block that became several parts as one of its last.
func (d *requestDecoder) markLast(parts []transform.Part, mark jsonbytes.Value, at transform.Path) error {
	switch {
	case mark == nil:
		return nil
	case len(parts) == 0:
		d.lost.Drop(at)
		return nil
	}
	return d.readMark(&parts[len(parts)-1].Cache, mark, at)
}

// signCalls gives calls the signatures that came in a thinking block of their
// own: directly before the call, or anywhere with its id. See appendSignature.
func signCalls(parts []transform.Part) []transform.Part {
	var calls map[string]int // places by id, once they are asked for
	vouches := func(i int) int {
		p := &parts[i]
		switch {
		case p.Kind != transform.PartReasoning || p.Text != nil ||
			p.Opaque.Vendor != transform.VendorGoogle || p.Opaque.Kind != transform.OpaqueSignature:
		case p.Opaque.ID != "":
			if calls == nil {
				calls = callsByID(parts)
			}
			if at, ok := calls[p.Opaque.ID]; ok {
				return at
			}
		case i+1 < len(parts) && parts[i+1].Kind == transform.PartToolCall:
			return i + 1
		}
		return -1
	}
	var found []int // what became of a call
	for i := range parts {
		if at := vouches(i); at >= 0 {
			parts[at].Opaque = parts[i].Opaque
			parts[at].Opaque.ID = ""
			found = append(found, i)
		}
	}
	if found == nil {
		return parts
	}
	out := parts[:0]
	for i := range parts {
		if len(found) > 0 && found[0] == i {
			found = found[1:]
			continue
		}
		out = append(out, parts[i])
	}
	return out
}

func callsByID(parts []transform.Part) map[string]int {
	calls := make(map[string]int)
	for i := range parts {
		if parts[i].Kind == transform.PartToolCall {
			calls[parts[i].Call.ID] = i
		}
	}
	return calls
}
