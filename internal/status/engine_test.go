package status

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/porchlight-im/porchlight/internal/im"
)

func TestSE4_LoginThatIsNotCommittedDidNotHappen(t *testing.T) {
	world(t, func(t *testing.T, f *fakeStore, e *Engine) {
		f.setFailing(true)
		_, err := e.Login(t.Context(), Login{User: key("bob"), Policy: multi, Out: &fakeOut{}}, 1)
		if !errors.Is(err, errDisk) {
			t.Fatalf("got %v, want the disk's error", err)
		}
		if got := statusOf(t, e, "bob"); got != "bob UNLOGINED" {
			t.Errorf("after a failed login: %s", got)
		}
		if s := e.Stats(); s.Accounts != 0 || s.Users != 0 || s.Changes != 0 {
			t.Errorf("it left something behind: %+v", s)
		}
		f.setFailing(false)
		login(t, e, "bob", 1, im.Web)
	})
}

func TestST32_CustomStatusThatCannotBeKeptReturns(t *testing.T) {
	world(t, func(t *testing.T, f *fakeStore, e *Engine) {
		_, alice := login(t, e, "alice", 1, im.Web)
		login(t, e, "bob", 2, im.Web)
		if _, err := e.Subscribe(t.Context(), key("alice"), []im.UserID{"bob"}, 200); err != nil {
			t.Fatal(err)
		}
		if err := e.SetCustom(t.Context(), key("bob"), "old"); err != nil {
			t.Fatal(err)
		}
		f.setFailing(true)
		if err := e.SetCustom(t.Context(), key("bob"), "new"); !errors.Is(err, errDisk) {
			t.Fatalf("got %v, want the disk's error", err)
		}
		want := []string{"bob ONLINE old", "bob ONLINE new", "bob ONLINE old"}
		if got := alice.heard(); !cmp.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
		f.setFailing(false)
		time.Sleep(10 * time.Second)
		if got := f.custom("bob"); got != "old" {
			t.Errorf("the store holds %q", got)
		}
	})
}

func TestST32_SubscriptionThatIsNotCommittedDidNotHappen(t *testing.T) {
	world(t, func(t *testing.T, f *fakeStore, e *Engine) {
		_, alice := login(t, e, "alice", 1, im.Web)
		login(t, e, "bob", 2, im.Web)
		f.setFailing(true)
		if _, err := e.Subscribe(t.Context(), key("alice"), []im.UserID{"bob"}, 200); !errors.Is(err, errDisk) {
			t.Fatalf("got %v, want the disk's error", err)
		}
		f.setFailing(false)
		if err := e.SetCustom(t.Context(), key("bob"), "x"); err != nil {
			t.Fatal(err)
		}
		if got := alice.heard(); len(got) > 0 {
			t.Errorf("got %v", got)
		}
	})
}

// TestST32_LossIsKeptForGoodOnceTheDiskIsBack fills the disk while users leave and
// return: presence goes on, and what was lost is written later.
func TestST32_LossIsKeptForGoodOnceTheDiskIsBack(t *testing.T) {
	world(t, func(t *testing.T, f *fakeStore, e *Engine) {
		bob, _ := login(t, e, "bob", 1, im.Web)
		carol, _ := login(t, e, "carol", 2, im.Web)
		f.setFailing(true)
		for _, at := range []Attached{bob, carol} {
			e.Leave(at.Session.UserKey, at.Session.Inst, at.Link, im.CauseClose, 0)
		}
		if got := statusOf(t, e, "bob"); got != "bob UNLOGINED" {
			t.Errorf("got %s", got)
		}
		if _, err := e.Return(t.Context(), carol.Session, &fakeOut{}, nil); err != nil {
			t.Errorf("a return waits for the disk: %v", err)
		}
		time.Sleep(time.Minute)
		f.setFailing(false)
		time.Sleep(5 * time.Second)
		for u, want := range map[im.UserID]im.MarkState{"bob": im.MarkLost, "carol": im.MarkLive} {
			if got := f.mark(u); got != want {
				t.Errorf("the mark of %s is %d, want %d", u, got, want)
			}
		}
	})
}

func TestST32_LogoutThatCannotBeWrittenStandsAndIsWrittenLater(t *testing.T) {
	world(t, func(t *testing.T, f *fakeStore, e *Engine) {
		bob, _ := login(t, e, "bob", 1, im.Web)
		f.setFailing(true)
		if err := e.End(t.Context(), bob.Session, im.CauseLogout); !errors.Is(err, errDisk) {
			t.Fatalf("got %v, want the disk's error", err)
		}
		if got := statusOf(t, e, "bob"); got != "bob UNLOGINED" {
			t.Errorf("got %s", got)
		}
		f.setFailing(false)
		time.Sleep(5 * time.Second)
		user, _ := f.User(t.Context(), key("bob"))
		if row := user.Sessions[0]; row.Cause != im.CauseLogout {
			t.Errorf("the row is %+v", row)
		}
	})
}

