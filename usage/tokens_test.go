package usage

import (
	"math"
	"testing"
)

func TestClampBelievesWhatCanBeTrue(t *testing.T) {
	for _, test := range []struct {
		name      string
		said, got Tokens
	}{
		{"nothing", Tokens{}, Tokens{}},
		{"ordinary", Tokens{Input: 10, CacheRead: 4, CacheWrite: 6, Output: 5, Reasoning: 5, Known: true}, Tokens{Input: 10, CacheRead: 4, CacheWrite: 6, Output: 5, Reasoning: 5, Known: true}},
		{"negative", Tokens{Input: -600, CacheRead: -1, CacheWrite: -1, Output: math.MinInt64, Reasoning: -1}, Tokens{}},
		{"absurd", Tokens{Input: math.MaxInt64, Output: math.MaxInt64}, Tokens{Input: maxTokens, Output: maxTokens}},
		{"parts larger than the whole", Tokens{Input: 10, CacheRead: 30, CacheWrite: 30, Output: 5, Reasoning: 6}, Tokens{Input: 10, CacheRead: 10, Output: 5, Reasoning: 5}},
		{"two parts larger than the whole", Tokens{Input: 10, CacheRead: 7, CacheWrite: 7}, Tokens{Input: 10, CacheRead: 7, CacheWrite: 3}},
		{"estimated", Tokens{Input: 1, Estimated: true}, Tokens{Input: 1, Estimated: true}},
	} {
		if got := test.said.Clamp(); got != test.got {
			t.Errorf("%s: %+v, want %+v", test.name, got, test.got)
		}
		if total := test.said.Clamp().Total(); total < 0 || total > 2*maxTokens {
			t.Errorf("%s: the total is %d", test.name, total)
		}
	}
}

func TestEstimates(t *testing.T) {
	for bytes, want := range map[int]int64{0: 0, 1: 1, 4: 1, 5: 2, 4000: 1000} {
		if got := EstimateBytes(bytes); got != want {
			t.Errorf("%d bytes are %d tokens, want %d", bytes, got, want)
		}
	}
	for _, test := range []struct {
		name   string
		events []int
		want   int64
	}{
		{"no event", nil, 0},
		{"one event", []int{200}, 1},
		{"a token each", []int{200, 200, 200, 200}, 4},
		{"one of them long", []int{200, 240, 200}, 13}, // and 40 bytes
		{"the smallest last", []int{240, 240, 200}, 23},
	} {
		var e StreamEstimate
		for _, n := range test.events {
			e.Add(n)
		}
		if got := e.Tokens(); got != test.want {
			t.Errorf("%s: %d tokens, want %d", test.name, got, test.want)
		}
	}
}

func TestTokensOfFailuresAreNotTheAnswers(t *testing.T) {
	failed := Tokens{Input: 7, CacheRead: 1, CacheWrite: 2, Output: 5, Reasoning: 3, Estimated: true}
	answer := Tokens{Input: 70, CacheRead: 10, CacheWrite: 20, Output: 50, Reasoning: 30, Known: true}
	r := Record{Tokens: answer.Plus(failed), Failures: []Failure{{Tokens: failed}}}
	if want := (Tokens{Input: 77, CacheRead: 11, CacheWrite: 22, Output: 55, Reasoning: 33, Known: true, Estimated: true}); r.Tokens != want {
		t.Errorf("together they are %+v, want %+v", r.Tokens, want)
	}
	answer.Estimated = true
	if got := r.AnswerTokens(); got != answer {
		t.Errorf("the answer's are %+v, want %+v", got, answer)
	}
}

func TestClampBoundsWhatIsPricedApart(t *testing.T) {
	said := Tokens{Input: 10, CacheRead: 4, CacheWrite: 5, CacheWrite1h: 9, AudioInput: 11, Output: 5, Reasoning: 2, AudioOutput: 4, Cost: -1, CostKnown: true}
	want := Tokens{Input: 10, CacheRead: 4, CacheWrite: 5, CacheWrite1h: 5, AudioInput: 10, Output: 5, Reasoning: 2, AudioOutput: 3, CostKnown: true}
	if got := said.Clamp(); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestCostOfAttemptsTogether(t *testing.T) {
	priced, free := Tokens{Input: 1, Cost: 5, CostKnown: true}, Tokens{Input: 1, CostKnown: true}
	unknown, nothing := Tokens{Input: 1}, Tokens{}
	for _, test := range []struct {
		name  string
		a, b  Tokens
		cost  Money
		known bool
	}{
		{"both known", priced, priced, 10, true}, {"one free", priced, free, 5, true}, {"one not known", priced, unknown, 5, false},
		{"one that took nothing", priced, nothing, 5, true}, {"nothing at all", nothing, nothing, 0, false}, {"none known", unknown, unknown, 0, false},
		{"too much", Tokens{Cost: MaxMoney, CostKnown: true}, priced, MaxMoney, true},
	} {
		for _, sum := range []Tokens{test.a.Plus(test.b), test.b.Plus(test.a)} {
			if sum.Cost != test.cost || sum.CostKnown != test.known {
				t.Errorf("%s: %s, %v", test.name, sum.Cost, sum.CostKnown)
			}
		}
	}
	r := Record{Tokens: unknown.Plus(priced), Failures: []Failure{{Tokens: unknown}}}
	if cost, known := r.Cost(); cost != 5 || known {
		t.Errorf("%s, %v", cost, known)
	}
	if got := r.AnswerTokens().Cost; got != 5 {
		t.Errorf("the answer costs %s", got)
	}
}

func TestPlusAndMinusKnowEveryCount(t *testing.T) {
	one := Tokens{Input: 9, CacheRead: 1, CacheWrite: 3, CacheWrite1h: 2, AudioInput: 4, Output: 8, Reasoning: 5, AudioOutput: 3, Cost: 7, CostKnown: true, Known: true}
	if got := one.Plus(one).minus(one); got != one {
		t.Errorf("%+v", got)
	}
}
