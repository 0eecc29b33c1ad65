// Package page_test looks at the status page in a browser while calls go on. The
// command is test/page/run.
package page_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// patience bounds the whole run, which takes a part of it.
const patience = 5 * time.Minute

// config is a gateway of mocks behind a password, "example". Its keys have names that
// nobody should take for markup.
const config = `{
	admin off
	metrics
}
http://127.0.0.1:%s {
	@status path /ops/status /ops/status/*
	basic_auth @status {
		ops $2a$10$EUlyLAWhAE3Px/b2WHL2su/ULFFXC08U8BHoV1hoL.dR/EOiBfj/G
	}
	llm_status @status
	metrics /metrics
	llm_proxy {
		prices prices.yaml
		provider east mock
		provider west mock
		model smart east/echo
		model careful east/fail-529 west/echo
		model slow west/slow
		model broken west/fail-500
		model cut east/die-mid-stream
		model kept west/echo {
			cache on
		}
		cache memory {
			ttl 1m
		}
		auth {
			key assistant assistant-secret {
				limits {
					budget 25 day
					unpriced allow
				}
			}
			key "<b>bold</b>" bold-secret {
				limits {
					rpm 10
				}
			}
		}
	}
}
`

// check is what the browser found.
type check struct {
	Name string
	OK   bool
	Why  string
}

func TestStatusPageInABrowser(t *testing.T) {
	chromium := os.Getenv("CHROMIUM")
	if chromium == "" {
		t.Skip("the page is tested in Chromium: test/page/run finds it")
	}
	if _, err := os.Stat("node_modules/puppeteer-core"); err != nil {
		t.Skip("the driver is not installed: test/page/run installs it")
	}
	base := startGateway(t)
	for _, c := range look(t, map[string]string{
		"base": base, "page": base + "/ops/status", "user": "ops", "password": "example", "chromium": chromium, "shots": os.Getenv("PAGE_TEST_SHOTS"),
	}) {
		t.Run(c.Name, func(t *testing.T) {
			if !c.OK {
				t.Error(c.Why)
			} else if c.Why != "" {
				t.Log(c.Why)
			}
		})
	}
}

// look runs the browser, which gets what it must know from stdin and writes a line of
// JSON for each check.
func look(t *testing.T, what map[string]string) (checks []check) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	in, err := json.Marshal(what)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, "node", "--no-warnings", "page.mjs")
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) } // so that it ends the browser
	cmd.WaitDelay = 10 * time.Second
	cmd.Stdin, cmd.Stderr = bytes.NewReader(in), os.Stderr
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}
	out, err := cmd.Output()
	for line := range bytes.Lines(out) {
		var c check
		if err := json.Unmarshal(line, &c); err != nil {
			t.Fatalf("reading the results: %v in %q", err, line)
		}
		checks = append(checks, c)
	}
	if err != nil || len(checks) == 0 {
		t.Errorf("the browser broke off: %v after %+v", err, checks)
	}
	return checks
}

// startGateway builds and runs Caddy, and returns where it serves.
func startGateway(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	binary := filepath.Join(t.TempDir(), "caddy")
	if output, err := exec.Command("go", "build", "-o", binary, "../../cmd/caddy").CombinedOutput(); err != nil {
		t.Fatalf("building caddy: %v\n%s", err, output)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	_ = listener.Close()
	for name, text := range map[string]string{
		"Caddyfile":   fmt.Sprintf(config, port),
		"prices.yaml": "prices:\n  east/echo: { input: 3000, output: 15000 }\n  west/echo: { input: 10, output: 20 }\n  west/slow: { input: 1, output: 1 }\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(binary, "run", "--config", "Caddyfile")
	cmd.Dir = dir
	cmd.Env = []string{"HOME=" + dir, "XDG_DATA_HOME=" + dir, "XDG_CONFIG_HOME=" + dir}
	log, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	serving := make(chan bool, 1)
	drained, last := make(chan struct{}), ""
	go func() {
		defer close(drained)
		defer close(serving)
		for lines := bufio.NewScanner(log); lines.Scan(); {
			last = lines.Text()
			if bytes.Contains(lines.Bytes(), []byte("serving initial configuration")) {
				serving <- true
			}
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		<-drained
		_ = cmd.Wait()
	})
	select {
	case ok := <-serving:
		if !ok {
			<-drained
			t.Fatalf("Caddy does not start: %s", last)
		}
	case <-time.After(patience):
		t.Fatal("Caddy is not ready")
	}
	return "http://127.0.0.1:" + port
}
