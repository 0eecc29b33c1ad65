// Package terminal writes for people at a terminal: tables, amounts, and text of
// others without what a terminal takes for a command.
package terminal

import (
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/caddyllm/llmproxy/usage"
)

// Table is printed in columns that are as wide as what is in them.
type Table struct {
	columns []column
	rows    [][]string
}

type column struct {
	heading string
	// right aligns numbers; optional leaves out a column with nothing in it.
	right, optional bool
}

// NewTable makes a table. A heading that begins with > is of numbers, one that begins
// with ? of a column that is left out where it says nothing.
func NewTable(headings ...string) *Table {
	t := new(Table)
	for _, heading := range headings {
		var c column
		heading, c.optional = strings.CutPrefix(heading, "?")
		c.heading, c.right = strings.CutPrefix(heading, ">")
		t.columns = append(t.columns, c)
	}
	return t
}

// Row adds a row. What is empty becomes a dash.
func (t *Table) Row(cells ...string) {
	for i, cell := range cells {
		if cells[i] = Plain(cell); cell == "" {
			cells[i] = "-"
		}
	}
	t.rows = append(t.rows, cells)
}

// Empty tells that there are no rows.
func (t *Table) Empty() bool { return len(t.rows) == 0 }

// Print writes the table, nothing if it has no rows.
func (t *Table) Print(out io.Writer) error {
	if len(t.rows) == 0 {
		return nil
	}
	widths := make([]int, len(t.columns))
	for i, c := range t.columns {
		says := !c.optional
		for _, row := range t.rows {
			says = says || row[i] != "-"
			widths[i] = max(widths[i], utf8.RuneCountInString(row[i]))
		}
		if !says {
			widths[i] = 0
			continue
		}
		widths[i] = max(widths[i], len(c.heading))
	}
	headings := make([]string, len(t.columns))
	for i, c := range t.columns {
		headings[i] = c.heading
	}
	var text strings.Builder
	for _, row := range append([][]string{headings}, t.rows...) {
		text.WriteString(t.line(row, widths))
	}
	_, err := io.WriteString(out, text.String())
	return err
}

func (t *Table) line(row []string, widths []int) string {
	var line strings.Builder
	for i, cell := range row {
		if widths[i] == 0 {
			continue
		}
		if line.Len() > 0 {
			line.WriteString("  ")
		}
		space := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
		if t.columns[i].right {
			line.WriteString(space + cell)
		} else {
			line.WriteString(cell + space)
		}
	}
	return strings.TrimRight(line.String(), " ") + "\n"
}

// Plain is text without what a terminal takes for a command, on one line. Names of
// models may be the choice of clients.
func Plain(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, text)
}

// Number is empty for 0, which stands for what is not known.
func Number(n int64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}

// Tokens are a number of tokens as people say it: 200k, 1M.
func Tokens(n int64) string {
	switch {
	case n >= 1e6 && n%1e5 == 0:
		return strconv.FormatFloat(float64(n)/1e6, 'f', -1, 64) + "M"
	case n >= 1000 && n%1000 == 0:
		return strconv.FormatInt(n/1000, 10) + "k"
	}
	return Number(n)
}

// Dollars are an amount for people: cents, and as many digits as it takes below one.
func Dollars(amount string) string {
	money, ok := usage.ParseMoney(amount)
	if !ok {
		return amount
	}
	if money == 0 || money >= usage.USD || money <= -usage.USD {
		return "$" + strconv.FormatFloat(money.Dollars(), 'f', 2, 64)
	}
	return "$" + strings.TrimRight(strconv.FormatFloat(money.Dollars(), 'f', 6, 64), "0")
}

// Away says how far off a time is: in 12s, 5m ago.
func Away(t *time.Time, now time.Time) string {
	if t == nil || t.IsZero() {
		return ""
	}
	if d := t.Sub(now); d > 0 {
		return "in " + roughly(d)
	} else {
		return roughly(-d) + " ago"
	}
}

// roughly is a duration in its largest unit, which is rounded up: what is over in 0.4
// seconds is not over.
func roughly(d time.Duration) string {
	for _, unit := range []struct {
		size time.Duration
		name string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "m"}} {
		if d >= 2*unit.size {
			return strconv.FormatInt(int64(d/unit.size), 10) + unit.name
		}
	}
	return strconv.FormatInt(int64((d+time.Second-1)/time.Second), 10) + "s"
}

// Latency is a number of milliseconds for people.
func Latency(ms float64) string {
	switch {
	case ms == 0:
		return ""
	case ms >= 10_000:
		return strconv.FormatFloat(ms/1000, 'f', 0, 64) + "s"
	case ms >= 1000:
		return strconv.FormatFloat(ms/1000, 'f', 1, 64) + "s"
	}
	return strconv.FormatFloat(ms, 'f', 0, 64) + "ms"
}

// Count is "1 call", "2 calls".
func Count(n int64, what string) string {
	text := strconv.FormatInt(n, 10) + " " + what
	if n != 1 {
		text += "s"
	}
	return text
}
