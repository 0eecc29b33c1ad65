package jsonbytes

// Name returns a key as a string. The names that stand in nearly every message take
// no memory.
func Name(key []byte) string {
	switch string(key) {
	case "arguments":
		return "arguments"
	case "content":
		return "content"
	case "description":
		return "description"
	case "function":
		return "function"
	case "id":
		return "id"
	case "index":
		return "index"
	case "input":
		return "input"
	case "input_schema":
		return "input_schema"
	case "max_tokens":
		return "max_tokens"
	case "messages":
		return "messages"
	case "model":
		return "model"
	case "name":
		return "name"
	case "parameters":
		return "parameters"
	case "parts":
		return "parts"
	case "role":
		return "role"
	case "stream":
		return "stream"
	case "stream_options":
		return "stream_options"
	case "strict":
		return "strict"
	case "temperature":
		return "temperature"
	case "text":
		return "text"
	case "tool_call_id":
		return "tool_call_id"
	case "tool_calls":
		return "tool_calls"
	case "tool_use_id":
		return "tool_use_id"
	case "tools":
		return "tools"
	case "type":
		return "type"
	}
	return string(key)
}
