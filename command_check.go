package llmproxy

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/caddyllm/llmproxy/internal/terminal"
)

func checkCommand() *cobra.Command {
	c := new(check)
	cmd := &cobra.Command{
		Use:   "check [--config <file> [--adapter <name>]] [--credentials] [--json]",
		Short: "Checks a config without running it, and its providers' keys",
		Long: `
Checks a config as "caddy validate" does, without listening anywhere, and tells
what it has: providers, models, and what is worth a second look: keys that stand
in the config, gateways that are open to everybody, access logs that would keep
clients' keys, models without a price under a budget.

With --credentials it asks each provider with each of its keys for what costs
least: the list of models, a count of tokens, or an answer of one token. A key is
shown as its place in the config and a fingerprint.

It fails if the config is refused, or a provider does not take a key or cannot be
reached. Warnings are no failure.`,
		Example: `  caddy llm-proxy check
  caddy llm-proxy check --config llm.yaml --adapter llm_proxy
  caddy llm-proxy check --config Caddyfile --credentials`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt)
			defer stop()
			report, err := c.run(ctx)
			if err != nil && !c.json {
				return err
			}
			if err != nil {
				report = &checkReport{Error: err.Error(), Gateways: []checkedGateway{}, Warnings: []string{}}
			}
			if c.json {
				err = printJSON(cmd.OutOrStdout(), report)
			} else {
				err = report.print(cmd.OutOrStdout())
			}
			if err == nil && !report.OK {
				cmd.SilenceErrors = true // it has been said
				err = errCheck
			}
			return err
		},
	}
	cmd.Flags().StringVarP(&c.file, "config", "c", "", "The config to check (default: the Caddyfile in the working directory)")
	cmd.Flags().StringVarP(&c.adapter, "adapter", "a", "", "The adapter of the config, if it is no Caddyfile and no JSON")
	cmd.Flags().BoolVar(&c.credentials, "credentials", false, "Ask each provider with each of its keys")
	cmd.Flags().BoolVar(&c.json, "json", false, "Print JSON")
	return cmd
}

var errCheck = errors.New("not everything is well")

// check looks at a config.
type check struct {
	file, adapter     string
	credentials, json bool
}

// checkReport is what was found. It holds no secret.
type checkReport struct {
	OK     bool   `json:"ok"`
	Config string `json:"config,omitempty"`
	// Error is why the config is refused.
	Error       string              `json:"error,omitempty"`
	Gateways    []checkedGateway    `json:"gateways"`
	Warnings    []string            `json:"warnings"`
	Credentials []checkedCredential `json:"credentials,omitempty"`
}

// checkedGateway is one handler.
type checkedGateway struct {
	Server    string            `json:"server"`
	Listen    []string          `json:"listen"`
	Providers []checkedProvider `json:"providers"`
	Models    []checkedModel    `json:"models"`
	// Callers are who may call: keys, caddy, jwt, anonymous.
	Callers []string `json:"callers"`
}

type checkedProvider struct {
	Name string `json:"name"`
	Type string `json:"type"`
	// Address is where it is asked.
	Address string `json:"address"`
	// Keys is how many keys the config has for it.
	Keys int `json:"keys"`
}

type checkedModel struct {
	Name     string        `json:"name"`
	Targets  []modelTarget `json:"targets"`
	Fallback []string      `json:"fallback,omitempty"`
}

// run checks the config. An error is one of the config.
func (c *check) run(ctx context.Context) (*checkReport, error) {
	quieten()
	text, file, _, err := caddycmd.LoadConfig(c.file, c.adapter)
	if err != nil {
		return nil, err
	}
	if file == "" {
		return nil, errors.New("there is no Caddyfile in the working directory: name the config with --config")
	}
	var config *caddy.Config
	if err := caddy.StrictUnmarshalJSON(caddy.RemoveMetaFields(bytes.Clone(text)), &config); err != nil {
		return nil, fmt.Errorf("decoding the config: %w", err)
	}
	mute(config)
	// The end of the process cleans up: nothing of this has been started.
	provisioned, err := caddy.ProvisionContext(config)
	if err != nil {
		return nil, inShort(file, err)
	}
	report := &checkReport{OK: true, Config: file, Gateways: []checkedGateway{}, Warnings: []string{}}
	found, err := provisioned.AppIfConfigured(appName)
	app, ok := found.(*App)
	if err != nil || !ok || len(app.list()) == 0 {
		report.warn("the config has no llm_proxy at any site")
		return report, nil
	}
	report.describe(app)
	report.warnOfLogs(text)
	if c.credentials {
		report.prove(ctx, app)
	}
	return report, nil
}

