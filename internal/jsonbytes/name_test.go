package jsonbytes

import "testing"

func TestNameIsTheKey(t *testing.T) {
	for _, name := range []string{
		"arguments", "content", "description", "function", "id", "index", "input", "input_schema", "max_tokens", "messages", "model", "name", "parameters",
		"parts", "role", "stream", "stream_options", "strict", "temperature", "text", "tool_call_id", "tool_calls", "tool_use_id", "tools", "type",
	} {
		key := []byte(name)
		if got := Name(key); got != name {
			t.Errorf("%q is named %q", key, got)
		}
		if n := testing.AllocsPerRun(10, func() { Name(key) }); n > 0 {
			t.Errorf("%q: %v allocations", key, n)
		}
	}
	for _, name := range []string{"", "Role", "roles", "a member of nobody's"} {
		if got := Name([]byte(name)); got != name {
			t.Errorf("%q is named %q", name, got)
		}
	}
}
