package anthropic

import (
	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/transform/blocks"
)

// limitCacheMarks takes out the marks that the API would refuse.
func (e *encoder) limitCacheMarks() {
	elsewhere := 0
	for _, m := range e.rest {
		if m.Name == "cache_control" {
			elsewhere++
		}
	}
	blocks.LimitMarks(e.cacheMarks(), elsewhere, true, e.lost)
}

// cacheMarks are the marks in the order of the prompt: tools, system, messages.
func (e *encoder) cacheMarks() []blocks.Mark {
	var marks []blocks.Mark
	for i := range e.tools {
		if t := &e.tools[i]; t.cache != nil {
			marks = append(marks, &t.cache)
		}
	}
	return e.Marks(marks)
}

// writeCacheMark writes a mark as a member, nothing if there is none.
func (e *encoder) writeCacheMark(mark *transform.CacheMark) {
	if mark == nil {
		return
	}
	e.Key("cache_control")
	e.Raw(`{"type":"ephemeral"`)
	if mark.TTL == "5m" || mark.TTL == "1h" {
		e.Key("ttl")
		e.Raw(`"`)
		e.Raw(mark.TTL)
		e.Raw(`"`)
	}
	e.Raw("}")
}
