//go:build !race

package answers

import (
	"context"
	"testing"

	"github.com/caddyllm/llmproxy/transform"
)

// The race detector makes pools forget things at random: hence the build tag.
func TestAKeyDoesNotAllocate(t *testing.T) {
	for _, size := range []int{1 << 10, 64 << 10} {
		q := Question{Scope: "key a", Format: transform.OpenAIChat, Operation: "chat", Model: "gpt-5-mini", Body: conversation(size)}
		for range 20 { // pools fill
			q.Key()
		}
		if n := testing.AllocsPerRun(50, func() { q.Key() }); n > 0 {
			t.Errorf("%d bytes: %v allocations", size, n)
		}
	}
}

func TestAHitInMemoryDoesNotAllocate(t *testing.T) {
	m := newMemory(t, MemoryOptions{})
	e := numbered(1, "key a", chatAnswer(40))
	m.Put(context.Background(), e)
	if n := testing.AllocsPerRun(50, func() {
		if m.Get(context.Background(), e.Key) == nil {
			t.Fatal("gone")
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
	if n := testing.AllocsPerRun(50, func() { m.Get(context.Background(), Key{1}) }); n > 0 {
		t.Errorf("%v allocations of a miss", n)
	}
}
