package status

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/porchlight-im/porchlight/internal/im"
)

// fakeCircle knows who is whose friend and who has blocked whom, and counts how
// often it is asked.
type fakeCircle struct {
	mu      sync.Mutex
	friends map[im.UserKey][]im.UserID
	blocked map[im.UserKey][]im.UserID
	asked   int
	fail    bool
}

func (f *fakeCircle) Friends(_ context.Context, key im.UserKey) ([]im.UserID, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked++
	if f.fail {
		return nil, errDisk
	}
	return f.friends[key], nil
}

func (f *fakeCircle) BlockedBy(_ context.Context, who im.UserKey, users []im.UserID) ([]bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked++
	if f.fail {
		return nil, errDisk
	}
	out := make([]bool, len(users))
	for i, u := range users {
		out[i] = slices.Contains(f.blocked[im.UserKey{App: who.App, User: u}], who.User)
	}
	return out, nil
}

func (f *fakeCircle) befriend(u im.UserID, friends ...im.UserID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.friends[key(u)] = friends
}

func (f *fakeCircle) block(u im.UserID, blocked ...im.UserID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.blocked[key(u)] = blocked
}

// circleWorld is world on an engine that knows friends and blocklists.
func circleWorld(t *testing.T, on Switches, test func(t *testing.T, c *fakeCircle, e *Engine)) {
	t.Helper()
	world(t, func(t *testing.T, _ *fakeStore, e *Engine) {
		c := &fakeCircle{friends: map[im.UserKey][]im.UserID{}, blocked: map[im.UserKey][]im.UserID{}}
		e.cfg.Friends, e.cfg.Blocks = c, c
		e.Switch(1, on)
		test(t, c, e)
	})
}

func say(t *testing.T, e *Engine, u im.UserID, text string) {
	t.Helper()
	if err := e.SetCustom(t.Context(), key(u), text); err != nil {
		t.Fatal(err)
	}
}

func subscribeTo(t *testing.T, e *Engine, u im.UserID, users ...im.UserID) {
	t.Helper()
	if failed, err := e.Subscribe(t.Context(), key(u), users, 200); err != nil || len(failed) > 0 {
		t.Fatal(failed, err)
	}
}

func hears(t *testing.T, out *fakeOut, want ...string) {
	t.Helper()
	if got := out.heard(); !slices.Equal(got, want) {
		t.Errorf("told %q, want %q", got, want)
	}
}

var friendNotices = Switches{FriendNotices: true}

// Alice hears of bob because bob is on her list; that she is not on his, and
// that carol is nobody's friend, makes no notice.
func TestST15_FriendsAreToldOfWithoutASubscription(t *testing.T) {
	circleWorld(t, friendNotices, func(t *testing.T, c *fakeCircle, e *Engine) {
		c.befriend("alice", "bob", "dora", "alice", "bob")
		_, alice := login(t, e, "alice", 1, im.Web)
		_, second := login(t, e, "alice", 2, im.Android)
		_, bob := login(t, e, "bob", 3, im.Web)
		login(t, e, "carol", 4, im.Web)
		say(t, e, "bob", "busy")
		say(t, e, "alice", "mine")
		for _, out := range []*fakeOut{alice, second} {
			hears(t, out, "bob ONLINE", "bob ONLINE busy")
		}
		hears(t, bob)
		if c.asked != 3 {
			t.Errorf("friends were asked for %d times, want once an account", c.asked)
		}
		if n := e.Stats().Watches; n != 2 {
			t.Errorf("%d watches, want bob and dora", n)
		}
	})
}

