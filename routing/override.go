package routing

// Override is a member of the client's request that the operator has a say in.
type Override struct {
	// Path leads to it through objects, from the outside in.
	Path []string
	// Value is JSON.
	Value []byte
	// Force replaces what the client says; otherwise the value is for requests
	// that say nothing.
	Force bool
}
