package providers

// Upstream is a provider under the name that a config gives it.
type Upstream struct {
	// Name is how models address it, as in <name>/<model>.
	Name string
	Provider
	// Edits are the provider's, never nil.
	Edits *Edits
}

// NewUpstream names a provisioned provider.
func NewUpstream(name string, p Provider) *Upstream {
	u := &Upstream{Name: name, Provider: p, Edits: new(Edits)}
	if editor, ok := p.(Editor); ok {
		u.Edits = editor.Edits()
	}
	return u
}

// Type is the name of the provider's module, such as openai.
func (u *Upstream) Type() string { return u.CaddyModule().ID.Name() }
