package status

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/porchlight-im/porchlight/internal/im"
)

// A kick ends every session, connected or away, and nothing of a user remains
// online or reachable.
func TestSE10_KickEndsAllSessions(t *testing.T) {
	world(t, func(t *testing.T, f *fakeStore, e *Engine) {
		_, alice := login(t, e, "alice", 1, im.Web)
		web, webOut := login(t, e, "bob", 2, im.Web)
		phone, phoneOut := login(t, e, "bob", 3, im.Android)
		if _, err := e.Subscribe(t.Context(), key("alice"), []im.UserID{"bob"}, 200); err != nil {
			t.Fatal(err)
		}
		if err := e.SetCustom(t.Context(), key("bob"), "busy"); err != nil {
			t.Fatal(err)
		}
		e.Leave(phone.Session.UserKey, phone.Session.Inst, phone.Link, im.CauseSilence, 0) // OFFLINE but for the web
		alice.heard()
		if err := e.Kick(t.Context(), key("bob"), "operator"); err != nil {
			t.Fatal(err)
		}
		if got := alice.heard(); !cmp.Equal(got, []string{"bob UNLOGINED"}) {
			t.Errorf("who watches was told %v", got)
		}
		if webOut.ended != im.CauseKickAdmin || phoneOut.ended != im.CauseNone {
			t.Errorf("connections were told %s, and the one that had left %s", webOut.ended, phoneOut.ended)
		}
		for _, s := range []Session{web.Session, phone.Session} {
			var ended *Ended
			if _, err := e.Return(t.Context(), s, &fakeOut{}, nil); !errors.As(err, &ended) || ended.Cause != im.CauseKickAdmin {
				t.Errorf("a return of inst %d: %v", s.Inst, err)
			}
		}
		want := im.AuditRow{Actor: "operator", Action: "user.kick", App: 1, User: "bob", At: time.Now().UnixMilli()}
		if got := f.orders[0]; got.Before != time.Now().Unix() || got.Ban != im.BanKeep || got.Audit != want {
			t.Errorf("the order was %+v", got)
		}
		if f.mark("bob") != im.MarkOut || f.marks[markKey{key("bob"), im.Android}].State != im.MarkOut || f.custom("bob") != "" {
			t.Error("the store remembers the user as there")
		}
	})
}

// Who was last lost on a phone and has no session any more is forgotten there
// too.
func TestSE10_KickOfWhoIsOffline(t *testing.T) {
	world(t, func(t *testing.T, _ *fakeStore, e *Engine) {
		phone, _ := login(t, e, "bob", 3, im.Android)
		e.Leave(phone.Session.UserKey, phone.Session.Inst, phone.Link, im.CauseClose, 0)
		if got := statusOf(t, e, "bob"); got != "bob OFFLINE" {
			t.Fatalf("before: %s", got)
		}
		if err := e.Kick(t.Context(), key("bob"), "operator"); err != nil {
			t.Fatal(err)
		}
		if got := statusOf(t, e, "bob"); got != "bob UNLOGINED" {
			t.Errorf("after: %s", got)
		}
		if s := e.Stats(); s.Users != 0 || s.Accounts != 0 {
			t.Errorf("something is left: %+v", s)
		}
	})
}

func TestKickThatIsNotCommittedDidNotHappen(t *testing.T) {
	world(t, func(t *testing.T, f *fakeStore, e *Engine) {
		_, out := login(t, e, "bob", 1, im.Web)
		f.setFailing(true)
		if err := e.Kick(t.Context(), key("bob"), "operator"); !errors.Is(err, errDisk) {
			t.Fatalf("got %v, want the disk's error", err)
		}
		if got := statusOf(t, e, "bob"); got != "bob ONLINE" || out.ended != im.CauseNone {
			t.Errorf("%s, and the connection was told %s", got, out.ended)
		}
	})
}

func TestOrdersAboutNobody(t *testing.T) {
	world(t, func(t *testing.T, f *fakeStore, e *Engine) {
		for name, err := range map[string]error{
			"kick":  e.Kick(t.Context(), key("ghost"), "operator"),
			"ban":   e.Ban(t.Context(), key("ghost"), "operator"),
			"unban": e.Unban(t.Context(), key("ghost"), "operator"),
			"show":  second(e.Show(t.Context(), key("ghost"))),
		} {
			if !errors.Is(err, im.Err(im.CodeNoAccount)) {
				t.Errorf("%s: got %v", name, err)
			}
		}
		if len(f.orders) > 0 || e.Stats().Accounts != 0 {
			t.Errorf("something happened: %v, %+v", f.orders, e.Stats())
		}
	})
}

func second[T any](_ T, err error) error { return err }

