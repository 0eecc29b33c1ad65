package llmproxy

import (
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
)

func init() {
	caddycmd.RegisterCommand(caddycmd.Command{
		Name:  "llm-proxy",
		Usage: "(status | models | usage | keys | check | chat)",
		Short: "Looks at an LLM gateway, checks its config, makes its keys, talks to its models",
		Long: `
Looks at a running LLM gateway, checks its config before it runs, makes the keys
of its clients, and talks to its models.

status, models, usage and "keys list" ask the admin API of a running Caddy: that
at localhost:2019, at CADDY_ADMIN, at --address, or where the config of --config
has it. chat asks the gateway as any client does.`,
		CobraFunc: addCommands,
	})
}

func addCommands(root *cobra.Command) {
	root.Example = `  caddy llm-proxy status --watch
  caddy llm-proxy check --config Caddyfile --credentials
  caddy llm-proxy chat --model smart "Why is the sky blue?"`
	root.AddCommand(statusCommand(), modelsCommand(), usageCommand(), keysCommand(), checkCommand(), chatCommand())
}
