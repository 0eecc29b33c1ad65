package limits

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
)

// Scope is the kind of subject that a limit is set for.
type Scope uint8

// The scopes.
const (
	ScopeKey Scope = iota + 1
	ScopeGroup
	ScopeModel
	ScopeHandler
	ScopeProvider
	ScopeProviderKey
)

// Bucket is where the charges of one limit for one subject are counted. It holds no
// text of the subject's id, only a hash.
type Bucket [16]byte

// NewBucket names the bucket of a limit for a subject. The amount and name of the limit are
// no part of it, so that a changed limit goes on with what was used. It costs a hash: keep it.
func NewBucket(scope Scope, id string, limit *Limit) Bucket {
	var head [20]byte
	head[0], head[1] = byte(scope), byte(limit.Kind)
	head[2] = byte(limit.Window.Calendar)
	binary.LittleEndian.PutUint64(head[4:], uint64(limit.Window.Length))
	binary.LittleEndian.PutUint64(head[12:], uint64(len(id)))
	h := sha256.New()
	h.Write(head[:])
	h.Write([]byte(id))
	var sum [sha256.Size]byte
	return Bucket(h.Sum(sum[:0])[:16])
}

// appendKey appends the bucket as it stands in the keys of a store.
func (b Bucket) appendKey(to []byte) []byte { return hex.AppendEncode(to, b[:]) }

var scopeNames = [...]string{
	ScopeKey: "key", ScopeGroup: "group", ScopeModel: "model", ScopeHandler: "handler", ScopeProvider: "provider", ScopeProviderKey: "provider_key",
}

// String is a word for the scope, for logs and metrics.
func (s Scope) String() string {
	if int(s) < len(scopeNames) {
		return scopeNames[s]
	}
	return ""
}
