package transform

// Places are where a client says what its format has elsewhere, or calls
// otherwise, than OpenAI's does.
type Places struct{ list []place }

type place struct {
	name string
	at   Path
}

// Say notes where the client says what OpenAI's format has in the top-level
// member called name. Decoders call it where that is another place; what is said
// last counts.
func (p *Places) Say(name string, at Path) { p.list = append(p.list, place{name, at}) }

// At is where the client says what OpenAI's format has in the top-level member
// called name: encoders report losses there.
func (p *Places) At(name string) Path {
	for i := len(p.list) - 1; i >= 0; i-- {
		if p.list[i].name == name {
			return p.list[i].at
		}
	}
	return Path{name: name, index: aKey}
}