func TestBanAndItsEnd(t *testing.T) {
	world(t, func(t *testing.T, f *fakeStore, e *Engine) {
		at, out := login(t, e, "bob", 1, im.Web)
		if err := e.Ban(t.Context(), key("bob"), "operator"); err != nil {
			t.Fatal(err)
		}
		if out.ended != im.CauseKickAdmin {
			t.Errorf("the connection was told %s", out.ended)
		}
		if v, err := e.Show(t.Context(), key("bob")); err != nil || !v.Banned || v.RevokedBefore != time.Now().Unix() {
			t.Errorf("shown as %+v, %v", v, err)
		}
		if err := e.Unban(t.Context(), key("bob"), "operator"); err != nil {
			t.Fatal(err)
		}
		if v, err := e.Show(t.Context(), key("bob")); err != nil || v.Banned || v.RevokedBefore == 0 {
			t.Errorf("after the ban shown as %+v, %v", v, err)
		}
		if err := e.Check(t.Context(), at.Session); err == nil {
			t.Error("the old session stands again")
		}
		if got := f.orders[1]; got.Ban != im.BanLift || got.Before != 0 || len(got.Ended) > 0 {
			t.Errorf("the second order was %+v", got)
		}
	})
}

func TestShow(t *testing.T) {
	world(t, func(t *testing.T, _ *fakeStore, e *Engine) {
		login(t, e, "alice", 1, im.Web)
		if _, err := e.Subscribe(t.Context(), key("alice"), []im.UserID{"bob"}, 200); err != nil {
			t.Fatal(err)
		}
		web, _ := login(t, e, "bob", 2, im.Web)
		time.Sleep(time.Second)
		login(t, e, "bob", 3, im.Android)
		if _, err := e.Subscribe(t.Context(), key("bob"), []im.UserID{"alice", "carol"}, 200); err != nil {
			t.Fatal(err)
		}
		e.Leave(key("bob"), web.Session.Inst, web.Link, im.CauseBreak, 0)
		v, err := e.Show(t.Context(), key("bob"))
		if err != nil {
			t.Fatal(err)
		}
		if v.Status.General != im.Online || v.Watching != 2 || v.Watchers != 1 || v.TinyID != 7 || len(v.Sessions) != 2 {
			t.Fatalf("shown as %+v", v)
		}
		phone, page := v.Sessions[0], v.Sessions[1]
		if phone.Inst != 3 || !phone.Connected || phone.Until != 0 {
			t.Errorf("the phone is %+v", phone)
		}
		if until := time.Now().Add(im.GraceBreak).UnixMilli(); page.Inst != 2 || page.Connected || page.Until != until {
			t.Errorf("the page is %+v, want it until %d", page, until)
		}
	})
}

// TestSE10_GraceThatEndsDuringAKick ends the grace of a phone while the kick is
// being committed: the store must not remember it as lost.
func TestSE10_GraceThatEndsDuringAKick(t *testing.T) {
	worldWith(t, func(f *fakeStore, cfg *Config) {
		cfg.Orders = &slowOrders{f, im.GraceBreak + time.Second}
	}, func(t *testing.T, f *fakeStore, e *Engine) {
		phone, _ := login(t, e, "bob", 1, im.Android)
		e.Leave(key("bob"), 1, phone.Link, im.CauseBreak, 0)
		if err := e.Kick(t.Context(), key("bob"), "operator"); err != nil {
			t.Fatal(err)
		}
		if got := f.markOn("bob", im.Android).State; got != im.MarkOut {
			t.Errorf("acknowledged with mark %d, want %d", got, im.MarkOut)
		}
		if got := statusOf(t, restarted(t, f), "bob"); got != "bob UNLOGINED" {
			t.Errorf("after a crash: %s", got)
		}
	})
}

type slowOrders struct {
	*fakeStore
	takes time.Duration
}

func (s *slowOrders) Revoke(ctx context.Context, o im.Order) error {
	time.Sleep(s.takes)
	return s.fakeStore.Revoke(ctx, o)
}

// TestSE8_RepeatedLogoutOfWhoWasForgotten repeats a logout when only a watcher
// keeps the user in memory.
func TestSE8_RepeatedLogoutOfWhoWasForgotten(t *testing.T) {
	world(t, func(t *testing.T, f *fakeStore, e *Engine) {
		bob, _ := login(t, e, "bob", 1, im.Web)
		if err := e.End(t.Context(), bob.Session, im.CauseLogout); err != nil {
			t.Fatal(err)
		}
		login(t, e, "alice", 2, im.Web)
		if _, err := e.Subscribe(t.Context(), key("alice"), []im.UserID{"bob"}, 200); err != nil {
			t.Fatal(err)
		}
		if err := e.End(t.Context(), bob.Session, im.CauseLogout); err != nil {
			t.Fatal(err)
		}
		if got := f.mark("bob"); got != im.MarkOut {
			t.Errorf("the store holds mark %d, want %d", got, im.MarkOut)
		}
	})
}
