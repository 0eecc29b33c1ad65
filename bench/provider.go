package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"sync"
	"time"
)

// provider is a cheap stand-in for OpenAI, Anthropic and Gemini. It runs in a
// process of its own, so that nobody's CPU time is mixed up with its. What it
// answers is asked for in the model's name: see [parseShape].
type provider struct {
	scripts sync.Map // of question: *script
	pacers  sync.Map // of time.Duration: *pacer

	mu   sync.Mutex
	gone []departure
}

// departure is a connection that its client closed in the middle of a stream.
type departure struct {
	User string
	At   int64 // nanoseconds of Unix time
}

// providerEnv makes this binary the provider instead of the benchmark.
const providerEnv = "BENCH_PROVIDER"

// beProvider serves, if this process was started for that, until its standard
// input ends: so it never outlives the benchmark.
func beProvider() {
	if os.Getenv(providerEnv) == "" {
		return
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(listener.Addr())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	var p provider
	for {
		conn, err := listener.Accept()
		if err != nil {
			os.Exit(1)
		}
		go (&session{provider: &p, conn: conn, in: bufio.NewReaderSize(conn, 16<<10)}).serve()
	}
}

// session is one connection.
type session struct {
	*provider
	conn net.Conn
	in   *bufio.Reader
	body []byte
	out  []byte
	// playing is the stream that a pacer writes to the connection.
	playing *paced
}

func (s *session) serve() {
	defer s.conn.Close()
	for {
		path, err := s.read()
		if err != nil {
			s.left()
			return
		}
		if path == "/gone" {
			err = s.tellGone()
		} else {
			err = s.answer(path)
		}
		if err != nil {
			return
		}
	}
}

var errNoLength = errors.New("a request without a length")

// read takes the next request in, and returns its path. It blocks while a
// stream is played, and so learns that the client is gone.
func (s *session) read() (string, error) {
	line, err := s.in.ReadSlice('\n')
	if err != nil {
		return "", err
	}
	_, rest, _ := bytes.Cut(line, []byte(" "))
	target, _, _ := bytes.Cut(rest, []byte(" "))
	path := string(target)
	length := 0
	for {
		if line, err = s.in.ReadSlice('\n'); err != nil {
			return "", err
		}
		if line = bytes.TrimRight(line, "\r\n"); len(line) == 0 {
			break
		}
		switch name, value, _ := bytes.Cut(line, []byte(":")); {
		case bytes.EqualFold(name, []byte("content-length")):
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return "", err
			}
		case bytes.EqualFold(name, []byte("transfer-encoding")):
			return "", errNoLength
		}
	}
	if cap(s.body) < length {
		s.body = make([]byte, length)
	}
	s.body = s.body[:length]
	_, err = io.ReadFull(s.in, s.body)
	return path, err
}

// answer plays what the request asks for.
func (s *session) answer(target string) error {
	u, err := url.Parse(target)
	if err != nil {
		return err
	}
	q := s.question(u)
	found, ok := s.scripts.Load(q)
	if !ok {
		found, _ = s.scripts.LoadOrStore(q, q.script())
	}
	script := found.(*script)
	switch {
	case script.frames == nil:
		_, err = s.conn.Write(script.whole)
	case script.delay > 0:
		err = s.begin(script)
	default:
		for i := range script.frames {
			s.out = script.appendFrame(s.out[:0], i)
			if _, err = s.conn.Write(s.out); err != nil {
				break
			}
		}
	}
	return err
}

// begin sends the first content of a stream at once, and leaves the rest to a pacer.
func (s *session) begin(script *script) error {
	s.playing = &paced{conn: s.conn, script: script, user: member(s.body, "user"), next: min(2, len(script.frames)), due: time.Now().Add(script.delay)}
	s.out = s.out[:0]
	for i := range s.playing.next {
		s.out = script.appendFrame(s.out, i)
	}
	if s.playing.next == len(script.frames) {
		s.playing.over.Store(true)
	} else {
		defer func() { s.pacer(script.delay).queue <- s.playing }()
	}
	_, err := s.conn.Write(s.out)
	return err
}

// left notes a client that closed the connection before its stream was over.
func (s *session) left() {
	if s.playing == nil || s.playing.over.Load() {
		return
	}
	at := time.Now().UnixNano()
	s.playing.over.Store(true)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.provider.gone = append(s.provider.gone, departure{s.playing.user, at})
}

// tellGone says who left, since it was asked last.
func (s *session) tellGone() error {
	s.mu.Lock()
	list := s.provider.gone
	s.provider.gone = nil
	s.mu.Unlock()
	text, err := json.Marshal(list)
	if err != nil {
		return err
	}
	_, err = s.conn.Write(append(head("application/json", len(text)), text...))
	return err
}

// member is the first "name":"value" anywhere in a JSON text: what stands in a
// conversation has its quotes escaped.
func member(text []byte, name string) string {
	_, rest, _ := bytes.Cut(text, []byte(`"`+name+`":"`))
	value, _, _ := bytes.Cut(rest, []byte(`"`))
	return string(value)
}

// askGone asks the provider who left.
func askGone(addr string) (list []departure, err error) {
	response, err := http.Get("http://" + addr + "/gone") //nolint:noctx // it answers at once
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	return list, json.NewDecoder(response.Body).Decode(&list)
}
