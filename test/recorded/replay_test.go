package recorded_test

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"strings"
	"sync"
)

// replay answers for every provider with what was recorded. The model's name
// says which recording is meant, wherever it stands; an end of .cut has the
// answer come in small pieces.
type replay struct {
	recordings map[string]*recording

	mu   sync.Mutex
	seen map[string]*arrival
}

// arrival is a request as it came to the provider.
type arrival struct {
	path, query string
	header      http.Header
	body        []byte
	// mismatch says how it asks for something else than was recorded.
	mismatch string
}

func newReplay(list []*recording) *replay {
	p := &replay{recordings: map[string]*recording{}, seen: map[string]*arrival{}}
	for _, r := range list {
		p.recordings[r.id()] = r
	}
	return p
}

// take is the last request for a model's name, which is forgotten.
func (p *replay) take(model string) *arrival {
	p.mu.Lock()
	defer p.mu.Unlock()
	a := p.seen[model]
	delete(p.seen, model)
	return a
}

var recordingName = regexp.MustCompile(`rec\.([a-z0-9-]+\.[A-Za-z0-9-]+)(\.[a-z]+)*`)

func (p *replay) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	a := &arrival{path: r.URL.Path, query: r.URL.RawQuery, header: r.Header, body: body}
	name := recordingName.FindStringSubmatch(r.URL.Path)
	asked, err := parse(body)
	if name == nil && err == nil {
		name = recordingName.FindStringSubmatch(asked.get("model").text())
	}
	if name == nil {
		http.Error(w, fmt.Sprintf(`{"error":{"message":"no recording is named in %s"}}`, r.URL.Path), http.StatusInternalServerError)
		return
	}
	rec := p.recordings["rec."+name[1]]
	array := false
	if rec == nil {
		a.mismatch = "no such recording"
	} else {
		array, a.mismatch = rec.mismatch(a, asked)
	}
	p.mu.Lock()
	p.seen[name[0]] = a
	p.mu.Unlock()
	if a.mismatch != "" {
		http.Error(w, fmt.Sprintf(`{"error":{"message":%q}}`, a.mismatch), http.StatusInternalServerError)
		return
	}
	rec.answer(w, array, strings.HasSuffix(name[0], ".cut"))
}

// mismatch says how a request asks for something else than r. A stream that is
// one JSON array can be had as events too.
func (r *recording) mismatch(a *arrival, asked node) (array bool, how string) {
	if got, want := endpoint(a.path), endpoint(r.path); got != want {
		return false, fmt.Sprintf("asks %s, recorded was %s", got, want)
	}
	stream := asked.get("stream").v == true
	switch endpoint(a.path) {
	case "ollama":
		stream = asked.get("stream").v != false // as of absent
	case "generate", "converse", "invoke":
		stream = strings.Contains(a.path, ":stream") || strings.HasSuffix(a.path, "-stream")
	case "messages":
		stream = stream || strings.Contains(a.path, ":stream")
	}
	if stream != r.stream {
		return false, fmt.Sprintf("asks for a stream: %v, recorded was %v", stream, r.stream)
	}
	array = strings.Contains(a.path, ":streamGenerateContent") && !strings.Contains(a.query, "alt=sse")
	if array && r.kind == "sse" {
		return false, "asks for one JSON array, recorded were events"
	}
	return array, ""
}

// answer sends what was recorded.
func (r *recording) answer(w http.ResponseWriter, array, cut bool) {
	body := r.response
	h := w.Header()
	maps.Copy(h, r.header)
	if r.kind == "json-array" && !array {
		body = asEvents(body)
		h.Set("Content-Type", "text/event-stream")
	}
	w.WriteHeader(r.status)
	size := len(body)
	if cut {
		// Seven bytes; of long bodies more, for the time it takes.
		size = max(7, len(body)/600|1)
	}
	for len(body) > 0 {
		n := min(size, len(body))
		if _, err := w.Write(body[:n]); err != nil {
			return
		}
		body = body[n:]
		if cut {
			_ = http.NewResponseController(w).Flush()
		}
	}
}

// asEvents puts the elements of an array into server-sent events.
func asEvents(array []byte) []byte {
	list, _ := parse(array)
	var out bytes.Buffer
	for _, n := range list.list() {
		fmt.Fprintf(&out, "data: %s\r\n\r\n", n)
	}
	return out.Bytes()
}
