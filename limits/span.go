package limits

import "time"

// Times are microseconds since 1970, in both stores: Redis tells them so, and they stay
// below 2^53.

// slots is in how many parts a sliding window is divided. A charge counts for as many slots
// after its own, so that the ring has one more.
const (
	slots = 60
	ring  = slots + 1
)

const day = int64(24 * time.Hour / time.Microsecond)

// span is how time is divided in slots: sliding, each of width microseconds, or by the calendar.
type span struct {
	calendar Calendar
	width    int64
}

func (w Window) span() span {
	if w.Calendar != Rolling {
		return span{calendar: w.Calendar}
	}
	length := int64(w.Length / time.Microsecond)
	return span{width: max(1, (length+slots-1)/slots)}
}

// size is how many slots count.
func (s span) size() int64 {
	if s.calendar == Rolling {
		return ring
	}
	return 1
}

// slot is the one that a time is in.
func (s span) slot(at int64) int64 {
	switch s.calendar {
	case Day:
		return at / day
	case Week:
		return (at/day + 3) / 7 // 1970 began on a Thursday
	case Month:
		t := time.UnixMicro(at).UTC()
		return int64(t.Year()-1970)*12 + int64(t.Month()) - 1
	}
	return at / s.width
}

// end is when a slot no longer counts.
func (s span) end(slot int64) int64 {
	switch s.calendar {
	case Day:
		return (slot + 1) * day
	case Week:
		return ((slot+1)*7 - 3) * day
	case Month:
		return time.Date(1970, time.Month(slot+2), 1, 0, 0, 0, 0, time.UTC).UnixMicro()
	}
	return (slot + ring) * s.width
}
