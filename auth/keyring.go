package auth

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/caddyllm/llmproxy/limits"
)

// Rights are what a key or a group may do, and when.
type Rights struct {
	// Models are the globs of what may be used; nil: everything.
	Models []string
	// NotBefore and Expires bound the time; zero: they do not.
	NotBefore, Expires time.Time
	// Disabled tells that nobody may come with it for now.
	Disabled bool
	// Metadata are notes of the operator's.
	Metadata map[string]string
	// Limits are what the key may use, or what all keys of the group may use together;
	// nil: as much as they like.
	Limits *limits.Rules
}

// Key is one client key. One without a digest is a record of an identity that
// proves itself otherwise.
type Key struct {
	ID string
	// Digests are of the secrets that are live, several while they are rotated.
	Digests []Digest
	// Group is the id of the group that the key is in, if it is.
	Group string
	Rights
}

// Group is what its keys have in common: a key has the group's rights where it
// says none of its own. What both restrict, both restrict.
type Group struct {
	ID string
	Rights
	// PerKey is what each key of the group may use that has no limits of its own; nil:
	// as much as it likes.
	PerKey *limits.Rules
}

// quotas make what callers may use of what rules say.
type quotas struct {
	// place tells keys apart that have one id in different parts of a config.
	place string
	// groups are of the groups that have limits.
	groups map[string]*limits.Quota
}

// holder is a principal and the time in which it is one.
type holder struct {
	Principal
	notBefore, expires time.Time
	disabled           bool
	digests            int
}

// use adds limits to hold to, once. The list may be shared: it is copied.
func (p *Principal) use(q *limits.Quota) {
	if q != nil && !slices.Contains(p.quotas, q) {
		p.quotas = append(slices.Clip(p.quotas), q)
	}
}

func (h *holder) valid(now time.Time) bool {
	return !h.disabled && !now.Before(h.notBefore) && (h.expires.IsZero() || now.Before(h.expires))
}

// keyring is a set of keys. It does not change once made.
type keyring struct {
	// secrets are looked up by half of the digest and compared by all of it, so
	// that the time a look-up takes says nothing about a stored digest.
	secrets map[[8]byte]entry
	holders map[string]*holder
	groups  map[string]*Group
	quotas  quotas
}

type entry struct {
	digest Digest
	holder *holder
}

// newKeyring makes a set of keys. Two keys may not share a secret or an id.
func newKeyring(place string, keys []Key, groups []Group) (*keyring, error) {
	ring := &keyring{
		secrets: make(map[[8]byte]entry, len(keys)), holders: make(map[string]*holder, len(keys)),
		groups: make(map[string]*Group, len(groups)),
		quotas: quotas{place, make(map[string]*limits.Quota)},
	}
	for i := range groups {
		id := groups[i].ID
		if ring.groups[id] != nil {
			return nil, fmt.Errorf("group %q is defined twice", id)
		}
		ring.groups[id] = &groups[i]
		ring.quotas.groups[id] = groups[i].Limits.Quota(limits.ScopeGroup, place, id)
	}
	for i := range keys {
		if err := ring.add(&keys[i]); err != nil {
			return nil, &KeyError{keys[i].ID, err}
		}
	}
	return ring, nil
}

// KeyError is a mistake in a key.
type KeyError struct {
	ID  string
	err error
}

func (e *KeyError) Error() string { return fmt.Sprintf("key %q: %v", e.ID, e.err) }
func (e *KeyError) Unwrap() error { return e.err }

