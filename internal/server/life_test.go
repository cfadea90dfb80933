package server_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/store"
	"github.com/porchlight-im/porchlight/internal/testkit"
)

// bubble runs a test in fake time, on a server in memory.
func bubble(t *testing.T, test func(t *testing.T, s *testkit.Server), sets ...string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := testkit.Start(t, sets...)
		test(t, s)
		s.Stop()
	})
}

// since gives how long ago a time was, in whole tenths of a second.
func since(t time.Time) time.Duration { return time.Since(t).Round(100 * time.Millisecond) }

func TestST2_ST4_WI19_PageClosedIsSeenAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T, s *testkit.Server) {
		alice, bob := pair(t, s)
		alice.Subscribe("bob")
		for _, code := range []int{1001, 1000, 4000} {
			bob.SetCustom("here")
			alice.Sees("bob ONLINE here")
			at := time.Now()
			bob.Close(code)
			alice.Sees("bob UNLOGINED")
			if d := since(at); d > 0 {
				t.Errorf("close %d was seen after %s", code, d)
			}
			bob = s.Login("bob")
			alice.Sees("bob ONLINE")
			time.Sleep(2 * time.Second) // the pace of notices begins anew
		}
	})
}

func TestST2_WI19_BrokenSocketHasAGrace(t *testing.T) {
	bubble(t, func(t *testing.T, s *testkit.Server) {
		alice, bob := pair(t, s)
		alice.Subscribe("bob")
		bob.SetCustom("here")
		alice.Sees("bob ONLINE here")

		bob.Break()
		time.Sleep(4900 * time.Millisecond)
		if got := alice.Query("bob")[0].String(); got != "bob ONLINE here" {
			t.Errorf("within the grace a query says %s", got)
		}
		alice.SeesNothing()
		bob = s.MustReturn(bob)
		time.Sleep(10 * time.Second)
		alice.SeesNothing()

		at := time.Now()
		bob.Close(4001) // the client replaces its socket
		alice.Sees("bob UNLOGINED")
		if d := since(at); d != 5*time.Second {
			t.Errorf("the loss was seen after %s, want 5s", d)
		}
	})
}

func TestWI4_ReturnTellsWhatWasMissed(t *testing.T) {
	bubble(t, func(t *testing.T, s *testkit.Server) {
		alice, bob := pair(t, s)
		alice.Subscribe("bob")
		alice.SetCustom("mine")
		alice.Sees("alice ONLINE mine")
		time.Sleep(time.Minute)
		alice.Break()
		bob.SetCustom("changed meanwhile")
		alice = s.MustReturn(alice)
		alice.Sees("bob ONLINE changed meanwhile")
		time.Sleep(time.Minute)
		alice.Break()
		alice = s.MustReturn(alice)
		alice.SeesNothing()

		alice.Break()
		time.Sleep(time.Hour)
		bob.SetCustom("long ago")
		alice = s.MustReturn(alice)
		alice.Sees("alice ONLINE")
		alice.Sees("bob ONLINE long ago")
	})
}

// A client that is heard after a change need not have been told of it: the
// notice may wait for its tick.
func TestWI4_ReturnTellsWhatWaitedForItsTick(t *testing.T) {
	bubble(t, func(t *testing.T, s *testkit.Server) {
		alice, bob := pair(t, s)
		alice.Subscribe("bob")
		for n := range 6 {
			bob.SetCustom(fmt.Sprint(n))
			if n < 5 {
				alice.Sees(fmt.Sprintf("bob ONLINE %d", n))
			}
		}
		alice.Must("im_open_status.wshello", struct{}{})
		time.Sleep(5 * time.Millisecond)
		alice.Break()
		s.MustReturn(alice).Sees("bob ONLINE 5")
	})
}

func TestST1_SE9_SilenceByPlatform(t *testing.T) {
	for platform, c := range map[int]struct {
		after time.Duration
		want  string
	}{
		7:  {60 * time.Second, "bob UNLOGINED"},
		2:  {400 * time.Second, "bob OFFLINE"},
		1:  {400 * time.Second, "bob UNLOGINED"},
		13: {400 * time.Second, "bob OFFLINE"},
	} {
		t.Run(fmt.Sprint(platform), func(t *testing.T) {
			bubble(t, func(t *testing.T, s *testkit.Server) {
				alice := s.Login("alice")
				alice.Sees("alice ONLINE")
				bob := s.Connect("bob")
				bob.Platform = platform
				bob.MustLogin()
				bob.Break()
				silent := s.Connect("bob")
				silent.Platform = platform
				time.Sleep(time.Hour)
				raw := s.Raw(s.Dev.SDKAppID, "")
				raw.Login(silent)
				time.Sleep(time.Second) // the login is committed
				alice.Subscribe("bob")
				at := time.Now()
				alice.Sees(c.want)
				if d := time.Since(at); d < c.after-2*time.Second || d > c.after+2*time.Second {
					t.Errorf("the silence was seen after %s, want %s", d, c.after)
				}
			})
		})
	}
}

