package status

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/porchlight-im/porchlight/internal/im"
)

// TestSE8_LogoutThatIsNotWrittenYetStandsWhoeverReadsTheUser logs out while the
// disk is full, so that the account leaves memory before its end is written.
func TestSE8_LogoutThatIsNotWrittenYetStandsWhoeverReadsTheUser(t *testing.T) {
	world(t, func(t *testing.T, f *fakeStore, e *Engine) {
		bob, _ := login(t, e, "bob", 1, im.Web)
		f.setFailing(true)
		if err := e.End(t.Context(), bob.Session, im.CauseLogout); !errors.Is(err, errDisk) {
			t.Fatalf("got %v, want the disk's error", err)
		}
		time.Sleep(time.Minute)
		var ended *Ended
		if _, err := e.Return(t.Context(), bob.Session, &fakeOut{}, nil); !errors.As(err, &ended) || ended.Cause != im.CauseLogout {
			t.Errorf("the return is answered %v, want that the session was logged out", err)
		}
		f.setFailing(false)
		time.Sleep(5 * time.Second)
		if marks, customs, closed := e.durable.gathered(); len(marks)+len(customs)+len(closed) > 0 {
			t.Errorf("still waits once it is written: %v %v %v", marks, customs, closed)
		}
	})
}

// restarted gives the engine of a process that starts on a store as a crash left
// it: nothing that waited was written.
func restarted(t *testing.T, f *fakeStore) *Engine {
	t.Helper()
	e := newEngine(f)
	e.cfg.Epoch++
	if err := e.Restore(t.Context()); err != nil {
		t.Fatal(err)
	}
	return e
}

func TestST3_CustomStatusSetAgainAfterAFailureIsCommitted(t *testing.T) {
	world(t, func(t *testing.T, f *fakeStore, e *Engine) {
		login(t, e, "bob", 1, im.Web)
		for _, step := range []struct {
			text string
			fail bool
		}{{"old", false}, {"new", true}, {"old", true}, {"old", false}} {
			f.setFailing(step.fail)
			if err := e.SetCustom(t.Context(), key("bob"), step.text); errors.Is(err, errDisk) != step.fail {
				t.Errorf("set %q with a failing disk: %v, answered %v", step.text, step.fail, err)
			}
		}
	})
}

func TestST4_CustomStatusOfWhoIsNotOnlineIsNone(t *testing.T) {
	world(t, func(t *testing.T, f *fakeStore, e *Engine) {
		bob, _ := login(t, e, "bob", 1, im.Web)
		e.Leave(key("bob"), 1, bob.Link, im.CauseClose, 0)
		if err := e.SetCustom(t.Context(), key("bob"), "ghostly"); err != nil {
			t.Fatal(err)
		}
		if got := f.custom("bob"); got != "" {
			t.Errorf("the store holds %q", got)
		}
		if at, _ := login(t, e, "bob", 2, im.Web); at.Custom != "" {
			t.Errorf("the next login shows %q", at.Custom)
		}
	})
}

// TestST2_CrashLeavesPresenceWithWhatIsBuiltOnIt sets a custom status and
// subscribes right after a return, whose own mark nobody waits for, and crashes.
func TestST2_CrashLeavesPresenceWithWhatIsBuiltOnIt(t *testing.T) {
	for name, act := range map[string]func(*testing.T, *Engine) error{
		"custom status": func(t *testing.T, e *Engine) error { return e.SetCustom(t.Context(), key("bob"), "here") },
		"subscription": func(t *testing.T, e *Engine) error {
			_, err := e.Subscribe(t.Context(), key("bob"), []im.UserID{"alice"}, 200)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			world(t, func(t *testing.T, f *fakeStore, e *Engine) {
				bob, _ := login(t, e, "bob", 1, im.Web)
				e.Leave(key("bob"), 1, bob.Link, im.CauseClose, 0)
				time.Sleep(48 * time.Hour)
				if _, err := e.Return(t.Context(), bob.Session, &fakeOut{}, nil); err != nil {
					t.Fatal(err)
				}
				if err := act(t, e); err != nil {
					t.Fatal(err)
				}
				if got := f.mark("bob"); got != im.MarkLive {
					t.Errorf("the store holds mark %d, want %d", got, im.MarkLive)
				}
				e = restarted(t, f)
				if got := statusOf(t, e, "bob"); name == "custom status" && got != "bob ONLINE here" {
					t.Errorf("after a crash: %s", got)
				}
				if row, _ := f.User(t.Context(), key("bob")); e.stale(&account{key: key("carol"), row: row}, e.wall()) {
					t.Error("after a crash the list seems stale")
				}
			})
		})
	}
}