// TestSE8_RepeatedLogoutIsAnsweredAfterItsCommitToo repeats a logout that could
// not be written, while another device keeps the account in memory.
func TestSE8_RepeatedLogoutIsAnsweredAfterItsCommitToo(t *testing.T) {
	world(t, func(t *testing.T, f *fakeStore, e *Engine) {
		login(t, e, "bob", 1, im.Android)
		web, _ := login(t, e, "bob", 2, im.Web)
		f.setFailing(true)
		for range 2 {
			if err := e.End(t.Context(), web.Session, im.CauseLogout); !errors.Is(err, errDisk) {
				t.Fatalf("got %v, want the disk's error", err)
			}
		}
		f.setFailing(false)
		if err := e.End(t.Context(), web.Session, im.CauseLogout); err != nil {
			t.Fatal(err)
		}
		user, _ := f.User(t.Context(), key("bob"))
		if user.Sessions[1].Closed == 0 || f.mark("bob") != im.MarkOut {
			t.Errorf("acknowledged, and the store holds %+v and mark %d", user.Sessions[1], f.mark("bob"))
		}
	})
}

// TestST31_NothingIsLeftBehind runs many sessions and subscriptions through all
// their ends and looks for what stays.
func TestST31_NothingIsLeftBehind(t *testing.T) {
	world(t, func(t *testing.T, _ *fakeStore, e *Engine) {
		users := []im.UserID{"a", "b", "c", "d", "e"}
		rng := rand.New(rand.NewPCG(1, 2))
		inst := im.InstID(0)
		for range 300 {
			u := users[rng.IntN(len(users))]
			inst++
			at, _ := login(t, e, u, inst, im.Web)
			if _, err := e.Subscribe(t.Context(), key(u), users, 3); err != nil {
				t.Fatal(err)
			}
			switch rng.IntN(3) {
			case 0:
				if err := e.End(t.Context(), at.Session, im.CauseLogout); err != nil {
					t.Fatal(err)
				}
			case 1:
				e.Leave(key(u), inst, at.Link, im.CauseClose, 0)
			default:
				e.Leave(key(u), inst, at.Link, im.CauseBreak, 0)
			}
		}
		time.Sleep(time.Hour)
		s := e.Stats()
		if s.Users != 0 || s.Watches != 0 || s.Accounts != 0 {
			t.Errorf("left behind: %+v", s)
		}
	})
}

// TestST29_ConcurrentUse hammers a few accounts from many goroutines, for the race
// detector, and checks that every watcher ends with the truth and that no
// version fell on the way.
func TestST29_ConcurrentUse(t *testing.T) {
	f := newFakeStore()
	e := newEngine(f)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { _ = e.Run(ctx); close(done) }()
	users := []im.UserID{"a", "b", "c"}
	outs := map[im.UserID]*fakeOut{}
	for i, u := range users {
		_, outs[u] = login(t, e, u, im.InstID(1000+i), im.Web)
		if _, err := e.Subscribe(ctx, key(u), users, 200); err != nil {
			t.Fatal(err)
		}
	}
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(g), 3))
			for i := range 200 {
				u := users[rng.IntN(len(users))]
				switch rng.IntN(4) {
				case 0, 1:
					if err := e.SetCustom(ctx, key(u), fmt.Sprint(g, i)); err != nil {
						t.Error(err)
					}
				case 2:
					at, _ := login(t, e, u, im.InstID(2000+1000*g+i), im.Android)
					e.Leave(key(u), at.Session.Inst, at.Link, im.CauseClose, 0)
				default:
					if _, err := e.Subscribe(ctx, key(u), users, 200); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	for u, out := range outs {
		last := map[im.UserID]im.Change{}
		for _, n := range out.others {
			if v := last[n.User.User]; !v.Version.Less(n.Version) {
				t.Errorf("%s was told %v after %v", u, n.Version, v.Version)
			}
			last[n.User.User] = n.Change
		}
		for w, c := range last {
			if got := said(&im.Notice{Change: c}); got != statusOf(t, e, w) {
				t.Errorf("%s ends with %q, the truth is %q", u, got, statusOf(t, e, w))
			}
		}
	}
	stop()
	<-done
}

func TestWatchersAreToldAfterTheirAnswer(t *testing.T) {
	world(t, func(t *testing.T, _ *fakeStore, e *Engine) {
		_, alice := login(t, e, "alice", 1, im.Web)
		for i := range 50 {
			u := im.UserID(fmt.Sprintf("u%d", i))
			if _, err := e.Subscribe(t.Context(), key("alice"), []im.UserID{u}, 200); err != nil {
				t.Fatal(err)
			}
			login(t, e, u, im.InstID(10+i), im.Web)
		}
		if got := len(alice.heard()); got != 50 {
			t.Errorf("told of %d logins, want 50", got)
		}
	})
}
