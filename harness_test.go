package llmproxy_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"go.uber.org/goleak"
)

// patience is how long a test waits for what must happen.
const patience = 30 * time.Second

// workshop is where the Caddy under test is built.
var workshop string

func TestMain(m *testing.M) {
	if os.Getenv(asCaddy) != "" {
		caddycmd.Main() // which exits
	}
	var err error
	if workshop, err = os.MkdirTemp("", "llmproxy"); err != nil {
		panic(err)
	}
	listenOnce() // or the runtime's own descriptors would count
	files := openFiles("self")
	code := m.Run()
	if err := os.RemoveAll(workshop); err != nil {
		panic(err)
	}
	if code == 0 {
		http.DefaultClient.CloseIdleConnections()
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
		if left := openFiles("self"); left > files {
			fmt.Fprintf(os.Stderr, "%d file descriptors are open, of %d before\n", left, files)
			code = 1
		}
	}
	os.Exit(code)
}

func listenOnce() {
	if listener, err := net.Listen("tcp", "127.0.0.1:0"); err == nil {
		_ = listener.Close()
	}
}

// openFiles counts the file descriptors of a process, where the system shows them.
func openFiles(process string) int {
	entries, err := os.ReadDir(filepath.Join("/proc", process, "fd"))
	if err != nil {
		return 0
	}
	return len(entries)
}

// caddyBinary builds ./cmd/caddy, once for all tests and only if one needs it.
// Where the race detector watches the tests, it watches that process too.
var caddyBinary = sync.OnceValues(func() (string, error) {
	binary := filepath.Join(workshop, "caddy")
	args := []string{"build", "-o", binary}
	if raceDetector {
		args = append(args, "-race")
	}
	output, err := exec.Command("go", append(args, "./cmd/caddy")...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("building caddy: %w\n%s", err, output)
	}
	return binary, nil
})

// command prepares a Caddy command in a directory of its own. Its environment
// is env and nothing of ours: no key of a developer reaches a test.
func command(t *testing.T, dir string, env []string, args ...string) *exec.Cmd {
	t.Helper()
	binary, err := caddyBinary()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary, args...)
	cmd.Dir = dir
	home := t.TempDir()
	cmd.Env = append([]string{"HOME=" + home, "XDG_DATA_HOME=" + home, "XDG_CONFIG_HOME=" + home, "GORACE=halt_on_error=1"}, env...)
	return cmd
}

// asCaddy is the environment variable with which the tests' own program is a Caddy,
// one that has the modules of the tests too.
const asCaddy = "LLMPROXY_AS_CADDY"

// startWithGuests is start for such a Caddy.
func startWithGuests(t *testing.T, dir string, env []string, args ...string) *server {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(shortDir(t), "admin")
	cmd := exec.Command(self, append([]string{"run"}, args...)...)
	home := t.TempDir()
	cmd.Dir, cmd.Env = dir, append([]string{"HOME=" + home, "XDG_DATA_HOME=" + home, "XDG_CONFIG_HOME=" + home, "CADDY_ADMIN=unix/" + socket, asCaddy + "=1"}, env...)
	return startCommand(t, socket, cmd)
}

// server is a Caddy that runs.
type server struct {
	*lines
	cmd    *exec.Cmd
	admin  *http.Client
	exited chan struct{}
	err    error // of the process, once it has exited
}

// start runs Caddy with a config until the test ends, and waits until it
// serves. The admin API listens on a socket of its own.
func start(t *testing.T, dir string, env []string, args ...string) *server {
	t.Helper()
	socket := filepath.Join(shortDir(t), "admin")
	return startCommand(t, socket, command(t, dir, append(env, "CADDY_ADMIN=unix/"+socket), append([]string{"run"}, args...)...))
}

// startCommand is start for a command that is ready, whose admin API is at the socket.
func startCommand(t *testing.T, socket string, cmd *exec.Cmd) *server {
	t.Helper()
	s := &server{
		lines:  newLines(),
		cmd:    cmd,
		admin:  &http.Client{Transport: onSocket(socket)},
		exited: make(chan struct{}),
	}
	s.cmd.Stdout, s.cmd.Stderr = s.lines, s.lines
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		s.err = s.cmd.Wait()
		close(s.exited)
		s.end()
	}()
	t.Cleanup(func() {
		s.admin.CloseIdleConnections()
		_ = s.cmd.Process.Kill()
		<-s.exited
		if t.Failed() {
			t.Logf("the log of Caddy:\n%s", s.text())
		}
		if strings.Contains(s.text(), "DATA RACE") {
			t.Errorf("a data race in Caddy:\n%s", s.text())
		}
	})
	s.await(t, "serving initial configuration")
	return s
}

