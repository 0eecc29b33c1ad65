package converse

import "github.com/caddyllm/llmproxy/transform"

// maxCacheMarks is how many cachePoint blocks one request may have.
const maxCacheMarks = 4

// cacheMark is where a mark can be taken out.
type cacheMark = **transform.CacheMark

// drop takes a mark out.
func (e *encoder) drop(m cacheMark) {
	e.lost.Drop((*m).At)
	*m = nil
}

// limitCacheMarks takes out the marks that Bedrock would refuse. The first mark
// stays, because conversations share what is before it, and the last ones,
// because the next turn reads what they write.
func (e *encoder) limitCacheMarks() {
	var marks []cacheMark
	for i := range e.parameters.tools {
		if t := &e.parameters.tools[i]; t.cache != nil {
			if m := &t.cache; e.family.cachedTools {
				marks = append(marks, m)
			} else {
				e.drop(m)
			}
		}
	}
	marks = e.blockMarks(marks, e.system)
	for i := range e.messages {
		marks = e.blockMarks(marks, e.messages[i].blocks)
	}
	if surplus := len(marks) - maxCacheMarks; surplus > 0 {
		for _, m := range marks[1 : 1+surplus] {
			e.drop(m)
		}
		marks = append(marks[:1], marks[1+surplus:]...)
	}
	e.shortenMarks(marks)
}

func (e *encoder) blockMarks(marks []cacheMark, blocks []block) []cacheMark {
	for i := range blocks {
		b := &blocks[i]
		if b.cache == nil {
			continue
		}
		if m := &b.cache; e.family.caches {
			marks = append(marks, m)
		} else {
			e.drop(m)
		}
	}
	return marks
}

// shortenMarks makes marks of an hour usual ones where the model has no others
// or where a usual one comes before them: the longer must come first.
func (e *encoder) shortenMarks(marks []cacheMark) {
	usual := !e.family.cachedHour
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

// writeCachePoint writes a mark as a block of its own, nothing if there is none.
func (e *encoder) writeCachePoint(mark *transform.CacheMark) {
	if mark == nil {
		return
	}
	e.dst = append(e.dst, `,{"cachePoint":{"type":"default"`...)
	if mark.TTL == "1h" || mark.TTL == "5m" && e.family.cachedHour {
		e.string("ttl", mark.TTL)
	}
	e.dst = append(e.dst, `}}`...)
}
