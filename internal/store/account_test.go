package store_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/store"
)

func testAccounts(t *testing.T, s *store.Store) {
	const users = 513
	want := make(map[im.UserID]int64)
	var ids []im.UserID
	for i := range users { // with as many unknown ones, more than two IN lists of 512
		id := im.UserID(fmt.Sprintf("user%d", i))
		ids = append(ids, id, "no"+id)
	}
	var mu sync.Mutex
	var calls sync.WaitGroup
	for i := 0; i < len(ids); i += 2 {
		calls.Go(func() {
			tinyID, err := s.OpenSession(t.Context(), login(im.UserKey{App: testApp, User: ids[i]}, 1, im.Web, 1), 1)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			want[ids[i]] = tinyID
		})
	}
	calls.Wait()
	got, err := s.Accounts(t.Context(), testApp, ids)
	must(t, err)
	equal(t, got, want)
	distinct := make(map[int64]bool)
	for _, tinyID := range got {
		distinct[tinyID] = true
		if tinyID <= 144115200000000000 {
			t.Errorf("TinyID %d is too small", tinyID)
		}
	}
	equal(t, len(distinct), users)
	none, err := s.Accounts(t.Context(), testApp, nil)
	must(t, err)
	equal(t, none, map[im.UserID]int64{})
}

func testRevoke(t *testing.T, s *store.Store) {
	for _, step := range []struct{ before, want int64 }{{100, 100}, {50, 100}, {100, 100}, {0, 100}, {-1, 100}, {101, 101}} {
		must(t, s.Revoke(t.Context(), im.Order{User: alice, Before: step.before}))
		equal(t, user(t, s, alice).RevokedBefore, step.want)
	}
}

func testRevokeWithAllThatFollows(t *testing.T, s *store.Store) {
	one, two := login(alice, 1, im.Web, 1000), login(alice, 2, im.Mac, 1001)
	openSession(t, s, one)
	tinyID := openSession(t, s, two)
	must(t, s.SaveLive(t.Context(), nil, []im.CustomRow{{User: alice, Text: "here", Rev: 1}}))
	ended := one.Session
	ended.Closed, ended.Cause = 2000, im.CauseKickAdmin
	out := im.Mark{User: alice, Platform: im.Web, State: im.MarkOut, At: 2000, Rev: 2_000_000}
	order := im.Order{
		User: alice, Before: 100, Ban: im.BanSet,
		Ended: []im.SessionRow{ended, {Inst: 99, Closed: 1}}, Marks: []im.Mark{out}, Customs: []im.CustomRow{{User: alice, Rev: 2_000_000}},
		Audit: im.AuditRow{At: 7, Actor: "operator", App: 5, User: "mallory", Action: "user.ban", Detail: "spam"},
	}
	must(t, s.Revoke(t.Context(), order))
	want := im.UserRow{
		Found: true, TinyID: tinyID, RevokedBefore: 100, Banned: true,
		Sessions: []im.SessionRow{ended, two.Session}, Live: true, LastPresence: 2000,
	}
	equal(t, user(t, s, alice), want)
	equal(t, live(t, s, 0)[alice].Custom, "")
	banned := im.AuditRow{At: 7, Actor: "operator", App: testApp, User: "alice", Action: "user.ban", Detail: "spam"}
	equal(t, audit(t, s), []im.AuditRow{banned})

	// An order that says nothing of a thing leaves it; one without an action is not told.
	must(t, s.Revoke(t.Context(), im.Order{User: alice}))
	equal(t, user(t, s, alice), want)
	must(t, s.Revoke(t.Context(), im.Order{User: alice, Ban: im.BanLift}))
	want.Banned = false
	equal(t, user(t, s, alice), want)
	must(t, s.Revoke(t.Context(), im.Order{User: alice, Ban: im.BanLift}))
	equal(t, audit(t, s), []im.AuditRow{banned})
}

