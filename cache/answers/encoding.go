package answers

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/usage"
)

// An encoded entry is
//
//	magic | HMAC-SHA-256 of all that follows | flags | key | numbers | strings | body | dropped
//
// Numbers are varints, strings and the body have their length before them.

const (
	magic       = "lpa"
	flagPacked  = 1 << 0
	flagKnown   = 1 << 1
	flagCost    = 1 << 2
	headerStart = len(magic) + sha256.Size
	// maxHeader bounds an encoded entry without its body. Names that are longer
	// than maxName are cut: they are for people.
	maxHeader = 2 << 10
	maxName   = 256
	// maxDropped bounds what is kept of the members that were dropped.
	maxDropped = 4 << 10
)

// errAltered is a value that is not what was stored under its key.
var errAltered = errors.New("answers: a stored value was altered")

// sealer encodes entries so that what has been altered is told from what has not.
// Without a secret that protects against accidents, with one against everyone who
// may write to the store.
type sealer struct{ secret []byte }

// encode appends the entry to dst.
func (s *sealer) encode(dst []byte, e *Entry) []byte {
	dst = append(dst, magic...)
	dst = append(dst, make([]byte, sha256.Size)...)
	body, packed := pack(e.Body)
	flags := byte(0)
	for bit, set := range map[byte]bool{flagPacked: packed, flagKnown: e.Usage.Known, flagCost: e.Usage.CostKnown} {
		if set {
			flags |= bit
		}
	}
	dst = append(dst, flags)
	dst = append(dst, e.Key[:]...)
	for _, n := range [...]int64{
		e.Created.UnixMilli(), e.TTL.Milliseconds(), e.Stale.Milliseconds(), int64(e.Manner), int64(e.Finish),
		e.Usage.Input, e.Usage.CacheRead, e.Usage.CacheWrite, e.Usage.CacheWrite1h, e.Usage.AudioInput,
		e.Usage.Output, e.Usage.Reasoning, e.Usage.AudioOutput, int64(e.Usage.Cost), int64(len(e.Body)),
	} {
		dst = binary.AppendVarint(dst, n)
	}
	for _, name := range [...]string{string(e.Format), e.Scope, e.ContentType, e.Route, e.Provider, e.Model} {
		name = name[:min(len(name), maxName)]
		dst = binary.AppendUvarint(dst, uint64(len(name)))
		dst = append(dst, name...)
	}
	dst = binary.AppendUvarint(dst, uint64(len(body)))
	dst = append(dst, body...)
	dst = appendDropped(dst, e.Dropped)
	copy(dst[len(magic):], s.sum(dst[headerStart:]))
	return dst
}

// appendDropped writes a list that is at most so long; the rest is left out, as it
// is from headers.
func appendDropped(dst []byte, list []string) []byte {
	n, size := 0, 0
	for n < len(list) && size+len(list[n]) <= maxDropped {
		size += len(list[n])
		n++
	}
	dst = binary.AppendUvarint(dst, uint64(n))
	for _, pointer := range list[:n] {
		dst = binary.AppendUvarint(dst, uint64(len(pointer)))
		dst = append(dst, pointer...)
	}
	return dst
}

func (s *sealer) sum(data []byte) []byte {
	h := hmac.New(sha256.New, s.secret)
	h.Write(data)
	return h.Sum(nil)
}

// decode reads the entry that was stored under a key. limit bounds its body.
func (s *sealer) decode(key Key, data []byte, limit int) (*Entry, error) {
	if len(data) < headerStart || string(data[:len(magic)]) != magic {
		return nil, errAltered
	}
	if !hmac.Equal(data[len(magic):headerStart], s.sum(data[headerStart:])) {
		return nil, errAltered
	}
	e, size, rest, err := decodeHeader(data[headerStart:])
	switch {
	case err != nil:
		return nil, err
	case e.Key != key:
		return nil, fmt.Errorf("%w: it belongs to another key", errAltered)
	case size > limit:
		return nil, fmt.Errorf("%w: it is larger than any answer may be", errAltered)
	}
	body := rest.bytes()
	for n := rest.count(); n > 0 && !rest.failed; n-- {
		e.Dropped = append(e.Dropped, string(rest.bytes()))
	}
	if rest.failed || len(rest.data) > 0 {
		return nil, errAltered
	}
	if data[headerStart]&flagPacked == 0 {
		e.Body = body
	} else if e.Body, err = unpack(body, size); err != nil {
		return nil, fmt.Errorf("%w: %w", errAltered, err)
	}
	if len(e.Body) != size {
		return nil, errAltered
	}
	return e, nil
}

// decodeHeader reads all but the body, and how long that is. It does not tell
// whether anything was altered.
func decodeHeader(data []byte) (e *Entry, size int, rest reader, err error) {
	if len(data) < 1+sha256.Size {
		return nil, 0, rest, errAltered
	}
	e = new(Entry)
	e.Usage.Known, e.Usage.CostKnown = data[0]&flagKnown != 0, data[0]&flagCost != 0
	copy(e.Key[:], data[1:])
	r := reader{data: data[1+sha256.Size:]}
	e.Created = time.UnixMilli(r.number())
	e.TTL, e.Stale = r.milliseconds(), r.milliseconds()
	manner, finish := r.number(), r.number()
	e.Manner, e.Finish = Manner(manner), transform.Finish(finish)
	u := &e.Usage
	for _, n := range [...]*int64{
		&u.Input, &u.CacheRead, &u.CacheWrite, &u.CacheWrite1h, &u.AudioInput, &u.Output, &u.Reasoning, &u.AudioOutput,
	} {
		*n = r.number()
	}
	u.Cost = usage.Money(r.number())
	length := r.number()
	e.Format = transform.Format(r.bytes())
	for _, s := range [...]*string{&e.Scope, &e.ContentType, &e.Route, &e.Provider, &e.Model} {
		*s = string(r.bytes())
	}
	if r.failed || manner < 0 || manner >= int64(manners) || finish < 0 || finish > int64(transform.FinishContentFilter) || length < 0 || length > 1<<31 {
		return nil, 0, r, errAltered
	}
	return e, int(length), r, nil
}

// reader reads the parts of an encoded entry. Once something is missing, all is.
type reader struct {
	data   []byte
	failed bool
}

func (r *reader) number() int64 {
	n, size := binary.Varint(r.data)
	if size <= 0 {
		r.failed, r.data = true, nil
		return 0
	}
	r.data = r.data[size:]
	return n
}

// milliseconds is a duration, which is neither negative nor longer than there are.
func (r *reader) milliseconds() time.Duration {
	n := r.number()
	if n < 0 || n > int64(Forever/time.Millisecond) {
		r.failed = true
		return 0
	}
	return time.Duration(n) * time.Millisecond
}

// count is the length of a list, each of whose elements takes a byte or more.
func (r *reader) count() uint64 {
	n, size := binary.Uvarint(r.data)
	if size <= 0 || n > uint64(len(r.data)) {
		r.failed, r.data = true, nil
		return 0
	}
	r.data = r.data[size:]
	return n
}

func (r *reader) bytes() []byte {
	n, size := binary.Uvarint(r.data)
	if size <= 0 || n > uint64(len(r.data)-size) {
		r.failed, r.data = true, nil
		return nil
	}
	s := r.data[size : size+int(n)]
	r.data = r.data[size+int(n):]
	return s
}
