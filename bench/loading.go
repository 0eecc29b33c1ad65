package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"time"
)

// loading measures how long a large configuration takes.
func loading(r *report, st *stack) error {
	r.section("50 providers, 500 aliases, 10000 keys", "", "time", "CPU", "goal", "")
	size := setup{keys: 10000, providers: 50, models: 500, admin: freeAddr()}
	if err := st.startOurs(size); err != nil {
		return err
	}
	path := st.dir + "/Caddyfile"
	var validate, empty, reload durations
	for range 9 {
		if err := validate.add(validating(st, path)); err != nil {
			return err
		}
		if err := empty.add(validating(st, st.dir+"/bare.Caddyfile")); err != nil {
			return err
		}
		if err := reload.add(reloading(st.ours, size.admin, path)); err != nil {
			return err
		}
	}
	row := func(what string, d durations, goal float64) {
		bound, met := "", ""
		if goal > 0 {
			bound, met = fmt.Sprintf("≤ %.0f ms", goal), verdict(median(d.wall) <= goal)
		}
		r.row(what, fmt.Sprintf("%.0f ms", median(d.wall)), fmt.Sprintf("%.0f ms", median(d.cpu)), bound, met)
	}
	row("caddy validate, the whole process", validate, 0)
	row("the same for a reverse_proxy alone", empty, 0)
	row("so validating takes", durations{[]float64{median(validate.wall) - median(empty.wall)}, []float64{median(validate.cpu) - median(empty.cpu)}}, 100)
	row("a reload of the running process", reload, 100)
	return st.startOurs(plain)
}

// durations are in milliseconds, by the clock and of the processors.
type durations struct{ wall, cpu []float64 }

func (d *durations) add(wall, cpu time.Duration, err error) error {
	d.wall = append(d.wall, float64(wall.Microseconds())/1e3)
	d.cpu = append(d.cpu, float64(cpu.Microseconds())/1e3)
	return err
}

// validating is what a caddy validate takes.
func validating(st *stack, path string) (wall, cpu time.Duration, err error) {
	cmd := exec.Command(st.binary, "validate", "--config", path, "--adapter", "caddyfile")
	cmd.Env = append(os.Environ(), "HOME="+st.dir, "XDG_DATA_HOME="+st.dir+"/aside", "XDG_CONFIG_HOME="+st.dir)
	begun := time.Now()
	if out, err := cmd.CombinedOutput(); err != nil {
		return 0, 0, fmt.Errorf("caddy validate: %w\n%s", err, out)
	}
	return time.Since(begun), cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), nil
}

// reloading is what it takes the admin API to load the same config again.
func reloading(p *process, admin, path string) (wall, cpu time.Duration, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, 0, err
	}
	request, err := http.NewRequest(http.MethodPost, "http://"+admin+"/load", bytes.NewReader(text)) //nolint:noctx // it answers
	if err != nil {
		return 0, 0, err
	}
	request.Header.Set("Content-Type", "text/caddyfile")
	request.Header.Set("Cache-Control", "must-revalidate") // also if nothing changed
	before, err := p.cpu()
	if err != nil {
		return 0, 0, err
	}
	begun := time.Now()
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, 0, err
	}
	defer response.Body.Close()
	if said, err := io.ReadAll(response.Body); err != nil || response.StatusCode != http.StatusOK {
		return 0, 0, fmt.Errorf("reloading: status %d: %.300s", response.StatusCode, said)
	}
	wall = time.Since(begun)
	after, err := p.cpu()
	return wall, after - before, err
}
