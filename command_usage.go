package llmproxy

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/caddyllm/llmproxy/internal/terminal"
	"github.com/caddyllm/llmproxy/limits"
)

// usageScopes are the scopes of limits that --by names.
var usageScopes = map[string][]string{
	"key":      {"key", "group"},
	"model":    {"model"},
	"provider": {"provider", "provider_key"},
}

func usageCommand() *cobra.Command {
	var admin adminClient
	var asJSON bool
	var by string
	cmd := &cobra.Command{
		Use:   "usage [--by key|model|provider] [--json] [--address <admin address> | --config <file>]",
		Short: "Shows what is used and left of every limit of the running gateway",
		Long: `
Shows what is used and left of every limit of the running gateway, budgets in US
dollars, and when they begin anew. Nothing is counted where there is no limit.`,
		Example: `  caddy llm-proxy usage
  caddy llm-proxy usage --by key
  caddy llm-proxy usage --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			scopes, known := usageScopes[by]
			if by != "" && !known {
				return fmt.Errorf("--by takes key, model or provider, not %q", by)
			}
			var report []usageReport
			if err := admin.get("/llm_proxy/usage", &report); err != nil {
				return err
			}
			for i := range report {
				if by != "" {
					report[i].Limits = slices.DeleteFunc(report[i].Limits, func(u limitUsage) bool { return !slices.Contains(scopes, u.Scope) })
				}
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), report)
			}
			return printUsage(cmd, report, time.Now())
		},
	}
	admin.addFlags(cmd)
	cmd.Flags().StringVar(&by, "by", "", "Show the limits of keys and groups, of models, or of providers alone")
	cmd.Flags().BoolVar(&asJSON, "json", false, "Print JSON")
	return cmd
}

func printUsage(cmd *cobra.Command, report []usageReport, now time.Time) error {
	t := terminal.NewTable("?SERVER", "OF", "?NAME", "LIMIT", ">USED", ">MAX", ">LEFT", "?RESETS")
	seen := make(map[limitUsage]bool)
	for i := range report {
		if report[i].Degraded {
			cmd.PrintErrf("The store of the limits of server %s cannot be reached: its numbers are not known.\n", terminal.Plain(report[i].Server))
		}
		server := ""
		if len(report) > 1 {
			server = report[i].Server
		}
		for _, u := range report[i].Limits {
			reset := terminal.Away(u.ResetsAt, now)
			same := u
			same.ResetsAt = nil
			if same.Scope != "handler" && seen[same] {
				continue // keys and providers that several sites share
			}
			seen[same] = true
			amount := func(n string) string {
				if u.Kind == limits.Money.String() {
					return terminal.Dollars(n)
				}
				return n
			}
			t.Row(server, strings.ReplaceAll(u.Scope, "_", " "), u.ID, u.Limit,
				amount(u.Used.String()), amount(u.Max.String()), amount(u.Remaining.String()), reset)
		}
	}
	if t.Empty() {
		_, err := fmt.Fprintln(cmd.OutOrStdout(), "There is no limit, so nothing is counted.")
		return err
	}
	return t.Print(cmd.OutOrStdout())
}
