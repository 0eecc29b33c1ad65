package llmproxy

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/caddyllm/llmproxy/cache/answers"
)

// cacheStatus is what is known of a cache.
type cacheStatus struct {
	// Store is memory or redis.
	Store    string `json:"store"`
	Hits     int64  `json:"hits"`
	Misses   int64  `json:"misses"`
	Stored   int64  `json:"stored"`
	Rejected int64  `json:"rejected"`
	Evicted  int64  `json:"evicted"`
	Expired  int64  `json:"expired"`
	Purged   int64  `json:"purged"`
	// IntegrityErrors counts values that were not what had been stored, Failures what
	// the server did not answer.
	IntegrityErrors int64 `json:"integrity_errors"`
	Failures        int64 `json:"failures"`
	// Entries and Bytes are left out where nobody knows.
	Entries  *int64 `json:"entries,omitempty"`
	Bytes    *int64 `json:"bytes,omitempty"`
	Capacity *int64 `json:"capacity,omitempty"`
	// Away tells that the server is not asked at present.
	Away bool `json:"away,omitempty"`
	// Leading counts the calls under way that others may follow.
	Leading int `json:"leading"`
	// Collapsed counts the calls that followed one.
	Collapsed int64 `json:"collapsed"`
}

func cacheStatuses() (list []cacheStatus) {
	eachCache(func(key cacheKey, c *pooledCache) {
		s, flights := c.Stats(), c.flights.Stats()
		list = append(list, cacheStatus{
			Store: key.store, Hits: s.Hits, Misses: s.Misses, Stored: s.Stored, Rejected: s.Rejected, Evicted: s.Evicted,
			Expired: s.Expired, Purged: s.Purged, IntegrityErrors: s.Altered, Failures: s.Failures,
			Entries: known(s.Entries), Bytes: known(s.Bytes), Capacity: known(s.Capacity),
			Away: s.Away, Leading: flights.Flights, Collapsed: flights.Followed,
		})
	})
	return list
}

// known is a number that is, nil for one that is not.
func known(n int64) *int64 {
	if n < 0 {
		return nil
	}
	return &n
}

// purgeRequest is what POST /llm_proxy/cache/purge takes: which answers to remove,
// those that fit all that is said. Nothing: all of them.
type purgeRequest struct {
	// Key and Group are whose answers, by id. They need the scope of that kind.
	Key   string `json:"key"`
	Group string `json:"group"`
	// Model is the name that clients ask for.
	Model string `json:"model"`
	// Provider and UpstreamModel are what answered.
	Provider      string `json:"provider"`
	UpstreamModel string `json:"upstream_model"`
}

const maxPurgeRequest = 64 << 10

// purge removes stored answers from every cache.
func (*adminAPI) purge(w http.ResponseWriter, r *http.Request) error {
	if err := onlyMethod(r, http.MethodPost); err != nil {
		return err
	}
	var ask purgeRequest
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxPurgeRequest))
	if err == nil && len(body) > 0 {
		err = decodeStrictly(body, &ask)
	}
	if err == nil && ask.Key != "" && ask.Group != "" {
		err = errors.New("name a key or a group")
	}
	if err != nil {
		return caddy.APIError{HTTPStatus: http.StatusBadRequest, Err: fmt.Errorf("reading what to purge: %w", err)}
	}
	filter := answers.Filter{Route: ask.Model, Provider: ask.Provider, Model: ask.UpstreamModel}
	switch {
	case ask.Key != "":
		filter.Scope = answers.ScopeKey.Of(ask.Key, "")
	case ask.Group != "":
		filter.Scope = answers.ScopeGroup.Of("", ask.Group)
	}
	var caches []*pooledCache
	eachCache(func(_ cacheKey, c *pooledCache) { caches = append(caches, c) })
	purged := 0
	for _, c := range caches {
		n, failed := c.Purge(r.Context(), filter)
		if purged += n; failed != nil {
			err = failed
		}
	}
	if app := active(); app != nil {
		app.logger.Info("stored answers were purged by the admin API", zap.Int("purged", purged))
	}
	if err != nil {
		return caddy.APIError{HTTPStatus: http.StatusBadGateway, Err: fmt.Errorf("%d answers were purged, but not all caches were reached: %w", purged, err)}
	}
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(struct {
		Purged int `json:"purged"`
	}{purged})
}
