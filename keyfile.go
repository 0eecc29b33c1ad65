package llmproxy

import (
	"crypto/sha256"
	"fmt"

	"github.com/caddyllm/llmproxy/internal/yamljson"
)

// keyFile is a file of client keys that was read and understood.
type keyFile struct {
	source
	Keys   map[string]*Key   `json:"keys,omitempty"`
	Groups map[string]*Group `json:"groups,omitempty"`
	digest [sha256.Size]byte
}

func readKeyFile(path string, others bool) (*keyFile, error) {
	text, err := readBounded(path)
	if err != nil {
		return nil, fmt.Errorf("reading the key file: %w", err)
	}
	file, err := parseKeyFile(path, text, others)
	if err != nil {
		return nil, err
	}
	file.digest = sha256.Sum256(text)
	return file, nil
}

// parseKeyFile understands a file's text. Its errors name the place and no secret.
func parseKeyFile(path string, text []byte, others bool) (*keyFile, error) {
	file := &keyFile{source: source{path: path}}
	root, err := yamljson.Parse(text)
	if err != nil {
		return nil, file.locate(err)
	}
	if err := file.decode(root, file); err != nil {
		return nil, file.locate(err)
	}
	for id, key := range file.Keys {
		if key == nil {
			continue
		}
		if err := key.digestSecrets(); err != nil {
			return nil, file.at("/keys/"+escapePointer(id), fmt.Errorf("key %q: %w", id, err))
		}
	}
	return file, file.locate(checkKeys("", file.Keys, file.Groups, others))
}
