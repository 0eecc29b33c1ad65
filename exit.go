package llmproxy

import (
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddyllm/llmproxy/gateway"
)

// openStreams are those of every config that this process has had: one that was
// replaced may still have some.
var openStreams = new(gateway.Streams)

// endStreamsAtExit gives streams an honest end when the process stops: as long
// as the http app's grace_period lasts they go on, and shortly before it is
// over those that are left end with an error event instead of a cut
// connection. Without a grace period Caddy waits for them. Calls that go on for
// nobody end at once.
func (h *Handler) endStreamsAtExit() {
	server, ok := h.ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	if !ok {
		return
	}
	server.RegisterOnShutdown(func() {
		if !caddy.Exiting() {
			return // a reload: streams live on in the old generation
		}
		openStreams.EndUnheard()
		grace := h.gracePeriod()
		if grace <= 0 {
			return
		}
		time.AfterFunc(grace*4/5, openStreams.End)
	})
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
