package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// idleStreams is how many streams are held open.
const idleStreams = 1000

// memory measures what an open stream takes on which nothing comes.
func memory(r *report, st *stack) error {
	s := scenario{bytes: 1 << 10, stream: true, model: "openai-c1-d10m", bare: "bench-c1-d10m"}
	if err := st.startOurs(plain); err != nil { // a process keeps what it once had
		return err
	}
	ours, err := perStream(s, st.ours)
	if err != nil {
		return err
	}
	path := st.dir + "/bare.Caddyfile"
	st.bare.stop()
	if st.bare, err = startCaddy(st.dir, st.binary, path, st.bare.addr); err != nil {
		return err
	}
	bare, err := perStream(s.forBare(), st.bare)
	if err != nil {
		return err
	}
	r.row(fmt.Sprintf("memory of an idle stream, of %d", idleStreams), "", kib(bare), kib(ours), "", "≤ 64 KiB", verdict(ours <= 64<<10))
	return nil
}

func kib(n int64) string { return fmt.Sprintf("%.0f KiB", float64(n)/1024) }
func mib(n int64) string { return fmt.Sprintf("%.0f MiB", float64(n)/(1<<20)) }

// perStream opens the streams one after the other, lets them idle, and returns by
// how much the process grew for each.
func perStream(s scenario, p *process) (int64, error) {
	warm, err := hold(s, p.addr, 16)
	defer warm.close()
	if err != nil {
		return 0, err
	}
	time.Sleep(time.Second)
	before, err := p.resident()
	if err != nil {
		return 0, err
	}
	held, err := hold(s, p.addr, idleStreams)
	defer held.close()
	if err != nil {
		return 0, err
	}
	time.Sleep(4 * time.Second)
	after, err := p.resident()
	return (after - before) / idleStreams, err
}

// held are streams that have begun and go on.
type held []*client

func (h held) close() {
	for _, c := range h {
		_ = c.conn.Close()
	}
}

func hold(s scenario, addr string, n int) (h held, err error) {
	for range n {
		c, err := dial(addr)
		if err != nil {
			return h, err
		}
		h = append(h, c)
		if _, err := c.conn.Write(s.request(addr).text); err != nil {
			return h, err
		}
		if status, _, err := c.readHead(); err != nil || status != 200 {
			return h, errors.Join(err, fmt.Errorf("status %d", status))
		}
	}
	return h, nil
}

// resident is how much memory the process has.
func (p *process) resident() (int64, error) { return p.status("VmRSS:") }

// peak is the most that it ever had.
func (p *process) peak() (int64, error) { return p.status("VmHWM:") }

func (p *process) status(name string) (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, name); ok {
			n, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
			return n << 10, err
		}
	}
	return 0, fmt.Errorf("the process does not say its %s", name)
}
