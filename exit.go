package llmproxy

import (
	"context"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddyllm/llmproxy/gateway"
)

// openStreams are the calls of every config that this process has had: one that
// was replaced may still have some.
var openStreams = new(gateway.Streams)

// lastCalls is how long the process waits, when all else has stopped, until the
// calls that were ended are settled and their records written.
const lastCalls = 2 * time.Second

func init() {
	caddy.OnExit(func(context.Context) { settleLastCalls() })
}

// endStreamsAtExit gives calls an honest end when the process stops. From then on
// no call begins: who still comes, on a connection that is open, is told to ask
// again. Those that are under way go on as long as the http app's grace_period
// lasts, and shortly before it is over those that are left end with an error
// event, or an error, instead of a cut connection. Without a grace period Caddy
// waits for them.
//
// There is no time of our own to set: it is Caddy that closes the connections, and
// a longer time than its own would have no effect. A reload does none of this.
func (h *Handler) endStreamsAtExit() {
	server, ok := h.ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	if !ok {
		return
	}
	server.RegisterOnShutdown(func() {
		if !caddy.Exiting() {
			return // a reload: streams live on in the old generation
		}
		openStreams.Refuse()
		if grace := h.gracePeriod(); grace > 0 {
			time.AfterFunc(grace*4/5, openStreams.End)
		}
	})
}

// settleLastCalls ends the calls that nobody waited for: after a reload Caddy may
// exit without those of the config before.
func settleLastCalls() {
	openStreams.End()
	openStreams.Wait(lastCalls)
	closeCounters()
}

// gracePeriod is how long Caddy waits for requests before it stops. It asks the
// handler's own config: by the time the servers stop no other is active.
func (h *Handler) gracePeriod() time.Duration {
	app, err := h.ctx.AppIfConfigured("http")
	if err != nil {
		return 0
	}
	return time.Duration(app.(*caddyhttp.App).GracePeriod)
}
