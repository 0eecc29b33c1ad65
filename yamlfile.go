package llmproxy

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v3"
)

// configFile is a YAML file that was read and understood.
type configFile struct {
	path   string
	Config Config
	// Listen is the address that the config adapter serves; a file that a block
	// names has none.
	Listen string
	places places
	digest [sha256.Size]byte
}

// fileConfig is the schema of a YAML file.
type fileConfig struct {
	Listen string `json:"listen,omitempty"`
	Config
}

// place is where something stands in a file, counted from 1.
type place struct{ line, column int }

// places maps JSON pointers to where they stand.
type places map[string]place

// fileError is an error with its place.
type fileError struct {
	path string
	place
	err error
}

func (e *fileError) Error() string {
	if e.line == 0 {
		return fmt.Sprintf("%s: %v", e.path, e.err)
	}
	return fmt.Sprintf("%s:%d:%d: %v", e.path, e.line, e.column, e.err)
}

func (e *fileError) Unwrap() error { return e.err }

// maxConfigFile bounds a config file: one with thousands of keys is far below.
const maxConfigFile = 16 << 20

// readConfigFile reads a file that a block names.
func readConfigFile(path string) (*configFile, error) {
	text, err := readBounded(path)
	if err != nil {
		return nil, fmt.Errorf("reading the config file: %w", err)
	}
	file, err := parseConfigFile(path, text)
	if err != nil {
		return nil, err
	}
	file.digest = sha256.Sum256(text)
	return file, file.notNested()
}

// notNested refuses what only a file that is the whole config may say.
func (f *configFile) notNested() error {
	switch {
	case f.Listen != "":
		return f.at("/listen", errors.New("listen is for files that are the whole config: here the site says where to listen"))
	case f.Config.ConfigFile != "":
		return f.at("/config", errors.New("a config file cannot name another one"))
	case f.Config.ID != "":
		return f.at("/@id", errors.New("an @id is for Caddy's config: give it to the block that names this file"))
	}
	return nil
}

func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxConfigFile+1))
	if err == nil && len(text) > maxConfigFile {
		err = fmt.Errorf("%s is larger than %d bytes", path, maxConfigFile)
	}
	return text, err
}

// parseConfigFile understands a file's text. Its errors name the place.
func parseConfigFile(path string, text []byte) (*configFile, error) {
	document, err := parseDocument(path, text)
	if err != nil {
		return nil, err
	}
	file := &configFile{path: path, places: make(places)}
	converter := yamlConverter{places: file.places}
	var buffer bytes.Buffer
	if err := converter.write(&buffer, document.Content[0], "", 0); err != nil {
		return nil, file.locate(err)
	}
	if err := checkNode(document.Content[0], reflect.TypeFor[fileConfig](), ""); err != nil {
		return nil, file.locate(err)
	}
	var decoded fileConfig
	if err := decodeStrictly(buffer.Bytes(), &decoded); err != nil {
		return nil, file.locate(err)
	}
	file.Config, file.Listen = decoded.Config, decoded.Listen
	if len(file.Config.ProviderOrder) == 0 {
		file.Config.ProviderOrder = converter.providers
	}
	if err := file.digestSecrets(); err != nil {
		return nil, err
	}
	if err := file.Config.check(); err != nil {
		return nil, file.locate(err)
	}
	return file, nil
}

// parseDocument reads the one document of a file.
func parseDocument(path string, text []byte) (document yaml.Node, err error) {
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	if err = decoder.Decode(&document); errors.Is(err, io.EOF) {
		err = errors.New("the file is empty")
	}
	if err != nil {
		return document, &fileError{path: path, err: err} // yaml's own text names the line
	}
	var another yaml.Node
	if err := decoder.Decode(&another); !errors.Is(err, io.EOF) {
		return document, &fileError{path, place{another.Line, another.Column}, errors.New("the file has more than one document")}
	}
	return document, nil
}

