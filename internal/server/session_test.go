package server_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/store"
	"github.com/porchlight-im/porchlight/internal/testkit"
)

// What random runs have found, each in its smallest form.

// loginHead gives the head of a first login, to be sent more than once.
func loginHead(s *testkit.Server, c *testkit.Client, seq int64) map[string]any {
	head := c.Head(cmdLogin, seq)
	head["identifier"], head["usersig"] = c.User, s.UserSig(c.User)
	return head
}

// loginAnew logs in by UserSig on a socket that is logged in.
func loginAnew(t *testing.T, s *testkit.Server, c *testkit.Client) {
	t.Helper()
	old := c.A2
	c.A2 = ""
	if a := c.TryLogin(s.UserSig(c.User)); a.Code != 0 || c.A2 == old {
		t.Fatalf("%d %s", a.Code, a.Info)
	}
}

// keptOpen gives the sessions of a user that the store of a server that has
// stopped holds open.
func keptOpen(s *testkit.Server, user im.UserID) []im.InstID {
	var open []im.InstID
	s.OnStore(func(ctx context.Context, st *store.Store) error {
		row, err := st.User(ctx, im.UserKey{App: s.Dev.SDKAppID, User: user})
		for _, r := range row.Sessions {
			if r.Closed == 0 {
				open = append(open, r.Inst)
			}
		}
		slices.Sort(open)
		return err
	})
	return open
}

// oneSession starts a server whose application lets a user have one session.
func oneSession(t *testing.T, test func(t *testing.T, s *testkit.Server)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := testkit.StartApp(t, testkit.DevApp(map[string]string{"login.policy": "single"}))
		test(t, s)
		s.Stop()
	})
}

func TestWI2_LoginRepeatedBeforeItIsAnsweredOpensNoSecondSession(t *testing.T) {
	bubble(t, func(t *testing.T, s *testkit.Server) {
		first := s.ConnectFrom("/binfo", "bob", "page")
		head := loginHead(s, first, 7)
		first.Send(head, struct{}{})
		synctest.Wait() // it is being committed
		first.Break()
		bob := s.ConnectFrom("/binfo", "bob", "page")
		if a := bob.Keep(bob.CallHead(head, struct{}{})); a.Code != 0 {
			t.Fatal(a.Info)
		}
		bob.SetCustom("stands")
		s.Stop()
		if open := keptOpen(s, "bob"); len(open) != 1 {
			t.Errorf("%d sessions are open, want 1", len(open))
		}
	})
}

func TestWI2_WI17_RepeatedLoginThatWasPushedOutMeanwhileIsToldSo(t *testing.T) {
	for _, there := range []bool{true, false} {
		oneSession(t, func(t *testing.T, s *testkit.Server) {
			first := s.ConnectFrom("/binfo", "bob", "page")
			head := loginHead(s, first, 7)
			if a := first.CallHead(head, struct{}{}); a.Code != 0 { // it is answered, and the answer is lost
				t.Fatal(a.Info)
			}
			if !there {
				first.Break()
			}
			winner := s.Login("bob")
			again := s.ConnectFrom("/binfo", "bob", "page")
			if a := again.CallHead(head, struct{}{}); a.Code != 0 {
				t.Fatalf("there %v: the repeat is answered %d %s", there, a.Code, a.Info)
			}
			if kind := again.Kicked(); kind != 1 {
				t.Errorf("there %v: KickType %d, want 1", there, kind)
			}
			winner.Must("im_open_status.wshello", struct{}{})
			winner.SetCustom("stands")
		})
	}
}

func TestWI17_PushedOutLongAgoIsToldWhy(t *testing.T) {
	oneSession(t, func(t *testing.T, s *testkit.Server) {
		bob := s.Login("bob")
		bob.Break()
		for range 20 {
			time.Sleep(10 * time.Second)
			s.Login("bob") // each pushes out the one before
		}
		if kind := s.MustReturn(bob).Kicked(); kind != 1 {
			t.Errorf("KickType %d, want 1", kind)
		}
	})
}

