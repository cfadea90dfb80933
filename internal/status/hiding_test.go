package status

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/porchlight-im/porchlight/internal/im"
)

// queryFor gives how one user sees another, with the version.
func queryFor(t *testing.T, e *Engine, viewer, u im.UserID) (string, im.Version) {
	t.Helper()
	found, failed, err := e.StatusFor(t.Context(), key(viewer), []im.UserID{u})
	if err != nil || len(failed) > 0 || len(found) != 1 {
		t.Fatal(found, failed, err)
	}
	return said(&im.Notice{Change: im.Change{User: key(u), Status: found[0].Status}}), found[0].Version
}

var hide = Switches{HideFromBlocked: true}

// Bob blocks alice while she watches: she sees him go, and no more of him, until
// he unblocks her. Carol notices nothing.
func TestST16_BlockedWhileWatching(t *testing.T) {
	circleWorld(t, hide, func(t *testing.T, c *fakeCircle, e *Engine) {
		_, alice := login(t, e, "alice", 1, im.Web)
		_, carol := login(t, e, "carol", 2, im.Web)
		login(t, e, "bob", 3, im.Web)
		for _, u := range []im.UserID{"alice", "carol"} {
			subscribeTo(t, e, u, "bob")
		}
		say(t, e, "bob", "one")
		hears(t, alice, "bob ONLINE one")
		_, before := queryFor(t, e, "alice", "bob")

		c.block("bob", "alice")
		if err := e.BlocksChanged(t.Context(), key("bob"), "alice"); err != nil {
			t.Fatal(err)
		}
		hears(t, alice, "bob UNLOGINED")
		_, hidden := queryFor(t, e, "alice", "bob")
		if hidden.Less(before) {
			t.Errorf("version %v after %v", hidden, before)
		}
		for i := range 5 {
			say(t, e, "bob", fmt.Sprint("two", i))
		}
		hears(t, alice)
		if got, v := queryFor(t, e, "alice", "bob"); got != "bob UNLOGINED" || v != hidden {
			t.Errorf("a query says %s at %v, which shows that he is there", got, v)
		}
		if got := statusOf(t, e, "bob"); got != "bob ONLINE two4" {
			t.Errorf("for the back end he is %s", got)
		}

		c.block("bob")
		if err := e.BlocksChanged(t.Context(), key("bob"), "alice"); err != nil {
			t.Fatal(err)
		}
		hears(t, alice, "bob ONLINE two4")
		if _, v := queryFor(t, e, "alice", "bob"); !hidden.Less(v) {
			t.Errorf("version %v after %v", v, hidden)
		}
		say(t, e, "bob", "three")
		hears(t, alice, "bob ONLINE three")
		if got := len(carol.heard()); got != 7 {
			t.Errorf("carol was told %d times, want 7", got)
		}
	})
}

// Who is blocked hears nothing of a new subscription, a friendship or a return,
// and cannot tell a hidden user from one who was never there.
func TestST16_HiddenIsAsIfNeverThere(t *testing.T) {
	both := Switches{FriendNotices: true, HideFromBlocked: true}
	circleWorld(t, both, func(t *testing.T, c *fakeCircle, e *Engine) {
		c.block("bob", "alice")
		c.block("dora", "alice")
		c.befriend("alice", "dora")
		login(t, e, "bob", 1, im.Web)
		at, alice := login(t, e, "alice", 2, im.Web)
		subscribeTo(t, e, "alice", "bob", "carol")
		say(t, e, "bob", "x")
		login(t, e, "dora", 3, im.Web)
		hears(t, alice)
		for _, u := range []im.UserID{"bob", "dora"} {
			if got, v := queryFor(t, e, "alice", u); got != string(u)+" UNLOGINED" || v != (im.Version{Epoch: 1}) {
				t.Errorf("a query says %s at %v", got, v)
			}
		}
		if got, _ := queryFor(t, e, "bob", "bob"); got != "bob ONLINE x" {
			t.Errorf("he sees himself %s", got)
		}
		e.Leave(key("alice"), 2, at.Link, im.CauseBreak, e.Now())
		time.Sleep(time.Second)
		say(t, e, "bob", "y")
		back := &fakeOut{}
		if _, err := e.Return(t.Context(), at.Session, back, nil); err != nil {
			t.Fatal(err)
		}
		hears(t, back)
	})
}

func TestST16_OptionTurnedWhileConnected(t *testing.T) {
	circleWorld(t, Switches{}, func(t *testing.T, c *fakeCircle, e *Engine) {
		c.block("bob", "alice")
		_, alice := login(t, e, "alice", 1, im.Web)
		subscribeTo(t, e, "alice", "bob")
		login(t, e, "bob", 2, im.Web)
		hears(t, alice, "bob ONLINE")
		var last im.Version
		for _, step := range []struct {
			to   Switches
			want string
		}{{hide, "bob UNLOGINED"}, {Switches{}, "bob ONLINE"}, {hide, "bob UNLOGINED"}} {
			e.Switch(1, step.to)
			for range 2 { // the second time nothing is new
				if err := e.Follow(t.Context(), 1); err != nil {
					t.Fatal(err)
				}
			}
			alice.mu.Lock()
			for _, n := range alice.others {
				if !last.Less(n.Version) { // or a client takes it for what it knows
					t.Errorf("told %v after %v", n.Version, last)
				}
				last = n.Version
			}
			alice.mu.Unlock()
			hears(t, alice, step.want)
			got, v := queryFor(t, e, "alice", "bob")
			if got != step.want || v.Less(last) {
				t.Errorf("a query says %s at %v, told %s at %v", got, v, step.want, last)
			}
		}
	})
}

