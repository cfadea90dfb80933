package status

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/porchlight-im/porchlight/internal/im"
)

// wallClock is a wall clock that can be set, in fake time.
type wallClock struct{ off atomic.Int64 }

func (c *wallClock) now() time.Time { return time.Now().Round(0).Add(time.Duration(c.off.Load())) }

// set makes it differ from the time that passes.
func (c *wallClock) set(off time.Duration) { c.off.Store(int64(off)) }

// clocked runs a test on an engine whose wall clock can be set.
func clocked(t *testing.T, test func(t *testing.T, c *wallClock, f *fakeStore, e *Engine)) {
	t.Helper()
	c := &wallClock{}
	worldWith(t, func(_ *fakeStore, cfg *Config) {
		began := time.Now()
		cfg.Now, cfg.Steady = c.now, func() time.Duration { return time.Since(began) }
	}, func(t *testing.T, f *fakeStore, e *Engine) { test(t, c, f, e) })
}

// TestST2_GracesDoNotFollowTheWallClock sets the clock while graces run.
func TestST2_GracesDoNotFollowTheWallClock(t *testing.T) {
	for name, jump := range map[string]time.Duration{"forward": time.Hour, "back": -time.Hour} {
		t.Run(name, func(t *testing.T) {
			clocked(t, func(t *testing.T, c *wallClock, _ *fakeStore, e *Engine) {
				_, alice := login(t, e, "alice", 1, im.Web)
				bob, _ := login(t, e, "bob", 2, im.Web)
				if _, err := e.Subscribe(t.Context(), key("alice"), []im.UserID{"bob"}, 200); err != nil {
					t.Fatal(err)
				}
				e.Leave(key("bob"), 2, bob.Link, im.CauseBreak, e.Now())
				time.Sleep(time.Second)
				c.set(jump)
				time.Sleep(im.GraceBreak - time.Second - time.Millisecond)
				if got := statusOf(t, e, "bob"); got != "bob ONLINE" {
					t.Errorf("before the grace is over: %s", got)
				}
				time.Sleep(2 * time.Millisecond)
				if got := alice.heard(); !cmp.Equal(got, []string{"bob UNLOGINED"}) {
					t.Errorf("after it alice was told %v", got)
				}
			})
		})
	}
}

// TestReturnIsToldAllWhereverTheClockWasSet sets the clock back after a proof,
// so that what changes then seems to be older.
func TestReturnIsToldAllWhereverTheClockWasSet(t *testing.T) {
	clocked(t, func(t *testing.T, c *wallClock, _ *fakeStore, e *Engine) {
		at, _ := login(t, e, "alice", 1, im.Web)
		login(t, e, "bob", 2, im.Web)
		if _, err := e.Subscribe(t.Context(), key("alice"), []im.UserID{"bob"}, 200); err != nil {
			t.Fatal(err)
		}
		e.Leave(key("alice"), 1, at.Link, im.CauseBreak, e.Now())
		c.set(-time.Hour)
		time.Sleep(time.Second)
		if err := e.SetCustom(t.Context(), key("bob"), "news"); err != nil {
			t.Fatal(err)
		}
		back := &fakeOut{}
		if _, err := e.Return(t.Context(), at.Session, back, nil); err != nil {
			t.Fatal(err)
		}
		if got := back.heard(); !cmp.Equal(got, []string{"bob ONLINE news"}) {
			t.Errorf("told %v", got)
		}
	})
}

