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
	r.section("50 providers, 500 aliases, 10000 keys", "", "time", "goal", "")
	size := setup{keys: 10000, providers: 50, models: 500, admin: freeAddr()}
	if err := st.startOurs(size); err != nil {
		return err
	}
	path := st.dir + "/Caddyfile"
	var validate, empty, reload []float64
	for range 7 {
		took, err := validating(st, path)
		if err != nil {
			return err
		}
		validate = append(validate, took)
		if took, err = validating(st, st.dir+"/bare.Caddyfile"); err != nil {
			return err
		}
		empty = append(empty, took)
		if took, err = reloading(size.admin, path); err != nil {
			return err
		}
		reload = append(reload, took)
	}
	row := func(what string, v []float64, goal string, met bool) {
		said := ""
		if goal != "" {
			said = verdict(met)
		}
		r.row(what, fmt.Sprintf("%.0f ms", median(v)), goal, said)
	}
	row("caddy validate, the whole process", validate, "", false)
	row("the same for a reverse_proxy alone", empty, "", false)
	row("so validating takes", []float64{median(validate) - median(empty)}, "≤ 100 ms", median(validate)-median(empty) <= 100)
	row("a reload of the running process", reload, "≤ 100 ms", median(reload) <= 100)
	return st.startOurs(plain)
}

// validating is the milliseconds of a caddy validate.
func validating(st *stack, path string) (float64, error) {
	begun := time.Now()
	cmd := exec.Command(st.binary, "validate", "--config", path, "--adapter", "caddyfile")
	cmd.Env = append(os.Environ(), "HOME="+st.dir, "XDG_DATA_HOME="+st.dir+"/aside", "XDG_CONFIG_HOME="+st.dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("caddy validate: %w\n%s", err, out)
	}
	return milliseconds(begun), nil
}

// reloading is the milliseconds that the admin API takes for the same config again.
func reloading(admin, path string) (float64, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	begun := time.Now()
	request, err := http.NewRequest(http.MethodPost, "http://"+admin+"/load", bytes.NewReader(text)) //nolint:noctx // it answers
	if err != nil {
		return 0, err
	}
	request.Header.Set("Content-Type", "text/caddyfile")
	request.Header.Set("Cache-Control", "must-revalidate") // also if nothing changed
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	if said, err := io.ReadAll(response.Body); err != nil || response.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("reloading: status %d: %.300s", response.StatusCode, said)
	}
	return milliseconds(begun), nil
}

func milliseconds(since time.Time) float64 { return float64(time.Since(since).Microseconds()) / 1e3 }