func testBanNeedsAnAccount(t *testing.T, s *store.Store) {
	openSession(t, s, login(alice, 1, im.Web, 1000))
	before := s.Stats()
	for _, ban := range []im.Ban{im.BanSet, im.BanLift} {
		err := s.Revoke(t.Context(), im.Order{User: bob, Before: 100, Ban: ban, Audit: im.AuditRow{Action: "user.ban"}})
		if !errors.Is(err, im.Err(im.CodeNoAccount)) {
			t.Errorf("ban %d of nobody gives %v, want it refused", ban, err)
		}
	}
	equal(t, user(t, s, bob), im.UserRow{})
	equal(t, audit(t, s), []im.AuditRow{})
	equal(t, s.Stats().Refused-before.Refused, 2)
	equal(t, s.Stats().Failed, 0)
	other := im.UserKey{App: testApp + 1, User: alice.User} // the ban of one application's alice is not the other's
	openSession(t, s, login(other, 1, im.Web, 1000))
	must(t, s.Revoke(t.Context(), im.Order{User: alice, Ban: im.BanSet}))
	equal(t, user(t, s, other).Banned, false)
	equal(t, user(t, s, alice).Banned, true)
}

func testImport(t *testing.T, s *store.Store) {
	const nick, face = "Tag_Profile_IM_Nick", "Tag_Profile_IM_Image"
	add := func(rows ...im.ImportRow) {
		t.Helper()
		kept, err := s.Import(t.Context(), im.Import{App: testApp, At: 5, Accounts: rows, Actor: "rest:root"})
		must(t, err)
		equal(t, len(kept), 0)
	}
	add(im.ImportRow{User: "alice", Values: map[string]string{nick: "Al\x00ice", face: ""}}, im.ImportRow{User: "bob"}, im.ImportRow{User: "bob"})
	add(im.ImportRow{User: "alice", Values: map[string]string{nick: "Al\x00ice"}}, im.ImportRow{User: "bob"})
	add(im.ImportRow{User: "alice", Values: map[string]string{nick: "A"}})
	found, err := s.Accounts(t.Context(), testApp, []im.UserID{"alice", "bob"})
	must(t, err)
	equal(t, len(found), 2)
	equal(t, user(t, s, alice), im.UserRow{Found: true, TinyID: found["alice"]})
	var said []string
	for _, r := range audit(t, s) {
		equal(t, im.AuditRow{ID: r.ID, At: 5, Actor: "rest:root", App: testApp, User: r.User, Action: "user.import", Detail: r.Detail}, r)
		said = append(said, string(r.User)+" "+r.Detail)
	}
	equal(t, said, []string{"alice made, " + face + " set, " + nick + " set", "bob made", "alice " + nick + " set"})
	equal(t, openSession(t, s, login(alice, 1, im.Web, 1000)), found["alice"])
}

func testImportKeepsOut(t *testing.T, s *store.Store) {
	openSession(t, s, login(alice, 1, im.Web, 1000))
	must(t, s.Revoke(t.Context(), im.Order{User: alice, Before: 100, Delete: true}))
	must(t, s.Revoke(t.Context(), im.Order{User: bob, Before: 100})) // a revocation is no deletion
	for _, step := range []struct {
		keepOut int64
		want    []im.UserID
	}{{99, []im.UserID{"alice"}}, {100, []im.UserID{"alice"}}, {101, nil}, {99, nil}} {
		kept, err := s.Import(t.Context(), im.Import{
			App: testApp, Accounts: []im.ImportRow{{User: "alice"}, {User: "bob"}}, KeepOut: step.keepOut,
		})
		must(t, err)
		equal(t, kept, step.want)
	}
}

