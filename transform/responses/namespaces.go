package responses

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/transform/openai"
)

// Clients may put tools into namespaces, and declare them in the input instead
// of the member tools. No other format has namespaces: a tool goes out under a
// name that is made of both, and calls come back under the two.

// plainNamespace holds the tools that have no namespace: calls of them have none.
const plainNamespace = "functions"

// toolNames are the names under which tools go out.
type toolNames struct {
	space *namespace            // that is being read
	given map[spacedName]string // of tools that were declared in a namespace
}

type spacedName struct{ space, plain string }

// namespace is what the tools of one share.
type namespace struct {
	name        string
	description transform.Literal // until the first tool takes it
}

// of is the name under which a tool goes out that the client calls so.
func (n *toolNames) of(space, plain string) string {
	if space == "" || space == plainNamespace || plain == "" {
		return plain
	}
	if name, ok := n.given[spacedName{space, plain}]; ok {
		return name
	}
	return flatName(space, plain, false)
}

// maxName is the longest name that all providers take.
const maxName = 64

// flatName makes one name of two, of the characters that all providers take.
// What would be too long, or is another tool's name, ends in a hash.
func flatName(space, plain string, taken bool) string {
	flat := space + "__" + plain
	valid := strings.Map(func(c rune) rune {
		switch {
		case '0' <= c && c <= '9', 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', c == '_', c == '-':
			return c
		}
		return '_'
	}, flat)
	if !taken && valid == flat && len(flat) <= maxName {
		return flat
	}
	sum := sha256.Sum256([]byte(space + "\x00" + plain))
	end := "_" + hex.EncodeToString(sum[:5])
	return valid[:min(len(valid), maxName-len(end))] + end
}

// namespace reads {name, description, tools}.
func (d *requestDecoder) namespace(v jsonbytes.Value, at transform.Path) error {
	space := new(namespace)
	var tools jsonbytes.Value
	err := d.eachMember(v, at, func(name string, value jsonbytes.Value, here transform.Path) (err error) {
		switch name {
		case "type":
		case "name":
			space.name, err = openai.Text(value, here)
		case "description":
			var said transform.Literal
			said, err = openai.Literal(value, here)
			space.description = said.NonEmpty()
		case "tools":
			tools = value
		default:
			d.lost.Drop(here)
		}
		return err
	})
	switch {
	case err != nil:
		return err
	case space.name == "":
		return openai.Missing(at.Key("name"))
	case tools == nil:
		return openai.Missing(at.Key("tools"))
	}
	d.names.space = space
	defer func() { d.names.space = nil }()
	if err := d.readTools(tools, at.Key("tools")); err != nil {
		return err
	}
	if space.description != nil {
		d.lost.Drop(at.Key("description"))
	}
	return nil
}

// declare adds a tool of the client's. The first tool of a namespace says what
// the namespace is for.
func (d *requestDecoder) declare(tool *transform.Tool) {
	if space := d.names.space; space != nil {
		if space.description != nil {
			tool.Description, space.description = jsonbytes.Join(`\n\n`, space.description, tool.Description), nil
		}
		if space.name != plainNamespace {
			tool.Namespace, tool.Plain = space.name, tool.Name
		}
	}
	d.r.Tools = append(d.r.Tools, *tool)
}

// settleTools reads what the input declares, names the tools of namespaces, and
// then the choice among them.
func (d *requestDecoder) settleTools(input, choice jsonbytes.Value) error {
	if input.Kind() == jsonbytes.Array {
		at := d.root.Key("input")
		for i, v := range input.Elements() {
			if err := d.toolsOfItem(v, at.Index(i)); err != nil {
				return err
			}
		}
	}
	d.nameTools()
	if choice != nil {
		if err := d.toolChoice(choice, d.root.Key("tool_choice")); err != nil {
			return err
		}
	}
	c := &d.r.ToolChoice
	spared := d.r.Spares() && (c.Allowed == nil || len(c.Allowed) > 0)
	for _, at := range d.hosted {
		if spared {
			d.lost.Drop(at)
		} else {
			d.lost.Refuse(at)
		}
	}
	return nil
}

// toolsOfItem reads the tools that an item of the input declares, which are
// {type: additional_tools, role, tools}, or that a search for tools found. The
// latest declaration of a tool counts.
func (d *requestDecoder) toolsOfItem(v jsonbytes.Value, at transform.Path) error {
	kind := v.Get("type")
	declares := kind.Is("additional_tools")
	if !declares && !kind.Is("tool_search_output") {
		return nil
	}
	before := len(d.r.Tools)
	for key, value := range v.Members() {
		switch name := jsonbytes.Name(key); {
		case value.IsNull():
		case name == "tools":
			if err := d.readTools(value, at.Key(name)); err != nil {
				return err
			}
		case declares && name != "type" && name != "role" && name != "id" && name != "status":
			d.lost.Drop(at.Key(name))
		}
	}
	d.replaceTools(before)
	return nil
}

// replaceTools puts tools that were declared anew where they stood.
func (d *requestDecoder) replaceTools(from int) {
	if from == len(d.r.Tools) {
		return
	}
	known := make(map[spacedName]int, len(d.r.Tools))
	for i := range d.r.Tools[:from] {
		known[clientName(&d.r.Tools[i])] = i
	}
	kept := d.r.Tools[:from]
	for _, tool := range d.r.Tools[from:] {
		at, again := known[clientName(&tool)]
		if !again {
			known[clientName(&tool)] = len(kept)
			kept = append(kept, tool)
			continue
		}
		d.lost.Drop(kept[at].At)
		kept[at] = tool
	}
	d.r.Tools = kept
}

// clientName is what the client calls a tool.
func clientName(tool *transform.Tool) spacedName {
	if tool.Plain != "" {
		return spacedName{tool.Namespace, tool.Plain}
	}
	return spacedName{"", tool.Name}
}

// nameTools gives the tools of namespaces the names under which they go out.
func (d *requestDecoder) nameTools() {
	var taken map[string]bool
	for i := range d.r.Tools {
		if d.r.Tools[i].Plain == "" {
			continue
		}
		if taken == nil {
			taken = make(map[string]bool, len(d.r.Tools))
			for j := range d.r.Tools {
				if d.r.Tools[j].Plain == "" {
					taken[d.r.Tools[j].Name] = true
				}
			}
			d.names.given = make(map[spacedName]string)
		}
		tool := &d.r.Tools[i]
		name, again := d.names.given[clientName(tool)]
		if !again {
			if name = flatName(tool.Namespace, tool.Plain, false); taken[name] {
				name = flatName(tool.Namespace, tool.Plain, true)
			}
			taken[name] = true
			d.names.given[clientName(tool)] = name
		}
		tool.Name = name
	}
}

// rename gives a call the name that the client has for its tool, and returns
// the namespace; r may be nil.
func rename(r *transform.Request, call *transform.ToolCall) string {
	if r == nil {
		return ""
	}
	for i := range r.Tools {
		if tool := &r.Tools[i]; tool.Name == call.Name {
			if tool.Plain == "" {
				return ""
			}
			call.Name = tool.Plain
			return tool.Namespace
		}
	}
	return ""
}
