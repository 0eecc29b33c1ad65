package llmproxy

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
)

// adminClient asks the admin API of the running Caddy.
type adminClient struct{ address, config, adapter string }

// addFlags adds what "caddy reload" has to find the admin API.
func (a *adminClient) addFlags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&a.address, "address", "", "The address of the admin API, such as localhost:2019 or unix//run/caddy.sock")
	cmd.Flags().StringVarP(&a.config, "config", "c", "", "The config that Caddy runs with, to find the address in it")
	cmd.Flags().StringVarP(&a.adapter, "adapter", "a", "", "The adapter of that config, if it is no Caddyfile and no JSON")
}

// find settles the address, so that a config is read once.
func (a *adminClient) find() (err error) {
	quieten()
	a.address, err = caddycmd.DetermineAdminAPIAddress(a.address, nil, a.config, a.adapter)
	return err
}

// quieten keeps what Caddy logs of reading a config from between the lines of a command:
// what is wrong with it is an error.
func quieten() { _, _, _ = caddy.BufferedLog() }

// maxAdminAnswer is far above what gateways with thousands of keys answer.
const maxAdminAnswer = 64 << 20

// closing keeps no connection open: Caddy's client makes a new one for each request.
var closing = http.Header{"Connection": {"close"}}

// get asks for a path and decodes the answer.
func (a *adminClient) get(path string, into any) error {
	if err := a.find(); err != nil {
		return err
	}
	response, err := caddycmd.AdminAPIRequest(a.address, http.MethodGet, path, closing, nil)
	if err != nil {
		return a.explain(err)
	}
	defer response.Body.Close()
	if err := json.NewDecoder(io.LimitReader(response.Body, maxAdminAnswer)).Decode(into); err != nil {
		return fmt.Errorf("reading the answer of the admin API at %s: %w", a.address, err)
	}
	return nil
}

// explain says what to do about an error.
func (a *adminClient) explain(err error) error {
	text := err.Error()
	switch {
	case strings.Contains(text, "HTTP 404"):
		return fmt.Errorf("the Caddy at %s has no llm_proxy: is it another one, or built without this module?", a.address)
	case strings.Contains(text, "performing request"):
		return fmt.Errorf("no Caddy answers at %s: start one, or name its admin API with --address or --config (%s)", a.address, lastCause(err))
	}
	return fmt.Errorf("asking the admin API at %s: %w", a.address, err)
}

// lastCause is the end of a chain of causes, which is the part that says something.
func lastCause(err error) string {
	for next := errors.Unwrap(err); next != nil; next = errors.Unwrap(err) {
		err = next
	}
	text := err.Error()
	return strings.TrimLeft(text[strings.LastIndex(text, ": ")+1:], " ")
}

// printJSON writes what other programs read.
func printJSON(out io.Writer, value any) error {
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(value)
}
