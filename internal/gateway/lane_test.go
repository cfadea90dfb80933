package gateway

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/porchlight-im/porchlight/internal/im"
)

// change makes a notice.
func change(user string, from, to im.Status, seq uint64) *im.Notice {
	return &im.Notice{Change: im.Change{
		User: im.UserKey{App: 1, User: im.UserID(user)}, Prev: from, Status: to, Version: im.Version{Epoch: 1, Seq: seq},
	}}
}

// TestST12_LaneKeepsTheNewestOfEach drives a lane with random changes, takes,
// forgets and answers, and checks what its receiver ends up believing.
func TestST12_LaneKeepsTheNewestOfEach(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var l lane
		truth, believed := map[string]im.Status{}, map[string]im.Status{}
		versions := map[string]uint64{}
		var order []string // of the latest change
		seq, held := uint64(0), false
		users := rapid.IntRange(1, 60).Draw(t, "users")
		for u := range users {
			name := fmt.Sprint("u", u)
			truth[name] = im.Status{General: im.Unlogined}
			believed[name] = truth[name]
		}
		deliver := func(limit int) {
			for _, n := range l.take(nil, limit) {
				name := string(n.User.User)
				if n.Version.Seq <= versions[name] {
					t.Fatalf("%s: version %d after %d", name, n.Version.Seq, versions[name])
				}
				if i := slices.Index(order, name); i < 0 {
					t.Fatalf("%s was not waiting", name)
				} else {
					order = slices.Delete(order, i, i+1)
				}
				versions[name], believed[name] = n.Version.Seq, n.Status
			}
		}
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			name := fmt.Sprint("u", rapid.IntRange(0, users-1).Draw(t, "user"))
			switch rapid.IntRange(0, 9).Draw(t, "do") {
			default:
				to := im.Status{General: im.Online, Custom: rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "text")}
				if to == truth[name] {
					continue
				}
				seq++
				l.put(change(name, truth[name], to, seq), !held)
				truth[name] = to
				if i := slices.Index(order, name); i >= 0 {
					order = slices.Delete(order, i, i+1)
				}
				order = append(order, name)
			case 6:
				if !held {
					deliver(rapid.IntRange(1, 100).Draw(t, "limit"))
				}
			case 7:
				l.forget([]im.UserID{im.UserID(name)})
				believed[name] = truth[name] // nobody asks any more
				order = slices.DeleteFunc(order, func(o string) bool { return o == name })
			case 8: // an answer tells something else than was last pushed
				if held {
					believed[name] = truth[name]
				} else {
					l.doubt()
				}
				held = !held
			}
		}
		for !l.empty() {
			deliver(100)
		}
		for name, want := range truth {
			if believed[name] != want {
				t.Fatalf("%s is believed to be %v and is %v", name, believed[name], want)
			}
		}
		if l.entries != nil || l.index != nil {
			t.Fatalf("an empty lane holds memory: %+v", l)
		}
	})
}

func TestST12_LaneIsInOrderOfTheLatestChange(t *testing.T) {
	var l lane
	on, off := im.Status{General: im.Online}, im.Status{General: im.Unlogined}
	for i := range 40 {
		l.put(change(fmt.Sprint(i), off, on, uint64(i)), true)
	}
	l.put(change("3", on, im.Status{General: im.Online, Custom: "x"}, 100), true)
	l.put(change("5", on, off, 101), true) // as it was: nothing to tell
	var got []string
	for _, n := range l.take(nil, 100) {
		got = append(got, string(n.User.User))
	}
	if len(got) != 39 || got[38] != "3" || got[3] != "4" || slices.Contains(got, "5") {
		t.Errorf("got %v", got)
	}
}

func TestLaneOfOneNeedsNoMemory(t *testing.T) {
	var l lane
	n := change("bob", im.Status{General: im.Unlogined}, im.Status{General: im.Online}, 1)
	var batch [4]*im.Notice
	if allocs := testing.AllocsPerRun(100, func() {
		l.put(n, true)
		if got := l.take(batch[:0], 100); len(got) != 1 {
			t.Fatalf("took %d", len(got))
		}
	}); allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}