// stop asks Caddy to stop, as a service manager does, and waits until it has.
func (s *server) stop(t *testing.T) {
	t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case <-s.exited:
	case <-time.After(patience):
		t.Fatal("Caddy does not stop")
	}
	if s.err != nil {
		t.Errorf("Caddy stopped with %v", s.err)
	}
}

// configure asks the admin API.
func (s *server) configure(t *testing.T, method, path, body string) (status int, answer string) {
	t.Helper()
	reply := exchange(t, s.admin, method, "http://localhost"+path, body, "Content-Type", "application/json")
	return reply.status, reply.body
}

// patient asks again when a listener closes before it has read the request, as
// the admin API's does when the one of the next config takes its place.
type patient struct{ *http.Transport }

func (p patient) RoundTrip(r *http.Request) (*http.Response, error) {
	for {
		response, err := p.Transport.RoundTrip(r)
		unread := errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, io.EOF)
		if !unread || r.Context().Err() != nil {
			return response, err
		}
		r = r.Clone(r.Context())
		if r.Body, err = r.GetBody(); err != nil {
			return nil, err
		}
	}
}

func onSocket(socket string) patient {
	return patient{&http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}}
}

// shortDir is a temporary directory whose path is short enough for a socket.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "llm")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// freePort is a port of this machine that nobody listens on.
func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// lines keeps what a process writes, and lets tests wait for it.
type lines struct {
	mu     sync.Mutex
	all    bytes.Buffer
	ended  bool
	change chan struct{} // closed at every change, then replaced
}

func newLines() *lines { return &lines{change: make(chan struct{})} }

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.change)
	l.change = make(chan struct{})
	return l.all.Write(p)
}

func (l *lines) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = true
	close(l.change)
	l.change = make(chan struct{})
}

func (l *lines) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.String()
}

// mark is a place in the log, for awaitAfter.
func (l *lines) mark() int { return len(l.text()) }

// await waits for a line that holds all of the parts, and returns it.
func (l *lines) await(t *testing.T, parts ...string) string {
	t.Helper()
	return l.awaitAfter(t, 0, parts...)
}

// awaitAfter is await for what is written after a mark.
func (l *lines) awaitAfter(t *testing.T, mark int, parts ...string) string {
	t.Helper()
	timeout := time.After(patience)
	for {
		l.mu.Lock()
		text, ended, change := l.all.String()[mark:], l.ended, l.change
		l.mu.Unlock()
		if line, ok := lineWith(text, parts); ok {
			return line
		}
		if ended {
			t.Fatalf("the process ended without a line with %q", parts)
		}
		select {
		case <-change:
		case <-timeout:
			t.Fatalf("no line with %q", parts)
		}
	}
}

func lineWith(text string, parts []string) (string, bool) {
	for line := range strings.Lines(text) {
		found := true
		for _, part := range parts {
			found = found && strings.Contains(line, part)
		}
		if found {
			return line, true
		}
	}
	return "", false
}

// reply is an answer, read to its end.
type reply struct {
	status int
	header http.Header
	body   string
}

// exchange sends a request, with header fields in pairs, and reads the answer.
func exchange(t *testing.T, client *http.Client, method, url, body string, header ...string) reply {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{response.StatusCode, response.Header, string(text)}
}

// chatBody is a chat request of one user message.
func chatBody(model, text string, stream bool) string {
	return fmt.Sprintf(`{"model":%q,"stream":%t,"messages":[{"role":"user","content":%q}]}`, model, stream, text)
}

// stream is a streamed chat that goes on while a test does other things.
type stream struct {
	response *http.Response
	lines    *bufio.Scanner
}

// openStream begins a streamed chat. The first word has arrived when it returns.
func openStream(t *testing.T, base, body string, header ...string) *stream {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 4*patience)
	t.Cleanup(cancel)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/v1/chat/completions", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	client := http.Client{Transport: patient{http.DefaultTransport.(*http.Transport)}}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { response.Body.Close() })
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(response.Body)
		t.Fatalf("the stream's status is %d: %s", response.StatusCode, text)
	}
	return &stream{response, bufio.NewScanner(response.Body)}
}

// next is the data of the next event, io.EOF after the last.
func (s *stream) next() (string, error) {
	for s.lines.Scan() {
		if data, ok := strings.CutPrefix(s.lines.Text(), "data: "); ok {
			return data, nil
		}
	}
	if err := s.lines.Err(); err != nil {
		return "", err
	}
	return "", io.EOF
}

// rest reads the stream to its end and returns the data of all its events.
func (s *stream) rest(t *testing.T) []string {
	t.Helper()
	var events []string
	for {
		data, err := s.next()
		if errors.Is(err, io.EOF) {
			return events
		}
		if err != nil {
			t.Fatalf("the stream broke after %q: %v", events, err)
		}
		events = append(events, data)
	}
}