// Friends take none of the places of the subscription list.
func TestST15_FriendsAreNotLimitedTo200(t *testing.T) {
	circleWorld(t, friendNotices, func(t *testing.T, c *fakeCircle, e *Engine) {
		var friends []im.UserID
		for i := range 3000 {
			friends = append(friends, im.UserID(fmt.Sprintf("f%d", i)))
		}
		c.befriend("alice", friends...)
		_, alice := login(t, e, "alice", 1, im.Web)
		if n := e.Stats().Watches; n != 3000 {
			t.Fatalf("%d watches, want 3000", n)
		}
		if _, err := e.Subscribe(t.Context(), key("alice"), []im.UserID{"f0", "s1", "s2", "s3"}, 3); err != nil {
			t.Fatal(err)
		}
		login(t, e, "f0", 2, im.Web)
		login(t, e, "f2999", 3, im.Web)
		hears(t, alice, "f0 ONLINE", "f2999 ONLINE")
	})
}

// Who is a friend and subscribed is one item, and is heard of until both are
// over.
func TestST8_ST15_ST17_FriendAndSubscribedIsOneItem(t *testing.T) {
	circleWorld(t, friendNotices, func(t *testing.T, c *fakeCircle, e *Engine) {
		c.befriend("alice", "bob")
		subscribeTo(t, e, "alice", "bob")
		_, alice := login(t, e, "alice", 1, im.Web)
		login(t, e, "bob", 2, im.Web)
		hears(t, alice, "bob ONLINE")
		if _, err := e.Unsubscribe(t.Context(), key("alice"), []im.UserID{"bob"}); err != nil {
			t.Fatal(err)
		}
		say(t, e, "bob", "one")
		hears(t, alice, "bob ONLINE one")
		subscribeTo(t, e, "alice", "bob")
		c.befriend("alice")
		if err := e.FriendsChanged(t.Context(), key("alice")); err != nil {
			t.Fatal(err)
		}
		say(t, e, "bob", "two")
		hears(t, alice, "bob ONLINE two")
		if err := e.UnsubscribeAll(t.Context(), key("alice")); err != nil {
			t.Fatal(err)
		}
		say(t, e, "bob", "three")
		hears(t, alice)
		if n := e.Stats().Watches; n != 0 {
			t.Errorf("%d watches are left", n)
		}
	})
}

func TestST15_AddingAndDeletingCountsAtOnce(t *testing.T) {
	circleWorld(t, friendNotices, func(t *testing.T, c *fakeCircle, e *Engine) {
		_, alice := login(t, e, "alice", 1, im.Web)
		login(t, e, "bob", 2, im.Web)
		login(t, e, "carol", 3, im.Web)
		for i, step := range []struct {
			friends []im.UserID
			want    []string
		}{
			{[]im.UserID{"bob"}, []string{"bob ONLINE 0"}},
			{[]im.UserID{"carol", "bob"}, []string{"bob ONLINE 1", "carol ONLINE 1"}},
			{[]im.UserID{"carol"}, []string{"carol ONLINE 2"}},
			{nil, nil},
		} {
			c.befriend("alice", step.friends...)
			if err := e.FriendsChanged(t.Context(), key("alice"), key("nobody"), key("bob")); err != nil {
				t.Fatal(err)
			}
			hears(t, alice) // it tells no state
			for _, u := range []im.UserID{"bob", "carol"} {
				say(t, e, u, fmt.Sprint(i))
			}
			hears(t, alice, step.want...)
		}
	})
}

func TestST15_SwitchTurnedWhileConnected(t *testing.T) {
	circleWorld(t, Switches{}, func(t *testing.T, c *fakeCircle, e *Engine) {
		c.befriend("alice", "bob", "carol")
		_, alice := login(t, e, "alice", 1, im.Web)
		subscribeTo(t, e, "alice", "carol")
		login(t, e, "bob", 2, im.Web)
		login(t, e, "carol", 3, im.Web)
		hears(t, alice, "carol ONLINE")
		if c.asked != 0 {
			t.Errorf("friends were read %d times with the switch off", c.asked)
		}
		turn := func(to Switches) {
			t.Helper()
			e.Switch(1, to)
			if err := e.Follow(t.Context(), 1); err != nil {
				t.Fatal(err)
			}
		}
		turn(friendNotices)
		hears(t, alice)
		say(t, e, "bob", "heard")
		hears(t, alice, "bob ONLINE heard")
		turn(Switches{})
		say(t, e, "bob", "unheard")
		say(t, e, "carol", "heard")
		hears(t, alice, "carol ONLINE heard")
		if n := e.Stats().Watches; n != 1 {
			t.Errorf("%d watches, want carol", n)
		}
	})
}