func TestWI10_IdleClientThatAnswersPingsStays(t *testing.T) {
	bubble(t, func(t *testing.T, s *testkit.Server) {
		alice := s.Login("alice")
		time.Sleep(24 * time.Hour / 24)
		if !alice.Open() {
			t.Fatalf("closed: %v", alice.CloseError())
		}
		alice.Must("heartbeat.alive", struct{}{})
	})
}

func TestST2_WI3_WI4_RestartWithinGraceIsSeenByNobody(t *testing.T) {
	bubble(t, func(t *testing.T, s *testkit.Server) {
		alice, bob := pair(t, s)
		alice.Subscribe("bob")
		bob.SetCustom("busy")
		alice.Sees("bob ONLINE busy")
		time.Sleep(time.Minute)

		s.Restart()
		time.Sleep(14 * time.Second)
		alice = s.MustReturn(alice)
		alice.Sees("bob ONLINE busy") // what she missed nobody knows any more: she is told again
		if got := alice.Query("bob")[0].String(); got != "bob ONLINE busy" {
			t.Errorf("within the grace a query says %s", got)
		}
		bob = s.MustReturn(bob)
		time.Sleep(time.Minute)
		alice.SeesNothing()
		bob.SeesNothing()
		bob.SetCustom("still subscribed")
		alice.Sees("bob ONLINE still subscribed")

		s.Restart()
		alice = s.MustReturn(alice)
		alice.Sees("bob ONLINE still subscribed")
		at := time.Now()
		alice.Sees("bob UNLOGINED")
		if d := since(at); d != 15*time.Second {
			t.Errorf("the loss was seen after %s, want 15s", d)
		}
		time.Sleep(time.Minute)
		s.Restart()
		alice = s.MustReturn(alice)
		if got := alice.Query("bob")[0].String(); got != "bob UNLOGINED" {
			t.Errorf("a restart brought back who was gone: %s", got)
		}
	})
}

func TestSE8_LogoutSurvivesARestart(t *testing.T) {
	bubble(t, func(t *testing.T, s *testkit.Server) {
		_, bob := pair(t, s)
		bob.SetCustom("x")
		bob.Must("im_open_status.wslogout", struct{}{})
		s.Restart()
		alice := s.Login("alice")
		if got := alice.Query("bob")[0].String(); got != "bob UNLOGINED" {
			t.Errorf("after the restart: %s", got)
		}
		c := s.Connect("bob")
		if a := c.Return(bob); a.Code != 70001 {
			t.Errorf("return after the logout: %d, want 70001", a.Code)
		}
	})
}

func TestSE10_RevocationEndsSessionsAndUserSigs(t *testing.T) {
	bubble(t, func(t *testing.T, s *testkit.Server) {
		alice, bob := pair(t, s)
		alice.Subscribe("bob")
		old := s.UserSig("bob")
		time.Sleep(time.Second)
		now := time.Now().Unix()
		s.RestartWith(func(ctx context.Context, st *store.Store) error {
			return st.Revoke(ctx, im.Order{User: im.UserKey{App: s.Dev.SDKAppID, User: "bob"}, Before: now})
		})
		alice = s.MustReturn(alice)
		alice.Sees("bob ONLINE")
		back := s.MustReturn(bob)
		if kind := back.Kicked(); kind != 3 {
			t.Errorf("KickType %d, want 3", kind)
		}
		if a := s.Connect("bob").TryLogin(old); a.Code != 70001 {
			t.Errorf("an old UserSig: %d, want 70001", a.Code)
		}
		alice.Sees("bob UNLOGINED")
		time.Sleep(time.Second)
		s.Login("bob")
		alice.Sees("bob ONLINE")
	})
}

func TestST11_ListSurvivesABreakAfterALongStay(t *testing.T) {
	bubble(t, func(t *testing.T, s *testkit.Server) {
		alice, bob := pair(t, s)
		alice.Subscribe("bob")
		time.Sleep(48 * time.Hour)
		alice.Break()
		time.Sleep(time.Second)
		again := s.Login("alice")
		bob.SetCustom("still watched")
		again.Sees("bob ONLINE still watched")
	})
}