// TestST4_CrashWithinAGraceForGoodLeavesNoCustomStatus ends the process while the
// user, who will not return, is still shown as there: the words do not come back
// with the next login.
func TestST4_CrashWithinAGraceForGoodLeavesNoCustomStatus(t *testing.T) {
	for name, end := range map[string]func(*testing.T, *Engine, Session) error{
		"kick":   func(t *testing.T, e *Engine, s Session) error { return e.Kick(t.Context(), s.UserKey, "operator") },
		"logout": func(t *testing.T, e *Engine, s Session) error { return e.End(t.Context(), s, im.CauseLogout) },
	} {
		worldWith(t, func(_ *fakeStore, cfg *Config) {
			cfg.Rules.Grace[im.CauseKickAdmin], cfg.Rules.Grace[im.CauseLogout] = time.Minute, time.Minute
		}, func(t *testing.T, f *fakeStore, e *Engine) {
			bob, _ := login(t, e, "bob", 1, im.Web)
			if err := e.SetCustom(t.Context(), key("bob"), "here"); err != nil {
				t.Fatal(err)
			}
			if err := end(t, e, bob.Session); err != nil {
				t.Fatal(err)
			}
			if got := statusOf(t, e, "bob"); got != "bob ONLINE here" {
				t.Fatalf("%s: within the grace %s", name, got)
			}
			time.Sleep(time.Second)
			e = restarted(t, f)
			time.Sleep(time.Second)
			login(t, e, "bob", 2, im.Web)
			if got := statusOf(t, restarted(t, f), "bob"); got != "bob ONLINE" {
				t.Errorf("%s: after a crash, a login and a crash: %s", name, got)
			}
		})
	}
}

// slowStore calls something during the next write of a custom status, which fails.
type slowStore struct {
	*fakeStore
	during atomic.Pointer[func()]
}

func (s *slowStore) SaveLive(ctx context.Context, marks []im.Mark, customs []im.CustomRow) error {
	if len(customs) > 0 {
		if f := s.during.Swap(nil); f != nil {
			(*f)()
			return errDisk
		}
	}
	return s.fakeStore.SaveLive(ctx, marks, customs)
}

// TestST4_LeavingWhileACustomStatusFailsLeavesNone leaves ONLINE during a commit
// that then fails: what there was before does not return with the next login.
func TestST4_LeavingWhileACustomStatusFailsLeavesNone(t *testing.T) {
	slow := &slowStore{}
	worldWith(t, func(f *fakeStore, cfg *Config) {
		slow.fakeStore, cfg.Store = f, slow
	}, func(t *testing.T, f *fakeStore, e *Engine) {
		bob, _ := login(t, e, "bob", 1, im.Web)
		if err := e.SetCustom(t.Context(), key("bob"), "old"); err != nil {
			t.Fatal(err)
		}
		leave := func() { e.step(key("bob"), event{kind: evDetach, inst: 1, link: bob.Link, cause: im.CauseClose}) }
		slow.during.Store(&leave)
		if err := e.SetCustom(t.Context(), key("bob"), "new"); !errors.Is(err, errDisk) {
			t.Fatalf("got %v, want the disk's error", err)
		}
		time.Sleep(10 * time.Second)
		if got := f.custom("bob"); got != "" {
			t.Errorf("the store holds %q of someone who left", got)
		}
	})
}

// TestST2_DevicesThatComeAndGoAfterARestart returns and closes two devices, one
// after the other, while the grace of the restart runs: nothing stands for them
// any more then.
func TestST2_DevicesThatComeAndGoAfterARestart(t *testing.T) {
	world(t, func(t *testing.T, f *fakeStore, e *Engine) {
		one, _ := login(t, e, "bob", 1, im.Web)
		two, _ := login(t, e, "bob", 2, im.Web)
		time.Sleep(time.Second)
		e = restarted(t, f)
		for _, s := range []Session{one.Session, two.Session} {
			if got := statusOf(t, e, "bob"); got != "bob ONLINE" {
				t.Errorf("before inst %d is back: %s", s.Inst, got)
			}
			at, err := e.Return(t.Context(), s, &fakeOut{}, nil)
			if err != nil {
				t.Fatal(err)
			}
			e.Leave(key("bob"), s.Inst, at.Link, im.CauseClose, e.Now())
		}
		if got := statusOf(t, e, "bob"); got != "bob UNLOGINED" {
			t.Errorf("when both have come and gone: %s", got)
		}
	})
}

// TestReturnAfterARestartIsToldOfEverybody loses a connection and then the process:
// what the watcher missed before the start is told too.
func TestReturnAfterARestartIsToldOfEverybody(t *testing.T) {
	world(t, func(t *testing.T, f *fakeStore, e *Engine) {
		alice, _ := login(t, e, "alice", 1, im.Web)
		bob, _ := login(t, e, "bob", 2, im.Web)
		if _, err := e.Subscribe(t.Context(), key("alice"), []im.UserID{"bob"}, 200); err != nil {
			t.Fatal(err)
		}
		e.Leave(key("alice"), 1, alice.Link, im.CauseBreak, e.Now())
		time.Sleep(time.Second)
		e.Leave(key("bob"), 2, bob.Link, im.CauseClose, e.Now())
		time.Sleep(time.Second)
		e = restarted(t, f)
		back := &fakeOut{}
		if _, err := e.Return(t.Context(), alice.Session, back, nil); err != nil {
			t.Fatal(err)
		}
		if got := back.heard(); len(got) != 1 || got[0] != "bob UNLOGINED" {
			t.Errorf("told %v", got)
		}
	})
}

