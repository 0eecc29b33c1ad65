package llmproxy

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	zapobserver "go.uber.org/zap/zaptest/observer"
)

// newSampled is a logger that samples with a memory of its own, and what it wrote.
func newSampled() (*zap.Logger, *zapobserver.ObservedLogs) {
	core, logs := zapobserver.New(zapcore.InfoLevel)
	return zap.New(&samplingCore{Core: core, log: new(troubleLog)}), logs
}

func TestWarningsAreWrittenAFewTimesAndThenCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		logger, logs := newSampled()
		for range 1000 {
			logger.Error("down", zap.String("provider", "a"), zap.Int("n", 1))
		}
		if n := logs.Len(); n != sampleFirst {
			t.Errorf("%d lines of 1000", n)
		}
		for _, line := range logs.TakeAll() {
			if fields := line.ContextMap(); len(fields) != 2 || fields["provider"] != "a" {
				t.Errorf("a line says %v", fields)
			}
		}
		// Others are not held back for that, nor by what is no warning.
		logger.Error("down", zap.String("provider", "b"))
		logger.With(zap.String("provider", "c")).Error("down")
		logger.Named("other").Error("down", zap.String("provider", "a"))
		logger.Warn("down", zap.String("provider", "a"))
		logger.Error("up", zap.String("provider", "a"))
		for range 100 {
			logger.Info("news")
		}
		if n := len(logs.TakeAll()); n != 105 {
			t.Errorf("%d lines of 105", n)
		}
		time.Sleep(sampleEvery)
		for range 10 {
			logger.Error("down", zap.String("provider", "a"))
		}
		lines := logs.TakeAll()
		if len(lines) != sampleFirst || lines[0].ContextMap()["suppressed"] != int64(1000-sampleFirst) {
			t.Fatalf("%d lines, the first says %v", len(lines), lines[0].ContextMap())
		}
		if _, again := lines[1].ContextMap()["suppressed"]; again {
			t.Error("what was left out is told twice")
		}
	})
}

func TestWhatIsRememberedOfWarningsIsBounded(t *testing.T) {
	logger, logs := newSampled()
	var all sync.WaitGroup
	for part := range 4 {
		all.Go(func() {
			for i := range 2 * maxTroubles {
				logger.Warn(fmt.Sprint("trouble ", part, i))
			}
		})
	}
	all.Wait()
	if n := logs.Len(); n != 8*maxTroubles {
		t.Errorf("%d lines of %d", n, 8*maxTroubles)
	}
	core := logger.Core().(*samplingCore)
	if n := len(core.log.known); n > maxTroubles {
		t.Errorf("%d troubles are remembered", n)
	}
}
