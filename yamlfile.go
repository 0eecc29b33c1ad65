package llmproxy

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/caddyllm/llmproxy/internal/yamljson"
)

// configFile is a YAML file that was read and understood.
type configFile struct {
	source
	Config Config
	// Listen is the address that the config adapter serves; a file that a block
	// names has none.
	Listen string
	digest [sha256.Size]byte
}

// source is a YAML file and where everything in it stands.
type source struct {
	path   string
	places yamljson.Places
}

// fileConfig is the schema of a YAML file.
type fileConfig struct {
	Listen string `json:"listen,omitempty"`
	Config
}

// fileError is an error with its place.
type fileError struct {
	path  string
	place yamljson.Place
	err   error
}

func (e *fileError) Error() string {
	if e.place == (yamljson.Place{}) {
		return fmt.Sprintf("%s: %v", e.path, e.err)
	}
	return fmt.Sprintf("%s:%d:%d: %v", e.path, e.place.Line, e.place.Column, e.err)
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
	file := &configFile{source: source{path: path}}
	root, err := yamljson.Parse(text)
	if err != nil {
		return nil, file.locate(err)
	}
	var decoded fileConfig
	if err := file.decode(root, &decoded); err != nil {
		return nil, file.locate(err)
	}
	file.Config, file.Listen = decoded.Config, decoded.Listen
	if len(file.Config.ProviderOrder) == 0 {
		file.Config.ProviderOrder = membersOf(root, "providers")
	}
	if err := file.digestSecrets(); err != nil {
		return nil, err
	}
	if err := file.Config.check(); err != nil {
		return nil, file.locate(err)
	}
	return file, nil
}

// decode reads a document strictly into a struct.
func (f *source) decode(root *yaml.Node, into any) error {
	converted, places, err := yamljson.Convert(root)
	if err != nil {
		return err
	}
	f.places = places
	if err := checkNode(root, reflect.TypeOf(into), ""); err != nil {
		return err
	}
	return decodeStrictly(converted, into)
}

// membersOf are the names within a member of a file, in the order of the file.
func membersOf(root *yaml.Node, member string) (names []string) {
	for i := 0; i+1 < len(root.Content); i += 2 {
		if root.Content[i].Value != member {
			continue
		}
		value := root.Content[i+1]
		if value.Kind == yaml.AliasNode {
			value = value.Alias
		}
		for j := 0; j+1 < len(value.Content); j += 2 {
			names = append(names, value.Content[j].Value)
		}
	}
	return names
}

// digestSecrets keeps no client's secret in memory longer than it takes to
// make its digest.
func (f *configFile) digestSecrets() error {
	if f.Config.Auth == nil {
		return nil
	}
	for id, key := range f.Config.Auth.Keys {
		if key == nil {
			continue
		}
		if err := key.digestSecrets(); err != nil {
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
func (f *source) locate(err error) error {
	var done *fileError
	if err == nil || errors.As(err, &done) {
		return err
	}
	var placed *placedError
	if errors.As(err, &placed) {
		return f.at(placed.pointer, err)
	}
	var inYAML *yamljson.Error
	if errors.As(err, &inYAML) {
		return &fileError{f.path, inYAML.Place, err}
	}
	return &fileError{path: f.path, err: err}
}

// at gives an error the place of a pointer, or of the nearest thing around it
// that the file has.
func (f *source) at(pointer string, err error) error {
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

func escapePointer(name string) string { return yamljson.Escape(name) }
