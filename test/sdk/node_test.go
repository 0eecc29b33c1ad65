package sdk_test

import (
	"encoding/json"
	"reflect"
	"strings"
)

// node is a JSON value, or the lack of one. The stand-in reads requests through
// it, with encoding/json alone: nothing of the project's own codecs is in its way.
type node struct{ v any }

func parse(body []byte) (node, error) {
	var n node
	err := json.Unmarshal(body, &n.v)
	return n, err
}

// at follows members, by name, and elements, by number.
func (n node) at(path ...any) node {
	for _, step := range path {
		switch step := step.(type) {
		case string:
			m, _ := n.v.(map[string]any)
			n = node{m[step]}
		case int:
			list, _ := n.v.([]any)
			if step >= len(list) {
				return node{}
			}
			n = node{list[step]}
		}
	}
	return n
}

func (n node) ok() bool { return n.v != nil }

func (n node) str() string { s, _ := n.v.(string); return s }

func (n node) isText() bool { _, ok := n.v.(string); return ok }

func (n node) int() int { f, _ := n.v.(float64); return int(f) }

func (n node) yes() bool { b, _ := n.v.(bool); return b }

func (n node) list() []node {
	list, _ := n.v.([]any)
	nodes := make([]node, len(list))
	for i := range list {
		nodes[i] = node{list[i]}
	}
	return nodes
}

func (n node) names() []string {
	m, _ := n.v.(map[string]any)
	var names []string
	for name := range m {
		names = append(names, name)
	}
	return names
}

func (n node) String() string { return encode(n.v) }

func equalJSON(a, b any) bool { return reflect.DeepEqual(a, b) }

// encode writes JSON as vendors do: with & and < as they are.
func encode(v any) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err) // all that is written here can be
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// parsed is the value of a JSON text, nil if it is none.
func parsed(text string) (v any) {
	_ = json.Unmarshal([]byte(text), &v)
	return v
}

// plainSchema leaves out of a schema in what the formats' own dialects differ:
// upper-case types, and what some of them have no word for.
func plainSchema(v any) any {
	switch v := v.(type) {
	case map[string]any:
		plain := make(map[string]any, len(v))
		for name, value := range v {
			switch name {
			case "additionalProperties", "$schema", "propertyOrdering", "title":
				continue
			case "type":
				if s, ok := value.(string); ok {
					value = strings.ToLower(s)
				}
			}
			plain[name] = plainSchema(value)
		}
		return plain
	case []any:
		plain := make([]any, len(v))
		for i := range v {
			plain[i] = plainSchema(v[i])
		}
		return plain
	}
	return v
}

func sameSchema(a, b any) bool { return equalJSON(plainSchema(a), plainSchema(b)) }
