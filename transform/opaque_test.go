package transform

import (
	"encoding/base64"
	"testing"
)

func TestOpaquePiecesTravelSealed(t *testing.T) {
	for _, o := range []Opaque{
		{Vendor: VendorAnthropic, Kind: OpaqueSignature, Data: Literal(`"ErUB+/=="`)},
		{Vendor: VendorGoogle, Kind: OpaqueSignature, Data: Literal(`"a\"b\u00e9"`)},
		{Vendor: VendorOpenAI, Kind: OpaqueRedacted, ID: "rs_1", Data: Literal(`"gAAAA"`)},
		{Vendor: VendorAnthropic, Kind: OpaqueRedacted, Data: Literal(`""`)},
	} {
		kept := o.Seal(VendorAnthropic)
		back := Unseal(kept, VendorAnthropic)
		same, _ := back.Data.Text()
		want, _ := o.Data.Text()
		if back.Vendor != o.Vendor || back.Kind != o.Kind || back.ID != o.ID || same != want {
			t.Errorf("%+v came back as %+v", o, back)
		}
		text, _ := kept.Text()
		if _, err := base64.StdEncoding.DecodeString(text); err != nil {
			t.Errorf("%s is not base64, which strict clients expect of signatures", kept)
		}
	}
}

func TestWhatWasNotSealedIsTheVendorsOwn(t *testing.T) {
	for _, data := range []string{`""`, `"ErUB"`, `"bGxtcHJveHkA"`, `"bGxtcHJveHkA!"`, `"bGxtcHJveHkAeAA="`, `"bGxtcHJveHkAeAA5AA=="`} {
		if o := Unseal(Literal(data), VendorGoogle); o.Vendor != VendorGoogle || o.Kind != OpaqueSignature || string(o.Data) != data {
			t.Errorf("%s became %+v", data, o)
		}
	}
}

func TestSealedPiecesAreFoundInABody(t *testing.T) {
	for vendor, want := range map[Vendor]bool{VendorAnthropic: false, VendorGoogle: true} {
		o := Opaque{Vendor: vendor, Kind: OpaqueSignature, Data: Quote("AAAA")}
		body := append([]byte(`{"signature":`), o.Seal(VendorAnthropic)...)
		if got := HoldsSealed(append(body, '}')); got != want {
			t.Errorf("of %s: %v", vendor, got)
		}
	}
}
