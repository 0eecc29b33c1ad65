package routing

import (
	"encoding/binary"
	"fmt"
	"math"
	"net/textproto"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/cespare/xxhash/v2"

	"github.com/caddyllm/llmproxy/internal/directive"
)

// Sticky keeps what belongs together at one target, so that the provider's prompt
// cache is hit: as long as that target is available and not loaded much more than
// the others.
type Sticky struct {
	// What belongs together: conversation, user or header. A conversation is
	// known by how it begins. A user is the one that the request names, else the
	// key that calls. Default: conversation.
	By string `json:"by,omitempty"`

	// The header field whose value tells what belongs together, with "by": "header".
	// A request without it is taken by its conversation.
	Header string `json:"header,omitempty"`
}

// What calls can have in common.
const (
	byConversation = "conversation"
	byUser         = "user"
	byHeader       = "header"
)

// CaddyModule returns the Caddy module information.
func (*Sticky) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: PolicyNamespace + ".sticky", New: func() caddy.Module { return new(Sticky) }}
}

// Provision checks the options.
func (p *Sticky) Provision(caddy.Context) error {
	switch p.By {
	case "", byConversation, byUser:
		if p.Header != "" {
			return fmt.Errorf("header goes with by %s", byHeader)
		}
	case byHeader:
		if p.Header == "" {
			return fmt.Errorf("by %s needs the name of the header field", byHeader)
		}
	default:
		return fmt.Errorf("by must be %s, %s or %s, not %q", byConversation, byUser, byHeader, p.By)
	}
	p.Header = textproto.CanonicalMIMEHeaderKey(p.Header)
	return nil
}

// UnmarshalCaddyfile reads sticky [conversation|user|header <name>].
func (p *Sticky) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the policy's name
	if d.NextArg() {
		if p.By = d.Val(); p.By != byConversation && p.By != byUser && p.By != byHeader {
			return d.Errf("policy sticky takes %s, %s or %s <name>, not %q", byConversation, byUser, byHeader, p.By)
		}
	}
	if p.By == byHeader && !d.Args(&p.Header) {
		return d.ArgErr()
	}
	if d.NextArg() {
		return d.ArgErr()
	}
	return directive.NoBlock(d)
}

// overload is how many times the mean of all targets, by weight, one may have on
// its way before it is passed over.
const overload = 1.25

// loaded is above every rank, and small enough for ranks to keep their order above it.
const loaded = 1 << 20

// Order ranks the targets by a hash of each with what the call belongs to: when
// one goes or comes, only its own calls move. Those that are loaded too much come last.
func (p *Sticky) Order(call Call, targets []Target) {
	if len(targets) < 2 {
		return
	}
	key, inFlight, weights := p.key(call), int64(0), 0
	for i := range targets {
		inFlight += targets[i].State.InFlight()
		weights += targets[i].Weight
	}
	room := overload * float64(inFlight+1) / float64(weights)
	var few [fewTargets]rated
	sortByRating(targets, few[:0], func(t *Target) float64 {
		rank := rendezvous(key, t)
		if float64(t.State.InFlight()+1) > math.Ceil(room*float64(t.Weight)) {
			rank += loaded
		}
		return rank
	})
}

// rendezvous is where a target stands for a key, the lowest first; a target of
// twice the weight is first for twice as many keys. It is the logarithmic method
// of weighted rendezvous hashing. All gateways hash alike, so that several of them agree.
func rendezvous(key uint64, t *Target) float64 {
	var h xxhash.Digest
	h.Reset()
	var number [8]byte
	binary.LittleEndian.PutUint64(number[:], key)
	_, _ = h.Write(number[:])
	_, _ = h.WriteString(t.Upstream.Name)
	_, _ = h.WriteString("/")
	_, _ = h.WriteString(t.Model)
	unit := (float64(h.Sum64()>>11) + 0.5) / (1 << 53)
	return -math.Log(unit) / float64(t.Weight)
}

func (p *Sticky) key(call Call) uint64 {
	switch p.By {
	case byUser:
		if user := call.User(); user != "" {
			return xxhash.Sum64String(user)
		}
		return xxhash.Sum64String(call.Principal())
	case byHeader:
		if value := call.Request().Header.Get(p.Header); value != "" {
			return xxhash.Sum64String(value)
		}
	}
	return call.Conversation()
}

// Interface guards
var (
	_ Policy                = (*Sticky)(nil)
	_ caddy.Provisioner     = (*Sticky)(nil)
	_ caddyfile.Unmarshaler = (*Sticky)(nil)
)
