package llmproxy

import (
	"crypto/sha256"
	"fmt"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddyllm/llmproxy/internal/yamljson"
)

// keyFile is a file of client keys that was read and understood. It does not change after.
type keyFile struct {
	source
	Keys   map[string]*Key   `json:"keys,omitempty"`
	Groups map[string]*Group `json:"groups,omitempty"`
	digest [sha256.Size]byte
}

// Destruct lets the pool hold it; memory is all there is to it.
func (*keyFile) Destruct() error { return nil }

// keyFileKey is a key file with a certain text, as configs with other callers besides read it.
type keyFileKey struct {
	path   string
	digest [sha256.Size]byte
	others bool
}

// readKeyFile reads the key file. One that the config before has read too is not parsed again,
// which is most of a reload with many keys.
func (w *authority) readKeyFile() (*keyFile, error) {
	text, err := readBounded(w.config.KeysFile)
	if err != nil {
		return nil, fmt.Errorf("reading the key file: %w", err)
	}
	key := keyFileKey{w.config.KeysFile, sha256.Sum256(text), w.config.others()}
	found, _, err := sharedState.LoadOrNew(key, func() (caddy.Destructor, error) {
		file, err := parseKeyFile(key.path, text, key.others)
		if err != nil {
			return nil, err
		}
		file.digest = key.digest
		return file, nil
	})
	if err != nil {
		return nil, err
	}
	w.shared = append(w.shared, key)
	return found.(*keyFile), nil
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