// TestST11_StaleListThatCannotBeClearedYet returns after two days while the disk is
// full: the list is gone for good all the same, and what is subscribed then stays.
func TestST11_StaleListThatCannotBeClearedYet(t *testing.T) {
	for _, again := range []bool{false, true} {
		world(t, func(t *testing.T, f *fakeStore, e *Engine) {
			alice, _ := login(t, e, "alice", 1, im.Web)
			if _, err := e.Subscribe(t.Context(), key("alice"), []im.UserID{"bob"}, 200); err != nil {
				t.Fatal(err)
			}
			e.Leave(key("alice"), 1, alice.Link, im.CauseClose, 0)
			time.Sleep(48 * time.Hour)
			f.setFailing(true)
			back, err := e.Return(t.Context(), alice.Session, &fakeOut{}, nil)
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
			var want []im.UserID
			if again {
				f.setFailing(false)
				want = []im.UserID{"carol"}
				if _, err := e.Subscribe(t.Context(), key("alice"), want, 200); err != nil {
					t.Fatal(err)
				}
			} else {
				e.Leave(key("alice"), 1, back.Link, im.CauseClose, 0)
				if v, err := e.Show(t.Context(), key("alice")); err != nil || v.Watching != 0 {
					t.Errorf("read anew, the list holds %d, %v", v.Watching, err)
				}
				f.setFailing(false)
			}
			time.Sleep(time.Minute)
			if row, _ := f.User(t.Context(), key("alice")); !slices.Equal(row.Watching, want) {
				t.Errorf("the store holds the list %v, want %v", row.Watching, want)
			}
		})
	}
}

// TestST1_LossThatALogoutComesUponIsKept logs out on one platform in the moment in
// which the grace on another ends, before the timers act.
func TestST1_LossThatALogoutComesUponIsKept(t *testing.T) {
	world(t, func(t *testing.T, f *fakeStore, e *Engine) {
		phone, _ := login(t, e, "bob", 1, im.Android)
		web, _ := login(t, e, "bob", 2, im.Web)
		e.Leave(key("bob"), 1, phone.Link, im.CauseBreak, 0)
		u := e.stripe(key("bob")).users[key("bob")]
		u.sessions[u.find(1)].until = e.Now() // the moment in which the grace is over
		if err := e.End(t.Context(), web.Session, im.CauseLogout); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if got := f.markOn("bob", im.Android).State; got != im.MarkLost {
			t.Errorf("the store holds mark %d of the phone, want %d", got, im.MarkLost)
		}
	})
}

// unsureLists writes and says that it could not.
type unsureLists struct {
	*fakeStore
	unsure atomic.Bool
}

func (l *unsureLists) SaveWatching(ctx context.Context, key im.UserKey, add, remove []im.UserID) error {
	err := l.fakeStore.SaveWatching(ctx, key, add, remove)
	if l.unsure.Load() {
		return errDisk
	}
	return err
}

// TestST8_UnsubscribeAfterASubscriptionOfUnknownOutcome unsubscribes from somebody
// whom the store holds on the list and the memory does not.
func TestST8_UnsubscribeAfterASubscriptionOfUnknownOutcome(t *testing.T) {
	for name, unsubscribe := range map[string]func(*Engine) error{
		"one": func(e *Engine) error {
			_, err := e.Unsubscribe(t.Context(), key("alice"), []im.UserID{"bob"})
			return err
		},
		"all": func(e *Engine) error { return e.UnsubscribeAll(t.Context(), key("alice")) },
	} {
		lists := &unsureLists{}
		worldWith(t, func(f *fakeStore, cfg *Config) {
			lists.fakeStore, cfg.Lists = f, lists
		}, func(t *testing.T, f *fakeStore, e *Engine) {
			login(t, e, "alice", 1, im.Web)
			lists.unsure.Store(true)
			if _, err := e.Subscribe(t.Context(), key("alice"), []im.UserID{"bob"}, 200); !errors.Is(err, errDisk) {
				t.Fatalf("got %v, want the disk's error", err)
			}
			lists.unsure.Store(false)
			if err := unsubscribe(e); err != nil {
				t.Fatal(err)
			}
			if row, _ := f.User(t.Context(), key("alice")); len(row.Watching) > 0 {
				t.Errorf("%s: acknowledged, and the store holds the list %v", name, row.Watching)
			}
		})
	}
}
