package llmproxy

import (
	"sync"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// What goes wrong at every call is told a few times, and then how often it was not.
const (
	sampleEvery = time.Minute
	sampleFirst = 5
	// maxTroubles bounds what is remembered; there are not so many.
	maxTroubles = 1024
)

// sampled is a logger whose warnings and errors are sampled. It is for what the
// operator is to notice, never for records of calls: those are all written.
func sampled(logger *zap.Logger) *zap.Logger {
	return logger.WithOptions(zap.WrapCore(func(core zapcore.Core) zapcore.Core {
		return &samplingCore{Core: core, log: troubles}
	}))
}

// troubles are those of the process, so that a reload does not begin anew.
var troubles = new(troubleLog)

// trouble is one thing that goes wrong again and again: zap's own sampler knows no
// providers, and tells nobody what it left out.
type trouble struct {
	logger, message, provider string
	level                     zapcore.Level
}

// troubleLog counts how often each trouble came lately.
type troubleLog struct {
	mu    sync.Mutex
	known map[trouble]*occurrences
}

type occurrences struct {
	since            time.Time
	told, suppressed int
}

// tell says whether the line is written, and how many like it were not before.
func (l *troubleLog) tell(of trouble, now time.Time) (suppressed int, told bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	o := l.known[of]
	if o == nil {
		if l.known == nil || len(l.known) >= maxTroubles {
			l.known = make(map[trouble]*occurrences)
		}
		o = &occurrences{since: now}
		l.known[of] = o
	}
	if now.Sub(o.since) >= sampleEvery {
		suppressed = o.suppressed
		*o = occurrences{since: now}
	}
	if o.told == sampleFirst {
		o.suppressed++
		return 0, false
	}
	o.told++
	return suppressed, true
}

// samplingCore leaves out warnings and errors that were told often enough.
type samplingCore struct {
	zapcore.Core
	log *troubleLog
	// provider is of the fields that the logger has.
	provider string
}

// With implements [zapcore.Core].
func (c *samplingCore) With(fields []zapcore.Field) zapcore.Core {
	return &samplingCore{c.Core.With(fields), c.log, providerOf(fields, c.provider)}
}

// Check implements [zapcore.Core]. Which provider it is about is known only when it
// is written.
func (c *samplingCore) Check(entry zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if entry.Level < zapcore.WarnLevel {
		return c.Core.Check(entry, checked)
	}
	if !c.Enabled(entry.Level) {
		return checked
	}
	return checked.AddCore(entry, c)
}

// Write implements [zapcore.Core].
func (c *samplingCore) Write(entry zapcore.Entry, fields []zapcore.Field) error {
	of := trouble{entry.LoggerName, entry.Message, providerOf(fields, c.provider), entry.Level}
	suppressed, told := c.log.tell(of, entry.Time)
	if !told {
		return nil
	}
	if suppressed > 0 {
		fields = append(fields[:len(fields):len(fields)], zap.Int("suppressed", suppressed))
	}
	// The cores below may be several, each with entries of its own.
	if checked := c.Core.Check(entry, nil); checked != nil {
		checked.Write(fields...)
	}
	return nil
}

// everyTime is a logger that leaves nothing out, for what tells itself only once.
func everyTime(logger *zap.Logger) *zap.Logger {
	return logger.WithOptions(zap.WrapCore(func(core zapcore.Core) zapcore.Core {
		if sampling, ok := core.(*samplingCore); ok {
			return sampling.Core
		}
		return core
	}))
}

// providerOf is the field that names a provider, or what was known before.
func providerOf(fields []zapcore.Field, before string) string {
	for i := range fields {
		if fields[i].Key == "provider" && fields[i].Type == zapcore.StringType {
			return fields[i].String
		}
	}
	return before
}
