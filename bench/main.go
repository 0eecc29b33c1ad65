// Command bench measures what a call through llm_proxy costs: the CPU time that
// its process takes, compared with what Caddy's own bare reverse_proxy takes for
// the same load. The two take turns in one run of one binary, and what counts is
// the ratio within each round: the speed of the machine cancels out.
//
//	go run ./bench                            all of it, and bench/results.md
//	go run ./bench -only json64k,sse100       some of it, printed only
//	go run ./bench -quick                     for a first look
//	go run ./bench -scaling                   what changes with size
//	go run ./bench -soak 10m                  whether memory grows
//	go run ./bench -profile /tmp/profiles     where the time goes, for go tool pprof
//
// With llm_proxy each call has a key checked and a model routed, is counted against
// limits of requests, tokens and money, and its record is written. The provider is a
// process of its own. All of it needs Linux, for the CPU clock of another process.
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

// options are the flags.
type options struct {
	rounds   int
	duration time.Duration
	only     string
	quick    bool
	scaling  bool
	soak     time.Duration
	binary   string
	out      string
	profile  string
}

func main() {
	beProvider()
	var o options
	flag.IntVar(&o.rounds, "rounds", 7, "how often each has its turn")
	flag.DurationVar(&o.duration, "duration", 1500*time.Millisecond, "length of a turn")
	flag.StringVar(&o.only, "only", "", "the rows to measure, after commas, such as json1k,latency; all if empty")
	flag.BoolVar(&o.quick, "quick", false, "few and short rounds")
	flag.BoolVar(&o.scaling, "scaling", false, "measure with many connections, keys, providers, aliases and streams")
	flag.DurationVar(&o.soak, "soak", 0, "keep up a mixed load so long, and look at the memory")
	flag.StringVar(&o.binary, "binary", "", "a Caddy with llm_proxy; built from this checkout if empty")
	flag.StringVar(&o.out, "out", "", "where to write the tables; bench/results.md after a full run, if empty")
	flag.StringVar(&o.profile, "profile", "", "a directory for CPU profiles of llm_proxy, one for each load, instead of the tables")
	flag.Parse()
	if o.quick {
		o.rounds, o.duration = min(o.rounds, 3), min(o.duration, 400*time.Millisecond)
	}
	// The load takes less of the machine on few processors than on all.
	runtime.GOMAXPROCS(max(1, runtime.NumCPU()/2))
	if err := o.run(); err != nil {
		log.Fatal(err)
	}
}

func (o *options) run() error {
	st, err := startStack(o.binary, plain)
	if err != nil {
		return err
	}
	defer st.stop()
	r := &report{}
	switch {
	case o.soak > 0:
		err = soak(r, st, o.soak)
	case o.scaling:
		err = o.scale(r, st)
	case o.profile != "":
		return o.profileAll(st)
	default:
		err = o.compareAll(r, st)
	}
	if err != nil {
		return err
	}
	return o.write(r)
}

// wants tells whether a row is asked for.
func (o *options) wants(name string) bool {
	return o.only == "" || slices.Contains(strings.Split(o.only, ","), name)
}

// compareAll is the table that the goals are of.
func (o *options) compareAll(r *report, st *stack) error {
	r.section("CPU of the process, in microseconds, beside reverse_proxy = 1.00",
		"load", "connections", "reverse_proxy", "llm_proxy", "ratio", "spread", "goal", "")
	for _, s := range scenarios {
		if !o.wants(s.name) {
			continue
		}
		c, err := compare(s, st, o.rounds, o.duration)
		if err != nil {
			return err
		}
		r.comparison(c)
	}
	rest := []struct {
		name string
		run  func(*report, *stack) error
	}{{"latency", latency}, {"disconnect", disconnect}, {"memory", memory}}
	begun := false
	for _, x := range rest {
		if !o.wants(x.name) {
			continue
		}
		if !begun {
			r.section("Latency and memory", "what", "provider alone", "reverse_proxy", "llm_proxy", "added", "goal", "")
			begun = true
		}
		if err := x.run(r, st); err != nil {
			return fmt.Errorf("%s: %w", x.name, err)
		}
	}
	return nil
}

// write writes the tables to the file that is asked for, or after a full run to
// where README looks for them.
func (o *options) write(r *report) error {
	path := o.out
	if path == "" && o.only == "" && !o.quick && o.soak == 0 {
		path = "bench/results.md"
		if o.scaling {
			path = "bench/scaling.md"
		}
	}
	if path == "" {
		return nil
	}
	return os.WriteFile(path, []byte(r.markdown(o)), 0o644) //nolint:gosec // it is for everyone to read
}