func (ring *keyring) add(key *Key) error {
	switch {
	case ring.holders[key.ID] != nil:
		return errors.New("is defined twice")
	case key.ID == anonymousID:
		return errors.New("is what calls without a credential are called: take another id")
	}
	h := &holder{
		Principal: Principal{ID: key.ID, Group: key.Group, Metadata: key.Metadata},
		notBefore: key.NotBefore, expires: key.Expires, disabled: key.Disabled, digests: len(key.Digests),
	}
	if key.Models != nil {
		h.models = append(h.models, key.Models)
	}
	h.use(key.Limits.Quota(limits.ScopeKey, ring.quotas.place, key.ID))
	if key.Group != "" {
		group := ring.groups[key.Group]
		if group == nil {
			return fmt.Errorf("there is no group %q", key.Group)
		}
		h.join(group, &ring.quotas)
	}
	ring.holders[key.ID] = h
	for _, digest := range key.Digests {
		if old, ok := ring.secrets[digest.index()]; ok {
			return fmt.Errorf("has the same secret as key %q: give each its own", old.holder.ID)
		}
		ring.secrets[digest.index()] = entry{digest, h}
	}
	return nil
}

// join adds what a group says. Of two dates the narrower one counts.
func (h *holder) join(group *Group, quotas *quotas) {
	if group.Models != nil {
		h.models = append(h.models, group.Models)
	}
	if h.quota(limits.ScopeKey) == nil {
		h.use(group.PerKey.Quota(limits.ScopeKey, quotas.place, h.ID))
	}
	h.use(quotas.groups[group.ID])
	if group.NotBefore.After(h.notBefore) {
		h.notBefore = group.NotBefore
	}
	if !group.Expires.IsZero() && (h.expires.IsZero() || group.Expires.Before(h.expires)) {
		h.expires = group.Expires
	}
	h.disabled = h.disabled || group.Disabled
	if len(group.Metadata) > 0 {
		metadata := maps.Clone(group.Metadata)
		maps.Copy(metadata, h.Metadata)
		h.Metadata = metadata
	}
}

func (d Digest) index() [8]byte { return [8]byte(d[:8]) }

// find is whose secret it is, nil if nobody's. It does the same work for every
// secret: nothing tells one that is unknown from one that is known but not valid.
func (ring *keyring) find(secret string, digest Digest, now time.Time) *Principal {
	if !checksumHolds(secret) {
		return nil
	}
	found, ok := ring.secrets[digest.index()]
	if subtle.ConstantTimeCompare(found.digest[:], digest[:]) != 1 || !ok || !found.holder.valid(now) {
		return nil
	}
	return &found.holder.Principal
}

// identity is who has proved an id otherwise than by a secret: the key of that
// id, or somebody without a record. nil: the record is not valid now.
func (ring *keyring) identity(id string, now time.Time) *Principal {
	h := ring.holders[id]
	switch {
	case h == nil:
		return &Principal{ID: id}
	case !h.valid(now):
		return nil
	}
	return &h.Principal
}

// KeyInfo is what may be told of a key.
type KeyInfo struct {
	ID       string            `json:"id"`
	Group    string            `json:"group,omitempty"`
	Models   [][]string        `json:"models,omitempty"`
	Metadata map[string]string `json:"metadata,omitempty"`
	// NotBefore and Expires are the narrower of the key's and its group's.
	NotBefore time.Time `json:"not_before,omitzero"`
	Expires   time.Time `json:"expires,omitzero"`
	Disabled  bool      `json:"disabled,omitempty"`
	// Secrets is how many are live.
	Secrets int `json:"secrets"`
}

// list tells of all keys, by id.
func (ring *keyring) list(off *Switches) []KeyInfo {
	list := make([]KeyInfo, 0, len(ring.holders))
	for _, id := range slices.Sorted(maps.Keys(ring.holders)) {
		h := ring.holders[id]
		list = append(list, KeyInfo{
			ID: id, Group: h.Group, Models: h.models, Metadata: h.Metadata,
			NotBefore: h.notBefore, Expires: h.expires, Disabled: h.disabled || off.Off(id), Secrets: h.digests,
		})
	}
	return list
}

// listQuotas lists the quotas of groups and keys, by id.
func (ring *keyring) listQuotas() (list []*limits.Quota) {
	for _, id := range slices.Sorted(maps.Keys(ring.quotas.groups)) {
		if q := ring.quotas.groups[id]; q != nil {
			list = append(list, q)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(ring.holders)) {
		if q := ring.holders[id].quota(limits.ScopeKey); q != nil {
			list = append(list, q)
		}
	}
	return list
}
