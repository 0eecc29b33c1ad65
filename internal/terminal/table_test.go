package terminal

import (
	"strings"
	"testing"
	"time"
)

func TestTablesAlignTheirColumns(t *testing.T) {
	table := NewTable("NAME", "?UNTIL", ">COUNT", "?>COST")
	table.Row("a", "", "1", "")
	table.Row("grün\x1b[31m", "", "1000", "")
	table.Row("", "", "", "")
	want := "" +
		"NAME       COUNT\n" +
		"a              1\n" +
		"grün?[31m   1000\n" +
		"-              -\n"
	var out strings.Builder
	if err := table.Print(&out); err != nil || out.String() != want {
		t.Errorf("%v\ngot\n%s\nwant\n%s", err, out.String(), want)
	}
	out.Reset()
	if err := NewTable("NAME").Print(&out); err != nil || out.String() != "" {
		t.Errorf("a table without rows is %q", out.String())
	}
}

func TestAmountsAreForPeople(t *testing.T) {
	now := time.Now()
	at := func(d time.Duration) *time.Time { t := now.Add(d); return &t }
	for _, test := range []struct{ got, want string }{
		{Tokens(0), ""}, {Tokens(8192), "8192"}, {Tokens(200_000), "200k"}, {Tokens(1_000_000), "1M"}, {Tokens(1_500_000), "1.5M"}, {Tokens(1_048_576), "1048576"},
		{Dollars("0"), "$0.00"}, {Dollars("20"), "$20.00"}, {Dollars("0.00044968"), "$0.00045"}, {Dollars("0.5"), "$0.5"}, {Dollars("?"), "?"},
		{Away(nil, now), ""}, {Away(at(400*time.Millisecond), now), "in 1s"}, {Away(at(-90*time.Second), now), "90s ago"},
		{Away(at(5*time.Minute), now), "in 5m"}, {Away(at(-3*time.Hour), now), "3h ago"}, {Away(at(72*time.Hour), now), "in 3d"},
		{Latency(0), ""}, {Latency(0.3), "0ms"}, {Latency(456.7), "457ms"}, {Latency(1234), "1.2s"}, {Latency(45_000), "45s"},
		{Count(1, "call"), "1 call"}, {Count(0, "call"), "0 calls"},
	} {
		if test.got != test.want {
			t.Errorf("got %q, want %q", test.got, test.want)
		}
	}
}

func TestTextIsNoCommand(t *testing.T) {
	if got := Text("a\x1b[31mb\r\n\tc\x07\u009b1m\u202ed👩\u200d💻"); got != "a[31mb\n\tc1md👩\u200d💻" {
		t.Errorf("%q", got)
	}
	if got := Plain("a\nb\x1b]0;x\x07"); got != "a?b?]0;x?" {
		t.Errorf("%q", got)
	}
}