// Blocked and unblocked while the connection is away is told at its return.
func TestST16_BlockedWhileAway(t *testing.T) {
	circleWorld(t, hide, func(t *testing.T, c *fakeCircle, e *Engine) {
		at, _ := login(t, e, "alice", 1, im.Web)
		subscribeTo(t, e, "alice", "bob")
		login(t, e, "bob", 2, im.Web)
		for _, step := range []struct {
			blocked []im.UserID
			want    string
		}{{[]im.UserID{"alice"}, "bob UNLOGINED"}, {nil, "bob ONLINE"}} {
			time.Sleep(time.Minute)
			e.Leave(key("alice"), 1, at.Link, im.CauseBreak, e.Now())
			time.Sleep(time.Second)
			c.block("bob", step.blocked...)
			if err := e.BlocksChanged(t.Context(), key("bob"), "alice"); err != nil {
				t.Fatal(err)
			}
			back := &fakeOut{}
			var err error
			if at, err = e.Return(t.Context(), at.Session, back, nil); err != nil {
				t.Fatal(err)
			}
			hears(t, back, step.want)
		}
	})
}

// What is told after a long absence has a higher version than what was told before
// it, or a client would take it for what it knows.
func TestST16_BlockedWhileForgotten(t *testing.T) {
	circleWorld(t, hide, func(t *testing.T, c *fakeCircle, e *Engine) {
		at, alice := login(t, e, "alice", 1, im.Web)
		subscribeTo(t, e, "alice", "bob")
		login(t, e, "bob", 2, im.Web)
		last := alice.others[0].Version
		hears(t, alice, "bob ONLINE")
		for _, step := range []struct {
			blocked []im.UserID
			want    string
		}{{[]im.UserID{"alice"}, "bob UNLOGINED"}, {nil, "bob ONLINE"}, {[]im.UserID{"alice"}, "bob UNLOGINED"}} {
			e.Leave(key("alice"), 1, at.Link, im.CauseBreak, e.Now())
			time.Sleep(time.Hour)
			c.block("bob", step.blocked...)
			if err := e.BlocksChanged(t.Context(), key("bob"), "alice"); err != nil {
				t.Fatal(err)
			}
			back := &fakeOut{}
			var err error
			if at, err = e.Return(t.Context(), at.Session, back, nil); err != nil {
				t.Fatal(err)
			}
			if len(back.others) != 1 || !last.Less(back.others[0].Version) {
				t.Fatalf("told %v after %v", back.others, last)
			}
			last = back.others[0].Version
			hears(t, back, step.want)
		}
	})
}

// The option is turned while the connection is away, which is told at its return
// how it sees everybody from then on. (Seed 44323 of the simulator.)
func TestST16_OptionTurnedWhileAway(t *testing.T) {
	circleWorld(t, Switches{}, func(t *testing.T, c *fakeCircle, e *Engine) {
		c.block("bob", "alice")
		at, alice := login(t, e, "alice", 1, im.Web)
		subscribeTo(t, e, "alice", "bob")
		login(t, e, "bob", 2, im.Web)
		hears(t, alice, "bob ONLINE")
		for _, step := range []struct {
			to   Switches
			want string
		}{{hide, "bob UNLOGINED"}, {Switches{}, "bob ONLINE"}, {hide, "bob UNLOGINED"}} {
			time.Sleep(time.Minute)
			e.Leave(key("alice"), 1, at.Link, im.CauseBreak, e.Now())
			time.Sleep(time.Second)
			e.Switch(1, step.to)
			if err := e.Follow(t.Context(), 1); err != nil {
				t.Fatal(err)
			}
			back := &fakeOut{}
			var err error
			if at, err = e.Return(t.Context(), at.Session, back, nil); err != nil {
				t.Fatal(err)
			}
			hears(t, back, step.want)
		}
	})
}

// TestST15_ST16_CirclesUnderLoad changes lists and blocklists while statuses
// change, for the race detector, and checks where everything ends.
func TestST15_ST16_CirclesUnderLoad(t *testing.T) {
	circleWorld(t, Switches{FriendNotices: true, HideFromBlocked: true}, func(t *testing.T, c *fakeCircle, e *Engine) {
		_, alice := login(t, e, "alice", 1, im.Web)
		login(t, e, "bob", 2, im.Web)
		subscribeTo(t, e, "alice", "bob")
		var wg sync.WaitGroup
		for g := range 4 {
			wg.Go(func() {
				for i := range 100 {
					switch g {
					case 0:
						c.block("bob", []im.UserID{"alice"}[:i%2]...)
						_ = e.BlocksChanged(t.Context(), key("bob"), "alice") // this store does not fail
					case 1:
						c.befriend("alice", []im.UserID{"bob"}[:i%2]...)
						_ = e.FriendsChanged(t.Context(), key("alice"))
					case 2:
						_ = e.SetCustom(t.Context(), key("bob"), fmt.Sprint(i))
					default:
						_, _, _ = e.StatusFor(t.Context(), key("alice"), []im.UserID{"bob"})
					}
				}
			})
		}
		wg.Wait()
		var last im.Change
		for _, n := range alice.others {
			if n.Version.Less(last.Version) {
				t.Errorf("told %v after %v", n.Version, last.Version)
			}
			last = n.Change
		}
		want, _ := queryFor(t, e, "alice", "bob")
		if got := said(&im.Notice{Change: last}); !cmp.Equal(got, want) {
			t.Errorf("the last notice says %s, a query %s", got, want)
		}
	})
}