// mute keeps what Caddy's logs tell at the terminal from between the lines, and
// leaves alone where they are written otherwise: a look at a config makes no files.
func mute(config *caddy.Config) {
	if config.Logging == nil {
		config.Logging = new(caddy.Logging)
	}
	if config.Logging.Logs == nil {
		config.Logging.Logs = make(map[string]*caddy.CustomLog)
	}
	if config.Logging.Logs["default"] == nil {
		config.Logging.Logs["default"] = new(caddy.CustomLog)
	}
	nowhere := json.RawMessage(`{"output":"discard"}`)
	for _, log := range config.Logging.Logs {
		switch {
		case log == nil:
		case log.WriterRaw == nil:
			log.Level = "ERROR"
		default:
			log.WriterRaw = nowhere
		}
	}
	if sink := config.Logging.Sink; sink != nil && sink.WriterRaw != nil {
		sink.WriterRaw = nowhere
	}
}

// ofHandler finds the part of Caddy's error that says something, behind the places of
// modules in modules.
var ofHandler = regexp.MustCompile(`server (\S+): .*provision http\.handlers\.llm_(?:proxy|auth): (.*)`)

// inShort is an error of a config without the way to it.
func inShort(file string, err error) error {
	if found := ofHandler.FindStringSubmatch(err.Error()); found != nil {
		return fmt.Errorf("%s: llm_proxy of server %s: %s", file, found[1], found[2])
	}
	return err
}

// warn adds a warning, once.
func (r *checkReport) warn(format string, arguments ...any) {
	text := fmt.Sprintf(format, arguments...)
	for _, known := range r.Warnings {
		if known == text {
			return
		}
	}
	r.Warnings = append(r.Warnings, text)
}

func (r *checkReport) print(out io.Writer) error {
	if _, err := fmt.Fprintf(out, "%s is valid.\n", terminal.Plain(r.Config)); err != nil {
		return err
	}
	for i := range r.Gateways {
		if err := r.Gateways[i].print(out); err != nil {
			return err
		}
	}
	if len(r.Warnings) > 0 {
		if _, err := fmt.Fprintf(out, "\nWorth a second look:\n"); err != nil {
			return err
		}
	}
	for _, text := range r.Warnings {
		if _, err := fmt.Fprintf(out, "- %s\n", terminal.Plain(text)); err != nil {
			return err
		}
	}
	t := terminal.NewTable("PROVIDER", ">KEY", "?FINGERPRINT", "RESULT", "BY", "?>TOOK", "?DETAIL")
	for i := range r.Credentials {
		c := &r.Credentials[i]
		key := ""
		if c.Fingerprint != "" {
			key = strconv.Itoa(c.Key)
		}
		t.Row(c.Provider, key, c.Fingerprint, string(c.Result), c.By, terminal.Latency(c.LatencyMs), c.Detail)
	}
	return printSections(out, t)
}

func (g *checkedGateway) print(out io.Writer) error {
	if _, err := fmt.Fprintf(out, "\nServer %s at %s, callers: %s\n",
		terminal.Plain(g.Server), terminal.Plain(strings.Join(g.Listen, " ")), terminal.Plain(strings.Join(g.Callers, ", "))); err != nil {
		return err
	}
	served := terminal.NewTable("PROVIDER", "TYPE", "ADDRESS", "?>KEYS")
	for _, p := range g.Providers {
		served.Row(p.Name, p.Type, p.Address, terminal.Number(int64(p.Keys)))
	}
	models := terminal.NewTable("MODEL", "TARGET", "?>WINDOW", "?>$/M IN", "?>$/M OUT", "?FALLBACK")
	for i := range g.Models {
		m := &g.Models[i]
		for j := range m.Targets {
			t := &m.Targets[j]
			var in, answer string
			if t.Price != nil {
				in, answer = price(t.Price.Input, ""), price(t.Price.Output, "")
			}
			models.Row(m.Name, t.Target, terminal.Tokens(t.ContextWindow), in, answer, strings.Join(m.Fallback, " "))
		}
	}
	return printSections(out, served, models)
}

// proofPatience is how long a provider may take to answer for a key.
const proofPatience = 10 * time.Second
