package limits

// lease is a call under way, in the ring of its bucket.
type lease struct {
	prev, next *lease
	until      int64
}

// leases are the calls under way of one bucket, in no order.
type leases struct {
	first *lease
	count int64
	// soonest is not later than the end of any.
	soonest int64
}

func (l *leases) add(one *lease, until int64) {
	one.until, one.prev, one.next = until, nil, l.first
	if l.first != nil {
		l.first.prev = one
	}
	if l.count == 0 || until < l.soonest {
		l.soonest = until
	}
	l.first = one
	l.count++
}

// remove ends a lease; until 0 marks one that has ended.
func (l *leases) remove(one *lease) {
	if one.until == 0 {
		return
	}
	if one.prev != nil {
		one.prev.next = one.next
	} else {
		l.first = one.next
	}
	if one.next != nil {
		one.next.prev = one.prev
	}
	*one = lease{}
	l.count--
}

// prune ends the leases whose time has come. It looks at them only if one may have.
func (l *leases) prune(now int64) {
	if l.count == 0 || now < l.soonest {
		return
	}
	soonest := int64(maxTotal)
	for one := l.first; one != nil; {
		next := one.next
		if one.until <= now {
			l.remove(one)
		} else {
			soonest = min(soonest, one.until)
		}
		one = next
	}
	l.soonest = soonest
}
