package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// setup is how large the configuration is.
type setup struct {
	keys, providers, models int
	admin                   string // where the admin API listens; empty: nowhere
}

// plain is the smallest: what most figures are of.
var plain = setup{keys: 1, providers: 1, models: 1}

const pool = `transport http {
				keepalive_idle_conns_per_host 4096
				keepalive_idle_conns 8192
			}`

const bareCaddyfile = `{
	admin off
	persist_config off
	auto_https off
}
http://%[2]s {
	reverse_proxy %[1]s {
		` + pool + `
	}
}
`

// Every call has its key checked, is counted against three limits of the key, one
// of them in money, and leaves a record, which is written and thrown away.
const oursCaddyfile = `{
	admin %[4]s
	persist_config off
	auto_https off
	log default {
		output file /dev/null {
			roll_disabled
		}
	}
	llm_proxy {
		prices %[3]s/prices.yaml
%[5]s		auth {
			group load {
				limits {
					per_key {
						rpm 1000000000
						tpm 1000000000000
						budget 1000000 month
					}
				}
			}
			keys_file %[3]s/keys.yaml
		}
	}
}
http://%[2]s {
	llm_proxy
}
`

const cachedSite = `http://%s {
	llm_proxy {
		cache memory
	}
}
`

// shapes are what the provider is asked for, by the names of aliases.
var shapes = []string{"", "-c100", "-c200-d10ms", "-c100-d10ms-ts", "-c1-d10m", "-c200-d50ms"}

// aliasOf is the name of an alias, without its number: the shape's count of
// chunks and its delay, if the latter matters.
func aliasOf(vendor, shape string) string { return vendor + shape + "." }

// write writes the configuration and what belongs to it, and returns its path. A
// second site keeps answers, if an address is given for it.
func (s setup) write(dir, provider, ours, cached string) (string, error) {
	var b, keys, prices strings.Builder
	prices.WriteString("prices:\n")
	vendor := func(name, kind, base string) {
		fmt.Fprintf(&b, "\t\tprovider %s %s {\n\t\t\tbase_url http://%s%s\n\t\t\tapi_key sk-bench\n\t\t\t%s\n\t\t}\n", name, kind, provider, base, pool)
		for _, shape := range shapes {
			fmt.Fprintf(&prices, "  %s/bench%s: { input: 1.25, output: 10 }\n", name, shape)
		}
	}
	for i := range s.providers {
		vendor(fmt.Sprintf("openai%d", i), "openai", "/v1")
	}
	vendor("anthropic", "anthropic", "")
	vendor("gemini", "gemini", "")
	for i := range s.models {
		for _, shape := range shapes {
			fmt.Fprintf(&b, "\t\tmodel %s%05d openai%d/bench%s\n", aliasOf("openai", shape), i, i%s.providers, shape)
		}
	}
	for _, name := range []string{"anthropic", "gemini"} {
		for _, shape := range shapes {
			fmt.Fprintf(&b, "\t\tmodel %s%s %s/bench%s\n", aliasOf(name, shape), numbered, name, shape)
		}
	}
	keys.WriteString("keys:\n")
	for i := range s.keys {
		fmt.Fprintf(&keys, "  load-%d: { secret: %q, group: load }\n", i, fmt.Sprintf("%s%05d", clientKey, i))
	}
	admin := s.admin
	if admin == "" {
		admin = "off"
	}
	config := fmt.Sprintf(oursCaddyfile, provider, ours, dir, admin, b.String())
	if cached != "" {
		config += fmt.Sprintf(cachedSite, cached)
	}
	for name, text := range map[string]string{
		"keys.yaml":   keys.String(),
		"prices.yaml": prices.String(),
		"Caddyfile":   config,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return "", err
		}
	}
	return filepath.Join(dir, "Caddyfile"), nil
}
