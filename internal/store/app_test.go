package store_test

import (
	"errors"
	"testing"

	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/store"
)

func testApps(t *testing.T, s *store.Store) {
	full := im.AppRow{
		ID: 1400000002, Name: "Füll", Enabled: true, Created: 1700000000000,
		Keys: []im.AppKey{
			{ID: 1, Secret: "one", NotAfter: 1800000000, Withdrawn: true},
			{ID: 2, Secret: "two", NotBefore: 1700000000},
		},
		Admins:   []im.UserID{"zed", "administrator", "Anna"},
		Settings: map[string]string{"policy": "multi", "empty": ""},
	}
	bare := im.AppRow{ID: 1400000001, Name: "bare", Created: 1}
	apps, err := s.Apps(t.Context())
	must(t, err)
	equal(t, apps, []im.AppRow{})
	must(t, s.CreateApp(t.Context(), full))
	must(t, s.CreateApp(t.Context(), bare))
	if err := s.CreateApp(t.Context(), im.AppRow{ID: full.ID, Name: "thief"}); !errors.Is(err, store.ErrExists) {
		t.Errorf("a taken number gives %v, want ErrExists", err)
	}
	apps, err = s.Apps(t.Context())
	must(t, err)
	equal(t, apps, []im.AppRow{bare, full})
}

func testAppsAreApart(t *testing.T, s *store.Store) {
	other := im.UserKey{App: testApp + 1, User: alice.User}
	openSession(t, s, login(alice, 1, im.Web, 1000))
	must(t, s.SaveWatching(t.Context(), alice, []im.UserID{"bob"}, nil))
	equal(t, user(t, s, other), im.UserRow{})
	must(t, s.Revoke(t.Context(), other, 100))
	openSession(t, s, login(alice, 2, im.Web, 1001))
	ended := []im.SessionRow{{Inst: 1, Closed: 1, Cause: im.CauseLogout}}
	must(t, s.CloseSessions(t.Context(), other, ended, nil))
	must(t, s.ClearWatching(t.Context(), other))
	u := user(t, s, alice)
	equal(t, u.Watching, []im.UserID{"bob"})
	equal(t, u.RevokedBefore, 0)
	equal(t, u.Sessions[0].Closed, 0)
	found, err := s.Accounts(t.Context(), other.App, []im.UserID{alice.User})
	must(t, err)
	equal(t, found, map[im.UserID]int64{})
}