// What friends did while a connection was away is told at its return, and a
// storm of returns reads no list again.
func TestST15_FriendsAtAReturn(t *testing.T) {
	circleWorld(t, friendNotices, func(t *testing.T, c *fakeCircle, e *Engine) {
		c.befriend("alice", "bob", "carol")
		at, _ := login(t, e, "alice", 1, im.Web)
		login(t, e, "carol", 3, im.Web)
		subscribeTo(t, e, "alice", "bob") // which makes no second item
		time.Sleep(time.Second)
		e.Leave(key("alice"), 1, at.Link, im.CauseBreak, e.Now())
		login(t, e, "bob", 2, im.Web)
		c.befriend("alice", "bob")
		if err := e.FriendsChanged(t.Context(), key("alice")); err != nil {
			t.Fatal(err)
		}
		asked := c.asked
		back := &fakeOut{}
		if _, err := e.Return(t.Context(), at.Session, back, nil); err != nil {
			t.Fatal(err)
		}
		hears(t, back, "bob ONLINE")
		if c.asked != asked {
			t.Error("the return read the friends again")
		}
		say(t, e, "carol", "no friend any more")
		hears(t, back)
	})
}

// A list that cannot be read refuses a login, and one that changed is read again
// at the next.
func TestST15_FriendsThatCannotBeRead(t *testing.T) {
	circleWorld(t, friendNotices, func(t *testing.T, c *fakeCircle, e *Engine) {
		c.befriend("alice", "bob")
		c.fail = true
		if _, err := e.Login(t.Context(), Login{User: key("alice"), Policy: multi, Out: &fakeOut{}}, 1); !errors.Is(err, errDisk) {
			t.Fatalf("got %v, want the disk's error", err)
		}
		c.fail = false
		_, alice := login(t, e, "alice", 2, im.Web)
		login(t, e, "bob", 3, im.Web)
		login(t, e, "carol", 4, im.Web)
		hears(t, alice, "bob ONLINE")
		c.befriend("alice", "carol")
		c.fail = true
		if err := e.FriendsChanged(t.Context(), key("alice")); !errors.Is(err, errDisk) {
			t.Fatalf("got %v, want the disk's error", err)
		}
		c.fail = false
		login(t, e, "alice", 5, im.Web)
		say(t, e, "bob", "x")
		say(t, e, "carol", "y")
		hears(t, alice, "carol ONLINE y")
	})
}

// TestST15_FriendsLeaveNothingBehind has accounts with friends come and go while
// lists change, and looks for what stays.
func TestST15_FriendsLeaveNothingBehind(t *testing.T) {
	circleWorld(t, Switches{FriendNotices: true, HideFromBlocked: true}, func(t *testing.T, c *fakeCircle, e *Engine) {
		users := []im.UserID{"a", "b", "c", "d"}
		for i := range 200 {
			u := users[i%4]
			at, _ := login(t, e, u, im.InstID(i+1), im.Web)
			c.befriend(u, users[:i%5]...)
			c.block(users[(i+1)%4], users[:i%3]...)
			subscribeTo(t, e, u, users[(i+1)%4])
			if err := e.FriendsChanged(t.Context(), key(u)); err != nil {
				t.Fatal(err)
			}
			if err := e.BlocksChanged(t.Context(), key(users[(i+1)%4]), users...); err != nil {
				t.Fatal(err)
			}
			if i%3 == 0 {
				e.Leave(key(u), at.Session.Inst, at.Link, im.CauseBreak, 0)
			} else if err := e.End(t.Context(), at.Session, im.CauseLogout); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Hour)
		if s := e.Stats(); s.Users != 0 || s.Watches != 0 || s.Accounts != 0 {
			t.Errorf("left behind: %+v", s)
		}
	})
}
