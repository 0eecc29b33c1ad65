package limits

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Kind is what a limit counts.
type Kind uint8

// The kinds.
const (
	// Requests counts calls.
	Requests Kind = iota
	// Tokens counts input and output together.
	Tokens
	// Concurrency counts calls that are under way; such a limit has no window.
	Concurrency
	// Money counts nano-dollars (10^-9 USD).
	Money
)

// Dollar is one US dollar in the unit of [Money].
const Dollar = 1_000_000_000

// String is the kind's name in the configuration.
func (k Kind) String() string {
	switch k {
	case Requests:
		return "requests"
	case Tokens:
		return "tokens"
	case Concurrency:
		return "concurrency"
	case Money:
		return "budget"
	}
	return "unknown"
}

// Away says what becomes of a limit while its store can't be reached.
type Away uint8

// What a limit may do without its store.
const (
	// AwayDefault is AwayDeny for money and AwayLocal for everything else.
	AwayDefault Away = iota
	// AwayLocal holds each instance to its own share of the limit.
	AwayLocal
	// AwayDeny refuses with [ErrUnavailable].
	AwayDeny
	// AwayAllow lets calls through uncounted.
	AwayAllow
)

// Limit is how much of something may be used in a window.
type Limit struct {
	// Name is the policy as users know it: rpm, tpm, concurrency, budget.
	Name   string
	Kind   Kind
	Amount int64
	Window Window
	// Away is what happens while the store can't be reached.
	Away Away
}

// The bounds of what is counted. Sums of two counts stay below 2^53.
const (
	maxAmount = 1 << 51
	maxTotal  = 1 << 52
	// maxLease is how many calls at the same time a limit can speak of.
	maxLease = 1 << 20
)

// most is the largest charge of one call that is believed. What is above comes from a
// provider that reports nonsense, which must neither credit a caller nor lock it out.
func (k Kind) most() int64 {
	switch k {
	case Tokens:
		return 1 << 30
	case Money:
		return 1_000_000 * Dollar
	case Concurrency:
		return 1
	}
	return 1 << 20
}

// Validate says what is wrong with the limit, nil if nothing is.
func (l *Limit) Validate() error {
	if l.Kind > Money {
		return fmt.Errorf("limit %q: unknown kind", l.Name)
	}
	most := int64(maxAmount)
	if l.Kind == Concurrency {
		most = maxLease
	}
	if l.Amount < 0 || l.Amount > most {
		return fmt.Errorf("limit %q: the amount must be from 0 to %d", l.Name, most)
	}
	if l.Kind == Concurrency {
		if l.Window != (Window{}) {
			return fmt.Errorf("limit %q: calls at the same time have no window", l.Name)
		}
		return nil
	}
	if err := l.Window.validate(); err != nil {
		return fmt.Errorf("limit %q: %w", l.Name, err)
	}
	return nil
}

// ValidateAll validates limits that hold for one subject: two of a kind must differ in their windows.
func ValidateAll(all []Limit) error {
	for i := range all {
		if err := all[i].Validate(); err != nil {
			return err
		}
		for j := range all[:i] {
			if all[j].Kind == all[i].Kind && all[j].Window == all[i].Window {
				return fmt.Errorf("limits %q and %q are for the same thing and window: keep one", all[j].Name, all[i].Name)
			}
		}
	}
	return nil
}

// Calendar is a period of the calendar, in UTC.
type Calendar uint8

// The periods.
const (
	Rolling Calendar = iota // none: the window has a length and slides
	Day
	Week // from Monday
	Month
)

// Window is the time that a limit speaks of: a calendar period, or any span of a length.
type Window struct {
	Calendar Calendar
	Length   time.Duration
}

// The windows with names that slide.
var (
	PerSecond = Window{Length: time.Second}
	PerMinute = Window{Length: time.Minute}
	PerHour   = Window{Length: time.Hour}
)

// The windows of the calendar.
var (
	PerDay   = Window{Calendar: Day}
	PerWeek  = Window{Calendar: Week}
	PerMonth = Window{Calendar: Month}
)

const (
	minWindow = time.Second
	maxWindow = 366 * 24 * time.Hour
)

var errWindow = errors.New("the window must be second, minute, hour, day, week, month or a duration from 1s to 8784h")

func (w Window) validate() error {
	switch {
	case w.Calendar > Month, w.Calendar != Rolling && w.Length != 0:
		return errWindow
	case w.Calendar == Rolling && (w.Length < minWindow || w.Length > maxWindow):
		return errWindow
	}
	return nil
}

// ParseWindow reads second, minute, hour, day, week, month or a duration. The first
// three and durations slide, the others are calendar periods.
func ParseWindow(s string) (Window, error) {
	switch strings.ToLower(s) {
	case "second":
		return PerSecond, nil
	case "minute":
		return PerMinute, nil
	case "hour":
		return PerHour, nil
	case "day":
		return PerDay, nil
	case "week":
		return PerWeek, nil
	case "month":
		return PerMonth, nil
	}
	length, err := time.ParseDuration(s)
	if err != nil {
		return Window{}, errWindow
	}
	w := Window{Length: length}
	return w, w.validate()
}

// String is the window as it is written in the configuration.
func (w Window) String() string {
	switch w {
	case Window{}:
		return ""
	case PerSecond:
		return "second"
	case PerMinute:
		return "minute"
	case PerHour:
		return "hour"
	case PerDay:
		return "day"
	case PerWeek:
		return "week"
	case PerMonth:
		return "month"
	}
	return w.Length.String()
}
