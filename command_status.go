package llmproxy

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/caddyllm/llmproxy/internal/terminal"
)

func statusCommand() *cobra.Command {
	s := new(statusView)
	cmd := &cobra.Command{
		Use:   "status [--watch] [--json] [--address <admin address> | --config <file>]",
		Short: "Shows how the providers of the running gateway do",
		Long: `
Shows the providers of the running gateway, their keys and their models: whether
they can be asked (ready), or what stands against it and until when, how many
calls are under way, how long answers take, what the provider last said of its
own limits, and the latest error.

States: ready; disabled by the operator; down for its health check; open or
refusing by its breaker; busy or limited by the provider's own word; keyless
while every key is refused.`,
		Example: `  caddy llm-proxy status
  caddy llm-proxy status --watch
  caddy llm-proxy status --json --address unix//run/caddy/admin.sock`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s.out = cmd.OutOrStdout()
			if err := s.admin.find(); err != nil {
				return err
			}
			if !s.watch {
				return s.show()
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt)
			defer stop()
			return s.watchOn(ctx)
		},
	}
	s.admin.addFlags(cmd)
	cmd.Flags().BoolVar(&s.json, "json", false, "Print the answer of the admin API")
	cmd.Flags().BoolVarP(&s.watch, "watch", "w", false, "Show it again and again, until Ctrl-C")
	cmd.Flags().DurationVar(&s.every, "every", 2*time.Second, "How often to look, with --watch")
	return cmd
}

// statusView shows what the admin API says of a gateway.
type statusView struct {
	admin       adminClient
	json, watch bool
	every       time.Duration
	out         io.Writer
}

// show looks once.
func (s *statusView) show() error {
	if s.json {
		var raw json.RawMessage
		if err := s.admin.get("/llm_proxy/status", &raw); err != nil {
			return err
		}
		if s.watch { // one on each line
			_, err := fmt.Fprintf(s.out, "%s\n", bytes.TrimSpace(raw))
			return err
		}
		return printJSON(s.out, raw)
	}
	var report statusReport
	if err := s.admin.get("/llm_proxy/status", &report); err != nil {
		return err
	}
	return printStatus(s.out, &report, time.Now())
}

// clearScreen puts what follows where the last picture was.
const clearScreen = "\x1b[H\x1b[2J"

// leastEvery keeps a slip of the pen from being an attack.
const leastEvery = 100 * time.Millisecond