// TestST22_LossEndsOnceWhoeverIsOnline has the seven days of a phone end while its
// user is online on the web, in one process or over two, and then sets the clock back.
func TestST22_LossEndsOnceWhoeverIsOnline(t *testing.T) {
	for _, restart := range []bool{false, true} {
		clocked(t, func(t *testing.T, c *wallClock, f *fakeStore, e *Engine) {
			phone, _ := login(t, e, "bob", 1, im.Android)
			web, _ := login(t, e, "bob", 2, im.Web)
			e.Leave(key("bob"), 1, phone.Link, im.CauseClose, e.Now())
			time.Sleep(time.Second)
			lost := f.markOn("bob", im.Android)
			time.Sleep(7 * 24 * time.Hour)
			if restart { // of a process that ended before
				f.mu.Lock()
				f.marks[markKey{key("bob"), im.Android}] = lost
				f.mu.Unlock()
				e = New(e.cfg)
				if err := e.Restore(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			c.set(-25 * time.Hour)
			if err := e.End(t.Context(), web.Session, im.CauseLogout); err != nil {
				t.Fatal(err)
			}
			if got := statusOf(t, e, "bob"); got != "bob UNLOGINED" {
				t.Errorf("restart %t: when the web is gone: %s", restart, got)
			}
		})
	}
}

// TestST11_ListOfWhoIsWithinAGraceDoesNotFollowTheWallClock sets the clock by more
// than a day while the owner of a list is within a grace, and so not away.
func TestST11_ListOfWhoIsWithinAGraceDoesNotFollowTheWallClock(t *testing.T) {
	for name, back := range map[string]func(*testing.T, *Engine, Session){
		"login": func(t *testing.T, e *Engine, _ Session) { login(t, e, "alice", 2, im.Web) },
		"return": func(t *testing.T, e *Engine, s Session) {
			if _, err := e.Return(t.Context(), s, &fakeOut{}, nil); err != nil {
				t.Fatal(err)
			}
		},
	} {
		clocked(t, func(t *testing.T, c *wallClock, f *fakeStore, e *Engine) {
			alice, _ := login(t, e, "alice", 1, im.Web)
			if _, err := e.Subscribe(t.Context(), key("alice"), []im.UserID{"bob"}, 200); err != nil {
				t.Fatal(err)
			}
			const unproven = -1 // lost before it had proved to receive anything
			e.Leave(key("alice"), 1, alice.Link, im.CauseBreak, unproven)
			time.Sleep(time.Second)
			c.set(25 * time.Hour)
			back(t, e, alice.Session)
			time.Sleep(time.Second)
			if row, _ := f.User(t.Context(), key("alice")); len(row.Watching) != 1 {
				t.Errorf("%s: the store holds the list %v", name, row.Watching)
			}
		})
	}
}

// TestST1_LongTimersFollowTheWallClockAndFireOnce lets push reach a phone for seven
// days by the calendar, and not again when the clock is set back.
func TestST1_LongTimersFollowTheWallClockAndFireOnce(t *testing.T) {
	clocked(t, func(t *testing.T, c *wallClock, f *fakeStore, e *Engine) {
		_, alice := login(t, e, "alice", 1, im.Web)
		bob, _ := login(t, e, "bob", 2, im.Android)
		if _, err := e.Subscribe(t.Context(), key("alice"), []im.UserID{"bob"}, 200); err != nil {
			t.Fatal(err)
		}
		e.Leave(key("bob"), 2, bob.Link, im.CauseClose, e.Now())
		c.set(6 * 24 * time.Hour)
		time.Sleep(23 * time.Hour)
		if got := alice.heard(); !cmp.Equal(got, []string{"bob OFFLINE"}) {
			t.Errorf("within seven days told %v", got)
		}
		c.set((6*24 + 2) * time.Hour)
		time.Sleep(2 * time.Minute)
		if got := alice.heard(); !cmp.Equal(got, []string{"bob UNLOGINED"}) {
			t.Errorf("after seven days told %v", got)
		}
		c.set(0)
		time.Sleep(time.Hour)
		e.step(key("bob"), event{kind: evTick})
		if got := alice.heard(); len(got) > 0 {
			t.Errorf("when the clock was set back told %v", got)
		}
		if got := f.markOn("bob", im.Android); got.State != im.MarkOut || got.At > f.markOn("alice", im.Web).At {
			t.Errorf("the store holds %+v, want it forgotten and no later presence", got)
		}
	})
}
