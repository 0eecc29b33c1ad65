package converse

import (
	"hash/fnv"
	"strconv"
)

// callIDs gives every tool call of a request an id that the model accepts and
// that was not used before. Ids that are so already stay; others are rewritten
// in the same way in every request, so that a growing conversation keeps its
// prefix. Clients keep the ids that they know, and nothing has to be mapped back:
// calls and results are rewritten together.
type callIDs struct {
	// short tells that the model wants nine letters and digits, as Mistral's do.
	short bool
	// used counts how often an id was asked for.
	used map[string]int
}

// maxName is how long ids of calls and names of tools may be.
const maxName = 64

// shortID is how long Mistral's ids are.
const shortID = 9

func (c *callIDs) rewrite(id string) string {
	if c.used == nil {
		c.used = make(map[string]int)
	}
	clean := c.clean(id)
	unique := clean
	for c.used[unique] > 0 {
		c.used[clean]++
		unique = c.clean(clean + "_" + strconv.Itoa(c.used[clean]))
	}
	c.used[unique]++
	return unique
}

// clean replaces what an id may not hold. A hash of the original keeps ids
// apart that differ in such characters only.
func (c *callIDs) clean(id string) string {
	switch {
	case c.short && len(id) == shortID && isAlphanumeric(id):
		return id
	case c.short:
		return shortHash(id)
	case id == "":
		return "call"
	case isName(id) && len(id) <= maxName:
		return id
	}
	hash := fnv.New32a()
	hash.Write([]byte(id))
	return toolName(id[:min(len(id), maxName-9)]) + "_" + strconv.FormatUint(uint64(hash.Sum32()), 16)
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

// toolName replaces what the name of a tool may not hold.
func toolName(name string) string {
	if isName(name) && len(name) <= maxName {
		return name
	}
	clean := []byte(name[:min(len(name), maxName)])
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

// isName tells whether s is of the characters of names and ids, and not empty.
func isName(s string) bool {
	for i := range len(s) {
		if !isNameByte(s[i]) {
			return false
		}
	}
	return s != ""
}

func isNameByte(c byte) bool { return isLetterOrDigit(c) || c == '_' || c == '-' }

func isAlphanumeric(s string) bool {
	for i := range len(s) {
		if !isLetterOrDigit(s[i]) {
			return false
		}
	}
	return true
}

func isLetterOrDigit(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}
