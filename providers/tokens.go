package providers

import (
	"context"
	"net/http"
	"sync"
	"time"
)

// TokenCache keeps one access token for all requests that need it. It is
// fetched by the first of them and again before it expires.
type TokenCache struct {
	fetch func(context.Context) (Token, error)

	mu      sync.Mutex
	current Token
	flight  *tokenFlight
	failure error     // of the last fetch
	again   time.Time // before that no other refresh is tried while a token is good
	retry   time.Time // before that the last failure stands for the next
}

// Token is an access token.
type Token struct {
	Value string
	// Expires is zero for one that does not.
	Expires time.Time
}

// tokenFlight is a fetch that several requests wait for.
type tokenFlight struct {
	done  chan struct{}
	token Token
	err   error
}

const (
	// refreshEarly is how long before its end a token is replaced, unnoticed by requests.
	refreshEarly = 3 * time.Minute
	// tokenMargin is how long a token must be good for to be sent.
	tokenMargin = 10 * time.Second
	// tokenTimeout bounds a fetch, which outlives the request that began it.
	tokenTimeout = 30 * time.Second
	refreshPause = 10 * time.Second
	// failurePause keeps a flood of requests from being one of fetches that fail.
	failurePause = time.Second
)

// NewTokenCache makes a cache of what fetch returns. The errors of fetch must
// not tell a secret.
func NewTokenCache(fetch func(context.Context) (Token, error)) *TokenCache {
	return &TokenCache{fetch: fetch}
}

// Get returns a token that is good for now.
func (c *TokenCache) Get(ctx context.Context) (string, error) {
	c.mu.Lock()
	now, token, flight := time.Now(), c.current, c.flight
	usable := token.goodFor(now, tokenMargin)
	if failure := c.failure; failure != nil && !usable && flight == nil && now.Before(c.retry) {
		c.mu.Unlock()
		return "", failure
	}
	if flight == nil && !token.goodFor(now, refreshEarly) && !(usable && now.Before(c.again)) {
		flight = &tokenFlight{done: make(chan struct{})}
		c.flight = flight
		go c.run(context.WithoutCancel(ctx), flight)
	}
	c.mu.Unlock()
	if usable {
		return token.Value, nil
	}
	select {
	case <-flight.done:
		return flight.token.Value, flight.err
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}

// Bearer puts a good token into the header of a request.
func (c *TokenCache) Bearer(r *http.Request) error {
	token, err := c.Get(r.Context())
	if err != nil {
		return err
	}
	r.Header["Authorization"] = []string{"Bearer " + token}
	return nil
}

func (t Token) goodFor(now time.Time, d time.Duration) bool {
	return t.Value != "" && (t.Expires.IsZero() || now.Add(d).Before(t.Expires))
}

// run is not bound to one request: others wait for it too.
func (c *TokenCache) run(ctx context.Context, flight *tokenFlight) {
	ctx, cancel := context.WithTimeout(ctx, tokenTimeout)
	defer cancel()
	flight.token, flight.err = c.fetch(ctx)
	c.mu.Lock()
	if c.failure = flight.err; flight.err == nil {
		c.current = flight.token
	}
	now := time.Now()
	c.again, c.retry = now.Add(refreshPause), now.Add(failurePause)
	c.flight = nil
	c.mu.Unlock()
	close(flight.done)
}
