package catalog

import (
	"cmp"
	"slices"
	"testing"
)

func TestTheListHasEveryModelOnceAndInOrder(t *testing.T) {
	list := List()
	if !slices.IsSortedFunc(list, func(a, b Entry) int { return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name)) }) {
		t.Error("the list is out of order")
	}
	known := New(nil)
	for i, e := range list {
		if e.Model == nil || i > 0 && e.Kind == list[i-1].Kind && e.Name == list[i-1].Name {
			t.Errorf("%s/%s is twice or nothing", e.Kind, e.Name)
		}
		if known.Find("", e.Kind, e.Name) == nil {
			t.Errorf("%s/%s is not found", e.Kind, e.Name)
		}
	}
	if len(list) < 1000 {
		t.Errorf("there are %d models", len(list))
	}
}
