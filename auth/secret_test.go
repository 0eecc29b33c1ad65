package auth

import (
	"math/big"
	"strings"
	"testing"
)

func TestNewSecretsDifferAndCheck(t *testing.T) {
	seen := make(map[string]bool)
	for range 100 {
		secret, id := NewSecret()
		if len(secret) != 64 || !strings.HasPrefix(secret, "llmp_"+id+"_") || !IsSecret(secret) || CheckSecret(secret) != nil {
			t.Fatalf("%q with the id %q is no secret", secret, id)
		}
		if seen[secret] || seen[id] {
			t.Fatalf("%q came twice", secret)
		}
		seen[secret], seen[id] = true, true
	}
}

func TestChecksumIsACRC(t *testing.T) {
	// CRC-32 of the standard check string, 0xCBF43926, in base 62.
	sum := checksum("123456789")
	if n, _ := new(big.Int).SetString(swapCase(string(sum[:])), 62); n == nil || n.Uint64() != 0xCBF43926 {
		t.Errorf("the checksum is %s", sum)
	}
}

// swapCase turns our digits into those of math/big, where small letters come first.
func swapCase(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z':
			return r - 'a' + 'A'
		case 'A' <= r && r <= 'Z':
			return r - 'A' + 'a'
		}
		return r
	}, s)
}

func TestChecksumRefusesGarbage(t *testing.T) {
	secret, _ := NewSecret()
	for i := range secret {
		changed := []byte(secret)
		if changed[i]++; i < len(secretPrefix) {
			continue // of another shape, and so the operator's own
		}
		if checksumHolds(string(changed)) {
			t.Errorf("%q passes for %q", changed, secret)
		}
	}
	for _, bad := range []string{"llmp_", "llmp_x", secret + "x", secret[:len(secret)-1], strings.ToLower(secret)} {
		if checksumHolds(bad) || CheckSecret(bad) == nil {
			t.Errorf("%q passes", bad)
		}
	}
	for _, own := range []string{"sk-test-1234", "LLMP_12345678"} {
		if !checksumHolds(own) || IsSecret(own) {
			t.Errorf("%q is the operator's own", own)
		}
	}
	if CheckSecret("1234567") == nil {
		t.Error("a short secret is accepted")
	}
}

func FuzzChecksum(f *testing.F) {
	secret, _ := NewSecret()
	f.Add(secret)
	f.Add("llmp_")
	f.Add("sk-test")
	f.Fuzz(func(t *testing.T, s string) {
		if IsSecret(s) && (len(s) != secretLength || !checksumHolds(s)) {
			t.Errorf("%q passes for a secret", s)
		}
	})
}
