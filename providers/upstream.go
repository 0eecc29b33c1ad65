package providers

// Upstream is a provider under the name that a config gives it.
type Upstream struct {
	// Name is how models address it, as in <name>/<model>.
	Name string
	Provider
}

// NewUpstream names a provisioned provider.
func NewUpstream(name string, p Provider) *Upstream { return &Upstream{Name: name, Provider: p} }

// Type is the name of the provider's module, such as openai.
func (u *Upstream) Type() string { return u.CaddyModule().ID.Name() }
