package status

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/porchlight-im/porchlight/internal/im"
)

// fakeHooks keeps what it is told, by place where the events are kept.
type fakeHooks struct {
	t    *testing.T
	mu   sync.Mutex
	kept bool
	deaf bool // nobody is told
	next int64
	open map[int64]bool
	told []im.StateEvent
	all  map[int64]im.StateEvent // by their ID
	mem  int64
}

func newFakeHooks(t *testing.T, kept bool) *fakeHooks {
	return &fakeHooks{t: t, kept: kept, open: map[int64]bool{}, all: map[int64]im.StateEvent{}}
}

func (h *fakeHooks) Hears(app im.AppID) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return app == 1 && !h.deaf
}

func (h *fakeHooks) setDeaf(deaf bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.deaf = deaf
}

func (h *fakeHooks) Places(_ im.AppID, n int) int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.kept {
		return 0
	}
	first := h.next + 1
	for range n {
		h.next++
		h.open[h.next] = true
	}
	return first
}

func (h *fakeHooks) Void(_ im.AppID, first int64, n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if first == 0 {
		return
	}
	for i := range int64(n) {
		if !h.open[first+i] {
			h.t.Errorf("place %d is closed twice", first+i)
		}
		delete(h.open, first+i)
	}
}

func (h *fakeHooks) Events(events []im.StateEvent) (rows []im.EventRow) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, e := range events {
		id := e.Place
		if id == 0 {
			h.mem--
			id = h.mem
		}
		h.all[id] = e
		rows = append(rows, im.EventRow{App: e.User.App, ID: id})
	}
	return rows
}

func (h *fakeHooks) Tell(rows []im.EventRow) {
	for _, r := range rows {
		if r.Kept() {
			h.Void(r.App, r.ID, 1)
		}
		h.mu.Lock()
		h.told = append(h.told, h.all[r.ID])
		h.mu.Unlock()
	}
}

// take gives what was told, in the order of places, as "alice login web".
func (h *fakeHooks) take() (out []string) {
	synctest.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.open) > 0 {
		h.t.Errorf("places %v are open", h.open)
	}
	slices.SortStableFunc(h.told, func(x, y im.StateEvent) int { return int(x.Place - y.Place) })
	last := map[im.UserKey]im.Version{}
	for _, e := range h.told {
		if !last[e.User].Less(e.Version) {
			h.t.Errorf("version %v of %v is told after %v", e.Version, e, last[e.User])
		}
		last[e.User] = e.Version
		text := string(e.User.User) + " " + [...]string{"login", "logout", "lost", "custom"}[e.Action] + " " + e.By.Platform.String()
		switch e.Action {
		case im.StateLost:
			text += " " + e.Cause.String()
		case im.StateCustom:
			text += " '" + e.Custom + "'"
		}
		for _, p := range e.Kicked {
			text += " kicks " + p.String()
		}
		if e.By.Addr.IsValid() {
			text += " from " + e.By.Addr.String()
		}
		out = append(out, text)
	}
	h.told = nil
	return out
}

// SaveKept is of [Journal].
func (f *fakeStore) SaveKept(ctx context.Context, k im.Kept) error {
	if len(k.Ended) > 0 {
		return f.CloseSessions(ctx, k.User, k.Ended, k.Marks, k.Customs...)
	}
	return f.SaveLive(ctx, k.Marks, k.Customs)
}

// hooked runs a test on an engine with hooks, in fake time, with events that are
// kept and with events that are not.
func hookedWorld(t *testing.T, test func(t *testing.T, f *fakeStore, e *Engine, h *fakeHooks)) {
	t.Helper()
	for _, kept := range []bool{true, false} {
		t.Run(fmt.Sprint("kept ", kept), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, h := newFakeStore(), newFakeHooks(t, kept)
				e := New(Config{
					Store: f, Lists: f, Orders: f, Accounts: f, Encode: func(*im.Notice) {}, Rules: DefaultRules(),
					Epoch: 1, Log: slog.New(slog.DiscardHandler), Hooks: h, Journal: f,
				})
				ctx, stop := context.WithCancel(t.Context())
				done := make(chan struct{})
				go func() { _ = e.Run(ctx); close(done) }()
				test(t, f, e, h)
				stop()
				<-done
			})
		})
	}
}

func tells(t *testing.T, h *fakeHooks, want ...string) {
	t.Helper()
	time.Sleep(time.Second) // what nobody waits for is written
	if diff := cmp.Diff(want, h.take()); diff != "" {
		t.Errorf("told (-want +got)\n%s", diff)
	}
}

func asClient(t *testing.T, p im.Platform) context.Context {
	return im.WithCaller(t.Context(), im.Caller{Kind: im.CallerClient, Platform: p})
}

