package cache

import (
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestEntriesAreFoundUntilTheyExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewShortLived[string](10, time.Minute)
		s.Keep("a", "1")
		time.Sleep(30 * time.Second)
		s.Keep("b", "2")
		s.Keep("a2", "3")
		s.Keep("a2", "4") // the later one counts
		time.Sleep(31 * time.Second)
		for key, want := range map[string]string{"a": "", "b": "2", "a2": "4", "c": "", "": ""} {
			if got, ok := s.Find(key); got != want || ok != (want != "") {
				t.Errorf("%q is %q %v, want %q", key, got, ok, want)
			}
		}
	})
}

func TestFullMapKeepsWhatItHasUntilThatExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const most = 100
		s := NewShortLived[int](most, time.Minute)
		for i := range 2 * most {
			s.Keep(strconv.Itoa(i), i)
		}
		if s.Len() != most {
			t.Errorf("it has %d entries, want %d", s.Len(), most)
		}
		if _, ok := s.Find("0"); !ok {
			t.Error("the first entry is gone")
		}
		if _, ok := s.Find(strconv.Itoa(most)); ok {
			t.Error("there was room for one more")
		}
		s.Keep("0", -1)
		if got, _ := s.Find("0"); got != -1 {
			t.Errorf("an entry that is there was not replaced: %d", got)
		}
		time.Sleep(time.Minute + time.Second)
		for i := range most {
			s.Keep("new "+strconv.Itoa(i), i)
		}
		if s.Len() != most {
			t.Errorf("after a sweep it has %d entries, want %d", s.Len(), most)
		}
		if _, ok := s.Find("new " + strconv.Itoa(most-1)); !ok {
			t.Error("the room of expired entries was not used")
		}
	})
}

func TestMapIsBoundedForParallelCallers(t *testing.T) {
	const most, callers = 50, 8
	s := NewShortLived[int](most, time.Hour)
	var all sync.WaitGroup
	for caller := range callers {
		all.Go(func() {
			for i := range 500 {
				key := strconv.Itoa(caller) + " " + strconv.Itoa(i)
				s.Keep(key, i)
				if got, ok := s.Find(key); ok && got != i {
					t.Errorf("%s is %d", key, got)
				}
			}
		})
	}
	all.Wait()
	if s.Len() > most+callers { // each caller may find the last room at once
		t.Errorf("it has %d entries, want %d", s.Len(), most)
	}
}

func TestOtherTypesAreNotFound(t *testing.T) {
	s := NewShortLived[*int](1, time.Hour)
	s.Keep("nil", nil)
	if got, ok := s.Find("nil"); got != nil || !ok {
		t.Errorf("found %v %v", got, ok)
	}
}
