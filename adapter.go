package llmproxy

import (
	"encoding/json"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

func init() { caddyconfig.RegisterAdapter(appName, yamlAdapter{}) }

// defaultListen is where a YAML file that says nothing listens.
const defaultListen = ":8080"

// yamlAdapter makes a whole Caddy config of a YAML file: one server that is
// nothing but the gateway. "caddy run --config llm.yaml --adapter llm_proxy".
type yamlAdapter struct{}

// Adapt writes the app and a server whose only other route is a 404.
func (yamlAdapter) Adapt(body []byte, options map[string]any) ([]byte, []caddyconfig.Warning, error) {
	name, _ := options["filename"].(string)
	if name == "" {
		name = "config"
	}
	file, err := parseConfigFile(name, body)
	if err != nil {
		return nil, nil, err
	}
	listen := file.Listen
	if listen == "" {
		listen = defaultListen
	}
	server := &caddyhttp.Server{
		Listen:    []string{listen},
		AutoHTTPS: &caddyhttp.AutoHTTPSConfig{Disabled: true},
		Routes: caddyhttp.RouteList{{HandlersRaw: []json.RawMessage{
			caddyconfig.JSONModuleObject(new(Handler), "handler", appName, nil),
			json.RawMessage(`{"handler":"static_response","status_code":404}`),
		}}},
	}
	config := &caddy.Config{AppsRaw: caddy.ModuleMap{
		appName: caddyconfig.JSON(file.Config, nil),
		"http":  caddyconfig.JSON(caddyhttp.App{Servers: map[string]*caddyhttp.Server{appName: server}}, nil),
	}}
	adapted, err := json.Marshal(config)
	return adapted, nil, err
}

// Interface guard
var _ caddyconfig.Adapter = yamlAdapter{}
