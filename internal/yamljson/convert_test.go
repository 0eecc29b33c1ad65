package yamljson

import (
	"encoding/json"
	"errors"
	"reflect"
	"testing"

	"go.yaml.in/yaml/v3"
)

func TestConvert(t *testing.T) {
	for text, want := range map[string]string{
		"a: 1\nb: [x, 2.5, true, null, '3']\n": `{"a":1,"b":["x",2.5,true,null,"3"]}`,
		"b: 1\na: 2\n":                         `{"b":1,"a":2}`,
		"x: &x {y: 1}\nz: [*x, *x]\n":          `{"x":{"y":1},"z":[{"y":1},{"y":1}]}`,
		"a: |\n  two\n  lines\n":               `{"a":"two\nlines\n"}`,
		"a/b: {c~d: ''}\n":                     `{"a/b":{"c~d":""}}`,
		"1: {true: no}\n":                      `{"1":{"true":"no"}}`,
		"text\n":                               `"text"`,
	} {
		node, err := Parse([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if got, _, err := Convert(node); err != nil || string(got) != want {
			t.Errorf("%q becomes %s (%v), not %s", text, got, err, want)
		}
	}
}

func TestConvertKeepsPlaces(t *testing.T) {
	node, err := Parse([]byte("# comment\na/b:\n  - x\n  -  y: 1\n"))
	if err != nil {
		t.Fatal(err)
	}
	_, places, err := Convert(node)
	want := Places{"": {2, 1}, "/a~1b": {2, 1}, "/a~1b/0": {3, 5}, "/a~1b/1": {4, 6}, "/a~1b/1/y": {4, 6}}
	if err != nil || !reflect.DeepEqual(places, want) {
		t.Errorf("the places are %v (%v), not %v", places, err, want)
	}
}

func FuzzConvert(f *testing.F) {
	for _, text := range []string{
		"providers: {mock: {}}\nmodels: {a: {to: [mock/echo]}}\nauth: {anonymous: true}\n",
		"models:\n  a: &a {to: [{target: mock/echo, weight: 3}], policy: weighted}\n  b: *a\n",
		"<<: {}\n", "? [a]\n: b\n", "- &a [*a]\n", "a: !!timestamp 2001-01-01\n", "a: .inf\n", "a: !!binary aGk=\n", "--- 1\n--- 2\n",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		node, err := Parse(text)
		if err != nil {
			return
		}
		converted, places, err := Convert(node)
		if err != nil {
			var at *Error
			if !errors.As(err, &at) || at.Place == (Place{}) {
				t.Errorf("%q: the error %v has no place", text, err)
			}
			return
		}
		var value any
		if err := json.Unmarshal(converted, &value); err != nil {
			t.Errorf("%q becomes %s: %v", text, converted, err)
		}
		if keys(value) != mappingKeys(node) {
			t.Errorf("%q becomes %s, with another number of members", text, converted)
		}
		for pointer, place := range places {
			if place.Line < 1 || place.Column < 1 {
				t.Errorf("%q: %s is at %v", text, pointer, place)
			}
		}
	})
}

// keys counts the members of all objects in a value.
func keys(value any) (n int) {
	switch value := value.(type) {
	case map[string]any:
		n = len(value)
		for _, inner := range value {
			n += keys(inner)
		}
	case []any:
		for _, inner := range value {
			n += keys(inner)
		}
	}
	return n
}

func mappingKeys(node *yaml.Node) (n int) {
	switch node.Kind {
	case yaml.AliasNode:
		return mappingKeys(node.Alias)
	case yaml.MappingNode:
		for i := 1; i < len(node.Content); i += 2 {
			n += 1 + mappingKeys(node.Content[i])
		}
	case yaml.SequenceNode:
		for _, element := range node.Content {
			n += mappingKeys(element)
		}
	}
	return n
}