func TestWE5_WE8_WE9_SessionsAreToldOneByOne(t *testing.T) {
	hookedWorld(t, func(t *testing.T, _ *fakeStore, e *Engine, h *fakeHooks) {
		a, _ := login(t, e, "alice", 1, im.Web)
		b, _ := login(t, e, "alice", 2, im.Android)
		tells(t, h, "alice login web", "alice login android")
		for _, text := range []string{"busy", "busy", ""} {
			if err := e.SetCustom(asClient(t, im.Web), key("alice"), text); err != nil {
				t.Fatal(err)
			}
		}
		tells(t, h, "alice custom web 'busy'", "alice custom web ''")
		if err := e.End(asClient(t, im.Web), a.Session, im.CauseLogout); err != nil {
			t.Fatal(err)
		}
		if err := e.End(asClient(t, im.Web), a.Session, im.CauseLogout); err != nil {
			t.Fatal(err)
		}
		if err := e.End(t.Context(), b.Session, im.CauseExpiry); err != nil {
			t.Fatal(err)
		}
		tells(t, h, "alice logout web", "alice logout android")
		login(t, e, "alice", 3, im.Web)
		login(t, e, "alice", 4, im.Mac)
		if err := e.Kick(t.Context(), key("alice"), "operator"); err != nil {
			t.Fatal(err)
		}
		tells(t, h, "alice login web", "alice login mac", "alice logout web", "alice logout web")
		found, _, err := e.Status(t.Context(), 1, []im.UserID{"alice"})
		if err != nil || found[0].Status.General != im.Unlogined {
			t.Errorf("%+v, %v", found, err)
		}
	})
}

func TestWE6_WhoIsPushedOutIsInTheEventOfTheLogin(t *testing.T) {
	hookedWorld(t, func(t *testing.T, _ *fakeStore, e *Engine, h *fakeHooks) {
		single := Policy{Policy: im.PolicySingle, PerNative: 1, PerWeb: 1}
		enter := func(inst im.InstID, p im.Platform) Attached {
			at, err := e.Login(t.Context(), Login{User: key("alice"), Platform: p, Expires: time.Now().Add(time.Hour).Unix(), Policy: single, Out: &fakeOut{}}, inst)
			if err != nil {
				t.Fatal(err)
			}
			return at
		}
		enter(1, im.Web)
		at := enter(2, im.Android)
		tells(t, h, "alice login web", "alice login android kicks web")
		e.Leave(key("alice"), 2, at.Link, im.CauseClose, 0)
		tells(t, h, "alice lost android close")
		enter(3, im.Web)
		tells(t, h, "alice login web") // the other was away already
	})
}

