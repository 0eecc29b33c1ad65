package llmproxy

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddyllm/llmproxy/internal/directive"
	"github.com/caddyllm/llmproxy/internal/quota"
	"github.com/caddyllm/llmproxy/providers"
)

func init() {
	httpcaddyfile.RegisterGlobalOption(appName, parseGlobalOption)
	httpcaddyfile.RegisterHandlerDirective(appName, parseDirective)
	httpcaddyfile.RegisterDirectiveOrder(appName, httpcaddyfile.Before, "handle")
}

// parseGlobalOption reads the global block, which is the app.
func parseGlobalOption(d *caddyfile.Dispenser, existing any) (any, error) {
	if existing != nil {
		d.Next() // without which the error has no line
		return nil, d.Err("llm_proxy stands twice in the global options: put both into one block")
	}
	app := new(App)
	if err := app.UnmarshalCaddyfile(d); err != nil {
		return nil, err
	}
	return httpcaddyfile.App{Name: appName, Value: caddyconfig.JSON(app, nil)}, nil
}

func parseDirective(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	handler := new(Handler)
	err := handler.UnmarshalCaddyfile(h.Dispenser)
	return handler, err
}

// UnmarshalCaddyfile reads a block, global or in a site. Syntax:
//
//	llm_proxy [<matcher>] {
//		id        <name>
//		config    <file.yaml>
//		surface   openai anthropic gemini health
//		providers env
//
//		provider <name> [<type>] {
//			base_url  <url>
//			api_key   <secret>...
//			header    <name> <value>
//			models    <id or glob>...
//			limits {
//				… what a block has
//				per_key {
//					… the same, for each api_key
//				}
//			}
//			transport <module> { … }
//			health {
//				uri      <path>
//				interval <duration>
//				timeout  <duration>
//				status   <code>|<class>xx
//				method   <method>
//				failures <n>
//			}
//		}
//
//		model <name or glob> [<provider>/<model>...] {
//			to       <provider>/<model> [weight <n>] [priority <n>]
//			match    <matcher> <arguments...>
//			match {
//				<matcher> <arguments...>
//			}
//			policy   <policy> [<arguments...>]
//			fallback <model>...
//			fallback_on [error] [rate_limit] [timeout] [context_length] [content_filter]
//			retries  <n>
//			timeout {
//				connect     <duration>
//				first_token <duration>
//				idle        <duration>
//				total       <duration>
//			}
//			on_unsupported drop|error|skip
//			on_ambiguous   failover_once|fail
//			on_empty       failover|pass
//			cache    off
//			cache    on {
//				ttl <duration>
//			}
//			set      <path> <value>
//			default  <path> <value>
//			limits   { … }
//		}
//
//		auth [anonymous] [caddy [<placeholder>]] {
//			group <id> {
//				models     <glob>...
//				limits {
//					… what a block has
//					per_key {
//						… the same, for each key without limits of its own
//					}
//				}
//				not_before <date>
//				expires    <date>
//				metadata   <name> <value>
//				disabled
//			}
//			key <id> [<secret|digest>...] {
//				group <id>
//				… what a group has
//			}
//			keys_file <file.yaml>
//			jwt {
//				jwks         <url|file>
//				issuer       <issuer>
//				audience     <audience>...
//				key_claim    <claim>
//				models_claim <claim>
//				group_claim  <claim>
//			}
//			origins <origin>...
//		}
//
//		limits {
//			requests    <n> <window>
//			rpm         <n>
//			rpd         <n>
//			tokens      <n> <window>
//			tpm         <n>
//			concurrency <n>
//			budget      <usd> <window>
//			queue       <duration> [<length>]
//			unpriced    allow|refuse
//		}
//		state    memory {
//			file <file>|off
//		}
//		state    redis <url> {
//			prefix    <prefix>
//			instances <n>
//			timeout   <duration>
//			cluster
//		}
//		stream {
//			heartbeat     <duration>|off
//			on_disconnect cancel|drain [<duration>]
//			commit_early  <duration>
//			resumable     <duration>
//		}
//		retries  <n>
//		breaker  off
//		breaker {
//			failures     <n>
//			success_rate <percent>
//			samples      <n>
//			window       <duration>
//			open         <duration>
//			max_open     <duration>
//		}
//		cache memory|redis <url>|off {
//			ttl                <duration>
//			max_size           <size>
//			max_entry          <size>
//			scope              key|group|shared
//			stale_if_error     <duration>
//			secret             <secret>
//			only_deterministic
//			respect_upstream
//			tool_calls
//			ignore_client
//		}
//		cost_header
//		max_body <size>
//		media    fetch|refuse
//		prices   <file>
//		log_payloads off|sampled <ratio>|on
//	}
func (c *Config) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the directive
	if d.NextArg() {
		return d.ArgErr()
	}
	block := directive.Block{Dispenser: d}
	for d.NextBlock(0) {
		if err := c.readLine(&block); err != nil {
			return err
		}
	}
	return nil
}