func testDeleteAccount(t *testing.T, s *store.Store) {
	must(t, s.Revoke(t.Context(), im.Order{User: alice, Before: 90}))
	first, err := s.OpenSession(t.Context(), login(alice, 1, im.Web, 1000), 95)
	must(t, err)
	openSession(t, s, login(bob, 1, im.Web, 1000))
	must(t, s.SaveLive(t.Context(), nil, []im.CustomRow{{User: alice, Text: "here", Rev: 1}}))
	must(t, s.SaveWatching(t.Context(), alice, []im.UserID{"bob"}, nil))
	must(t, s.SaveWatching(t.Context(), bob, []im.UserID{"alice"}, nil))
	_, err = s.Import(t.Context(), im.Import{App: testApp, Accounts: []im.ImportRow{{User: "alice", Values: map[string]string{"t": "v"}}}})
	must(t, err)
	order := im.Order{User: alice, Before: 100, Delete: true, Audit: im.AuditRow{Actor: "rest:root", Action: "user.delete"}}
	must(t, s.Revoke(t.Context(), order))
	equal(t, user(t, s, alice), im.UserRow{RevokedBefore: 100})
	equal(t, user(t, s, bob).Watching, []im.UserID{"alice"}) // it is bob's
	equal(t, len(live(t, s, 0)), 1)
	rows := len(audit(t, s))
	last := audit(t, s)[rows-1]
	equal(t, last, im.AuditRow{ID: last.ID, App: testApp, User: "alice", Actor: "rest:root", Action: "user.delete"})
	if err := s.Revoke(t.Context(), order); !errors.Is(err, im.Err(im.CodeNoAccount)) {
		t.Errorf("deleting nobody gives %v", err)
	}
	equal(t, len(audit(t, s)), rows)
	if _, err := s.OpenSession(t.Context(), login(alice, 2, im.Web, 1000), 100); !errors.Is(err, im.Err(im.CodeSigExpired)) {
		t.Errorf("a UserSig from before the deletion gives %v", err)
	}
	// What is said late of the one who was there is dropped with the account.
	must(t, s.SaveLive(t.Context(), []im.Mark{{User: alice, State: im.MarkLost, At: 1, Rev: 1}}, []im.CustomRow{{User: alice, Text: "x", Rev: 2}}))
	second, err := s.OpenSession(t.Context(), login(alice, 2, im.Web, 1000), 101)
	must(t, err)
	if second <= first {
		t.Errorf("the new account has the number %d, the old one had %d", second, first)
	}
	equal(t, len(user(t, s, alice).Sessions), 1)
	equal(t, live(t, s, 0)[alice].Custom, "")
	must(t, s.Revoke(t.Context(), im.Order{User: alice, Before: 50, Delete: true}))
	equal(t, user(t, s, alice), im.UserRow{RevokedBefore: 100})
}

func testDays(t *testing.T, s *store.Store) {
	const day = 24 * 60 * 60 * 1000
	at := func(user im.UserID, milli int64) {
		_, err := s.Import(t.Context(), im.Import{App: testApp, At: milli, Accounts: []im.ImportRow{{User: user}}})
		must(t, err)
	}
	at("a", 10*day)
	at("b", 10*day+day-1)
	at("c", 12*day)
	at("d", 99*day) // by a clock that was ahead
	must(t, s.Revoke(t.Context(), im.Order{User: im.UserKey{App: testApp, User: "a"}, Before: 12 * day / 1000, Delete: true}))
	must(t, s.AddDay(t.Context(), testApp, im.Day{Day: 11, Logins: 3, Online: 2}))
	must(t, s.AddDay(t.Context(), testApp, im.Day{Day: 11, Logins: 4, Online: 1}))
	must(t, s.AddDay(t.Context(), testApp+1, im.Day{Day: 11, Logins: 9, Online: 9}))
	days, err := s.Days(t.Context(), testApp, 9, 13)
	must(t, err)
	equal(t, days, []im.Day{
		{Day: 13, Accounts: 2},
		{Day: 12, Registered: 1, Deleted: 1, Accounts: 2},
		{Day: 11, Logins: 7, Online: 2, Accounts: 2},
		{Day: 10, Registered: 2, Accounts: 2},
		{Day: 9},
	})
}

func testAnyBytes(t *testing.T, s *store.Store) {
	texts := []string{"\x00", "a\x00b", "\xff\xfe", "ü 漢字 🕯", " ", "'; DROP TABLE account; --", strings.Repeat("\x00\xff", 50)}
	for b := byte(0x21); b <= 0x7e; b++ {
		id := im.UserID([]byte{b})
		long := im.UserID(strings.Repeat(string(id), 31) + "x")
		for _, key := range []im.UserKey{{App: testApp, User: id}, {App: testApp, User: long}} {
			text := texts[int(b)%len(texts)]
			openSession(t, s, login(key, 1, im.Web, 1000))
			must(t, s.SaveWatching(t.Context(), key, []im.UserID{id, long}, nil))
			must(t, s.SaveLive(t.Context(), nil, []im.CustomRow{{User: key, Text: text, Rev: 1}}))
			equal(t, user(t, s, key).Watching, []im.UserID{id, long})
		}
	}
	rows := live(t, s, 0)
	equal(t, len(rows), 2*(0x7e-0x21+1))
	for key, row := range rows {
		equal(t, row.Custom, texts[int(key.User[0])%len(texts)])
		found, err := s.Accounts(t.Context(), testApp, []im.UserID{key.User})
		must(t, err)
		equal(t, len(found), 1)
	}
}