func TestWE7_WhoIsBackInTimeWasNeverAway(t *testing.T) {
	hookedWorld(t, func(t *testing.T, _ *fakeStore, e *Engine, h *fakeHooks) {
		at, _ := login(t, e, "alice", 1, im.Android)
		e.Leave(key("alice"), 1, at.Link, im.CauseBreak, 0)
		time.Sleep(4 * time.Second)
		back, err := e.Return(t.Context(), at.Session, &fakeOut{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		tells(t, h, "alice login android")
		e.Leave(key("alice"), 1, back.Link, im.CauseBreak, 0)
		time.Sleep(3 * time.Second)
		tells(t, h)
		time.Sleep(time.Second)
		tells(t, h, "alice lost android break")
		back, err = e.Return(t.Context(), at.Session, &fakeOut{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		tells(t, h, "alice login android")
		e.Leave(key("alice"), 1, back.Link, im.CauseSilence, 0)
		tells(t, h, "alice lost android silence")
	})
}

func TestWE7_WE18_WhoDoesNotComeBackAfterARestart(t *testing.T) {
	hookedWorld(t, func(t *testing.T, f *fakeStore, _ *Engine, h *fakeHooks) {
		for _, u := range []im.UserID{"alice", "bob"} {
			f.marks[markKey{key(u), im.Web}] = im.Mark{User: key(u), Platform: im.Web, State: im.MarkLive, Rev: 1}
			f.rows[key(u)] = im.UserRow{Found: true, TinyID: 1, Sessions: []im.SessionRow{{Inst: 1, Opened: 1, Expires: 1 << 50}}}
		}
		e := New(Config{
			Store: f, Lists: f, Orders: f, Accounts: f, Encode: func(*im.Notice) {}, Rules: DefaultRules(),
			Epoch: 2, Log: slog.New(slog.DiscardHandler), Hooks: h, Journal: f,
		})
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { _ = e.Run(ctx); close(done) }()
		defer func() { stop(); <-done }()
		if err := e.Restore(ctx); err != nil {
			t.Fatal(err)
		}
		s := Session{SessionID: im.SessionID{UserKey: key("bob"), Inst: 1}, Opened: 1, Expires: 1 << 40}
		if _, err := e.Return(ctx, s, &fakeOut{}, nil); err != nil {
			t.Fatal(err)
		}
		tells(t, h)
		time.Sleep(time.Minute)
		tells(t, h, "alice lost web node")
	})
}

// TestWE9_WE10_WhatHappensDuringALoginIsToldBefore ends the grace of one session
// while the login of another is being committed.
func TestWE9_WE10_WhatHappensDuringALoginIsToldBefore(t *testing.T) {
	hookedWorld(t, func(t *testing.T, f *fakeStore, e *Engine, h *fakeHooks) {
		at, _ := login(t, e, "alice", 1, im.Android)
		tells(t, h, "alice login android")
		e.Leave(key("alice"), 1, at.Link, im.CauseBreak, 0)
		time.Sleep(im.GraceBreak - 10*time.Millisecond)
		f.slow = 20 * time.Millisecond
		login(t, e, "alice", 2, im.Web)
		tells(t, h, "alice lost android break", "alice login web")
		found, _, err := e.Status(t.Context(), 1, []im.UserID{"alice"})
		if err != nil || found[0].Status.General != im.Online {
			t.Errorf("%+v, %v", found, err)
		}
	})
}

func TestWE15_NothingIsToldThatIsNotCommitted(t *testing.T) {
	hookedWorld(t, func(t *testing.T, f *fakeStore, e *Engine, h *fakeHooks) {
		at, _ := login(t, e, "alice", 1, im.Web)
		other, _ := login(t, e, "bob", 1, im.Web)
		tells(t, h, "alice login web", "bob login web")
		f.setFailing(true)
		if _, err := e.Login(t.Context(), Login{User: key("carol"), Expires: 1 << 40, Policy: multi, Out: &fakeOut{}}, 9); err == nil {
			t.Fatal("the store does not fail")
		}
		if err := e.SetCustom(asClient(t, im.Web), key("alice"), "busy"); err == nil {
			t.Fatal("the store does not fail")
		}
		if err := e.Kick(t.Context(), key("alice"), "operator"); err == nil {
			t.Fatal("the store does not fail")
		}
		tells(t, h)
		// What stands although it could not be written is told once it can be.
		if err := e.End(asClient(t, im.Web), at.Session, im.CauseLogout); err == nil {
			t.Fatal("the store does not fail")
		}
		e.Leave(key("bob"), 1, other.Link, im.CauseClose, 0)
		if h.kept {
			time.Sleep(time.Minute)
			h.mu.Lock()
			if len(h.told) > 0 || len(h.open) != 2 {
				t.Errorf("told %v before it is written, open are %v", h.told, h.open)
			}
			h.mu.Unlock()
		}
		f.setFailing(false)
		tells(t, h, "alice logout web", "bob lost web close")
	})
}

// TestWE3_AddressOfWhoCameBeforeAnybodyWasTold gives an application its first URL
// while sessions are open: that they end is told with where they were.
func TestWE3_AddressOfWhoCameBeforeAnybodyWasTold(t *testing.T) {
	hookedWorld(t, func(t *testing.T, _ *fakeStore, e *Engine, h *fakeHooks) {
		h.setDeaf(true)
		enter := func(inst im.InstID, p im.Platform, addr string) Attached {
			at, out := login(t, e, "alice", inst, p)
			out.addr = netip.MustParseAddr(addr)
			return at
		}
		web, phone, mac := enter(1, im.Web, "203.0.113.1"), enter(2, im.Android, "203.0.113.2"), enter(3, im.Mac, "203.0.113.3")
		h.setDeaf(false)
		e.Leave(key("alice"), 1, web.Link, im.CauseClose, 0)
		e.Leave(key("alice"), 2, phone.Link, im.CauseBreak, 0)
		time.Sleep(time.Minute)
		if err := e.End(t.Context(), mac.Session, im.CauseExpiry); err != nil {
			t.Fatal(err)
		}
		tells(t, h, "alice lost web close from 203.0.113.1", "alice lost android break from 203.0.113.2", "alice logout mac from 203.0.113.3")
		elsewhere := im.WithCaller(t.Context(), im.Caller{Addr: netip.MustParseAddr("203.0.113.4")})
		back, err := e.Return(elsewhere, phone.Session, &fakeOut{addr: netip.MustParseAddr("203.0.113.4")}, nil)
		if err != nil {
			t.Fatal(err)
		}
		e.Leave(key("alice"), 2, back.Link, im.CauseClose, 0)
		tells(t, h, "alice login android from 203.0.113.4", "alice lost android close from 203.0.113.4")
	})
}

// Where a session was is remembered only while it has no connection.
func TestSeatsAreLeft(t *testing.T) {
	hookedWorld(t, func(t *testing.T, _ *fakeStore, e *Engine, _ *fakeHooks) {
		login(t, e, "alice", 1, im.Mac) // keeps the account there
		seats := func() int {
			s := e.stripe(key("alice"))
			s.mu.Lock()
			defer s.mu.Unlock()
			if h := s.accounts[key("alice")].hooked; h != nil {
				return len(h.seats)
			}
			return 0
		}
		for i := range im.InstID(20) {
			at, _ := login(t, e, "alice", 100+i, im.Web) // one browser pushes the other out
			if n := seats(); n != 0 {
				t.Fatalf("%d are remembered after login %d", n, i)
			}
			e.Leave(key("alice"), 100+i, at.Link, im.CauseBreak, 0)
			if n := seats(); n != 1 {
				t.Fatalf("%d are remembered in a grace", n)
			}
			if _, err := e.Return(t.Context(), at.Session, &fakeOut{}, nil); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Minute)
		if n := seats(); n != 0 {
			t.Errorf("%d are remembered in the end", n)
		}
	})
}
