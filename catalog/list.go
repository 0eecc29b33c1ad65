package catalog

import (
	"cmp"
	"slices"
)

// Entry is one model of the data that come with the gateway.
type Entry struct {
	// Kind is the type of the provider.
	Kind string
	// Name is the model's, in lower case. Aliases have entries of their own.
	Name string
	*Model
}

// List is all that comes with the gateway, by type and name. The models must not
// be changed.
func List() []Entry {
	var list []Entry
	for kind, models := range builtin() {
		for name, m := range models {
			list = append(list, Entry{kind, name, m})
		}
	}
	slices.SortFunc(list, func(a, b Entry) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
	})
	return list
}
