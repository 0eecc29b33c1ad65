package recorded_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// canned answers every request with the smallest recorded answer of what it asks
// for, and keeps the last body.
type canned struct {
	answers map[string]*recording // by endpoint and whether it is a stream

	mu   sync.Mutex
	body []byte
}

func newCanned(list []*recording) *canned {
	c := &canned{answers: map[string]*recording{}}
	for _, r := range list {
		if r.status != http.StatusOK || r.failed() || r.kind == "json-array" || !r.has("text") {
			continue
		}
		key := fmt.Sprint(endpoint(r.path), r.stream)
		if have := c.answers[key]; have == nil || len(r.response) < len(have.response) {
			c.answers[key] = r
		}
	}
	return c
}

func (c *canned) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	asked, _ := parse(body)
	c.mu.Lock()
	c.body = body
	c.mu.Unlock()
	kind := endpoint(r.URL.Path)
	stream := asked.get("stream").v == true || strings.Contains(r.URL.Path, ":stream") || strings.HasSuffix(r.URL.Path, "-stream")
	answer := c.answers[fmt.Sprint(kind, stream)]
	if answer == nil {
		http.Error(w, fmt.Sprintf(`{"error":{"message":"nothing recorded for %s, stream %v"}}`, kind, stream), http.StatusTeapot)
		return
	}
	maps.Copy(w.Header(), answer.header)
	_, _ = w.Write(answer.response)
}

func (c *canned) last() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	body := c.body
	c.body = nil
	return body
}

// Every recorded request of a client's format is sent to a provider of every
// other. It is translated, with all that is lost named in the answer's header,
// or refused with the places that stand in the way.
func TestRecordedRequestsAreTranslatedOrRefusedByName(t *testing.T) {
	list := asked(t)
	server := newCanned(answers(t))
	g := openGate(t, server)
	translated, refused := 0, 0
	for _, r := range list {
		w := wires[r.wire]
		for _, to := range targets {
			if to.dialect == w.dialect {
				continue
			}
			t.Run(r.String()+"/"+to.dialect, func(t *testing.T) {
				a := sendRecorded(t, g, r, to.provider+"/"+to.model)
				body := server.last()
				switch {
				case a.status == http.StatusOK:
					translated++
					nothingIsLost(t, w.dialect, r.request, body, a.header)
				case a.status == http.StatusBadRequest && body == nil:
					refused++
					refusedByName(t, w.dialect, r.request, a)
				default:
					t.Errorf("answer is %d %.300s to %.300s", a.status, a.body, body)
				}
			})
		}
	}
	t.Logf("%d translated, %d refused", translated, refused)
}

func sendRecorded(t *testing.T, g *gate, r *recording, model string) answer {
	dialect := wires[r.wire].dialect
	body := r.request
	if dialect != "gemini" {
		body = withMember(t, body, "model", quoted(model))
	}
	return g.send(t, dialect, clientPath(dialect, model, r.stream), body)
}

var pointers = regexp.MustCompile(`(?:^|[\s(])(/[^\s,.)]+)`)

// refusedByName needs an error that names places of the request.
func refusedByName(t *testing.T, dialect string, request []byte, a answer) {
	e := readError(dialect, a.status, a.body).fault
	if e.wrong != "" {
		t.Errorf("%s: %s", e.wrong, a.body)
	}
	named := pointers.FindAllStringSubmatch(e.message, -1)
	if len(named) == 0 {
		t.Errorf("no place is named: %s", e.message)
	}
	tree, _ := parse(request)
	for _, n := range named {
		if !isPlace(tree, n[1]) {
			t.Errorf("%s is no place of the request: %s", n[1], e.message)
		}
	}
}

func isPlace(tree node, pointer string) bool {
	found := false
	walk(tree.v, "", func(at string, _ any) bool { found = found || at == pointer; return !found })
	return found
}

// spoken are the members whose texts go to the model.
var spoken = map[string]bool{
	"text": true, "content": true, "instructions": true, "system": true, "input": true, "description": true, "name": true,
	"arguments": true, "output": true, "parameters": true, "input_schema": true, "temperature": true, "thinking": true,
	"args": true, "response": true, "stop": true, "data": true, "url": true, "image_url": true, "file_data": true,
}

// nothingIsLost needs every text that the client wrote for the model to be in
// what the provider got, unless the report names its place.
func nothingIsLost(t *testing.T, dialect string, request, sent []byte, header http.Header) {
	t.Helper()
	tree, err := parse(request)
	if err != nil {
		t.Fatal(err)
	}
	arrived, err := parse(sent)
	if err != nil {
		t.Fatalf("the provider got no JSON: %.300s", sent)
	}
	var all strings.Builder
	walk(arrived.v, "", func(_ string, v any) bool {
		switch v := v.(type) {
		case string:
			all.WriteString(v + "\n")
		case json.Number:
			all.WriteString(v.String() + "\n")
		}
		return true
	})
	var dropped []string
	for p := range strings.SplitSeq(header.Get("X-Llm-Dropped"), ",") {
		if p = strings.TrimSpace(p); p == "" {
			continue
		}
		dropped = append(dropped, p)
		if !isPlace(tree, p) {
			t.Errorf("%s is reported, but no place of the request", p)
		}
	}
	walk(tree.v, "", func(at string, v any) bool {
		if m, ok := v.(map[string]any); ok && strings.HasPrefix(at, "/tools/") && isServerTool(dialect, m) {
			return false // its name says no more than its type
		}
		text, ok := v.(string)
		if !ok || text == "" || !isSpoken(at) || covered(dropped, at) {
			return true
		}
		if !heard(all.String(), text) {
			t.Errorf("%s is lost and not among %v: %.80q\nthe provider got %.600s", at, dropped, text, sent)
		}
		return true
	})
}

// isSpoken tells a text for the model from a word of the format.
func isSpoken(at string) bool {
	if strings.HasSuffix(at, "/format/name") || strings.HasSuffix(at, "/json_schema/name") {
		return false // a schema's label, which only OpenAI's APIs want
	}
	last := at[strings.LastIndexByte(at, '/')+1:]
	return spoken[last]
}

func isServerTool(dialect string, tool map[string]any) bool {
	kind, _ := tool["type"].(string)
	return dialect == "messages" && kind != "" && kind != "custom"
}

// heard tells whether a text arrived, be it JSON that was written anew, or data
// in another spelling or as the text that it is.
func heard(all, text string) bool {
	if strings.Contains(all, text) || strings.Contains(squeeze(all), squeeze(text)) {
		return true
	}
	data := text
	if strings.HasPrefix(text, "data:") {
		_, data, _ = strings.Cut(text, ";base64,")
	}
	data = strings.NewReplacer("-", "+", "_", "/").Replace(data)
	if strings.Contains(all, data) {
		return true
	}
	if plain, err := base64.StdEncoding.DecodeString(data); err == nil {
		return strings.Contains(all, string(plain))
	}
	inner, err := parse([]byte(text))
	if err != nil || !inner.isObject() && !inner.isList() {
		return false
	}
	ok := true
	walk(inner.v, "", func(_ string, v any) bool {
		if s, is := v.(string); is && !strings.Contains(all, s) {
			ok = false
		}
		return true
	})
	return ok
}
