package jsonbytes

import "strconv"

// Writer writes JSON piece by piece. What embeds it decides on the order; nothing is checked.
type Writer struct {
	// Out is what was written so far, behind whatever it held before.
	Out []byte
}

// Raw writes s as it is.
func (w *Writer) Raw(s string) { w.Out = append(w.Out, s...) }

// Value writes v as it is.
func (w *Writer) Value(v []byte) { w.Out = append(w.Out, v...) }

// String writes s as a string.
func (w *Writer) String(s string) { w.Out = AppendString(w.Out, s) }

// Bytes is [Writer.String] for bytes.
func (w *Writer) Bytes(s []byte) { w.Out = AppendBytes(w.Out, s) }

// Int writes a number.
func (w *Writer) Int(n int64) { w.Out = strconv.AppendInt(w.Out, n, 10) }

// Bool writes true or false.
func (w *Writer) Bool(b bool) { w.Out = strconv.AppendBool(w.Out, b) }

// Compact writes v without insignificant white space.
func (w *Writer) Compact(v Value) { w.Out = AppendCompact(w.Out, v) }

// Comma separates what comes from what stands before, if anything does: no value ends with an
// opening bracket.
func (w *Writer) Comma() { w.Out = AppendComma(w.Out) }

// Key begins a member of the object being written.
func (w *Writer) Key(name string) { w.Out = AppendKey(w.Out, name) }

// Member writes a member, nothing if the value is absent or null.
func (w *Writer) Member(name string, v Value) {
	if !v.Empty() {
		w.Key(name)
		w.Value(v)
	}
}

// Text writes a member that is a string.
func (w *Writer) Text(name, s string) {
	w.Key(name)
	w.String(s)
}

// AppendComma is [Writer.Comma] for what is no Writer. dst must not be empty.
func AppendComma(dst []byte) []byte {
	if c := dst[len(dst)-1]; c == '{' || c == '[' {
		return dst
	}
	return append(dst, ',')
}

// AppendKey is [Writer.Key] for what is no Writer. dst must not be empty.
func AppendKey(dst []byte, name string) []byte {
	dst = AppendComma(dst)
	dst = AppendString(dst, name)
	return append(dst, ':')
}
