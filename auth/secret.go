package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"math/big"
	"strings"
)

// A secret that we make is llmp_<id>_<random>_<checksum>: a public id of 8
// characters, 256 random bits in 43, and a CRC-32 of all that in 6, by which
// garbage and typing errors are told without looking anything up. All are base 62.
const (
	secretPrefix = "llmp_"
	idLength     = 8
	randomLength = 43
	sumLength    = 6
	secretLength = len(secretPrefix) + idLength + 1 + randomLength + 1 + sumLength
	base62       = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)

// NewSecret makes a secret and its public id.
func NewSecret() (secret, id string) {
	var random [idLength + 32]byte
	_, _ = rand.Read(random[:]) // never fails
	id = inBase62(new(big.Int).SetBytes(random[:idLength]), idLength)
	body := secretPrefix + id + "_" + inBase62(new(big.Int).SetBytes(random[idLength:]), randomLength)
	sum := checksum(body)
	return body + "_" + string(sum[:]), id
}

// inBase62 writes the last digits of a number.
func inBase62(n *big.Int, digits int) string {
	out := make([]byte, digits)
	base, digit := big.NewInt(int64(len(base62))), new(big.Int)
	for i := digits - 1; i >= 0; i-- {
		n.DivMod(n, base, digit)
		out[i] = base62[digit.Int64()]
	}
	return string(out)
}

// checksum is computed byte by byte, because the library's function would make a
// copy of the text: secrets of ours take no other way than others do.
func checksum(body string) (out [sumLength]byte) {
	sum := ^uint32(0)
	for i := range len(body) {
		sum = crc32.IEEETable[byte(sum)^body[i]] ^ sum>>8
	}
	sum = ^sum
	for i := sumLength - 1; i >= 0; i-- {
		out[i] = base62[sum%uint32(len(base62))]
		sum /= uint32(len(base62))
	}
	return out
}

// checksumHolds tells whether a secret can be one: those of another shape are
// the operator's own and have no checksum.
func checksumHolds(secret string) bool {
	if !strings.HasPrefix(secret, secretPrefix) {
		return true
	}
	end := secretLength - sumLength - 1
	if len(secret) != secretLength || secret[end] != '_' {
		return false
	}
	sum := checksum(secret[:end])
	return secret[end+1:] == string(sum[:])
}

// IsSecret tells a secret that we made.
func IsSecret(s string) bool { return strings.HasPrefix(s, secretPrefix) && checksumHolds(s) }

// minSecret is the shortest secret that is accepted: a guessable key is none.
const minSecret = 8

// CheckSecret says what is wrong with a secret that an operator chose. It does
// not quote it.
func CheckSecret(secret string) error {
	switch {
	case len(secret) < minSecret:
		return fmt.Errorf("is shorter than %d characters", minSecret)
	case !checksumHolds(secret):
		return errors.New("begins like a generated one, but its checksum is wrong: copy it whole")
	}
	return nil
}

// Digest is the SHA-256 of a secret. A stored digest is no credential.
type Digest [sha256.Size]byte

const digestPrefix = "sha256:"

// DigestOf is the digest of a secret.
func DigestOf(secret string) Digest { return sha256.Sum256([]byte(secret)) }

// ParseDigest reads "sha256:" and 64 hexadecimal digits.
func ParseDigest(s string) (d Digest, err error) {
	digits, ok := strings.CutPrefix(s, digestPrefix)
	if !ok || len(digits) != hex.EncodedLen(len(d)) {
		return d, fmt.Errorf("a digest is %q and %d hexadecimal digits", digestPrefix, hex.EncodedLen(len(d)))
	}
	if _, err := hex.Decode(d[:], []byte(digits)); err != nil {
		return d, fmt.Errorf("a digest is %q and %d hexadecimal digits: %w", digestPrefix, hex.EncodedLen(len(d)), err)
	}
	return d, nil
}

// IsDigest tells a digest from a secret.
func IsDigest(s string) bool { return strings.HasPrefix(s, digestPrefix) }

func (d Digest) String() string { return digestPrefix + hex.EncodeToString(d[:]) }
