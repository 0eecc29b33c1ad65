package answers

import "context"

// Store keeps entries. It may lose them at any time, and never fails: what cannot
// be reached is not there. Stores are shared by configs, and outlive them.
type Store interface {
	// Get finds an entry, fresh or not; nil if there is none. The entry must not be
	// changed.
	Get(ctx context.Context, key Key) *Entry
	// Put keeps an entry in the place of another under its key. It is false if the
	// entry is not kept.
	Put(ctx context.Context, e *Entry) bool
	Delete(ctx context.Context, key Key)
	// Purge removes what the filter says and counts it. The error tells that not
	// everything was reached.
	Purge(ctx context.Context, f Filter) (int, error)
	Stats() Stats
	// Close releases the store. Nothing may be called after it.
	Close() error
}

// Filter says which entries to remove: those that fit all that is set. The zero
// value is all of them.
type Filter struct {
	Scope string
	// Route is a model as it was asked for, Model as the provider knows it.
	Route, Provider, Model string
}

func (f *Filter) fits(e *Entry) bool {
	return fits(f.Scope, e.Scope) && fits(f.Route, e.Route) && fits(f.Provider, e.Provider) && fits(f.Model, e.Model)
}

func fits(want, is string) bool { return want == "" || want == is }

// Stats are counts since the store was made.
type Stats struct {
	// Hits and Misses count what was looked for, stale entries as hits.
	Hits, Misses int64
	Stored       int64
	// Rejected counts what was too large, or found no room or no server.
	Rejected int64
	// Evicted counts what gave way to others, Expired and Purged the rest.
	Evicted, Expired, Purged int64
	// Altered counts values that were not what had been stored.
	Altered int64
	// Failures counts what the server did not answer, or not in time.
	Failures int64
	// Entries and Bytes are what is there now, Capacity is the most; of a server,
	// nobody knows: -1.
	Entries, Bytes, Capacity int64
	// Away tells that the server is not asked at present.
	Away bool
}
