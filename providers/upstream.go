package providers

import (
	"net/http"
	"time"

	"github.com/caddyllm/llmproxy/providers/ratelimit"
)

// Upstream is a provider under the name that a config gives it.
type Upstream struct {
	// Name is how models address it, as in <name>/<model>.
	Name string
	Provider
	kind   string
	limits ratelimit.Reader
}

// NewUpstream names a provisioned provider.
func NewUpstream(name string, p Provider) *Upstream {
	kind := p.CaddyModule().ID.Name()
	return &Upstream{Name: name, Provider: p, kind: kind, limits: ratelimit.For(kind)}
}

// Headroom is what an answer says of the limits of the key that asked.
func (u *Upstream) Headroom(header http.Header, now time.Time) ratelimit.Headroom {
	return u.limits.Read(header, now)
}

// Type is the name of the provider's module, such as openai.
func (u *Upstream) Type() string { return u.kind }
