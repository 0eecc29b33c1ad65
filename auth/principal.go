package auth

import (
	"slices"

	"github.com/caddyllm/llmproxy/internal/glob"
	"github.com/caddyllm/llmproxy/limits"
)

// anonymousID is the id of callers without a credential. Nobody else may have it.
const anonymousID = "anonymous"

// Principal is who calls. The zero value is nobody.
type Principal struct {
	// ID names the key or the identity, or says "anonymous". It is safe to log.
	ID string
	// Group is the group that the key is in, empty if in none.
	Group string
	// Anonymous tells that there was no credential.
	Anonymous bool
	// Metadata is what the operator noted of the key. It is not to be changed.
	Metadata map[string]string
	// models are lists of globs, each of which restricts; none: everything.
	models [][]string
	// quotas are what the principal may use: its own, and its groups'.
	quotas []*limits.Quota
}

// Quotas are what the principal may use, its own first. They are not to be changed.
func (p *Principal) Quotas() []*limits.Quota { return p.quotas }

// quota is the first of a scope, nil if there is none.
func (p *Principal) quota(of limits.Scope) *limits.Quota {
	for _, q := range p.quotas {
		if q.Scope == of {
			return q
		}
	}
	return nil
}

// MayUse tells whether the principal may call the model of that name.
func (p *Principal) MayUse(model string) bool {
	for _, globs := range p.models {
		if !glob.Any(globs, model) {
			return false
		}
	}
	return true
}

// MayUseAll tells whether there is no model that the principal may not call.
func (p *Principal) MayUseAll() bool { return len(p.models) == 0 }

// restricted is the principal with one more list of globs to hold to.
func (p *Principal) restricted(globs []string) *Principal {
	narrower := *p
	narrower.models = append(slices.Clip(p.models), globs)
	return &narrower
}

// maxID bounds the ids that come from elsewhere.
const maxID = 256

// validID tells whether an identity can stand in logs and in keys of maps: it
// is not the operator who chose it.
func validID(id string) bool {
	if id == "" || len(id) > maxID || id == anonymousID {
		return false
	}
	for _, r := range id {
		if r < ' ' || r == 0x7f || r == '\uFFFD' {
			return false
		}
	}
	return true
}
