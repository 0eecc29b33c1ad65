package blocks

import (
	"hash/fnv"
	"strconv"
)

// IDs gives every tool call of a request an id that the API accepts: of letters,
// digits, dashes and underscores, and not used before. Ids that are so already
// stay; others are rewritten in the same way in every request, so that a growing
// conversation keeps its prefix. Nothing has to be mapped back: calls and
// results are rewritten together, and clients keep the ids that they know.
type IDs struct {
	// Most is how long an id may be; 0: as long as it likes.
	Most int
	// Short tells that the model wants nine letters and digits, as Mistral's do.
	Short bool
	// used counts how often an id was asked for.
	used map[string]int
}

// shortID is how long Mistral's ids are.
const shortID = 9

// Rewrite returns the id to send.
func (s *IDs) Rewrite(id string) string {
	if s.used == nil {
		s.used = make(map[string]int)
	}
	clean := s.clean(id)
	unique := clean
	for s.used[unique] > 0 {
		s.used[clean]++
		unique = s.clean(clean + "_" + strconv.Itoa(s.used[clean]))
	}
	s.used[unique]++
	return unique
}

// clean replaces what an id may not hold. A hash of the original keeps ids apart
// that differ in such characters only.
func (s *IDs) clean(id string) string {
	switch {
	case s.Short && len(id) == shortID && isAlphanumeric(id):
		return id
	case s.Short:
		return shortHash(id)
	case id == "":
		return "call"
	case IsName(id) && (s.Most == 0 || len(id) <= s.Most):
		return id
	}
	hash := fnv.New32a()
	hash.Write([]byte(id))
	tail := "_" + strconv.FormatUint(uint64(hash.Sum32()), 16)
	const longestTail = len("_ffffffff")
	return CleanName(id, max(s.Most-longestTail, 0)) + tail
}

// shortHash is nine letters and digits made of an id.
func shortHash(id string) string {
	const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	hash := fnv.New64a()
	hash.Write([]byte(id))
	n := hash.Sum64()
	var short [shortID]byte
	for i := range short {
		short[i] = digits[n%uint64(len(digits))]
		n /= uint64(len(digits))
	}
	return string(short[:])
}

// CleanName replaces what the name of a tool may not hold, and cuts it to most
// bytes if that is not 0.
func CleanName(name string, most int) string {
	if most > 0 {
		name = name[:min(len(name), most)]
	}
	if IsName(name) {
		return name
	}
	clean := []byte(name)
	for i, c := range clean {
		if !isNameByte(c) {
			clean[i] = '_'
		}
	}
	if len(clean) == 0 {
		return "_"
	}
	return string(clean)
}

// IsName tells whether s is of the characters of names and ids, and not empty.
func IsName(s string) bool {
	for i := range len(s) {
		if !isNameByte(s[i]) {
			return false
		}
	}
	return s != ""
}

func isNameByte(c byte) bool { return IsAlphanumeric(c) || c == '_' || c == '-' }

func isAlphanumeric(s string) bool {
	for i := range len(s) {
		if !IsAlphanumeric(s[i]) {
			return false
		}
	}
	return true
}

// IsAlphanumeric tells whether c is a letter or a digit of ASCII.
func IsAlphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}
