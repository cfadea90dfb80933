package status

import (
	"maps"
	"math/rand/v2"
	"testing"
)

// The set behaves as a map does, whichever of its two forms it has.
func TestWatchersAreASet(t *testing.T) {
	const seed = 4
	r := rand.New(rand.NewPCG(seed, seed))
	var all [3 * manyWatchers]receiver
	var got watchers
	want := map[*receiver]bool{}
	forms := map[bool]int{}
	for i := range 200_000 {
		x := &all[r.IntN(len(all))]
		grow := r.IntN(20_000) > (i+10_000)%20_000 // the set grows and shrinks by turns
		if grow {
			if is := got.add(x); is == want[x] {
				t.Fatalf("step %d: add reports %t for a member: %t", i, is, want[x])
			}
			want[x] = true
		} else {
			if was := got.remove(x); was != want[x] {
				t.Fatalf("step %d: remove reports %t for a member: %t", i, was, want[x])
			}
			delete(want, x)
		}
		if got.len() != len(want) {
			t.Fatalf("step %d: %d members, want %d", i, got.len(), len(want))
		}
		forms[got.many != nil]++
		if i%100 != 0 {
			continue
		}
		seen := map[*receiver]bool{}
		got.each(func(x *receiver) { seen[x] = true })
		if !maps.Equal(seen, want) {
			t.Fatalf("step %d: each gives %d members, want %d", i, len(seen), len(want))
		}
	}
	if forms[true] == 0 || forms[false] == 0 {
		t.Errorf("only one form was tried: %v", forms)
	}
	for x := range want {
		got.remove(x)
	}
	if got.few != nil || got.many != nil {
		t.Error("an empty set holds memory")
	}
}
