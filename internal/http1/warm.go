package http1

import (
	"context"
	"net/http"
	"net/url"
	"sync"
)

// Warm opens connections to the host of a URL, which wait for requests: the first
// calls need neither look up its name nor shake hands. It does nothing where the
// host is another transport's. The error is one of those that there were.
func (t *Transport) Warm(ctx context.Context, to *url.URL, connections int) error {
	h := t.host(&http.Request{Method: http.MethodPost, URL: to})
	if h == nil {
		return nil
	}
	var all sync.WaitGroup
	errs := make(chan error, connections)
	for range connections {
		if h.elsewhere.Load() {
			break
		}
		all.Go(func() {
			c, err := h.dial(ctx, nil)
			switch {
			case err == nil:
				h.put(c)
			case speaksOtherwise(err):
				h.elsewhere.Store(true)
			default:
				errs <- reason(ctx, err)
			}
		})
	}
	all.Wait()
	select {
	case err := <-errs:
		return err
	default:
		return nil
	}
}
