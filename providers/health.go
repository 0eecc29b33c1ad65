package providers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"golang.org/x/net/http/httpguts"

	"github.com/caddyllm/llmproxy/internal/directive"
)

// Health has a provider asked from time to time whether it is well, so that an
// outage shows before a client meets it. A provider that is down is passed over
// while another target is at hand.
type Health struct {
	// The path to ask for, with a query if need be, such as /health or /v1/models.
	// It is taken from the root of the base URL's host, whatever path that URL has.
	URI string `json:"uri,omitempty"`

	// How often to ask. Default: 30s.
	Interval caddy.Duration `json:"interval,omitempty"`

	// How long an answer may take. Default: 5s.
	Timeout caddy.Duration `json:"timeout,omitempty"`

	// The status of a provider that is well: a code, such as 204, or a class,
	// such as 2xx. Default: 2xx.
	Status string `json:"status,omitempty"`

	// The method to ask with. Default: GET.
	Method string `json:"method,omitempty"`

	// How many failures in a row mean that the provider is down. One answer that
	// is right means that it is up. Default: 1.
	Failures int `json:"failures,omitempty"`
}

// The defaults of a health check.
const (
	defaultHealthInterval = 30 * time.Second
	defaultHealthTimeout  = 5 * time.Second
	defaultHealthStatus   = "2xx"

	// leastHealthInterval keeps a slip of the pen from being an attack.
	leastHealthInterval = 100 * time.Millisecond
)

// Every is how often to ask.
func (h *Health) Every() time.Duration {
	if h.Interval == 0 {
		return defaultHealthInterval
	}
	return time.Duration(h.Interval)
}

// Tolerance is how many failures in a row mean that the provider is down.
func (h *Health) Tolerance() int { return max(1, h.Failures) }

var healthStatus = regexp.MustCompile(`^[1-5](xx|[0-9][0-9])$`)

func (h *Health) check() error {
	if h == nil {
		return nil
	}
	if _, err := h.parseURI(); err != nil {
		return err
	}
	switch {
	case h.Interval < 0 || h.Interval > 0 && time.Duration(h.Interval) < leastHealthInterval:
		return fmt.Errorf("health's interval must be at least %v", leastHealthInterval)
	case h.Timeout < 0:
		return errors.New("health's timeout must be positive")
	case h.Failures < 0:
		return errors.New("health's failures must be positive")
	case h.Status != "" && !healthStatus.MatchString(h.Status):
		return fmt.Errorf("health's status must be a code such as 204, or a class such as 2xx, not %q", h.Status)
	case !httpguts.ValidHeaderFieldName(h.method()):
		return fmt.Errorf("health's method %q is none", h.Method)
	}
	return nil
}

func (h *Health) parseURI() (*url.URL, error) {
	if h.URI == "" {
		return nil, errors.New("health needs a uri, such as /v1/models")
	}
	uri, err := url.Parse(h.URI)
	if err != nil || !strings.HasPrefix(h.URI, "/") || uri.Host != "" || uri.Fragment != "" {
		return nil, errors.New("health's uri must be a path that begins with /: the host is the provider's")
	}
	return uri, nil
}

func (h *Health) method() string {
	if h.Method == "" {
		return http.MethodGet
	}
	return strings.ToUpper(h.Method)
}

func (h *Health) takes(status int) bool {
	want := h.Status
	if want == "" {
		want = defaultHealthStatus
	}
	if class, ok := strings.CutSuffix(want, "xx"); ok {
		return strconv.Itoa(status/100) == class
	}
	return strconv.Itoa(status) == want
}

// maxHealthAnswer is how much of an answer is read, so that its connection can be used again.
const maxHealthAnswer = 64 << 10

// CheckHealth asks the provider with a credential whether it is well. It must have
// a health check. The error says what is wrong, and names no host.
func (u *Upstream) CheckHealth(ctx context.Context, key string) (err error) {
	defer func() {
		if r := recover(); r != nil { // which net/http does for requests
			err = fmt.Errorf("its transport cannot be used for a health check: %v", r)
		}
	}()
	settings := u.Base()
	timeout := time.Duration(settings.Health.Timeout)
	if timeout == 0 {
		timeout = defaultHealthTimeout
	}
	// Transports may look for the placeholders of a request.
	ctx = context.WithValue(ctx, caddy.ReplacerCtxKey, caddy.NewReplacer())
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	request, err := u.healthRequest(ctx, key)
	if err != nil {
		return errors.New("its credential could not be had")
	}
	response, err := settings.Transport().RoundTrip(request)
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("it did not answer within %v", timeout)
	case err != nil:
		return errors.New("it cannot be reached")
	}
	defer response.Body.Close()
	_, _ = io.CopyN(io.Discard, response.Body, maxHealthAnswer)
	if !settings.Health.takes(response.StatusCode) {
		return fmt.Errorf("its status is %d", response.StatusCode)
	}
	return nil
}

func (u *Upstream) healthRequest(ctx context.Context, key string) (*http.Request, error) {
	settings := u.Base()
	uri, err := settings.Health.parseURI()
	if err != nil {
		return nil, err
	}
	return u.bareRequest(ctx, settings.Health.method(), settings.base.ResolveReference(uri), key, true)
}

// readHealth reads health { … }.
func (s *Settings) readHealth(d *caddyfile.Dispenser) error {
	s.Health = new(Health)
	if d.NextArg() {
		return d.ArgErr()
	}
	block := directive.Block{Dispenser: d}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if err := block.Once(); err != nil {
			return err
		}
		if err := s.Health.readOption(d); err != nil {
			return err
		}
	}
	if err := s.Health.check(); err != nil {
		return d.Err(err.Error())
	}
	return nil
}

func (h *Health) readOption(d *caddyfile.Dispenser) error {
	switch d.Val() {
	case "uri":
		return directive.One(d, &h.URI)
	case "interval":
		return directive.Duration(d, &h.Interval)
	case "timeout":
		return directive.Duration(d, &h.Timeout)
	case "status":
		return directive.One(d, &h.Status)
	case "method":
		return directive.One(d, &h.Method)
	case "failures":
		return directive.Number(d, &h.Failures)
	}
	return d.Errf("unrecognized subdirective %q: health takes uri, interval, timeout, status, method and failures", d.Val())
}
