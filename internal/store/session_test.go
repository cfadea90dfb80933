package store_test

import (
	"errors"
	"sync"
	"testing"

	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/store"
)

func testOpenSession(t *testing.T, s *store.Store) {
	equal(t, user(t, s, alice), im.UserRow{})
	first := login(alice, 7, im.Web, 1000)
	tinyID := openSession(t, s, first)
	equal(t, user(t, s, alice), im.UserRow{
		Found: true, TinyID: tinyID, Sessions: []im.SessionRow{first.Session}, Live: true, LastPresence: 1000,
	})

	// The second login pushes the first out and forgets the list.
	must(t, s.SaveWatching(t.Context(), alice, []im.UserID{"bob"}, nil))
	second := login(alice, 4_294_967_295, im.IPhone, 2000)
	ended := first.Session
	ended.Closed, ended.Cause = 2000, im.CauseKickOther
	second.Ended, second.Forget = []im.SessionRow{ended}, true
	if got := openSession(t, s, second); got != tinyID {
		t.Errorf("the TinyID became %d, was %d", got, tinyID)
	}
	equal(t, user(t, s, alice), im.UserRow{
		Found: true, TinyID: tinyID, Sessions: []im.SessionRow{ended, second.Session}, Live: true, LastPresence: 2000,
	})
	if got := openSession(t, s, login(bob, 7, im.Web, 1000)); got == tinyID {
		t.Error("two accounts have one TinyID")
	}
}

func testOpenSessionAgain(t *testing.T, s *store.Store) {
	first := login(alice, 7, im.Web, 1000)
	openSession(t, s, first)
	must(t, s.SaveWatching(t.Context(), alice, []im.UserID{"bob"}, nil))
	before := user(t, s, alice)
	again := login(alice, 7, im.Mac, 2000)
	ended := first.Session
	ended.Closed, ended.Cause = 2000, im.CauseKickSame
	again.Ended, again.Forget = []im.SessionRow{ended}, true
	if _, err := s.OpenSession(t.Context(), again, 1); !errors.Is(err, store.ErrExists) {
		t.Errorf("a taken instance gives %v, want ErrExists", err)
	}
	equal(t, user(t, s, alice), before)
	equal(t, s.Stats().Refused, 1)
	equal(t, s.Stats().Failed, 0)
}

func testOpenSessionFence(t *testing.T, s *store.Store) {
	must(t, s.Revoke(t.Context(), im.Order{User: alice, Before: 100}))
	for _, issued := range []int64{0, 99, 100} {
		_, err := s.OpenSession(t.Context(), login(alice, 7, im.Web, 1000), issued)
		if !errors.Is(err, im.Err(im.CodeSigExpired)) {
			t.Errorf("a token of second %d gives %v, want it refused as expired", issued, err)
		}
	}
	equal(t, user(t, s, alice), im.UserRow{RevokedBefore: 100})
	if _, err := s.OpenSession(t.Context(), login(alice, 7, im.Web, 1000), 101); err != nil {
		t.Errorf("a token of the next second gives %v", err)
	}
	if _, err := s.OpenSession(t.Context(), login(bob, 7, im.Web, 1000), 1); err != nil {
		t.Errorf("another user's token gives %v", err)
	}
}

func testOpenSessionBanned(t *testing.T, s *store.Store) {
	openSession(t, s, login(alice, 1, im.Web, 1000))
	before := user(t, s, alice)
	must(t, s.Revoke(t.Context(), im.Order{User: alice, Before: 100, Ban: im.BanSet}))
	if _, err := s.OpenSession(t.Context(), login(alice, 2, im.Web, 2000), 101); !errors.Is(err, im.Err(im.CodeBanned)) {
		t.Errorf("a banned user's login gives %v, want it refused as banned", err)
	}
	if _, err := s.OpenSession(t.Context(), login(alice, 2, im.Web, 2000), 100); !errors.Is(err, im.Err(im.CodeSigExpired)) {
		t.Errorf("a banned user's revoked token gives %v, want it refused as expired", err)
	}
	before.Banned, before.RevokedBefore = true, 100
	equal(t, user(t, s, alice), before)
	must(t, s.Revoke(t.Context(), im.Order{User: alice, Ban: im.BanLift}))
	if _, err := s.OpenSession(t.Context(), login(alice, 2, im.Web, 2000), 101); err != nil {
		t.Errorf("after the ban a login gives %v", err)
	}
}

func testOpenSessionConcurrently(t *testing.T, s *store.Store) {
	const devices = 20
	var tinyIDs [devices]int64
	var calls sync.WaitGroup
	for i := range tinyIDs {
		calls.Go(func() {
			var err error
			tinyIDs[i], err = s.OpenSession(t.Context(), login(alice, im.InstID(i+1), im.Web, int64(1000+i)), 1)
			if err != nil {
				t.Error(err)
			}
		})
	}
	calls.Wait()
	u := user(t, s, alice)
	equal(t, len(u.Sessions), devices)
	equal(t, u.LastPresence, int64(1000+devices-1))
	for _, tinyID := range tinyIDs {
		equal(t, tinyID, u.TinyID)
	}
}

func testCloseSessions(t *testing.T, s *store.Store) {
	one, two := login(alice, 1, im.Web, 1000), login(alice, 2, im.Mac, 1001)
	openSession(t, s, one)
	openSession(t, s, two)
	ended := one.Session
	ended.Closed, ended.Cause = 5000, im.CauseLogout
	missing := im.SessionRow{Inst: 99, Closed: 5000, Cause: im.CauseLogout}
	out := im.Mark{User: alice, Platform: im.Web, State: im.MarkOut, At: 5000, Rev: 5_000_000}
	must(t, s.SaveLive(t.Context(), nil, []im.CustomRow{{User: alice, Text: "here", Rev: 1}}))
	gone := im.CustomRow{User: alice, Rev: 5_000_000}
	must(t, s.CloseSessions(t.Context(), alice, []im.SessionRow{missing, ended}, []im.Mark{out}, gone))
	equal(t, live(t, s, 0)[alice].Custom, "")

	later := ended
	later.Closed, later.Cause = 6000, im.CauseKickAdmin
	must(t, s.CloseSessions(t.Context(), alice, []im.SessionRow{later}, nil))
	must(t, s.CloseSessions(t.Context(), bob, []im.SessionRow{later}, nil))
	u := user(t, s, alice)
	equal(t, u.Sessions, []im.SessionRow{ended, two.Session})
	equal(t, u.LastPresence, 5000)
	equal(t, u.Live, true)
	equal(t, user(t, s, bob), im.UserRow{})
}
