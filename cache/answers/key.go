package answers

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"net/http"
	"sync"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// Key names an answer. It tells nothing of the question, but whoever can guess the
// question can tell the key: it is not for logs or headers.
type Key [sha256.Size]byte

// keyVersion is the first thing in every key: another way to make keys finds none
// of the old answers.
const keyVersion = 1

// Question is a request with everything that may change its answer.
type Question struct {
	// Scope is who shares the answer: see [Scope].
	Scope     string
	Format    transform.Format
	Operation string
	// Model is the name that was asked for, which not all formats have in the body.
	Model string
	// Targets is a hash of what may answer: the list of targets, and whatever their
	// route does to a request.
	Targets [sha256.Size]byte
	// Header is the client's. Only what providers are told of it counts.
	Header http.Header
	// Body is the request as it was read.
	Body []byte
}

// tellingHeaders are the headers of clients that providers are told, and that may
// change an answer.
var tellingHeaders = [...]string{
	"Anthropic-Version", "Anthropic-Beta", "Anthropic-Workspace-Id", "Anthropic-User-Profile-Id", "Openai-Beta",
}

// The members of a request that change nothing of what is answered. All others
// count, those that nobody knows included.
var (
	// How the answer is sent: one that is stored is replayed in either manner.
	// Who asks for whom: the scope says that. And where a provider's own cache of
	// prompts is, which makes an answer cheaper, not another one.
	idleOpenAI = []string{
		"stream", "stream_options", "user", "safety_identifier", "metadata", "prompt_cache_key", "prompt_cache_retention",
	}
	idleAnthropic = []string{"stream", "metadata"}
	// Labels are metadata for the bill; manner and model are in the path.
	idleGemini = []string{"labels"}
)

func idleMembers(f transform.Format) []string {
	switch f {
	case transform.Anthropic:
		return idleAnthropic
	case transform.Gemini:
		return idleGemini
	}
	return idleOpenAI
}

// keyer makes keys, one at a time.
type keyer struct {
	hash hash.Hash
	form jsonbytes.Canonical
	head []byte
	sum  [sha256.Size]byte
}

var keyers = sync.Pool{New: func() any { return &keyer{hash: sha256.New()} }}

// Key is the SHA-256 of the question: each part with its length before it, and the
// body in canonical form. A body that has none, which is not JSON, counts as it is.
func (q *Question) Key() (key Key) {
	k := keyers.Get().(*keyer)
	defer keyers.Put(k)
	k.hash.Reset()
	k.head = append(k.head[:0], keyVersion)
	k.part(q.Scope)
	k.part(string(q.Format))
	k.part(q.Operation)
	k.part(q.Model)
	k.head = append(k.head, q.Targets[:]...)
	for _, name := range tellingHeaders {
		values := q.Header[name]
		k.head = binary.AppendUvarint(k.head, uint64(len(values)))
		for _, value := range values {
			k.part(value)
		}
	}
	mark := len(k.head)
	k.head = append(k.head, 'j')
	k.hash.Write(k.head)
	// A hash takes everything.
	if ok, _ := k.form.Write(k.hash, q.Body, idleMembers(q.Format)); !ok {
		k.head[mark] = 'r'
		k.hash.Reset()
		k.hash.Write(k.head)
		k.hash.Write(q.Body)
	}
	copy(key[:], k.hash.Sum(k.sum[:0]))
	return key
}

// Hash is one for a list of words, of which none runs into the next: a list of
// targets, and what their route sets in a request.
func Hash(words ...string) (sum [sha256.Size]byte) {
	var k keyer
	for _, word := range words {
		k.part(word)
	}
	return sha256.Sum256(k.head)
}

func (k *keyer) part(s string) {
	k.head = binary.AppendUvarint(k.head, uint64(len(s)))
	k.head = append(k.head, s...)
}
