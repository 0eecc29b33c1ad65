package llmproxy

import (
	"testing"
	"time"

	"github.com/caddyllm/llmproxy/usage"
)

// Whoever has no page pays nothing for it, whoever has one keeps what was gathered as
// long as any config has one.
func TestCallsAreGatheredOnlyForAPage(t *testing.T) {
	record := usage.Record{Start: time.Now(), Principal: "app", Route: "smart", Ending: usage.Complete}
	gather := func() {
		if pages := gathering.Load(); pages != nil {
			pages.Record(&record)
		}
	}
	if n := testing.AllocsPerRun(100, gather); n != 0 || gathering.Load() != nil {
		t.Fatalf("without a page a call makes %v allocations", n)
	}
	first, second := new(StatusPage), new(StatusPage)
	for _, page := range []*StatusPage{first, second} {
		if err := page.gather(); err != nil {
			t.Fatal(err)
		}
	}
	gather()
	if err := first.Cleanup(); err != nil {
		t.Fatal(err)
	}
	if got := len(second.history.Calls()); got != 1 || first.history != second.history || gathering.Load() != second.history {
		t.Errorf("of what was gathered %d calls are left", got)
	}
	if err := second.Cleanup(); err != nil {
		t.Fatal(err)
	}
	if gathering.Load() != nil {
		t.Error("the last page is gone and calls are gathered")
	}
}
