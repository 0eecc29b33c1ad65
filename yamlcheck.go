package llmproxy

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"

	"github.com/caddyserver/caddy/v2"
	"go.yaml.in/yaml/v3"

	"github.com/caddyllm/llmproxy/internal/quota"
	"github.com/caddyllm/llmproxy/internal/yamljson"
	"github.com/caddyllm/llmproxy/providers"
)

// checkNode finds what the JSON decoder would refuse: members that nobody knows
// and values of the wrong type. The decoder cannot say where they stand.
func checkNode(node *yaml.Node, t reflect.Type, pointer string) error {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	switch {
	case t == reflect.TypeFor[json.RawMessage](), node.Tag == "!!null":
		return nil
	case t == reflect.TypeFor[string]() && node.Tag == "!!str":
		return nil // of which a file may have thousands
	case node.Kind == yaml.SequenceNode && t.Kind() == reflect.Slice:
		return checkElements(node, t, pointer)
	case node.Kind == yaml.MappingNode && t.Kind() == reflect.Struct:
		return checkMembers(node, t, pointer)
	case node.Kind == yaml.MappingNode && t.Kind() == reflect.Map:
		return checkNames(node, t, pointer)
	case node.Kind == yaml.MappingNode && (t == reflect.TypeFor[Targets]() || t == reflect.TypeFor[Models]() ||
		t == reflect.TypeFor[quota.Windows]() || t == reflect.TypeFor[quota.Budgets]()):
		return checkNode(node, t.Elem(), pointer) // one alone
	}
	text, _, err := yamljson.Convert(node)
	if err != nil {
		return &placedError{pointer, err}
	}
	err = json.Unmarshal(text, reflect.New(t).Interface())
	var wrong *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &wrong):
		err = fmt.Errorf("must be %s, not %s", kindName(t), nodeName(node))
	}
	return &placedError{pointer, err}
}

func checkElements(node *yaml.Node, t reflect.Type, pointer string) error {
	for i, element := range node.Content {
		if err := checkNode(element, t.Elem(), fmt.Sprintf("%s/%d", pointer, i)); err != nil {
			return err
		}
	}
	return nil
}

// checkNames checks a map whose keys are names of the author's choice.
func checkNames(node *yaml.Node, t reflect.Type, pointer string) error {
	for i := 0; i+1 < len(node.Content); i += 2 {
		name, value := node.Content[i].Value, node.Content[i+1]
		element := t.Elem()
		if pointer == "/providers" {
			element = providerType(name, value)
		}
		if err := checkNode(value, element, pointer+"/"+escapePointer(name)); err != nil {
			return err
		}
	}
	return nil
}

func checkMembers(node *yaml.Node, t reflect.Type, pointer string) error {
	fields := jsonFields(t)
	for i := 0; i+1 < len(node.Content); i += 2 {
		name := node.Content[i].Value
		inner := pointer + "/" + escapePointer(name)
		field, ok := fields[name]
		switch {
		case name == "provider" && strings.HasPrefix(pointer, "/providers/"):
			field = reflect.TypeFor[string]() // the module's inline key
		case !ok:
			return &placedError{inner, fmt.Errorf("unknown member %q", name)}
		}
		if err := checkNode(node.Content[i+1], field, inner); err != nil {
			return err
		}
	}
	return nil
}

// providerType is the struct of a provider's module; any type if there is none:
// the loader says so later.
func providerType(name string, node *yaml.Node) reflect.Type {
	kind := name
	for i := 0; i+1 < len(node.Content); i += 2 {
		if node.Content[i].Value == "provider" {
			kind = node.Content[i+1].Value
		}
	}
	module, err := caddy.GetModule(providers.Namespace + "." + kind)
	if err != nil {
		return reflect.TypeFor[json.RawMessage]()
	}
	return reflect.TypeOf(module.New())
}

// knownFields are the fields of the structs that there are, by their types.
var knownFields sync.Map

// jsonFields are the members that a struct takes, embedded ones included.
func jsonFields(t reflect.Type) map[string]reflect.Type {
	if known, ok := knownFields.Load(t); ok {
		return known.(map[string]reflect.Type)
	}
	fields := make(map[string]reflect.Type)
	for _, f := range reflect.VisibleFields(t) {
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" && name != "-" && f.IsExported() {
			fields[name] = f.Type
		}
	}
	knownFields.Store(t, fields)
	return fields
}

// kindName says what a type wants, in an author's words.
func kindName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Struct, reflect.Map:
		return "a mapping"
	case reflect.Slice:
		return "a list"
	case reflect.String:
		return "text"
	case reflect.Bool:
		return "true or false"
	}
	return "a whole number"
}

func nodeName(node *yaml.Node) string {
	switch {
	case node.Kind == yaml.MappingNode:
		return "a mapping"
	case node.Kind == yaml.SequenceNode:
		return "a list"
	case node.Tag == "!!str":
		return "text"
	}
	// Never the value: it may be somebody's secret.
	switch node.Tag {
	case "!!bool":
		return "true or false"
	case "!!null":
		return "nothing"
	}
	return "a number"
}
