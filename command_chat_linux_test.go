package llmproxy_test

import (
	"io"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// startAtTerminal starts a command at a terminal of its own. What is written to the
// terminal is typed.
func startAtTerminal(t *testing.T, dir string, args ...string) (terminal *os.File, seen *lines, wait func() error) {
	t.Helper()
	terminal, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("there are no terminals here: %v", err)
	}
	t.Cleanup(func() { _ = terminal.Close() })
	var number int
	raw, err := terminal.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if controlled := raw.Control(func(fd uintptr) {
		if err = unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0); err == nil {
			number, err = unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
		}
	}); controlled != nil || err != nil {
		t.Fatal(controlled, err)
	}
	side, err := os.OpenFile("/dev/pts/"+strconv.Itoa(number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("there are no terminals here: %v", err)
	}
	defer side.Close()
	cmd := command(t, dir, nil, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = side, side, side
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	seen = newLines()
	read := make(chan struct{})
	go func() {
		defer close(read)
		_, _ = io.Copy(seen, terminal) // which ends with an error
		seen.end()
	}()
	return terminal, seen, func() error {
		err := cmd.Wait()
		<-read
		return err
	}
}

func TestChatAtATerminal(t *testing.T) {
	port := freePort(t)
	dir := writeConfig(t, "Caddyfile", ":"+port+" {\nllm_proxy {\nprovider mock\nmodel demo mock/echo\nprices prices.yaml\ncost_header\nauth anonymous\n}\n}\n")
	if err := os.WriteFile(filepath.Join(dir, "prices.yaml"), []byte("prices:\n  mock/echo: { input: 1000, output: 1000 }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	start(t, dir, nil, "--config", "Caddyfile")
	terminal, seen, wait := startAtTerminal(t, dir, "llm-proxy", "chat", "--address", "http://localhost:"+port)
	type_ := func(text string) {
		t.Helper()
		if _, err := io.WriteString(terminal, text); err != nil {
			t.Fatal(err)
		}
	}
	seen.await(t, "Talking to demo.")
	seen.await(t, "> ")
	type_("Hello there\n")
	seen.await(t, " tokens in, 2 out, ", ", $0.0") // and what it costs
	type_("/model mock/slow\n")
	seen.await(t, "Talking to mock/slow from here on.")
	type_("one two three four five six seven eight nine ten\n")
	seen.await(t, "nine ten") // as it was typed; the answer takes its time
	seen.awaitAfter(t, seen.mark(), "one ")
	type_("\x03") // Ctrl-C
	seen.await(t, "[stopped]")
	type_("/model mock/fail-400\nonce more\n")
	seen.await(t, "Error: The mock provider was asked to fail.")
	type_("\x04") // Ctrl-D
	if err := wait(); err != nil {
		t.Errorf("%v: %s", err, seen.text())
	}
}