func TestST11_ListLivesADayWithoutItsOwner(t *testing.T) {
	bubble(t, func(t *testing.T, s *testkit.Server) {
		alice, _ := pair(t, s)
		alice.Subscribe("bob")
		alice.Must("im_open_status.wslogout", struct{}{})
		time.Sleep(23 * time.Hour)
		alice = s.Login("alice")
		alice.Sees("alice ONLINE")
		s.Login("bob").SetCustom("kept")
		alice.Sees("bob ONLINE kept")
		alice.Must("im_open_status.wslogout", struct{}{})
		time.Sleep(25 * time.Hour)
		alice = s.Login("alice")
		alice.Sees("alice ONLINE")
		s.Login("bob").SetCustom("dropped")
		alice.SeesNothing()
	})
}

func TestSE5_UserSigExpiresWhileOnline(t *testing.T) {
	bubble(t, func(t *testing.T, s *testkit.Server) {
		alice, bob := s.Login("alice"), s.Connect("bob")
		alice.Sees("alice ONLINE")
		at := time.Now()
		if a := bob.TryLogin(s.UserSigFor("bob", at, time.Hour)); a.Code != 0 {
			t.Fatal(a.Info)
		}
		alice.Subscribe("bob")
		alice.Sees("bob UNLOGINED")
		if d := time.Since(at); d < time.Hour || d > time.Hour+3*time.Second {
			t.Errorf("the expiry was seen after %s", d)
		}
		bob.Sees("bob ONLINE")
		if a := bob.Call("im_open_status.wshello", struct{}{}); a.Code != 70001 {
			t.Errorf("hello after the expiry: %d, want 70001", a.Code)
		}
		bob.Closed()
		if d := time.Since(at); d > time.Hour+3*time.Second {
			t.Errorf("the socket was closed after %s", d)
		}
	})
}

func TestSE5_WI25_UserSigExpiresWhileAway(t *testing.T) {
	bubble(t, func(t *testing.T, s *testkit.Server) {
		alice, bob := s.Login("alice"), s.Connect("bob")
		alice.Sees("alice ONLINE")
		if a := bob.TryLogin(s.UserSigFor("bob", time.Now(), time.Hour)); a.Code != 0 {
			t.Fatal(a.Info)
		}
		bob.Break()
		time.Sleep(2 * time.Hour)
		for range 2 { // the server remembers it, and after a restart the store does
			bob = s.MustReturn(bob)
			profiles := bob.Must("profile.portrait_get_all", map[string]any{"UserItem": []any{map[string]any{"To_Account": "alice"}}})
			if strings.Contains(string(profiles.Raw), "alice") {
				t.Errorf("a session that is over is told of alice: %s", profiles.Raw)
			}
			for _, command := range []string{"heartbeat.alive", "im_open_status.wshello", "im_open_status.ws_set_custom_status"} {
				if a := bob.Call(command, map[string]any{"CustomStatus": "x"}); a.Code != 70001 {
					t.Errorf("%s: %d, want 70001", command, a.Code)
				}
			}
			if got := alice.Query("bob")[0].String(); got != "bob UNLOGINED" {
				t.Error(got)
			}
			s.Restart()
			alice = s.MustReturn(alice)
		}
	})
}

func TestST12_PaceOfNotices(t *testing.T) {
	bubble(t, func(t *testing.T, s *testkit.Server) {
		alice, bob := pair(t, s)
		alice.Subscribe("bob")
		at := time.Now()
		for i := range 40 {
			bob.SetCustom(fmt.Sprint(i))
		}
		var last testkit.Status
		frames := 0
		for last.Custom != "39" {
			last = alice.Statuses()[0]
			frames++
		}
		if d := since(at); d > 400*time.Millisecond {
			t.Errorf("the last was seen after %s", d)
		}
		if frames > 7 {
			t.Errorf("%d frames, want 5 at once and one a tick", frames)
		}
		time.Sleep(time.Minute)
		alice.SeesNothing()
	})
}

// TestST3_ClockSetBackAcrossARestart starts on a store in which the last custom
// status seems to be of the future: one that is acknowledged now must still be kept.
func TestST3_ClockSetBackAcrossARestart(t *testing.T) {
	bubble(t, func(t *testing.T, s *testkit.Server) {
		_, bob := pair(t, s)
		future := time.Now().Add(time.Hour).UnixMicro()
		s.RestartWith(func(ctx context.Context, st *store.Store) error {
			user := im.UserKey{App: s.Dev.SDKAppID, User: "bob"}
			return st.SaveLive(ctx, nil, []im.CustomRow{{User: user, Rev: future}})
		})
		bob = s.MustReturn(bob)
		bob.SetCustom("kept")
		s.Restart()
		if got := s.Login("alice").Query("bob")[0].String(); got != "bob ONLINE kept" {
			t.Errorf("after the restart: %s", got)
		}
	})
}
