package anthropic

import (
	"hash/fnv"
	"strconv"
)

// callIDs gives every tool call of a request an id that the API accepts: of
// letters, digits, dashes and underscores, and not used before. Ids that are so
// already stay; others are rewritten in the same way in every request, so that
// a growing conversation keeps its prefix.
type callIDs struct {
	// used counts how often an id was asked for.
	used map[string]int
}

func (c *callIDs) rewrite(id string) string {
	if c.used == nil {
		c.used = make(map[string]int)
	}
	id = cleanID(id)
	unique := id
	for c.used[unique] > 0 {
		c.used[id]++
		unique = id + "_" + strconv.Itoa(c.used[id])
	}
	c.used[unique]++
	return unique
}

// cleanID replaces what an id may not hold. A hash of the original keeps ids
// apart that differ in such characters only.
func cleanID(id string) string {
	if id == "" {
		return "call"
	}
	if isName(id) {
		return id
	}
	hash := fnv.New32a()
	hash.Write([]byte(id))
	return toolName(id) + "_" + strconv.FormatUint(uint64(hash.Sum32()), 16)
}

// toolName replaces what the name of a tool may not hold.
func toolName(name string) string {
	if isName(name) {
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

// isName tells whether s is of the characters of names and ids, and not empty.
func isName(s string) bool {
	for i := range len(s) {
		if !isNameByte(s[i]) {
			return false
		}
	}
	return s != ""
}

func isNameByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '-'
}
