package store_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/store"
)

func testMarksAreGuardedByRev(t *testing.T, s *store.Store) {
	openSession(t, s, login(alice, 1, im.Web, 1000)) // Rev 1,000,000
	for _, step := range []struct {
		rev  int64
		took bool
	}{{999_999, false}, {1_000_000, false}, {1_000_001, true}, {5, false}} {
		m := im.Mark{User: alice, Platform: im.Web, State: im.MarkLost, At: step.rev, Rev: step.rev}
		must(t, s.SaveLive(t.Context(), []im.Mark{m}, nil))
		took := false
		for _, got := range live(t, s, 0)[alice].Marks {
			took = took || got == m
		}
		equal(t, took, step.took)
	}
	// A late login must not undo it either, yet opens its session.
	openSession(t, s, login(alice, 2, im.Web, 1000))
	equal(t, user(t, s, alice).Live, false)
	equal(t, len(user(t, s, alice).Sessions), 2)
}

func testCustomsAreGuardedByRev(t *testing.T, s *store.Store) {
	openSession(t, s, login(alice, 1, im.Web, 1000))
	for _, step := range []struct {
		rev        int64
		text, want string
	}{
		{100, "busy", "busy"},
		{99, "older", "busy"},
		{100, "equal", "busy"},
		{200, "", ""},
		{150, "older than none", ""},
		{201, "back", "back"},
	} {
		must(t, s.SaveLive(t.Context(), nil, []im.CustomRow{{User: alice, Text: step.text, Rev: step.rev}}))
		if got := live(t, s, 0)[alice].Custom; got != step.want {
			t.Errorf("after %q at %d it is %q, want %q", step.text, step.rev, got, step.want)
		}
	}
}

func testClearCustoms(t *testing.T, s *store.Store) {
	texts := map[im.UserKey]string{}
	other := im.UserKey{App: testApp + 1, User: alice.User} // out, while alice of testApp is live
	for key, state := range map[im.UserKey]im.MarkState{alice: im.MarkLive, bob: im.MarkLost, other: im.MarkOut} {
		o := login(key, 1, im.Web, 1000)
		openSession(t, s, o)
		out := im.Mark{User: key, Platform: im.Mac, State: im.MarkOut, At: 1000, Rev: 1}
		o.Mark.State, o.Mark.Rev = state, o.Mark.Rev+1
		must(t, s.SaveLive(t.Context(), []im.Mark{o.Mark, out}, []im.CustomRow{{User: key, Text: "here", Rev: 7_000}}))
	}
	must(t, s.ClearCustoms(t.Context(), 9_000))
	// A text from before it does not return.
	must(t, s.SaveLive(t.Context(), nil, []im.CustomRow{{User: bob, Text: "late", Rev: 8_000}}))
	for key, row := range live(t, s, 0) {
		texts[key] = row.Custom
	}
	equal(t, texts, map[im.UserKey]string{alice: "here", bob: ""})
	openSession(t, s, login(other, 2, im.Web, 2000))
	equal(t, live(t, s, 0)[other].Custom, "")
	rev, err := s.LastRev(t.Context())
	must(t, err)
	equal(t, rev, int64(2_000_000))
}

func testNothingWithoutAccount(t *testing.T, s *store.Store) {
	marks := []im.Mark{{User: bob, Platform: im.Web, State: im.MarkLive, At: 1, Rev: 1}}
	must(t, s.SaveLive(t.Context(), marks, []im.CustomRow{{User: bob, Text: "x", Rev: 1}}))
	equal(t, live(t, s, 0), map[im.UserKey]im.LiveRow{})
	equal(t, user(t, s, bob), im.UserRow{})
}

