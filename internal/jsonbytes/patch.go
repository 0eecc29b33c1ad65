package jsonbytes

import "bytes"

// Patch collects changes to the members of one object and applies them in one pass.
//
// The changes take effect in the order of the calls, each on what the ones before it left.
// Bytes they do not concern stay exactly as they are: order, white space, spelling of numbers.
// The result is an object without new duplicates whatever the changes are, provided each raw value
// is valid JSON. An empty raw value stands for an absent one, so setting it removes the member.
//
// The zero Patch is empty and ready for use. It keeps the raw values, not copies, until Reset.
type Patch struct {
	first [4]change // spares the usual patch an allocation
	count int
	more  []change
}

type verb uint8

const (
	replaceMember verb = iota
	setMember
	removeMember
	renameMember
)

type change struct {
	verb verb
	name string
	to   string
	raw  []byte
}

// Reset removes all changes.
func (p *Patch) Reset() {
	clear(p.first[:])
	clear(p.more)
	p.count, p.more = 0, p.more[:0]
}

// Empty says whether there is nothing to change.
func (p *Patch) Empty() bool { return p.count == 0 }

// Replace gives the member another value; without such a member it does nothing.
func (p *Patch) Replace(name string, raw []byte) {
	p.add(change{verb: replaceMember, name: name, raw: raw})
}

// Set gives the member another value or adds it as the last one.
func (p *Patch) Set(name string, raw []byte) {
	p.add(change{verb: setMember, name: name, raw: raw})
}

// Remove removes the member if there is one.
func (p *Patch) Remove(name string) {
	p.add(change{verb: removeMember, name: name})
}

// Rename gives the member another name; without such a member it does nothing. The member stays in
// its place, and another one that had the new name is removed.
func (p *Patch) Rename(name, to string) {
	p.add(change{verb: renameMember, name: name, to: to})
}

func (p *Patch) add(c change) {
	if c.verb != renameMember && len(c.raw) == 0 {
		c.verb = removeMember
	}
	if p.count < len(p.first) {
		p.first[p.count] = c
	} else {
		p.more = append(p.more, c)
	}
	p.count++
}

func (p *Patch) at(i int) *change {
	if i < len(p.first) {
		return &p.first[i]
	}
	return &p.more[i-len(p.first)]
}

// Append appends the changed object to dst. The members must be those that [Scan] found in text.
func (p *Patch) Append(dst, text []byte, members []Member) []byte {
	var few [8]outcome
	outcomes := p.concerned(few[:0], text, members)
	for i := range p.count {
		outcomes = p.at(i).apply(outcomes)
	}
	return emit(dst, text, members, outcomes)
}

// outcome is what becomes of one member.
type outcome struct {
	index   int    // in members, or added
	name    string // as it is by now
	raw     []byte // the new value, nil if unchanged
	renamed bool
	removed bool
}

const added = -1

// concerned appends an outcome for each member the patch mentions, in order.
func (p *Patch) concerned(dst []outcome, text []byte, members []Member) []outcome {
	for i, m := range members {
		if name, ok := p.mentions(m.Key.Of(text)); ok {
			dst = append(dst, outcome{index: i, name: name})
		}
	}
	return dst
}

func (p *Patch) mentions(key []byte) (string, bool) {
	for i := range p.count {
		c := p.at(i)
		if equalUnescaped(key, c.name) {
			return c.name, true
		}
		if c.verb == renameMember && equalUnescaped(key, c.to) {
			return c.to, true
		}
	}
	return "", false
}

func find(outcomes []outcome, name string) *outcome {
	for i := range outcomes {
		if o := &outcomes[i]; !o.removed && o.name == name {
			return o
		}
	}
	return nil
}

func (c *change) apply(outcomes []outcome) []outcome {
	o := find(outcomes, c.name)
	switch {
	case o == nil:
		if c.verb == setMember {
			outcomes = append(outcomes, outcome{index: added, name: c.name, raw: c.raw})
		}
	case c.verb == removeMember:
		o.removed = true
	case c.verb == renameMember:
		if c.to == c.name {
			break
		}
		if other := find(outcomes, c.to); other != nil {
			other.removed = true
		}
		o.name, o.renamed = c.to, true
	default:
		o.raw = c.raw
	}
	return outcomes
}

// emit writes text with the outcomes, which are in the order of the members, added ones last.
func emit(dst, text []byte, members []Member, outcomes []outcome) []byte {
	done, removed := 0, 0 // bytes of text dealt with; members removed
	for _, o := range outcomes {
		if o.index == added {
			continue
		}
		m := members[o.index]
		if o.removed {
			gap := removal(members, o.index, removed < o.index)
			dst = append(dst, text[done:gap.From]...)
			done = gap.To
			removed++
			continue
		}
		if o.renamed {
			dst = append(dst, text[done:m.Key.From]...)
			dst = appendEscaped(dst, o.name)
			done = m.Key.To
		}
		if o.raw != nil {
			dst = append(dst, text[done:m.Value.From]...)
			dst = append(dst, o.raw...)
			done = m.Value.To
		}
	}
	end := insertion(text, members)
	dst = append(dst, text[done:end]...)
	dst = appendAdded(dst, outcomes, removed < len(members))
	return append(dst, text[end:]...)
}

// removal returns what goes with a member: the comma before it if another member is left there,
// otherwise the one after it, if any.
func removal(members []Member, index int, leftBefore bool) Span {
	m := members[index]
	switch {
	case leftBefore:
		return Span{members[index-1].Value.To, m.Value.To}
	case index+1 < len(members):
		return Span{m.Key.From - 1, members[index+1].Key.From - 1}
	}
	return Span{m.Key.From - 1, m.Value.To}
}

// insertion returns the offset at which another member would be added.
func insertion(text []byte, members []Member) int {
	if len(members) > 0 {
		return members[len(members)-1].Value.To
	}
	return bytes.IndexByte(text, '{') + 1
}

func appendAdded(dst []byte, outcomes []outcome, comma bool) []byte {
	for _, o := range outcomes {
		if o.index != added || o.removed {
			continue
		}
		if comma {
			dst = append(dst, ',')
		}
		comma = true
		dst = AppendString(dst, o.name)
		dst = append(dst, ':')
		dst = append(dst, o.raw...)
	}
	return dst
}
