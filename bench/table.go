package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// report gathers tables, and prints each row as it is known.
type report struct{ sections []section }

type section struct {
	title string
	head  []string
	rows  [][]string
}

func (r *report) section(title string, head ...string) {
	r.sections = append(r.sections, section{title: title, head: head})
	fmt.Printf("\n%s\n", title)
	printRow(head)
}

func (r *report) row(cells ...string) {
	s := &r.sections[len(r.sections)-1]
	s.rows = append(s.rows, cells)
	printRow(cells)
}

func printRow(cells []string) {
	for i, c := range cells {
		width := 14
		if i == 0 {
			width = 46
		}
		fmt.Print(c, strings.Repeat(" ", max(1, width-utf8.RuneCountInString(c))))
	}
	fmt.Println()
}

// comparison adds the medians of a scenario.
func (r *report) comparison(c *comparison) {
	unit := ""
	if c.stream {
		unit = " per event"
	}
	ratio := median(c.ratios)
	r.row(c.title, fmt.Sprint(c.conns), fmt.Sprintf("%.1f%s", median(c.bare), unit), fmt.Sprintf("%.1f%s", median(c.ours), unit), fmt.Sprintf("%.2f", ratio),
		fmt.Sprintf("%.2f–%.2f", slices.Min(c.ratios), slices.Max(c.ratios)), fmt.Sprintf("≤ %.2f", c.goal), verdict(ratio <= c.goal))
}

func verdict(met bool) string {
	if met {
		return "met"
	}
	return "missed"
}

// markdown is the report as a file, with what it was measured on.
func (r *report) markdown(o *options) string {
	var b strings.Builder
	how := "go run ./bench"
	switch {
	case o.scaling:
		how += " -scaling"
	case o.soak > 0:
		how += " -soak " + o.soak.String()
	}
	fmt.Fprintf(&b, "Measured by `%s` on %s, %d processors%s, %s. Medians of %d rounds of %s in which the two take turns; the spread is of the ratios of the rounds.\n",
		how, time.Now().UTC().Format(time.DateOnly), runtime.NumCPU(), cpuName(), runtime.Version()+" "+runtime.GOOS+"/"+runtime.GOARCH+revision(), o.rounds, o.duration)
	for _, s := range r.sections {
		fmt.Fprintf(&b, "\n## %s\n\n", s.title)
		line := func(cells []string) { fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | ")) }
		line(s.head)
		rule := make([]string, len(s.head))
		for i := range rule {
			if rule[i] = "--:"; i == 0 {
				rule[i] = "---"
			}
		}
		line(rule)
		for _, row := range s.rows {
			line(append(row, make([]string, max(0, len(s.head)-len(row)))...))
		}
	}
	return b.String()
}

// cpuName is the processor's, in brackets.
func cpuName() string {
	text, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return " (" + strings.TrimSpace(value) + ")"
		}
	}
	return ""
}

// revision is the commit that was measured.
func revision() string {
	out, err := exec.Command("git", "rev-parse", "--short", "HEAD").Output()
	if err != nil {
		return ""
	}
	return ", commit " + strings.TrimSpace(string(out))
}