func TestWI2_LoginOfASessionMayComeTwiceOnItsSocket(t *testing.T) {
	bubble(t, func(t *testing.T, s *testkit.Server) {
		alice, bob := pair(t, s)
		alice.Subscribe("bob")
		bob = s.MustReturn(bob)
		for range 2 {
			if a := bob.Return(bob); a.Code != 0 {
				t.Fatalf("%d %s", a.Code, a.Info)
			}
		}
		bob.SetCustom("still here")
		alice.Sees("bob ONLINE still here")
		time.Sleep(time.Minute)
		alice.SeesNothing()
	})
}

func TestWI17_PushedOutIsToldOnceOnASocket(t *testing.T) {
	oneSession(t, func(t *testing.T, s *testkit.Server) {
		bob := s.Login("bob")
		bob.Sees("bob ONLINE")
		s.Login("bob")
		if kind := bob.Kicked(); kind != 1 {
			t.Errorf("KickType %d, want 1", kind)
		}
		if a := bob.Return(bob); a.Code != 0 { // it was on its way
			t.Fatal(a.Info)
		}
		bob.SeesNothing()
		at := time.Now()
		if code := bob.Closed(); code != 1008 || time.Since(at) > 22*time.Second {
			t.Errorf("closed with %d after %s, want 1008 after 20s", code, time.Since(at))
		}
	})
}

func TestSE7_ST4_LoginAnewOnASocketIsSeenByNobody(t *testing.T) {
	bubble(t, func(t *testing.T, s *testkit.Server) {
		alice, bob := pair(t, s)
		alice.Subscribe("bob")
		bob.SetCustom("here")
		alice.Sees("bob ONLINE here")
		time.Sleep(time.Second)
		loginAnew(t, s, bob)
		time.Sleep(time.Second)
		alice.SeesNothing()
		if got := alice.Query("bob")[0].String(); got != "bob ONLINE here" {
			t.Errorf("a query says %s", got)
		}
		at := time.Now()
		bob.Close(1001)
		alice.Sees("bob UNLOGINED")
		if d := since(at); d > 0 {
			t.Errorf("seen after %s: the first session has left with the socket's login", d)
		}
	})
}

func TestST11_LoginAnewOnASocketKeepsTheList(t *testing.T) {
	bubble(t, func(t *testing.T, s *testkit.Server) {
		alice, bob := pair(t, s)
		alice.Subscribe("bob")
		time.Sleep(25 * time.Hour)
		loginAnew(t, s, alice)
		bob.SetCustom("still watched")
		alice.Sees("bob ONLINE still watched")
	})
}

func TestSE7_LoginAnewOnASocketThatFailsLeavesNoGhost(t *testing.T) {
	bubble(t, func(t *testing.T, s *testkit.Server) {
		alice, bob := pair(t, s)
		alice.Subscribe("bob")
		s.RestartWith(func(ctx context.Context, st *store.Store) error {
			return st.Revoke(ctx, im.Order{User: im.UserKey{App: s.Dev.SDKAppID, User: "bob"}, Before: time.Now().Add(-time.Hour).Unix()})
		})
		alice, bob = s.MustReturn(alice), s.MustReturn(bob)
		alice.Sees("bob ONLINE")
		bob.A2 = ""
		if a := bob.TryLogin(s.UserSigFor("bob", time.Now().Add(-2*time.Hour), 100*time.Hour)); a.Code != 70001 {
			t.Fatalf("%d, want 70001", a.Code)
		}
		alice.Sees("bob UNLOGINED")
	})
}

func TestWI11_LoginOnTheSocketOfOneThatWasPushedOutKeepsIt(t *testing.T) {
	oneSession(t, func(t *testing.T, s *testkit.Server) {
		bob := s.Login("bob")
		s.Login("bob")
		bob.Sees("bob ONLINE")
		if kind := bob.Kicked(); kind != 1 {
			t.Errorf("KickType %d, want 1", kind)
		}
		loginAnew(t, s, bob) // without a logout
		time.Sleep(time.Minute)
		if !bob.Open() {
			t.Fatalf("closed: %v", bob.CloseError())
		}
		bob.SetCustom("stays")
	})
}

