package limits

import (
	"crypto/sha1"
	_ "embed"
	"encoding/hex"
	"strings"
)

// A script is one step, run by Redis as a whole. All its keys carry one hash tag and so
// lie in one shard of a cluster.
type script struct{ text, sha string }

type scripts struct{ reserve, finish, renew, peek script }

var (
	//go:embed scripts/common.lua
	commonLua string
	//go:embed scripts/reserve.lua
	reserveLua string
	//go:embed scripts/finish.lua
	finishLua string
	//go:embed scripts/renew.lua
	renewLua string
	//go:embed scripts/peek.lua
	peekLua string
)

// serverTime is how scripts read the clock: the server's, so that those of the instances
// don't matter. Tests put another in its place.
const serverTime = `redis.call('TIME')`

func newScripts(clock string) scripts {
	common := strings.Replace(commonLua, serverTime, clock, 1)
	make := func(step string) script {
		text := common + step
		sum := sha1.Sum([]byte(text)) // the name that Redis gives it
		return script{text: text, sha: hex.EncodeToString(sum[:])}
	}
	return scripts{reserve: make(reserveLua), finish: make(finishLua), renew: make(renewLua), peek: make(peekLua)}
}