func testLive(t *testing.T, s *store.Store) {
	key := func(name im.UserID) im.UserKey { return im.UserKey{App: testApp, User: name} }
	mark := func(name im.UserID, p im.Platform, state im.MarkState, at int64) im.Mark {
		return im.Mark{User: key(name), Platform: p, State: state, At: at, Rev: at*1000 + 1}
	}
	for i, name := range []im.UserID{"here", "both", "lost", "longLost", "out", "outAndLost"} {
		openSession(t, s, login(key(name), 1, im.Web, int64(1000+i)))
	}
	must(t, s.SaveLive(t.Context(), []im.Mark{
		mark("both", im.IPad, im.MarkOut, 3000),
		mark("lost", im.Web, im.MarkLost, 5000),
		mark("longLost", im.Web, im.MarkLost, 4999),
		mark("out", im.Web, im.MarkOut, 9000),
		mark("outAndLost", im.Web, im.MarkOut, 9000),
		mark("outAndLost", im.Android, im.MarkLost, 5001),
	}, []im.CustomRow{{User: key("lost"), Text: "afk", Rev: 7}, {User: key("out"), Text: "gone", Rev: 7}}))
	webMark := func(name im.UserID, at int64) im.Mark { return login(key(name), 1, im.Web, at).Mark }
	equal(t, live(t, s, 5000), map[im.UserKey]im.LiveRow{
		key("here"): {User: key("here"), Marks: []im.Mark{webMark("here", 1000)}},
		key("both"): {User: key("both"), Marks: []im.Mark{webMark("both", 1001), mark("both", im.IPad, im.MarkOut, 3000)}},
		key("lost"): {User: key("lost"), Marks: []im.Mark{mark("lost", im.Web, im.MarkLost, 5000)}, Custom: "afk"},
		key("outAndLost"): {User: key("outAndLost"), Marks: []im.Mark{
			mark("outAndLost", im.Web, im.MarkOut, 9000), mark("outAndLost", im.Android, im.MarkLost, 5001),
		}},
	})
	stop := errors.New("stop")
	if err := s.Live(t.Context(), 0, func(im.LiveRow) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("Live gives %v, want the error of its callback", err)
	}
}

func testLivePages(t *testing.T, s *store.Store) {
	const users = 520 // a page holds 500
	want := make(map[im.UserKey]im.LiveRow)
	var calls sync.WaitGroup
	var marks []im.Mark
	for i := range users {
		key := im.UserKey{App: testApp + im.AppID(i/510), User: im.UserID(fmt.Sprint(i))}
		o := login(key, 1, im.Web, 1000)
		second := im.Mark{User: key, Platform: im.Linux, State: im.MarkOut, At: 1, Rev: 1}
		marks = append(marks, second)
		want[key] = im.LiveRow{User: key, Marks: []im.Mark{o.Mark, second}}
		calls.Go(func() {
			if _, err := s.OpenSession(t.Context(), o, 1); err != nil {
				t.Error(err)
			}
		})
	}
	calls.Wait()
	must(t, s.SaveLive(t.Context(), marks, nil))
	equal(t, live(t, s, 0), want)
	// The store is free while the callback runs.
	must(t, s.Live(t.Context(), 0, func(r im.LiveRow) error {
		if r.User.User != "0" {
			return nil
		}
		return s.SaveLive(t.Context(), nil, []im.CustomRow{{User: r.User, Text: "seen", Rev: 1}})
	}))
}

func testWatching(t *testing.T, s *store.Store) {
	openSession(t, s, login(alice, 1, im.Web, 1000))
	for _, step := range []struct{ add, remove, want []im.UserID }{
		{add: []im.UserID{"c", "a", "b"}, want: []im.UserID{"c", "a", "b"}},
		{add: []im.UserID{"c"}, want: []im.UserID{"a", "b", "c"}},
		{remove: []im.UserID{"b", "x"}, want: []im.UserID{"a", "c"}},
		{add: []im.UserID{"d", "B"}, remove: []im.UserID{"a", "c"}, want: []im.UserID{"d", "B"}},
		{add: []im.UserID{"b", "d"}, remove: []im.UserID{"d"}, want: []im.UserID{"B", "b", "d"}},
		{want: []im.UserID{"B", "b", "d"}},
	} {
		must(t, s.SaveWatching(t.Context(), alice, step.add, step.remove))
		equal(t, user(t, s, alice).Watching, step.want)
	}
	openSession(t, s, login(bob, 1, im.Web, 1000))
	must(t, s.SaveWatching(t.Context(), bob, []im.UserID{"d"}, nil))
	must(t, s.ClearWatching(t.Context(), alice))
	must(t, s.ClearWatching(t.Context(), alice))
	equal(t, user(t, s, alice).Watching, []im.UserID{})
	equal(t, user(t, s, bob).Watching, []im.UserID{"d"})
}

func testLastRev(t *testing.T, s *store.Store) {
	last := func() int64 {
		t.Helper()
		rev, err := s.LastRev(t.Context())
		must(t, err)
		return rev
	}
	equal(t, last(), 0)
	openSession(t, s, login(alice, 1, im.Web, 1000)) // Rev 1,000,000
	equal(t, last(), 1_000_000)
	must(t, s.SaveLive(t.Context(), nil, []im.CustomRow{{User: alice, Text: "x", Rev: 1_000_002}}))
	equal(t, last(), 1_000_002)
	must(t, s.SaveLive(t.Context(), []im.Mark{{User: alice, Platform: im.Web, State: im.MarkLost, At: 1, Rev: 1_000_005}}, nil))
	equal(t, last(), 1_000_005)
}
