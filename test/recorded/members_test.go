package recorded_test

import (
	"bytes"
	"encoding/json"
	"testing"
)

// Edits of JSON text that leave every other byte alone.

func difference(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}

func clip(b []byte, at int) []byte { return b[max(0, at-40):min(len(b), at+80)] }

// topLevel are the members of an object as they are spelled.
func topLevel(t *testing.T, text []byte) map[string]json.RawMessage {
	t.Helper()
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil {
		t.Fatalf("%v: %.200s", err, text)
	}
	return members
}

// withMember gives a member a value without touching any other byte; one that
// is missing becomes the first.
func withMember(t *testing.T, text []byte, name, value string) []byte {
	t.Helper()
	from, to := memberValue(t, text, name)
	if from < 0 {
		open := bytes.IndexByte(text, '{') + 1
		comma := ","
		if len(topLevel(t, text)) == 0 {
			comma = ""
		}
		return []byte(string(text[:open]) + `"` + name + `":` + value + comma + string(text[open:]))
	}
	return []byte(string(text[:from]) + value + string(text[to:]))
}

// withoutMember cuts a member out, with the comma that goes with it.
func withoutMember(t *testing.T, text []byte, name string) []byte {
	t.Helper()
	from, to := memberValue(t, text, name)
	if from < 0 {
		return text
	}
	start := bytes.LastIndex(text[:from], []byte(`"`+name+`"`))
	head, tail := text[:start], text[to:]
	if before := bytes.TrimRight(head, " \t\r\n"); bytes.HasSuffix(before, []byte(",")) {
		head = before[:len(before)-1]
	} else {
		tail = bytes.TrimLeft(bytes.TrimPrefix(bytes.TrimLeft(tail, " \t\r\n"), []byte(",")), " \t\r\n")
	}
	return append(bytes.Clone(head), tail...)
}

// memberValue is where a top-level member's value stands, -1 if it does not.
func memberValue(t *testing.T, text []byte, name string) (from, to int) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(text))
	if _, err := d.Token(); err != nil {
		t.Fatal(err)
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			t.Fatal(err)
		}
		before := int(d.InputOffset())
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			t.Fatal(err)
		}
		if key == name {
			to = int(d.InputOffset())
			from = before + bytes.Index(text[before:to], value)
			return from, to
		}
	}
	return -1, -1
}
