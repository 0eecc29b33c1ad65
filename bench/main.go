// Command bench compares what a call costs: the CPU time that one Caddy process
// takes for it through llm_proxy, with keys and metrics on, against the same
// bytes through Caddy's own bare reverse_proxy. The two take turns in one run
// of one binary, and what counts is the ratio within each round: the speed of
// the machine cancels out.
//
//	go run ./bench
//	go run ./bench -rounds 9 -duration 2s -only json64k
//
// It needs Linux, for the CPU clock of another process.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// scenario is one kind of load.
type scenario struct {
	name   string
	bytes  int // of the request's body
	stream bool
	conns  int
}

var scenarios = []scenario{
	{"json1k", 1 << 10, false, 16},
	{"json64k", 64 << 10, false, 16},
	{"sse100", 1 << 10, true, 16},
}

// clientKey is what the load sends and the gateway checks.
const clientKey = "bench-key-0123456789abcdef"

const caddyfile = `{
	admin off
	persist_config off
	auto_https off
	metrics
	llm_proxy {
		provider openai {
			base_url http://%[1]s/v1
			api_key {env.BENCH_PROVIDER_KEY}
			transport http {
				keepalive_idle_conns_per_host 4096
				keepalive_idle_conns 8192
			}
		}
		model bench openai/bench-upstream
		auth {
			key load ` + clientKey + ` {
				models bench
			}
		}
	}
	log default {
		output discard
	}
}
http://%[2]s {
	reverse_proxy %[1]s {
		transport http {
			keepalive_idle_conns_per_host 4096
			keepalive_idle_conns 8192
		}
	}
}
http://%[3]s {
	llm_proxy
}
`

func main() {
	rounds := flag.Int("rounds", 5, "how often each target gets its turn")
	duration := flag.Duration("duration", 1500*time.Millisecond, "length of a turn")
	only := flag.String("only", "", "the scenario to run, of json1k, json64k and sse100; all if empty")
	binary := flag.String("caddy", "", "a Caddy binary with llm_proxy; built from this checkout if empty")
	flag.Parse()
	if err := run(*rounds, *duration, *only, *binary); err != nil {
		log.Fatal(err)
	}
}

func run(rounds int, duration time.Duration, only, binary string) error {
	stack, err := startStack(binary)
	if err != nil {
		return err
	}
	defer stack.stop()
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "scenario\treverse_proxy us\tllm_proxy us\tratio\tmin\tmax\tcalls\t")
	for _, s := range scenarios {
		if only != "" && only != s.name {
			continue
		}
		if err := compare(table, s, stack.caddy, rounds, duration); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return table.Flush()
}

// stack is a provider and the Caddy in front of it.
type stack struct {
	dir      string
	provider *provider
	caddy    *process
}

// startStack builds Caddy from this checkout where no binary is given.
func startStack(binary string) (s *stack, err error) {
	s = new(stack)
	defer func() {
		if err != nil {
			s.stop()
		}
	}()
	if s.dir, err = os.MkdirTemp("", "bench"); err != nil {
		return s, err
	}
	if binary == "" {
		binary = filepath.Join(s.dir, "caddy")
		if out, err := exec.Command("go", "build", "-trimpath", "-o", binary, "github.com/caddyllm/llmproxy/cmd/caddy").CombinedOutput(); err != nil {
			return s, fmt.Errorf("building caddy: %w\n%s", err, out)
		}
	}
	if s.provider, err = startProvider(); err != nil {
		return s, err
	}
	s.caddy, err = startCaddy(s.dir, binary, s.provider.Addr)
	return s, err
}

func (s *stack) stop() {
	if s.caddy != nil {
		s.caddy.stop()
	}
	if s.provider != nil {
		_ = s.provider.Close()
	}
	_ = os.RemoveAll(s.dir)
}

// compare lets both targets take turns and prints the medians.
func compare(table *tabwriter.Writer, s scenario, caddy *process, rounds int, duration time.Duration) error {
	var bare, ours, ratios []float64
	calls := 0
	for range rounds + 1 { // the first is a warm-up
		a, _, err := measure(s, caddy, caddy.bare, duration)
		if err != nil {
			return fmt.Errorf("reverse_proxy: %w", err)
		}
		b, n, err := measure(s, caddy, caddy.ours, duration)
		if err != nil {
			return fmt.Errorf("llm_proxy: %w", err)
		}
		bare, ours, ratios = append(bare, a), append(ours, b), append(ratios, b/a)
		calls += n
	}
	bare, ours, ratios = bare[1:], ours[1:], ratios[1:]
	fmt.Fprintf(table, "%s\t%.1f\t%.1f\t%.2f\t%.2f\t%.2f\t%d\t\n", s.name,
		median(bare), median(ours), median(ratios), slices.Min(ratios), slices.Max(ratios), calls)
	return nil
}

// measure is the CPU microseconds that the process takes for one call.
func measure(s scenario, caddy *process, addr string, duration time.Duration) (float64, int, error) {
	before, err := caddy.cpu()
	if err != nil {
		return 0, 0, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), duration)
	defer cancel()
	calls, err := load(s, addr, func(int) bool { return ctx.Err() == nil })
	if err != nil {
		return 0, 0, err
	}
	after, err := caddy.cpu()
	if err != nil {
		return 0, 0, err
	}
	return float64((after - before).Microseconds()) / float64(calls), calls, nil
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}

// process is the Caddy under test.
type process struct {
	cmd        *exec.Cmd
	bare, ours string
}

func startCaddy(dir, binary, provider string) (*process, error) {
	p := &process{bare: freeAddr(), ours: freeAddr()}
	path := filepath.Join(dir, "Caddyfile")
	if err := os.WriteFile(path, fmt.Appendf(nil, caddyfile, provider, p.bare, p.ours), 0o600); err != nil {
		return nil, err
	}
	p.cmd = exec.Command(binary, "run", "--config", path, "--adapter", "caddyfile")
	p.cmd.Env = append(os.Environ(), "BENCH_PROVIDER_KEY=sk-bench", "HOME="+dir)
	var out strings.Builder
	p.cmd.Stdout, p.cmd.Stderr = &out, &out
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	for deadline := time.Now().Add(10 * time.Second); ; {
		conn, err := net.Dial("tcp", p.ours)
		if err == nil {
			return p, conn.Close()
		}
		if time.Now().After(deadline) {
			p.stop()
			return nil, fmt.Errorf("caddy does not start: %s", out.String())
		}
		time.Sleep(20 * time.Millisecond)
	}
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
