// Package yamljson turns YAML into JSON and keeps where each value stands.
package yamljson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Place is where something stands, counted from 1. The zero value is nowhere.
type Place struct{ Line, Column int }

// Places maps JSON pointers to where they stand: a member to its name, an
// element to its value.
type Places map[string]Place

// Error is a mistake in what a JSON pointer names.
type Error struct {
	Pointer string
	Place   Place
	Err     error
}

func (e *Error) Error() string { return e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

// Parse reads the one document of a text. An error of YAML itself says the line
// in its own words; any other is an [Error].
func Parse(text []byte) (*yaml.Node, error) {
	var document, another yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	err := decoder.Decode(&document)
	switch {
	case errors.Is(err, io.EOF), err == nil && len(document.Content) == 0:
		return nil, errors.New("the file is empty")
	case err != nil:
		return nil, err
	}
	if err := decoder.Decode(&another); !errors.Is(err, io.EOF) {
		return nil, &Error{Place: Place{another.Line, another.Column}, Err: errors.New("the file has more than one document")}
	}
	return document.Content[0], nil
}

// Convert writes a node, with all that its aliases stand for, as JSON. Its
// errors are of type [Error].
func Convert(node *yaml.Node) ([]byte, Places, error) {
	c := converter{places: make(Places)}
	if err := c.write(node, "", 0); err != nil {
		return nil, nil, err
	}
	return c.out.Bytes(), c.places, nil
}

// Escape makes a name a token of a JSON pointer.
func Escape(name string) string {
	return strings.ReplaceAll(strings.ReplaceAll(name, "~", "~0"), "/", "~1")
}

type converter struct {
	out    bytes.Buffer
	places Places
	nodes  int
}

const (
	maxNodes = 500_000 // aliases multiply
	maxDepth = 64
)

func (c *converter) fail(pointer string, err error) error {
	return &Error{pointer, c.places[pointer], err}
}

func (c *converter) write(node *yaml.Node, pointer string, depth int) error {
	if _, ok := c.places[pointer]; !ok {
		c.places[pointer] = Place{node.Line, node.Column}
	}
	if c.nodes++; c.nodes > maxNodes || depth > maxDepth {
		return c.fail(pointer, errors.New("the file is too large or too deeply nested"))
	}
	switch node.Kind {
	case yaml.AliasNode:
		return c.write(node.Alias, pointer, depth+1)
	case yaml.MappingNode:
		return c.writeMapping(node, pointer, depth)
	case yaml.SequenceNode:
		return c.writeSequence(node, pointer, depth)
	}
	if node.Kind == yaml.ScalarNode && node.Tag == "!!str" {
		return c.writeValue(node.Value, pointer) // of which a file may have thousands
	}
	var value any
	if err := node.Decode(&value); err != nil {
		return c.fail(pointer, err)
	}
	return c.writeValue(value, pointer)
}

func (c *converter) writeValue(value any, pointer string) error {
	text, err := json.Marshal(value)
	if err != nil {
		return c.fail(pointer, err)
	}
	c.out.Write(text)
	return nil
}

func (c *converter) writeSequence(node *yaml.Node, pointer string, depth int) error {
	c.out.WriteByte('[')
	for i, element := range node.Content {
		if i > 0 {
			c.out.WriteByte(',')
		}
		if err := c.write(element, fmt.Sprintf("%s/%d", pointer, i), depth+1); err != nil {
			return err
		}
	}
	c.out.WriteByte(']')
	return nil
}

func (c *converter) writeMapping(node *yaml.Node, pointer string, depth int) error {
	c.out.WriteByte('{')
	seen := make(map[string]bool, len(node.Content)/2)
	for i := 0; i+1 < len(node.Content); i += 2 {
		key := node.Content[i]
		inner := pointer + "/" + Escape(key.Value)
		c.places[inner] = Place{key.Line, key.Column}
		switch {
		case key.Kind != yaml.ScalarNode:
			return c.fail(inner, errors.New("a key must be a plain word"))
		case key.Tag == "!!merge":
			return c.fail(inner, errors.New("merge keys (<<) are not supported: write the members out, or use an alias for the whole value"))
		case seen[key.Value]:
			return c.fail(inner, fmt.Errorf("%q is written twice", key.Value))
		}
		seen[key.Value] = true
		if i > 0 {
			c.out.WriteByte(',')
		}
		if err := c.writeValue(key.Value, inner); err != nil {
			return err
		}
		c.out.WriteByte(':')
		if err := c.write(node.Content[i+1], inner, depth+1); err != nil {
			return err
		}
	}
	c.out.WriteByte('}')
	return nil
}
