package gemini

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// framesOf cuts a stream into its objects, by the letter of what Google's SDKs
// read: "data: {json}\r\n\r\n" and nothing else, or one array.
func framesOf(t *testing.T, stream []byte, array bool) []jsonbytes.Value {
	t.Helper()
	var list []jsonbytes.Value
	if array {
		if !bytes.HasPrefix(stream, []byte("[{")) || !bytes.HasSuffix(stream, []byte("}\r\n]")) || !json.Valid(stream) {
			t.Fatalf("no array: %q", stream)
		}
		for _, e := range jsonbytes.Parse(stream).Elements() {
			list = append(list, e)
		}
		if got := bytes.Count(stream, []byte("}\r\n,\r\n{")); got != len(list)-1 {
			t.Fatalf("%d separators between %d elements: %q", got, len(list), stream)
		}
		return list
	}
	text := string(stream)
	for text != "" {
		event, rest, ok := strings.Cut(text, "\r\n\r\n")
		data, found := strings.CutPrefix(event, "data: {")
		if !ok || !found || strings.ContainsAny(data, "\r\n") {
			t.Fatalf("no event: %q", event)
		}
		if err := jsonbytes.Check([]byte("{"+data), 0); err != nil {
			t.Fatalf("%v: %s", err, event)
		}
		list = append(list, jsonbytes.Parse([]byte("{"+data)))
		text = rest
	}
	return list
}

var (
	partKeys   = []string{"text", "thought", "thoughtSignature", "functionCall", "inlineData", "fileData"}
	finishKeys = []string{"STOP", "MAX_TOKENS", "SAFETY", "MALFORMED_FUNCTION_CALL"}
)

func isOneOf(v string, list []string) bool {
	for _, word := range list {
		if v == word {
			return true
		}
	}
	return false
}

// checkStreamGrammar fails the test unless a stream that ended well follows the
// format's grammar.
func checkStreamGrammar(t *testing.T, stream []byte, array bool) []jsonbytes.Value {
	t.Helper()
	list := framesOf(t, stream, array)
	if len(list) == 0 {
		t.Fatal("an empty stream")
	}
	for i, f := range list {
		checkFrame(t, f, i == len(list)-1)
		for _, name := range []string{"responseId", "modelVersion"} {
			if v := f.Get(name); v.Kind() != jsonbytes.String || !bytes.Equal(v, list[0].Get(name)) {
				t.Errorf("%s is missing or another one: %s", name, f)
			}
		}
	}
	return list
}

// checkFrame checks an answer, or an event of a stream; last tells that all
// candidates end in it.
func checkFrame(t *testing.T, f jsonbytes.Value, last bool) {
	t.Helper()
	if f.Get("error") != nil || f.Get("candidates").Len() == 0 {
		t.Errorf("no candidates: %s", f)
	}
	for _, c := range f.Get("candidates").Elements() {
		content := c.Get("content")
		if !content.Get("role").Is("model") || content.Get("parts").Len() == 0 || c.Get("index").Kind() != jsonbytes.Number {
			t.Errorf("no role, parts or index: %s", f)
		}
		for _, p := range content.Get("parts").Elements() {
			checkPart(t, p)
		}
		finish, _ := c.Get("finishReason").Text()
		if last != isOneOf(finish, finishKeys) {
			t.Errorf("finish reason %q: %s", finish, f)
		}
	}
	usage := f.Get("usageMetadata")
	prompt, ok := usage.Get("promptTokenCount").Int()
	said, _ := usage.Get("candidatesTokenCount").Int()
	thought, _ := usage.Get("thoughtsTokenCount").Int()
	total, _ := usage.Get("totalTokenCount").Int()
	if ok != last || prompt+said+thought != total {
		t.Errorf("usage: %s", f)
	}
}

func checkPart(t *testing.T, p jsonbytes.Value) {
	t.Helper()
	data := 0
	for key, value := range p.Members() {
		name := string(key)
		switch {
		case !isOneOf(name, partKeys):
			t.Errorf("%s in a part: %s", name, p)
		case name == "thoughtSignature":
			text, ok := value.Text()
			if _, err := base64.StdEncoding.DecodeString(text); !ok || text == "" || strings.HasPrefix(text, "bGxt") && err != nil {
				t.Errorf("signature: %s", p)
			}
		case name != "thought":
			data++
		}
	}
	if data != 1 {
		t.Errorf("a part with %d kinds of data: %s", data, p)
	}
	if call := p.Get("functionCall"); call != nil && (call.Get("name").Kind() != jsonbytes.String || call.Get("args").Kind() != jsonbytes.Object) {
		t.Errorf("a call without name or arguments: %s", p)
	}
}

// transcript writes the parts and ends of a stream, one candidate a line.
func transcript(list []jsonbytes.Value) string {
	var out strings.Builder
	for _, f := range list {
		for _, c := range f.Get("candidates").Elements() {
			out.Write(c.Get("index"))
			parts := c.Get("content").Get("parts")
			out.WriteString(" " + string(parts[1:len(parts)-1]))
			for _, name := range []string{"finishReason", "groundingMetadata", "logprobsResult"} {
				if v := c.Get(name); v != nil {
					out.WriteString(" " + string(v))
				}
			}
			out.WriteString("\n")
		}
		if e := f.Get("error"); e != nil {
			out.WriteString("error " + string(e.Get("code")) + " " + string(e.Get("status")) + "\n")
		}
	}
	return out.String()
}

// stream encodes deltas up to the end.
func stream(c Codec, r *transform.Request, deltas []transform.Delta) []byte {
	e := c.NewStreamEncoder(r)
	var out []byte
	for i := range deltas {
		out = e.Append(out, &deltas[i])
	}
	return e.AppendEnd(out)
}
