package limits

// counter is what was charged in the slots that still count. head is the latest slot that it
// knows; slot k stands at k modulo the size. The zero value has counted nothing.
type counter struct {
	span  span
	head  int64
	total int64
	parts []int64 // of a sliding window; a period of the calendar has only the total
}

// advance forgets the slots that no longer count at a time, and returns its slot. A time
// before the latest known is taken for that one.
func (c *counter) advance(at int64) int64 {
	slot := c.span.slot(at)
	if slot <= c.head {
		return c.head
	}
	if c.total != 0 {
		if slot-c.head >= c.span.size() {
			c.total = 0
			clear(c.parts)
		} else {
			for k := c.head + 1; k <= slot; k++ {
				part := &c.parts[k%ring]
				c.total -= *part
				*part = 0
			}
		}
	}
	c.head = slot
	return slot
}

// add charges the latest slot. The total stays within its bound.
func (c *counter) add(n int64) {
	n = min(n, maxTotal-c.total)
	c.total += n
	if c.span.calendar == Rolling {
		if c.parts == nil {
			c.parts = make([]int64, ring)
		}
		c.parts[c.head%ring] += n
	}
}

// sub takes back what was charged in a slot, if it counts still.
func (c *counter) sub(slot, n int64) {
	if slot <= c.head-c.span.size() || slot > c.head {
		return
	}
	if c.span.calendar != Rolling {
		c.total -= min(n, c.total)
		return
	}
	if c.parts == nil {
		return
	}
	part := &c.parts[slot%ring]
	n = min(n, *part)
	*part -= n
	c.total -= n
}

// reset is when nothing charged so far counts any more, 0 if that is now.
func (c *counter) reset() int64 {
	if c.total == 0 {
		return 0
	}
	if c.span.calendar != Rolling {
		return c.span.end(c.head)
	}
	for k := c.head; k > c.head-ring; k-- {
		if c.parts[k%ring] > 0 {
			return c.span.end(k)
		}
	}
	return 0
}

// when is the time from which at most so much is charged, if nothing is added.
func (c *counter) when(most int64) int64 {
	if c.span.calendar != Rolling {
		return c.span.end(c.head)
	}
	left := c.total
	for k := c.head - slots; k <= c.head; k++ {
		if k < 0 {
			continue
		}
		if left -= c.parts[k%ring]; left <= most {
			return c.span.end(k)
		}
	}
	return c.span.end(c.head)
}
