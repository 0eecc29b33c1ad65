package main

import (
	"bufio"
	"errors"
	"fmt"
	"log"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// stack is a provider and two Caddys in front of it, each in a process of its own:
// one with nothing but reverse_proxy, one with llm_proxy.
type stack struct {
	dir        string
	binary     string
	provider   *process
	bare, ours *process
	cached     string // the site of ours that keeps answers
}

// startStack builds Caddy from this checkout where no binary is given.
func startStack(binary string, size setup) (s *stack, err error) {
	s = new(stack)
	defer func() {
		if err != nil {
			s.stop()
		}
	}()
	if s.dir, err = os.MkdirTemp("", "bench"); err != nil {
		return s, err
	}
	if s.binary = binary; binary == "" {
		if s.binary, err = build(s.dir); err != nil {
			return s, err
		}
	}
	if s.provider, err = startProvider(); err != nil {
		return s, err
	}
	bare := freeAddr()
	path := filepath.Join(s.dir, "bare.Caddyfile")
	if err = os.WriteFile(path, fmt.Appendf(nil, bareCaddyfile, s.provider.addr, bare), 0o600); err != nil {
		return s, err
	}
	if s.bare, err = startCaddy(s.dir, s.binary, path, bare); err != nil {
		return s, err
	}
	err = s.startOurs(size)
	return s, err
}

// startOurs starts llm_proxy, anew if it runs.
func (s *stack) startOurs(size setup) (err error) {
	if s.ours != nil {
		s.ours.stop()
	}
	addr := freeAddr()
	if s.cached = freeAddr(); size.models > plain.models {
		s.cached = "" // one site, for a look at the configuration alone
	}
	path, err := size.write(s.dir, s.provider.addr, addr, s.cached)
	if err != nil {
		return err
	}
	s.ours, err = startCaddy(s.dir, s.binary, path, addr)
	return err
}

func (s *stack) stop() {
	for _, p := range []*process{s.ours, s.bare, s.provider} {
		if p != nil {
			p.stop()
		}
	}
	_ = os.RemoveAll(s.dir)
}

// address is where llm_proxy is to be asked.
func (s *stack) address(sc scenario) string {
	if sc.cached {
		return s.cached
	}
	return s.ours.addr
}

func build(dir string) (string, error) {
	binary := filepath.Join(dir, "caddy-to-measure") // caddy is where Caddy keeps its data
	out, err := exec.Command("go", "build", "-trimpath", "-o", binary, "github.com/caddyllm/llmproxy/cmd/caddy").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("building caddy: %w\n%s", err, out)
	}
	return binary, nil
}

// process is a server.
type process struct {
	cmd  *exec.Cmd
	addr string
}

func startCaddy(dir, binary, path, addr string) (*process, error) {
	p := &process{addr: addr, cmd: exec.Command(binary, "run", "--config", path, "--adapter", "caddyfile")}
	p.cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir)
	var out strings.Builder
	p.cmd.Stdout, p.cmd.Stderr = &out, &out
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	for deadline := time.Now().Add(20 * time.Second); ; {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			return p, conn.Close()
		}
		if time.Now().After(deadline) {
			p.stop()
			return nil, fmt.Errorf("caddy does not start: %s", out.String())
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// startProvider starts this program again, as the provider.
func startProvider() (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &process{cmd: exec.Command(self)}
	// One processor is enough for it, and costs it less than several.
	p.cmd.Env = append(os.Environ(), providerEnv+"=1", "GOMAXPROCS=1")
	p.cmd.Stderr = os.Stderr
	if _, err := p.cmd.StdinPipe(); err != nil { // which ends with this process
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if p.addr = strings.TrimSpace(line); p.addr == "" {
		p.stop()
		return nil, fmt.Errorf("the provider does not start: %w", errors.Join(err, errors.New("it says no address")))
	}
	return p, nil
}

func (p *process) stop() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

// freeAddr is a loopback address that nobody listens on.
func freeAddr() string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
