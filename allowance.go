package llmproxy

import (
	"runtime/debug"

	"github.com/caddyserver/caddy/v2"
)

// maxAllowance is how much more garbage may lie around between two collections.
const maxAllowance = 16 << 20

// allowance is memory that is never touched: it takes addresses, no pages. Go
// collects garbage whenever there is as much of it as there is memory in use. That
// is 5 MiB in a gateway at work, so that it would collect dozens of times in a second,
// at a tenth of its CPU. This counts as memory in use, and holds no pointers
// to follow. Where memory is scarce there is less of it.
type allowance []byte

type allowanceKey struct{}

func newAllowance(memoryLimit int64) allowance {
	return make(allowance, min(maxAllowance, max(0, memoryLimit)/32))
}

// Destruct lets the pool hold it; memory is all there is to it.
func (allowance) Destruct() error { return nil }

// allowGarbage holds the allowance, of which the process has one, while the generation is in use.
func (g *generation) allowGarbage() {
	_, _, _ = sharedState.LoadOrNew(allowanceKey{}, func() (caddy.Destructor, error) {
		return newAllowance(debug.SetMemoryLimit(-1)), nil // which asks for the limit
	})
	g.shared = append(g.shared, allowanceKey{})
}