// digestSecrets keeps no client's secret in memory longer than it takes to
// make its digest.
func (f *configFile) digestSecrets() error {
	if f.Config.Auth == nil {
		return nil
	}
	for id, key := range f.Config.Auth.Keys {
		if key == nil || key.Secret == "" {
			continue
		}
		text := key.Secret
		key.Secret = ""
		if err := key.setSecret(text); err != nil {
			return f.at("/auth/keys/"+escapePointer(id), err)
		}
	}
	return nil
}

// placedError is an error of the thing that a JSON pointer names.
type placedError struct {
	pointer string
	err     error
}

func (e *placedError) Error() string { return e.err.Error() }
func (e *placedError) Unwrap() error { return e.err }

// locate finds the place that an error speaks of.
func (f *configFile) locate(err error) error {
	var placed *placedError
	if errors.As(err, &placed) {
		return f.at(placed.pointer, err)
	}
	return &fileError{path: f.path, err: err}
}

// at gives an error the place of a pointer, or of the nearest thing around it
// that the file has.
func (f *configFile) at(pointer string, err error) error {
	for {
		if p, ok := f.places[pointer]; ok {
			return &fileError{path: f.path, place: p, err: err}
		}
		i := strings.LastIndexByte(pointer, '/')
		if i < 0 {
			return &fileError{path: f.path, err: err}
		}
		pointer = pointer[:i]
	}
}

func escapePointer(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(s, "~", "~0"), "/", "~1")
}

// yamlConverter writes YAML nodes as JSON, noting where each stands.
type yamlConverter struct {
	places    places
	providers []string // in the order of the file
	nodes     int
}

const (
	maxYAMLNodes = 500_000 // aliases multiply
	maxYAMLDepth = 64
)

func (c *yamlConverter) write(out *bytes.Buffer, node *yaml.Node, pointer string, depth int) error {
	if c.nodes++; c.nodes > maxYAMLNodes || depth > maxYAMLDepth {
		return &placedError{pointer, errors.New("the file is too large or too deeply nested")}
	}
	if _, ok := c.places[pointer]; !ok {
		c.places[pointer] = place{node.Line, node.Column}
	}
	switch node.Kind {
	case yaml.AliasNode:
		return c.write(out, node.Alias, pointer, depth+1)
	case yaml.MappingNode:
		return c.writeMapping(out, node, pointer, depth)
	case yaml.SequenceNode:
		out.WriteByte('[')
		for i, element := range node.Content {
			if i > 0 {
				out.WriteByte(',')
			}
			if err := c.write(out, element, fmt.Sprintf("%s/%d", pointer, i), depth+1); err != nil {
				return err
			}
		}
		out.WriteByte(']')
		return nil
	}
	var value any
	if err := node.Decode(&value); err != nil {
		return &placedError{pointer, err}
	}
	text, err := json.Marshal(value)
	if err != nil {
		return &placedError{pointer, err}
	}
	out.Write(text)
	return nil
}

func (c *yamlConverter) writeMapping(out *bytes.Buffer, node *yaml.Node, pointer string, depth int) error {
	out.WriteByte('{')
	seen := make(map[string]bool, len(node.Content)/2)
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		inner := pointer + "/" + escapePointer(key.Value)
		c.places[inner] = place{key.Line, key.Column}
		switch {
		case key.Kind != yaml.ScalarNode:
			return &placedError{inner, errors.New("a key must be a plain word")}
		case key.Tag == "!!merge":
			return &placedError{inner, errors.New("merge keys (<<) are not supported: write the members out, or use an alias for the whole value")}
		case seen[key.Value]:
			return &placedError{inner, fmt.Errorf("%q is written twice", key.Value)}
		}
		seen[key.Value] = true
		if pointer == "/providers" {
			c.providers = append(c.providers, key.Value)
		}
		if i > 0 {
			out.WriteByte(',')
		}
		name, err := json.Marshal(key.Value)
		if err != nil {
			return &placedError{inner, err}
		}
		out.Write(name)
		out.WriteByte(':')
		if err := c.write(out, value, inner, depth+1); err != nil {
			return err
		}
	}
	out.WriteByte('}')
	return nil
}
