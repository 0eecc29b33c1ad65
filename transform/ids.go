package transform

import (
	"crypto/rand"
	"strings"

	random "math/rand/v2"
)

// NewCallID invents the id of a call that has none. Clients tell by it which call
// a result is of, so it must be like no other of the conversation.
func NewCallID() string { return "call_" + strings.ToLower(rand.Text()[:24]) }

const idLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

// NewID makes an id for what a provider left without one. It identifies, it does
// not protect: no request ever carries one that we made.
func NewID(prefix string) string {
	id := make([]byte, 0, len(prefix)+24)
	id = append(id, prefix...)
	for range 24 {
		id = append(id, idLetters[random.IntN(len(idLetters))])
	}
	return string(id)
}