// watchOn looks until it is interrupted. A gateway that is away may come back.
func (s *statusView) watchOn(ctx context.Context) error {
	ticker := time.NewTicker(max(s.every, leastEvery))
	defer ticker.Stop()
	screen, tty := s.out, terminal.IsTerminal(s.out)
	for {
		var picture bytes.Buffer
		s.out = &picture
		err := s.show()
		switch {
		case err != nil && s.json:
			return err
		case err != nil:
			fmt.Fprintf(&picture, "%s\n", terminal.Plain(err.Error()))
		}
		if !s.json {
			heading := time.Now().Format(time.TimeOnly) + "\n"
			if tty {
				heading = clearScreen + heading
			}
			picture = *bytes.NewBufferString(heading + picture.String() + "\n")
		}
		if _, err := screen.Write(picture.Bytes()); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

func printStatus(out io.Writer, report *statusReport, now time.Time) error {
	line := terminal.Count(report.InFlight, "call") + " in flight, " + terminal.Count(int64(len(report.Handlers)), "gateway") + " in use"
	if older := report.Generations - int64(len(report.Handlers)); older > 0 {
		line += ", " + terminal.Count(older, "replaced config") + " with calls under way"
	}
	if _, err := fmt.Fprintln(out, line); err != nil {
		return err
	}
	for i := range report.Handlers {
		if err := printHandler(out, &report.Handlers[i], now); err != nil {
			return err
		}
	}
	return printSections(out, cacheTable(report.Caches))
}

func printHandler(out io.Writer, h *handlerStatus, now time.Time) error {
	if _, err := fmt.Fprintf(out, "\nServer %s\n", terminal.Plain(h.Server)); err != nil {
		return err
	}
	return printSections(out, providerTable(h, now), targetTable(h, now), keyTable(h, now), headroomTable(h, now))
}

// printSections writes tables with a line between them.
func printSections(out io.Writer, tables ...*terminal.Table) error {
	for _, t := range tables {
		if t.Empty() {
			continue
		}
		if _, err := fmt.Fprintln(out); err != nil {
			return err
		}
		if err := t.Print(out); err != nil {
			return err
		}
	}
	return nil
}

func providerTable(h *handlerStatus, now time.Time) *terminal.Table {
	t := terminal.NewTable("PROVIDER", "TYPE", "STATE", "?UNTIL", ">IN FLIGHT", "?>KEYS READY")
	for i := range h.Providers {
		p := &h.Providers[i]
		ready, keys := 0, ""
		for _, key := range p.Keys {
			if key.State == "ready" {
				ready++
			}
			if key.Fingerprint != "" {
				keys = "of " + strconv.Itoa(len(p.Keys))
			}
		}
		if keys != "" {
			keys = strconv.Itoa(ready) + " " + keys
		}
		t.Row(p.Name, p.Type, p.State, terminal.Away(p.Until, now), strconv.FormatInt(p.InFlight, 10), keys)
	}
	return t
}

func targetTable(h *handlerStatus, now time.Time) *terminal.Table {
	t := terminal.NewTable("MODEL", "STATE", "?UNTIL", ">IN FLIGHT", "?>ANSWER", "?>FIRST TOKEN", "?LAST ERROR")
	for i := range h.Providers {
		p := &h.Providers[i]
		for j := range p.Targets {
			m := &p.Targets[j]
			failed := ""
			if m.LastError != nil {
				failed = m.LastError.Class + ", " + terminal.Away(&m.LastError.At, now)
			}
			t.Row(p.Name+"/"+m.Model, m.State, terminal.Away(m.Until, now), strconv.FormatInt(m.InFlight, 10), terminal.Latency(m.LatencyMs), terminal.Latency(m.TTFTMs), failed)
		}
	}
	return t
}

// keyTable has the keys that are not ready, for all models of their provider or for one.
func keyTable(h *handlerStatus, now time.Time) *terminal.Table {
	t := terminal.NewTable("PROVIDER KEY", "?FINGERPRINT", "FOR", "STATE", "?UNTIL")
	add := func(p *providerStatus, model string, keys []keyStatus) {
		for i := range keys {
			if key := &keys[i]; key.State != "ready" {
				state := key.State
				if state == "keyless" { // which is what a provider becomes of it
					state = "refused"
				}
				t.Row(p.Name+" "+strconv.Itoa(key.Index), key.Fingerprint, model, state, terminal.Away(key.Until, now))
			}
		}
	}
	for i := range h.Providers {
		p := &h.Providers[i]
		add(p, "all models", p.Keys)
		for j := range p.Targets {
			add(p, p.Targets[j].Model, p.Targets[j].LimitedKeys)
		}
	}
	return t
}

func headroomTable(h *handlerStatus, now time.Time) *terminal.Table {
	t := terminal.NewTable("MODEL", ">KEY", "PROVIDER'S LIMIT", ">LEFT", "?>OF", "?RESETS", "SAID")
	for i := range h.Providers {
		p := &h.Providers[i]
		for j := range p.Targets {
			for k := range p.Targets[j].Headroom {
				room := &p.Targets[j].Headroom[k]
				t.Row(p.Name+"/"+p.Targets[j].Model, strconv.Itoa(room.Key), room.Limit, strconv.FormatInt(room.Remaining, 10),
					terminal.Number(room.Max), terminal.Away(room.ResetsAt, now), terminal.Away(&room.At, now))
			}
		}
	}
	return t
}

func cacheTable(caches []cacheStatus) *terminal.Table {
	t := terminal.NewTable("CACHE", "?>ENTRIES", "?>BYTES", "?>CAPACITY", ">HITS", ">MISSES", ">STORED", "?STATE")
	some := func(n *int64) string {
		if n == nil {
			return ""
		}
		return strconv.FormatInt(*n, 10)
	}
	for i := range caches {
		c, state := &caches[i], ""
		if c.Away {
			state = "away"
		}
		t.Row(c.Store, some(c.Entries), some(c.Bytes), some(c.Capacity), strconv.FormatInt(c.Hits, 10), strconv.FormatInt(c.Misses, 10), strconv.FormatInt(c.Stored, 10), state)
	}
	return t
}
