package transform

import (
	"bytes"
	"encoding/base64"
	"slices"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
)

// Clients keep opaque pieces in one member of their format and return them
// unread: Anthropic's signature, Gemini's thoughtSignature, the encrypted_content
// of Responses. A piece of another vendor travels there sealed, with the name of
// its maker inside, so that it finds the way back and nobody else gets it.

// sealed begins every sealed piece; in base64 it is a prefix of its own, for
// its length is a multiple of three.
const sealed = "llmproxy\x00"

var sealedPrefix = []byte(base64.StdEncoding.EncodeToString([]byte(sealed)))

// Seal is the piece as a client of a format whose own vendor is home keeps it:
// as it is if home made it, else with its maker's name, in base64, which is what
// strict clients expect of signatures.
func (o *Opaque) Seal(home Vendor) Literal {
	if o.Vendor == home && o.Kind == OpaqueSignature && o.ID == "" {
		return o.Data
	}
	plain := slices.Concat([]byte(sealed), []byte(o.Vendor), []byte{0, byte('0' + o.Kind)}, []byte(o.ID), []byte{0}, o.Data.AppendText(nil))
	dst := append(make([]byte, 0, 2+base64.StdEncoding.EncodedLen(len(plain))), '"')
	dst = base64.StdEncoding.AppendEncode(dst, plain)
	return append(dst, '"')
}

// Unseal is the piece that a client returned in the member of home's signatures.
func Unseal(data Literal, home Vendor) Opaque {
	asIs := Opaque{Vendor: home, Kind: OpaqueSignature, Data: data}
	if len(data) < 2 || !bytes.HasPrefix(data[1:], sealedPrefix) {
		return asIs
	}
	plain, err := base64.StdEncoding.AppendDecode(nil, data[1:len(data)-1])
	if err != nil {
		return asIs
	}
	vendor, rest, ok := bytes.Cut(plain[len(sealed):], []byte{0})
	if !ok || len(rest) == 0 {
		return asIs
	}
	kind := OpaqueKind(rest[0] - '0')
	id, piece, ok := bytes.Cut(rest[1:], []byte{0})
	if !ok || kind != OpaqueSignature && kind != OpaqueRedacted {
		return asIs
	}
	return Opaque{Vendor: Vendor(vendor), Kind: kind, ID: string(id), Data: jsonbytes.AppendBytes(nil, piece)}
}

// HoldsSealed tells whether a body holds a piece that [Opaque.Seal] made: its
// own vendor would refuse it, so such a body may not be passed on unread.
func HoldsSealed(body []byte) bool { return bytes.Contains(body, sealedPrefix) }
