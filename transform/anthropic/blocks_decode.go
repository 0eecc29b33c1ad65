package anthropic

import (
	"strings"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// block reads one content block.
func (d *requestDecoder) block(turn *transform.Turn, v jsonbytes.Value, at transform.Path) error {
	if v.Kind() != jsonbytes.Object {
		return wrongType(at, "an object")
	}
	typ := v.Get("type")
	if typ.Empty() {
		return missing(at.Key("type"))
	}
	kind, err := stringOf(typ, at.Key("type"))
	if err != nil {
		return err
	}
	if err := allowed(turn.Role, kind, at); err != nil {
		return err
	}
	part := transform.Part{At: at}
	switch kind {
	case "text":
		err = d.textBlock(&part, v)
	case "thinking":
		err = d.thinkingBlock(&part, v)
	case "redacted_thinking":
		err = d.redactedBlock(&part, v)
	case "tool_use":
		err = d.callBlock(&part, v)
	case "tool_result":
		return d.result(v, at)
	case "image", "document":
		return d.mediaBlock(turn, kind, v, at)
	case "search_result":
		err = d.searchResult(&part, v)
	case "compaction", "tool_reference":
		err = d.plainBlock(&part, kind, v)
	default:
		if ofServer(kind) {
			d.lost.Drop(at)
		} else {
			d.lost.Refuse(at)
		}
		return nil
	}
	if err != nil {
		return err
	}
	if part.Kind != transform.PartReasoning || part.Text != nil || part.Opaque.Kind != transform.OpaqueNone {
		turn.Parts = append(turn.Parts, part)
	}
	return nil
}

// allowed returns an error for blocks in a message whose role cannot have them.
func allowed(role transform.Role, kind string, at transform.Path) error {
	switch kind {
	case "tool_use", "thinking", "redacted_thinking":
		if role != transform.RoleAssistant {
			return invalid(at, kind+" blocks can only be in assistant messages")
		}
	case "tool_result":
		if role != transform.RoleUser {
			return invalid(at, "tool_result blocks can only be in user messages")
		}
	}
	return nil
}

// ofServer tells whether a block is about a tool that Anthropic ran itself, in
// an earlier answer: no one else can read it, and the text tells what came of it.
func ofServer(kind string) bool {
	switch kind {
	case "server_tool_use", "mcp_tool_use", "fallback":
		return true
	}
	return strings.HasSuffix(kind, "_tool_result")
}

func (d *requestDecoder) textBlock(part *transform.Part, v jsonbytes.Value) error {
	err := d.eachMember(v, &part.At, func(name string, v jsonbytes.Value, at transform.Path) (ok bool, err error) {
		switch name {
		case "type":
		case "text":
			part.Text, err = literalOf(v, at)
		case "citations":
			return v.Kind() == jsonbytes.Array && v.Len() == 0, nil
		case "cache_control":
			err = d.readMark(&part.Cache, v, at)
		default:
			return false, nil
		}
		return true, err
	})
	if err == nil && part.Text == nil {
		err = missing(part.At.Key("text"))
	}
	return err
}

// thinkingBlock reads {thinking, signature}. The signature may be another
// vendor's piece, sealed by our encoders.
func (d *requestDecoder) thinkingBlock(part *transform.Part, v jsonbytes.Value) error {
	part.Kind = transform.PartReasoning
	return d.eachMember(v, &part.At, func(name string, v jsonbytes.Value, at transform.Path) (ok bool, err error) {
		switch name {
		case "type":
		case "thinking":
			if v.Kind() != jsonbytes.String {
				return true, wrongType(at, "a string")
			}
			if v.HasText() {
				part.Text = v
			}
		case "signature":
			if v.Kind() != jsonbytes.String {
				return true, wrongType(at, "a string")
			}
			if v.HasText() {
				part.Opaque = transform.Unseal(v, transform.VendorAnthropic)
				part.Opaque.At = at
			}
		default:
			return false, nil
		}
		return true, nil
	})
}

func (d *requestDecoder) redactedBlock(part *transform.Part, v jsonbytes.Value) error {
	part.Kind = transform.PartReasoning
	return d.eachMember(v, &part.At, func(name string, v jsonbytes.Value, at transform.Path) (ok bool, err error) {
		switch name {
		case "type":
		case "data":
			var data transform.Literal
			if data, err = literalOf(v, at); err == nil && data.HasText() {
				part.Opaque = opaque(transform.OpaqueRedacted, data)
				part.Opaque.At = at
			}
		default:
			return false, nil
		}
		return true, err
	})
}

// callBlock reads {id, name, input}.
func (d *requestDecoder) callBlock(part *transform.Part, v jsonbytes.Value) error {
	part.Kind = transform.PartToolCall
	call := &part.Call
	err := d.eachMember(v, &part.At, func(name string, v jsonbytes.Value, at transform.Path) (ok bool, err error) {
		switch name {
		case "type":
		case "id":
			call.ID, err = stringOf(v, at)
		case "name":
			call.Name, err = stringOf(v, at)
		case "input":
			if call.Arguments = v; v.Kind() != jsonbytes.Object {
				err = wrongType(at, "an object")
			}
		case "caller": // the model itself is what other formats take it for
			return v.Len() == 1 && v.Get("type").Is("direct"), nil
		case "cache_control":
			err = d.readMark(&part.Cache, v, at)
		default:
			return false, nil
		}
		return true, err
	})
	switch {
	case err != nil:
		return err
	case call.ID == "":
		return missing(part.At.Key("id"))
	case call.Name == "":
		return missing(part.At.Key("name"))
	}
	d.tools[call.ID] = call.Name
	return nil
}

// searchResult reads what the client itself found, {title, source, content}, as
// a text: no other format has a word for it.
func (d *requestDecoder) searchResult(part *transform.Part, v jsonbytes.Value) error {
	var title, source transform.Literal
	content := transform.Turn{Role: transform.RoleTool}
	err := d.eachMember(v, &part.At, func(name string, v jsonbytes.Value, at transform.Path) (ok bool, err error) {
		switch name {
		case "type":
		case "title":
			title, err = literalOf(v, at)
		case "source":
			source, err = literalOf(v, at)
		case "content":
			err = d.content(&content, v, at)
		case "citations":
			return true, d.citing(v, at)
		case "cache_control":
			err = d.readMark(&part.Cache, v, at)
		default:
			return false, nil
		}
		return true, err
	})
	if err != nil {
		return err
	}
	for i, text := range [...]transform.Literal{title, source} {
		if text != nil {
			part.Text = jsonbytes.Join([...]string{``, `\n`}[i], part.Text, text)
		}
	}
	for i := range content.Parts {
		if p := &content.Parts[i]; p.Kind == transform.PartText {
			part.Text = jsonbytes.Join(`\n\n`, part.Text, p.Text)
		} else {
			d.lost.Refuse(p.At)
		}
	}
	if part.Text == nil {
		return missing(part.At.Key("content"))
	}
	return nil
}

// citing reports the wish for citations, {enabled: true}.
func (d *requestDecoder) citing(v jsonbytes.Value, at transform.Path) error {
	return d.eachMember(v, &at, func(name string, v jsonbytes.Value, _ transform.Path) (bool, error) {
		return name == "enabled" && string(v) == "false", nil
	})
}

// plainBlock reads what is a text under another name: the summary that stands
// for an earlier conversation, or the name of a tool that was found.
func (d *requestDecoder) plainBlock(part *transform.Part, kind string, v jsonbytes.Value) error {
	member := "content"
	if kind == "tool_reference" {
		member = "tool_name"
	}
	part.Text = emptyText
	return d.eachMember(v, &part.At, func(name string, v jsonbytes.Value, at transform.Path) (ok bool, err error) {
		switch name {
		case "type":
		case member:
			part.Text, err = literalOf(v, at)
		case "cache_control":
			err = d.readMark(&part.Cache, v, at)
		default:
			return false, nil
		}
		return true, err
	})
}

var emptyText = transform.Literal(`""`)
