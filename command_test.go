package llmproxy_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// said is what a command said.
type said struct {
	out, notes string
	code       int
}

// llm runs a command of caddy llm-proxy.
func llm(t *testing.T, dir string, env []string, stdin string, args ...string) said {
	t.Helper()
	cmd := command(t, dir, env, append([]string{"llm-proxy"}, args...)...)
	var out, notes bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &notes
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return said{out.String(), notes.String(), cmd.ProcessState.ExitCode()}
}

// is fails unless a command succeeded with just this output.
func (s said) is(t *testing.T, want string) {
	t.Helper()
	if s.code != 0 || s.out != want || s.notes != "" {
		t.Errorf("the exit code is %d, the notes are %q; got\n%s\nwant\n%s", s.code, s.notes, s.out, want)
	}
}

// has fails unless a command succeeded and lines of its output match.
func (s said) has(t *testing.T, lines ...string) {
	t.Helper()
	if s.code != 0 {
		t.Errorf("the exit code is %d: %s", s.code, s.notes)
	}
	for _, line := range lines {
		if !regexp.MustCompile("(?m)^" + line + "$").MatchString(s.out) {
			t.Errorf("no line %q in\n%s", line, s.out)
		}
	}
}

// fails fails unless a command did, with these words.
func (s said) fails(t *testing.T, words ...string) {
	t.Helper()
	if s.code != 1 {
		t.Errorf("the exit code is %d: %s", s.code, s.out)
	}
	for _, word := range words {
		if !strings.Contains(s.notes, word) {
			t.Errorf("no %q in %s", word, s.notes)
		}
	}
}

// adminSays runs an admin API that has one answer for each path, and returns its address.
func adminSays(t *testing.T, answers map[string]string) string {
	t.Helper()
	socket := filepath.Join(shortDir(t), "admin")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, ok := answers[r.URL.Path]
		if !ok {
			w.WriteHeader(http.StatusNotFound)
		}
		_, _ = io.WriteString(w, answer)
	})}
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close(); <-done })
	return "unix/" + socket
}

// adminOf is the address of the admin API of a Caddy that runs.
func adminOf(s *server) string {
	for _, variable := range s.cmd.Env {
		if address, ok := strings.CutPrefix(variable, "CADDY_ADMIN="); ok {
			return address
		}
	}
	return ""
}

// write writes a config into a directory of its own.
func writeConfig(t *testing.T, name, text string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestCommandsThatAskSayWhatToDoWithoutAnAnswer(t *testing.T) {
	dir := t.TempDir()
	for _, args := range [][]string{{"status"}, {"models"}, {"usage"}, {"keys", "list"}} {
		llm(t, dir, nil, "", append(args, "--address", "localhost:1")...).fails(t, "no Caddy answers at localhost:1: start one", "connection refused)")
		llm(t, dir, nil, "", append(args, "--address", adminSays(t, nil))...).fails(t, "has no llm_proxy")
	}
	llm(t, dir, nil, "", "models", "--address", "localhost:1").fails(t, "--all")
	llm(t, dir, nil, "", "status", "--config", "nowhere.json").fails(t, "nowhere.json")
	llm(t, dir, nil, "", "usage", "--by", "colour").fails(t, "key, model or provider")
}

func TestCommandsHaveHelpWithExamples(t *testing.T) {
	for _, args := range [][]string{{"status"}, {"models"}, {"usage"}, {"check"}, {"chat"}} {
		if help := llm(t, t.TempDir(), nil, "", append(args, "--help")...); help.code != 0 || !strings.Contains(help.out, "Examples:\n  caddy llm-proxy "+args[0]) {
			t.Errorf("%v: %s", args, help.out)
		}
	}
}
