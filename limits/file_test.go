package limits

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

func openKept(t testing.TB, name string) *Memory {
	t.Helper()
	m, err := NewMemory(MemoryOptions{File: name})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

func TestFileKeepsBudgetsAndLongCounts(t *testing.T) {
	name := filepath.Join(t.TempDir(), "state")
	rolling := &Limit{Name: "budget", Kind: Money, Amount: 1000, Window: Window{Length: 5 * time.Hour}}
	rpd := &Limit{Name: "rpd", Kind: Requests, Amount: 1000, Window: PerMonth}
	all := []Claim{claim("a", budget, Dollar), claim("a", rolling, 100), claim("a", rpd, 1), claim("a", rpm, 1), claim("a", conc, 1)}
	m := openKept(t, name)
	settle(t, m, granted(t, m, all...), used(1, 300))
	granted(t, m, all...) // never settled: its estimate stays
	release(t, m, granted(t, m, all[1]), RefundAll)
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	m = openKept(t, name)
	for i, want := range []int64{9*Dollar - 300, 600, 998, 60, 2} {
		if got := left(t, m, all[i]); got != want {
			t.Errorf("%s: %d left, want %d", all[i].Limit.Name, got, want)
		}
	}
}

func TestFileOfAnotherProcessIsRefusedInASecond(t *testing.T) {
	name := filepath.Join(t.TempDir(), "state")
	openKept(t, name)
	start := time.Now()
	_, err := NewMemory(MemoryOptions{File: name})
	if err == nil || !strings.Contains(err.Error(), "another process") {
		t.Errorf("%v", err)
	}
	if took := time.Since(start); took > 3*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestDamagedFileIsAnError(t *testing.T) {
	name := filepath.Join(t.TempDir(), "state")
	m := openKept(t, name)
	granted(t, m, claim("a", budget, Dollar))
	m.Close()
	whole, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range [][]byte{[]byte("not a file of ours"), whole[:len(whole)/3], bytes.Repeat([]byte{0xff}, len(whole))} {
		if err := os.WriteFile(name, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		if m, err := NewMemory(MemoryOptions{File: name}); err == nil {
			m.Close()
			t.Errorf("%d bytes are taken for a state", len(bad))
		}
	}
}

func TestCountsFromTheFutureCountAsOfNow(t *testing.T) {
	at := time.Now().UnixMicro()
	name := filepath.Join(t.TempDir(), "state")
	limit := &Limit{Name: "budget", Kind: Money, Amount: 1000, Window: Window{Length: 5 * time.Hour}}
	open := func(now int64) *Memory {
		m, err := NewMemory(MemoryOptions{File: name, now: func() int64 { return now }})
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	m := open(at + 1000*day)
	granted(t, m, claim("a", limit, 700), claim("a", budget, Dollar))
	m.Close()
	m = open(at)
	defer m.Close()
	if a, b := left(t, m, claim("a", limit, 0)), left(t, m, claim("a", budget, 0)); a != 300 || b != 9*Dollar {
		t.Errorf("left %d, %d", a, b)
	}
	if s := refused(t, m, claim("a", limit, 400)); s.RetryAfter > 6*time.Hour {
		t.Errorf("%+v", s)
	}
}

// spent is what the child of the next test spends each time.
const spent = 1000

// spendUntilKilled is the process that is killed: it spends and tells what it has spent.
func spendUntilKilled(name string) {
	m, err := NewMemory(MemoryOptions{File: name})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	limit := &Limit{Name: "budget", Kind: Money, Amount: maxAmount, Window: PerMonth}
	for n := 1; ; n++ {
		d, err := m.Reserve(context.Background(), NewID(), []Claim{claim("a", limit, 1)})
		if err != nil || !d.Granted() {
			os.Exit(1)
		}
		m.Settle(context.Background(), d.Reservation, used(0, spent))
		fmt.Println(n, time.Now().UnixMicro())
		time.Sleep(time.Millisecond)
	}
}

func TestKillLosesLessThanASecond(t *testing.T) {
	name := filepath.Join(t.TempDir(), "state")
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), "LIMITS_TEST_CHILD="+name)
	var said bytes.Buffer
	child.Stdout = &said
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(1700 * time.Millisecond) // of the child's life: it needs several writes
	killed := time.Now().UnixMicro()
	child.Process.Kill()
	child.Wait()
	// What it had spent a second before its end must be there.
	var must, all int64
	for line := range strings.Lines(said.String()) {
		n, at, ok := strings.Cut(strings.TrimSpace(line), " ")
		when, err := strconv.ParseInt(at, 10, 64)
		if !ok || err != nil {
			continue
		}
		all, _ = strconv.ParseInt(n, 10, 64)
		if when <= killed-1_000_000 {
			must = all
		}
	}
	limit := &Limit{Name: "budget", Kind: Money, Amount: maxAmount, Window: PerMonth}
	m := openKept(t, name)
	got := (maxAmount - left(t, m, claim("a", limit, 0))) / spent
	t.Logf("spent %d times, %d a second before the end, %d in the file", all, must, got)
	if must == 0 || got < must || got > all+1 {
		t.Errorf("%d in the file, want at least %d of %d", got, must, all)
	}
}

func FuzzDecodeCounter(f *testing.F) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for _, w := range []Window{PerDay, PerMonth, {Length: 3 * time.Hour}} {
		c := counter{span: w.span()}
		at := time.Now().UnixMicro()
		for range 10 {
			at += rnd.Int64N(int64(time.Hour / time.Microsecond))
			c.advance(at)
			c.add(rnd.Int64N(1000))
		}
		b := encodeCounter(&c)
		back, ok := decodeCounter(b)
		if !ok || fmt.Sprint(back) != fmt.Sprint(c) {
			f.Fatalf("%+v, want %+v", back, c)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c, ok := decodeCounter(b)
		if !ok {
			return
		}
		m := clockedMemory(t).Store.(*Memory)
		m.file = &file{} // so that the cell may be marked
		m.restore(Bucket{1}, c)
		m.file = nil
		limit := &Limit{Kind: Money, Amount: 1000, Window: PerDay}
		states, err := m.Peek(t.Context(), []Claim{{Bucket: Bucket{1}, Limit: limit}})
		if err != nil || states[0].Remaining < 0 || states[0].Remaining > 1000 || states[0].Reset < 0 {
			t.Fatalf("%+v, %v", states, err)
		}
		c = m.cells[1].all[Bucket{1}].counter
		m.cells[1].all[Bucket{1}].kept = false
		var sum int64
		for _, n := range c.parts {
			sum += n
		}
		if c.total < 0 || c.total > maxTotal || c.span.calendar == Rolling && sum != c.total {
			t.Fatalf("%+v", c)
		}
	})
}
