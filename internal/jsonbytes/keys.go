package jsonbytes

import (
	"hash/maphash"
	"math/bits"
	"unicode"
	"unicode/utf8"
)

// seed keeps clients from choosing keys that share a hash.
var seed = maphash.MakeSeed()

// keySlot is one place in the hash table of keys; index counts from 1, 0 is free.
type keySlot struct {
	hash  uint32
	index int32
}

// uniqueKeys reports the first key that repeats an earlier one, letter case aside.
// The time is linear in the length of the keys, whatever they are.
func uniqueKeys(text []byte, members []Member, pointer string) error {
	var small [64]keySlot
	slots := small[:]
	if 2*len(members) > len(slots) {
		slots = make([]keySlot, 1<<bits.Len(uint(2*len(members))))
	}
	mask := uint64(len(slots) - 1)

	var here, there [64]byte
	folded, earlier := here[:0], there[:0]
	for i, m := range members {
		folded = appendFolded(folded[:0], m.Key.Of(text))
		hash := maphash.Bytes(seed, folded)
		tag := uint32(hash >> 32)
		at := hash & mask
		for ; slots[at].index != 0; at = (at + 1) & mask {
			if slots[at].hash != tag {
				continue
			}
			key := members[slots[at].index-1].Key
			earlier = appendFolded(earlier[:0], key.Of(text))
			if string(earlier) == string(folded) {
				return clash(text, key, m.Key, pointer)
			}
		}
		slots[at] = keySlot{hash: tag, index: int32(i + 1)}
	}
	return nil
}

func clash(text []byte, earlier, later Span, pointer string) error {
	pointer = pointerTo(pointer, later.Of(text))
	name := string(appendUnescaped(nil, earlier.Of(text)))
	if equalUnescaped(later.Of(text), name) {
		return &DuplicateKeyError{Pointer: pointer, Offset: later.From}
	}
	return &KeyCaseError{Pointer: pointer, Offset: later.From}
}

// appendFolded appends the unescaped key with every letter replaced by the least letter it equals
// without regard to case, so that such keys become the same bytes.
func appendFolded(dst, key []byte) []byte {
	for at := 0; at < len(key); {
		c := key[at]
		if c != '\\' && c < utf8.RuneSelf {
			if 'a' <= c && c <= 'z' {
				c -= 'a' - 'A'
			}
			dst = append(dst, c)
			at++
			continue
		}
		r, size := decode(key[at:])
		dst = utf8.AppendRune(dst, foldRune(r))
		at += size
	}
	return dst
}

// foldRune returns the least of the runes equal to r without regard to case.
func foldRune(r rune) rune {
	least := r
	for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
		least = min(least, next)
	}
	return least
}
