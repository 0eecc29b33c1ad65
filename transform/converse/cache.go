package converse

import (
	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/transform/blocks"
)

// limitCacheMarks takes out the marks that Bedrock would refuse.
func (e *encoder) limitCacheMarks() {
	var marks []blocks.Mark
	for i := range e.parameters.tools {
		if t := &e.parameters.tools[i]; t.cache != nil {
			marks = append(marks, &t.cache)
		}
	}
	if !e.family.cachedTools {
		blocks.DropMarks(marks, e.lost)
		marks = nil
	}
	if marks = e.Marks(marks); !e.family.caches {
		blocks.DropMarks(marks, e.lost)
		return
	}
	blocks.LimitMarks(marks, 0, e.family.cachedHour, e.lost)
}

// writeCachePoint writes a mark as a block of its own, nothing if there is none.
func (e *encoder) writeCachePoint(mark *transform.CacheMark) {
	if mark == nil {
		return
	}
	e.Raw(`,{"cachePoint":{"type":"default"`)
	if mark.TTL == "1h" || mark.TTL == "5m" && e.family.cachedHour {
		e.Text("ttl", mark.TTL)
	}
	e.Raw(`}}`)
}
