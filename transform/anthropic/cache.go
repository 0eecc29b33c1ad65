package anthropic

import (
	"github.com/caddyllm/llmproxy/transform"
)

// maxCacheMarks is how many cache_control members one request may have.
const maxCacheMarks = 4

// cacheMark is where a mark can be taken out.
type cacheMark = **transform.CacheMark

// limitCacheMarks takes out the marks that the API would refuse. The first
// mark stays, because conversations share what is before it, and the last
// ones, because the next turn reads what they write.
func (e *encoder) limitCacheMarks() {
	marks := e.cacheMarks()
	most := maxCacheMarks
	for _, m := range e.rest {
		if m.Name == "cache_control" {
			most--
		}
	}
	if surplus := len(marks) - most; surplus > 0 {
		for _, m := range marks[1 : 1+surplus] {
			e.lost.Drop((*m).At)
			*m = nil
		}
		marks = append(marks[:1], marks[1+surplus:]...)
	}
	e.shortenLateMarks(marks)
}

// shortenLateMarks makes marks of an hour usual ones where a usual one comes
// before them: the API wants the longer first.
func (e *encoder) shortenLateMarks(marks []cacheMark) {
	usual := false
	for _, m := range marks {
		switch {
		case (*m).TTL != "1h":
			usual = true
		case usual:
			e.lost.Drop((*m).At.Key("ttl"))
			*m = &transform.CacheMark{}
		}
	}
}

// cacheMarks are the marks in the order of the prompt: tools, system, messages.
func (e *encoder) cacheMarks() []cacheMark {
	var marks []cacheMark
	for i := range e.tools {
		if t := &e.tools[i]; t.cache != nil {
			marks = append(marks, &t.cache)
		}
	}
	marks = blockMarks(marks, e.system)
	for i := range e.messages {
		marks = blockMarks(marks, e.messages[i].blocks)
	}
	return marks
}

func blockMarks(marks []cacheMark, blocks []block) []cacheMark {
	for i := range blocks {
		if b := &blocks[i]; b.cache != nil {
			marks = append(marks, &b.cache)
		}
	}
	return marks
}

// writeCacheMark writes a mark as a member, nothing if there is none.
func (e *encoder) writeCacheMark(mark *transform.CacheMark) {
	if mark == nil {
		return
	}
	e.key("cache_control")
	e.dst = append(e.dst, `{"type":"ephemeral"`...)
	if mark.TTL == "5m" || mark.TTL == "1h" {
		e.key("ttl")
		e.dst = append(e.dst, '"')
		e.dst = append(e.dst, mark.TTL...)
		e.dst = append(e.dst, '"')
	}
	e.dst = append(e.dst, '}')
}