func (c *Config) readLine(b *directive.Block) error {
	switch name := b.Val(); name {
	case "provider":
		return c.readProvider(b.Dispenser)
	case "model":
		return c.readModel(b.Dispenser)
	default:
		if err := b.Once(); err != nil {
			return err
		}
		return c.readOption(b.Dispenser, name)
	}
}

func (c *Config) readOption(d *caddyfile.Dispenser, name string) error {
	switch name {
	case "id":
		return directive.One(d, &c.ID)
	case "config":
		return directive.One(d, &c.ConfigFile)
	case "surface":
		return c.readSurface(d)
	case "providers":
		var from []string
		if err := directive.Some(d, &from); err != nil {
			return err
		}
		if len(from) != 1 || from[0] != discoverEnv {
			return d.Errf("providers takes the word %s", discoverEnv)
		}
		c.Discover = from
		return nil
	case "auth":
		return c.readAuth(d)
	case "limits":
		return readLimits(d, &c.Limits, quota.Single)
	case "state":
		return c.readState(d)
	case "stream":
		return c.readStream(d)
	case "retries":
		return directive.Count(d, &c.Retries)
	case "cost_header":
		return directive.Flag(d, &c.CostHeader)
	case "max_body":
		return directive.Size(d, &c.MaxBody)
	case "prices":
		return directive.One(d, &c.Prices)
	case "media":
		return readWord(d, &c.Media, mediaFetch, mediaRefuse)
	case "breaker":
		return c.readBreaker(d)
	case "cache":
		return c.readCache(d)
	case "log_payloads":
		return c.readLogPayloads(d)
	}
	return d.Errf("unrecognized subdirective %q: a block takes provider, model, auth, id, config, surface, providers, limits, state, stream, retries, breaker, cache, cost_header, max_body, media, prices and log_payloads", name)
}

// readWord reads one of a few words.
func readWord(d *caddyfile.Dispenser, into *string, words ...string) error {
	name := d.Val()
	if err := directive.One(d, into); err != nil {
		return err
	}
	if !slices.Contains(words, *into) {
		return d.Errf("%s takes one of %s, not %q", name, strings.Join(words, ", "), *into)
	}
	return nil
}

func (c *Config) readSurface(d *caddyfile.Dispenser) error {
	if err := directive.Some(d, &c.Surface); err != nil {
		return err
	}
	for i, name := range c.Surface {
		if !slices.Contains(surfaces, name) || slices.Contains(c.Surface[:i], name) {
			return d.Errf("surface takes %s, each once, not %q", strings.Join(surfaces, ", "), name)
		}
	}
	return nil
}

// readProvider reads provider <name> [<type>] { … }. The module reads the block.
func (c *Config) readProvider(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) == 0 || len(args) > 2 {
		return d.ArgErr()
	}
	name, kind := args[0], args[len(args)-1]
	if strings.ContainsAny(name, "/*{}") {
		return d.Errf("provider name %q must not have any of / * { }", name)
	}
	if c.Providers[name] != nil {
		return d.Errf("provider %q is defined twice", name)
	}
	id := providers.Namespace + "." + kind
	if _, err := caddy.GetModule(id); err != nil {
		return d.Errf("there is no provider type %q: the types are %s", kind, strings.Join(providerTypes(), ", "))
	}
	unm, err := caddyfile.UnmarshalModule(d, id)
	if err != nil {
		return err
	}
	provider, ok := unm.(providers.Provider)
	if !ok {
		return d.Errf("module %s (%T) is no provider", id, unm)
	}
	if c.Providers == nil {
		c.Providers = make(map[string]json.RawMessage)
	}
	c.Providers[name] = caddyconfig.JSONModuleObject(provider, "provider", kind, nil)
	c.ProviderOrder = append(c.ProviderOrder, name)
	return nil
}

// UnmarshalCaddyfile reads the handler's block.
func (h *Handler) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	return h.Config.UnmarshalCaddyfile(d)
}

// UnmarshalCaddyfile reads the global block.
func (a *App) UnmarshalCaddyfile(d *caddyfile.Dispenser) error { return a.Config.UnmarshalCaddyfile(d) }

// Interface guards
var (
	_ caddyfile.Unmarshaler = (*App)(nil)
	_ caddyfile.Unmarshaler = (*Handler)(nil)
)
