package recorded_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Every recording is answered by the replay server through the gateway to each
// client format. What the client reads must be what the recording says.
func TestEveryRecordingReachesEveryClient(t *testing.T) {
	list := answers(t)
	replay := newReplay(list)
	g := openGate(t, replay)
	var table table
	t.Run("case", func(t *testing.T) {
		for _, r := range list {
			t.Run(r.wire+"/"+r.name, func(t *testing.T) {
				t.Parallel()
				for _, dialect := range dialects {
					if reason := leftOut(r, dialect); reason != "" {
						table.leave(r, dialect, reason)
						continue
					}
					table.judge(t, r, dialect, exchange(t, g, replay, r, dialect, ""))
					if r.kind != "json" {
						table.judge(t, r, dialect, exchange(t, g, replay, r, dialect, ".cut"))
					}
				}
			})
		}
	})
	table.print(t, len(list))
	table.finish(t)
}

// exchange has a client ask a plain question that a recording answers.
func exchange(t testing.TB, g *gate, replay *replay, r *recording, dialect, end string) []verdict {
	w := wires[r.wire]
	want := oracle(r)
	provider := w.provider
	if w.asked != "" && w.dialect != dialect {
		provider = w.asked
	}
	q := question{
		model: provider + "/" + w.prefix + r.id() + end, stream: r.stream, tools: slices.Clone(r.tools),
		reasoning: want.reasoning != "" || want.plan != "",
	}
	for _, call := range want.calls {
		if !slices.Contains(q.tools, call.name) {
			q.tools = append(q.tools, call.name)
		}
	}
	a := g.ask(t, dialect, q)
	arrived := replay.take(r.id() + end)
	if arrived == nil || arrived.mismatch != "" {
		why := "nothing arrived"
		if arrived != nil {
			why = arrived.mismatch
		}
		return []verdict{{feature: "upstream", bad: true, want: "a request that the recording answers", got: fmt.Sprintf("%s; %d %.200s", why, a.status, a.body)}}
	}
	got := a.read(dialect)
	if w.dialect == dialect && len(want.calls) == 0 && r.has("server-tool") && !r.has("tools") {
		got.withoutServerCalls()
	}
	list := compare(dialect, w, want, got)
	list = append(list, carried(arrived, q))
	return append(list, form(a, dialect, r, want, got))
}

// carried tells whether the client's words and tools reached the provider.
func carried(a *arrival, q question) verdict {
	v := verdict{feature: "carried", want: "the words and tools of the request"}
	for _, word := range append([]string{said}, q.tools...) {
		if !strings.Contains(string(a.body), word) {
			v.bad = true
			v.got += fmt.Sprintf("no %s; ", word)
		}
	}
	return v
}

// form checks the answer's grammar, unless it is that of a provider whose
// answers only resemble the format.
func form(a answer, dialect string, r *recording, want, got norm) verdict {
	w := wires[r.wire]
	v := verdict{feature: "form", want: "an answer of " + dialect}
	same := w.dialect == dialect
	if a.status != http.StatusOK || same && !w.strict {
		v.skip = same
		v.bad = !same && a.mediaType() != "application/json"
		v.got = a.mediaType()
		return v
	}
	media, wrong := "application/json", []string(nil)
	if r.stream {
		media = "text/event-stream"
		wrong = grammars[dialect](a.body)
	} else if n, err := parse(a.body); err == nil {
		wrong = shapes[dialect](n)
	}
	wrong = slices.DeleteFunc(wrong, func(s string) bool {
		return want.usage == nil && strings.Contains(s, "usage") || same && strings.Contains(s, "stop with tool calls")
	})
	if a.mediaType() != media {
		wrong = append(wrong, "content type "+a.header.Get("Content-Type"))
	}
	v.bad, v.got = len(wrong) > 0, strings.Join(wrong, "; ")
	return v
}

// features are the columns of the table.
var features = []string{"upstream", "text", "reasoning", "calls", "stop", "usage", "error", "carried", "form"}

// table counts what passed by client, wire and feature.
type table struct {
	mu      sync.Mutex
	rows    map[[2]string]map[string]*[2]int // passed of so many
	left    []string
	excused map[exception]bool // the exceptions that failed, as they should
	seen    map[exception]bool // those whose feature was checked
}

func (t *table) judge(tb testing.TB, r *recording, dialect string, list []verdict) {
	tb.Helper()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.rows == nil {
		t.rows, t.excused, t.seen = map[[2]string]map[string]*[2]int{}, map[exception]bool{}, map[exception]bool{}
	}
	row := t.rows[[2]string{dialect, r.wire}]
	if row == nil {
		row = map[string]*[2]int{}
		t.rows[[2]string{dialect, r.wire}] = row
	}
	for _, v := range list {
		at := exception{dialect, r.String(), v.feature}
		_, excused := exceptions[at]
		if excused {
			t.seen[at] = true
		}
		if v.skip {
			continue
		}
		if row[v.feature] == nil {
			row[v.feature] = new([2]int)
		}
		row[v.feature][1]++
		switch {
		case !v.bad:
			row[v.feature][0]++
		case excused:
			t.excused[at] = true
		default:
			tb.Errorf("%s client, %s:\n got %.600s\nwant %.600s", dialect, v.feature, v.got, v.want)
		}
	}
}

func (t *table) leave(r *recording, dialect, reason string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.left = append(t.left, fmt.Sprintf("%s, %s client: %s", r, dialect, reason))
}

// print logs the table: checks passed of checks made.
func (t *table) print(tb testing.TB, recordings int) {
	var out strings.Builder
	passed, all := 0, 0
	fmt.Fprintf(&out, "\n%-10s %-25s", "client", "provider")
	for _, f := range features {
		fmt.Fprintf(&out, " %9s", f)
	}
	var keys [][2]string
	for key := range t.rows {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b [2]string) int { return strings.Compare(a[0]+a[1], b[0]+b[1]) })
	for _, key := range keys {
		fmt.Fprintf(&out, "\n%-10s %-25s", key[0], key[1])
		for _, f := range features {
			cell := "-"
			if n := t.rows[key][f]; n != nil {
				cell = fmt.Sprintf("%d/%d", n[0], n[1])
				passed, all = passed+n[0], all+n[1]
			}
			fmt.Fprintf(&out, " %9s", cell)
		}
	}
	fmt.Fprintf(&out, "\n%d recordings, %d of %d checks passed", recordings, passed, all)
	slices.Sort(t.left)
	for _, line := range t.left {
		fmt.Fprintf(&out, "\nleft out: %s", line)
	}
	for at, reason := range exceptions {
		fmt.Fprintf(&out, "\nexception: %s client, %s, %s: %s", at.client, at.recording, at.feature, reason)
	}
	tb.Log(out.String())
}

// finish fails for exceptions that are none any more.
func (t *table) finish(tb testing.TB) {
	for at := range exceptions {
		if t.seen[at] && !t.excused[at] {
			tb.Errorf("%s client, %s, %s passes: it is no exception any more", at.client, at.recording, at.feature)
		}
	}
}
