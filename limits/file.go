package limits

import (
	"encoding/binary"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"
	bberrors "go.etcd.io/bbolt/errors"
)

const (
	// lockTime is how long another process may hold the file before opening it fails.
	lockTime = time.Second
	// writeGap is how often what has changed is written: with the write itself, less
	// than a second of use is lost if the process is killed.
	writeGap = 500 * time.Millisecond
)

// boltBucket is the table of the file; its name has the version of the format.
var boltBucket = []byte("limits/1")

// lasting tells whether a count is worth being kept over a restart: money, and everything
// that takes an hour or longer to come back.
func lasting(kind Kind, s span) bool {
	if kind == Concurrency {
		return false
	}
	return kind == Money || s.calendar != Rolling || s.width*slots >= int64(time.Hour/time.Microsecond)
}

// file keeps counters in a bbolt file. Its owner runs run, and calls close after.
type file struct {
	db *bbolt.DB

	mu    sync.Mutex
	dirty []*cell

	failed atomic.Int64
}

// openFile opens or makes a file, and tells what it holds.
func openFile(name string, restore func(Bucket, counter)) (*file, error) {
	var db *bbolt.DB
	err := guarded(func() (err error) {
		db, err = bbolt.Open(name, 0o600, &bbolt.Options{Timeout: lockTime})
		return err
	})
	if errors.Is(err, bberrors.ErrTimeout) {
		return nil, fmt.Errorf("open the state file %s: another process has it open", name)
	}
	if err != nil {
		return nil, fmt.Errorf("open the state file %s: %w", name, err)
	}
	err = guarded(func() error { return db.Update(func(tx *bbolt.Tx) error { return readTable(tx, restore) }) })
	if err != nil {
		db.Close()
		return nil, fmt.Errorf("read the state file %s: %w", name, err)
	}
	return &file{db: db}, nil
}

func readTable(tx *bbolt.Tx, restore func(Bucket, counter)) error {
	table, err := tx.CreateBucketIfNotExists(boltBucket)
	if err != nil {
		return err
	}
	return table.ForEach(func(key, value []byte) error {
		if c, ok := decodeCounter(value); ok && len(key) == len(Bucket{}) {
			restore(Bucket(key), c)
		}
		return nil // what is unreadable is left alone
	})
}

// guarded does something with a file that may be damaged, which makes bbolt panic, or cut
// short, which makes it read beyond the end.
func guarded(do func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("it is damaged, remove or restore it: %v", p)
		}
	}()
	return do()
}

// mark has a cell written soon. The caller holds the cell's lock.
func (f *file) mark(c *cell) {
	f.mu.Lock()
	f.dirty = append(f.dirty, c)
	f.mu.Unlock()
}

// run writes what was marked until it is stopped.
func (f *file) run(stop <-chan struct{}) {
	tick := time.NewTicker(writeGap)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
			if f.flush() != nil {
				f.failed.Add(1) // a full disk stops no call; the next turn tries again
			}
		}
	}
}

func (f *file) close() error {
	return errors.Join(f.flush(), f.db.Close())
}

// flush writes the marked cells in one transaction. If that fails they stay marked.
func (f *file) flush() error {
	f.mu.Lock()
	cells := f.dirty
	f.dirty = nil
	f.mu.Unlock()
	if len(cells) == 0 {
		return nil
	}
	err := guarded(func() error {
		return f.db.Update(func(tx *bbolt.Tx) error { return writeTable(tx, cells) })
	})
	if err != nil {
		for _, c := range cells {
			c.mu.Lock()
			if !c.dirty {
				c.dirty = true
				f.mark(c)
			}
			c.mu.Unlock()
		}
	}
	return err
}

func writeTable(tx *bbolt.Tx, cells []*cell) error {
	table := tx.Bucket(boltBucket)
	for _, c := range cells {
		c.mu.Lock()
		c.dirty = false
		value := encodeCounter(&c.counter)
		c.mu.Unlock()
		var err error
		if value == nil {
			err = table.Delete(c.bucket[:])
		} else {
			err = table.Put(c.bucket[:], value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// encodeCounter writes a counter; nil for one that has counted nothing.
func encodeCounter(c *counter) []byte {
	if c.total == 0 {
		return nil
	}
	b := []byte{byte(c.span.calendar)}
	b = binary.AppendVarint(b, c.span.width)
	b = binary.AppendVarint(b, c.head)
	if c.span.calendar != Rolling {
		return binary.AppendVarint(b, c.total)
	}
	for back := int64(0); back < ring && back <= c.head; back++ {
		if n := c.parts[(c.head-back)%ring]; n != 0 {
			b = binary.AppendVarint(b, back)
			b = binary.AppendVarint(b, n)
		}
	}
	return b
}

// decodeCounter reads a counter, if it is one.
func decodeCounter(b []byte) (c counter, ok bool) {
	next := func() int64 {
		n, size := binary.Varint(b)
		if size <= 0 || n < 0 || n > maxTotal {
			ok = false
			b = nil
			return 0
		}
		b = b[size:]
		return n
	}
	if len(b) == 0 || Calendar(b[0]) > Month {
		return c, false
	}
	ok = true
	c.span.calendar = Calendar(b[0])
	b = b[1:]
	c.span.width, c.head = next(), next()
	if c.span.calendar != Rolling {
		if c.total = next(); c.span.width != 0 || len(b) != 0 {
			return counter{}, false
		}
		return c, ok
	}
	c.parts = make([]int64, ring)
	for ok && len(b) > 0 {
		back, n := next(), next()
		if back >= ring || back > c.head || c.total+n > maxTotal {
			return counter{}, false
		}
		c.parts[(c.head-back)%ring] += n
		c.total += n
	}
	return c, ok && c.span.width > 0 && c.span.width <= int64(maxWindow/time.Microsecond)
}

// restore takes over a counter from the file.
func (m *Memory) restore(bucket Bucket, c counter) {
	now := m.now()
	if slot := c.span.slot(now); c.head > slot {
		// The clock was ahead when it was written: everything counts as charged now.
		c.head, c.parts = slot, nil
		total := c.total
		c.total = 0
		c.add(total)
	}
	cell := m.newCell(&grant{bucket: bucket, span: c.span})
	cell.counter, cell.kept = c, true
	m.cells[bucket[0]%shards].all[bucket] = cell
	m.count.Add(1)
}
