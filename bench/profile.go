package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// profileAll writes a CPU profile of llm_proxy under each load.
func (o *options) profileAll(st *stack) error {
	size := plain
	size.admin = freeAddr()
	if err := os.MkdirAll(o.profile, 0o755); err != nil { //nolint:gosec // nothing in it is secret
		return err
	}
	for _, s := range scenarios {
		if !o.wants(s.name) {
			continue
		}
		if err := st.startOurs(size); err != nil {
			return err
		}
		path := filepath.Join(o.profile, s.name+".pb.gz")
		if err := profile(s, st, size.admin, path, 6*o.duration); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		fmt.Println(path)
	}
	return nil
}

func profile(s scenario, st *stack, admin, path string, d time.Duration) error {
	l := &load{scenario: s, addr: st.address(s)}
	l.more = func(int) bool { return !l.over() }
	ended := make(chan error, 1)
	go func() { ended <- l.run() }()
	defer func() { l.stop(); <-ended }()
	if err := l.wait(settling+2*s.ramp, ended); err != nil {
		return err
	}
	response, err := http.Get(fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%.0f", admin, d.Seconds())) //nolint:noctx // it ends by itself
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o644) //nolint:gosec // it is for everyone to read
}
