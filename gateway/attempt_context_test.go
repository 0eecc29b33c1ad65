package gateway

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
)

type requestValue struct{}

func TestAttemptContextKeepsValuesAndEndsByItself(t *testing.T) {
	request, leave := context.WithCancel(context.WithValue(t.Context(), requestValue{}, "kept"))
	c := &attemptContext{Context: context.WithoutCancel(request)}
	leave()
	if c.Err() != nil || causeOf(c) != nil || c.Value(requestValue{}) != "kept" {
		t.Fatalf("after the client left: error %v, cause %v, value %v", c.Err(), causeOf(c), c.Value(requestValue{}))
	}
	child, stop := context.WithCancel(c)
	defer stop()
	c.cancel(errStopping)
	c.cancel(errClientGone)
	<-c.Done()
	<-child.Done()
	for name, ctx := range map[string]context.Context{"itself": c, "derived": child} {
		if !errors.Is(ctx.Err(), context.Canceled) || causeOf(ctx) != error(errStopping) {
			t.Errorf("%s: error %v, cause %v", name, ctx.Err(), causeOf(ctx))
		}
	}
}

func TestAttemptContextRunsWhatWaitsForItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &attemptContext{Context: context.Background()}
		var ran [4]bool
		var stops [4]func() bool
		for i := range 3 {
			stops[i] = context.AfterFunc(c, func() { ran[i] = true })
		}
		if !stops[1]() || stops[1]() {
			t.Error("the first stop must succeed, the second must not")
		}
		c.cancel(nil)
		synctest.Wait()
		stops[3] = context.AfterFunc(c, func() { ran[3] = true })
		synctest.Wait()
		if want := [4]bool{true, false, true, true}; ran != want {
			t.Errorf("ran %v, want %v", ran, want)
		}
		for _, i := range []int{0, 2, 3} {
			if stops[i]() {
				t.Errorf("function %d was stopped after it had run", i)
			}
		}
	})
}