func TestST2_PageClosedAfterARestartIsSeenAtOnce(t *testing.T) {
	for _, login := range []bool{false, true} {
		bubble(t, func(t *testing.T, s *testkit.Server) {
			alice, bob := pair(t, s)
			alice.Subscribe("bob")
			s.Restart()
			alice, bob = s.MustReturn(alice), s.MustReturn(bob)
			alice.Sees("bob ONLINE")
			if login {
				loginAnew(t, s, bob)
			}
			time.Sleep(time.Second)
			at := time.Now()
			bob.Close(1001)
			alice.Sees("bob UNLOGINED")
			if d := since(at); d > 0 {
				t.Errorf("login %v: seen after %s", login, d)
			}
		})
	}
}

func TestST2_RestartWaitsForEveryDevice(t *testing.T) {
	bubble(t, func(t *testing.T, s *testkit.Server) {
		alice, bob := pair(t, s)
		second := s.Login("bob")
		alice.Subscribe("bob")
		s.Restart()
		at := time.Now()
		alice, bob = s.MustReturn(alice), s.MustReturn(bob)
		alice.Sees("bob ONLINE")
		bob.Close(1001)
		time.Sleep(10 * time.Second)
		alice.SeesNothing()
		second = s.MustReturn(second)
		second.Close(4001)
		alice.Sees("bob UNLOGINED")
		if d := since(at); d != 15*time.Second {
			t.Errorf("seen %s after the restart, want 15s", d)
		}
	})
}

func TestWI4_ChangeInTheMomentOfTheLastSignOfLifeIsTold(t *testing.T) {
	bubble(t, func(t *testing.T, s *testkit.Server) {
		alice, bob := pair(t, s)
		alice.Subscribe("bob")
		alice.Must("heartbeat.alive", struct{}{})
		alice.Break()
		bob.SetCustom("now")
		alice = s.MustReturn(alice)
		alice.Sees("bob ONLINE now")
	})
}

// TestSE6_WhoLosesByPlatformAndPolicy logs in from each platform and then from
// each, with one session on a platform. A row is who is there, a column who
// comes, in the order of platforms; the cell is the KickType that the row is
// told, or a dot where both stay.
func TestSE6_SE7_WhoLosesByPlatformAndPolicy(t *testing.T) {
	for name, want := range map[string]string{
		"single": `
			1 2 2 2 2 2 2
			2 1 2 2 2 2 2
			2 2 1 2 2 2 2
			2 2 2 1 2 2 2
			2 2 2 2 1 2 2
			2 2 2 2 2 1 2
			2 2 2 2 2 2 1`,
		"dual": `
			1 2 2 2 2 . 2
			2 1 2 2 2 . 2
			2 2 1 2 2 . 2
			2 2 2 1 2 . 2
			2 2 2 2 1 . 2
			. . . . . 1 .
			2 2 2 2 2 . 1`,
		"triple": `
			1 . . 2 2 . .
			. 1 2 . . . 2
			. 2 1 . . . 2
			2 . . 1 2 . .
			2 . . 2 1 . .
			. . . . . 1 .
			. 2 2 . . . 1`,
		"multi": `
			1 . . . . . .
			. 1 . . . . .
			. . 1 . . . .
			. . . 1 . . .
			. . . . 1 . .
			. . . . . 1 .
			. . . . . . 1`,
	} {
		synctest.Test(t, func(t *testing.T) {
			s := testkit.StartApp(t, testkit.DevApp(map[string]string{"login.policy": name}))
			got := ""
			for _, p := range platforms {
				got += "\n\t\t\t"
				for i, q := range platforms {
					if i > 0 {
						got += " "
					}
					got += whoLoses(t, s, p, q)
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s (-want +got)\n%s", name, diff)
			}
			s.Stop()
		})
	}
}

// whoLoses logs a user in from one platform and then from another.
func whoLoses(t *testing.T, s *testkit.Server, p, q int) string {
	t.Helper()
	user := im.UserID(fmt.Sprintf("user%d-%d", p, q))
	first, second := s.Connect(user), s.Connect(user)
	first.Platform, second.Platform = p, q
	first.MustLogin()
	second.MustLogin()
	second.SetCustom("the newcomer stays")
	for _, f := range first.Pushed() {
		if kind := first.KickOf(f); kind != 0 {
			return fmt.Sprint(kind)
		}
	}
	first.SetCustom("the first stays too")
	return "."
}
