package recorded_test

// exception is one feature of one recording that one client format cannot have.
type exception struct{ client, recording, feature string }

// exceptions are all that may fail, with the reason. The test fails if one of
// them starts to pass.
var exceptions = map[exception]string{}

// leftOut says why a recording is not for clients of a format; empty: it is.
func leftOut(r *recording, dialect string) string {
	if r.has("background") && wires[r.wire].dialect != dialect {
		return "no answer yet, but a place to ask for one later, which only its own format has"
	}
	return ""
}
