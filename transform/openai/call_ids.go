package openai

import "crypto/sha256"

const idLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

// callID is an id as the provider wants it. One of another form becomes one
// that only depends on it, so that calls and their results still meet, and the
// same conversation gives the same bytes. The way back is not needed: what the
// provider makes itself is of its form.
func (e *requestEncoder) callID(id string) string {
	if e.p.ToolIDs == 0 || len(id) == e.p.ToolIDs && alphanumeric(id) {
		return id
	}
	sum := sha256.Sum256([]byte(id))
	made := make([]byte, min(e.p.ToolIDs, len(sum)))
	for i := range made {
		made[i] = idLetters[int(sum[i])%len(idLetters)]
	}
	return string(made)
}

func alphanumeric(s string) bool {
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}
