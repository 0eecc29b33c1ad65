package recorded_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// recording is one recorded exchange.
type recording struct {
	wire, name string
	path       string // that was asked, with its query
	stream     bool   // whether the request asked for one
	status     int
	kind       string // json, sse, bin, ndjson or json-array
	features   []string
	exact      bool // the answer's bytes are as they were
	request    []byte
	response   []byte
	header     http.Header // of the answer
	tools      []string    // that the request names
}

// id is the model name that has the replay server answer with the recording.
func (r *recording) id() string { return "rec." + r.wire + "." + r.name }

func (r *recording) String() string { return r.wire + "/" + r.name }

func (r *recording) has(features ...string) bool {
	return slices.ContainsFunc(features, func(f string) bool { return slices.Contains(r.features, f) })
}

// failed tells whether the provider answered with an error, at once or later.
func (r *recording) failed() bool {
	return r.status >= 400 || r.has("mid-stream-error", "response-failed", "error-in-200")
}

// corpus reads every recording once, or skips the test.
func corpus(t testing.TB) []*recording {
	t.Helper()
	root := os.Getenv("LLMPROXY_FIXTURES")
	if root == "" {
		t.Skip("set LLMPROXY_FIXTURES to the folder of recorded provider traffic")
	}
	list, err := readCorpus(root)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

var readCorpus = func() func(string) ([]*recording, error) {
	var once sync.Once
	var list []*recording
	var err error
	return func(root string) ([]*recording, error) {
		once.Do(func() { list, err = readRecordings(root) })
		return list, err
	}
}()

func readRecordings(root string) ([]*recording, error) {
	metas, err := filepath.Glob(filepath.Join(root, "*", "*", "meta.json"))
	if err != nil {
		return nil, err
	}
	var list []*recording
	for _, meta := range metas {
		r, err := readRecording(filepath.Dir(meta))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", meta, err)
		}
		if r != nil {
			list = append(list, r)
		}
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("no recordings in LLMPROXY_FIXTURES=%s", root)
	}
	return list, nil
}

func readRecording(dir string) (*recording, error) {
	var meta struct {
		Path         string
		Status       int
		Streaming    bool
		Features     []string
		BodyKind     string `json:"body_kind"`
		ResponseFile string `json:"response_file"`
		Fidelity     struct{ Response string }
	}
	text, err := os.ReadFile(filepath.Join(dir, "meta.json"))
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, &meta); err != nil {
		return nil, err
	}
	if meta.ResponseFile == "" {
		return nil, nil
	}
	r := &recording{
		wire: filepath.Base(filepath.Dir(dir)), name: filepath.Base(dir), path: meta.Path, stream: meta.Streaming,
		status: meta.Status, kind: meta.BodyKind, features: meta.Features, exact: meta.Fidelity.Response == "exact",
		header: http.Header{},
	}
	if r.response, err = os.ReadFile(filepath.Join(dir, meta.ResponseFile)); err != nil {
		return nil, err
	}
	r.request, _ = os.ReadFile(filepath.Join(dir, "request.json"))
	r.tools = toolNames(r.request)
	return r, r.readHeader(filepath.Join(dir, "headers.json"))
}

var contentTypes = map[string]string{
	"json": "application/json", "json-array": "application/json", "sse": "text/event-stream",
	"bin": "application/vnd.amazon.eventstream", "ndjson": "application/x-ndjson",
}

// readHeader leaves out what is of the recorded connection, not of the answer.
func (r *recording) readHeader(file string) error {
	r.header.Set("Content-Type", contentTypes[r.kind])
	text, err := os.ReadFile(file)
	if err != nil {
		return nil // there is none
	}
	var fields map[string]any
	if err := json.Unmarshal(text, &fields); err != nil {
		return err
	}
	for name, value := range fields {
		switch strings.ToLower(name) {
		case "date", "transfer-encoding", "content-length", "content-encoding", "connection":
			continue
		}
		r.header.Set(name, fmt.Sprint(value))
	}
	return nil
}

// toolNames lists the functions that a request of any format declares.
func toolNames(request []byte) (names []string) {
	n, err := parse(request)
	if err != nil {
		return nil
	}
	add := func(name node) {
		if name.text() != "" && !slices.Contains(names, name.text()) {
			names = append(names, name.text())
		}
	}
	for _, tool := range slices.Concat(n.get("tools").list(), n.get("toolConfig", "tools").list(), n.get("functions").list()) {
		for _, f := range tool.first("functionDeclarations", "function_declarations").list() {
			add(f.get("name"))
		}
		kind := tool.get("type").text()
		switch {
		case tool.get("function").given():
			add(tool.get("function", "name"))
		case tool.get("toolSpec").given():
			add(tool.get("toolSpec", "name"))
		case tool.get("custom").given():
			add(tool.get("custom", "name"))
		case kind == "", kind == "custom", kind == "function":
			add(tool.get("name"))
		}
	}
	return names
}

// endpoint names what a path asks for. Only its end counts: any base URL will do.
func endpoint(path string) string {
	if u, err := url.Parse(path); err == nil {
		path = u.Path
	}
	if at := strings.LastIndexByte(path, ':'); at > strings.LastIndexByte(path, '/') {
		switch method := path[at+1:]; method {
		case "generateContent", "streamGenerateContent":
			return "generate"
		case "rawPredict", "streamRawPredict":
			return "messages"
		default:
			return method
		}
	}
	for _, e := range [...][2]string{
		{"/chat/completions", "chat"}, {"/responses", "responses"}, {"/messages", "messages"}, {"/count_tokens", "count_tokens"},
		{"/converse", "converse"}, {"/converse-stream", "converse"},
		{"/invoke", "invoke"}, {"/invoke-with-response-stream", "invoke"},
		{"/api/chat", "ollama"}, {"/chat", "cohere"}, {"/embeddings", "embeddings"}, {"/embed", "embed"},
	} {
		if strings.HasSuffix(path, e[0]) {
			return e[1]
		}
	}
	return path
}
