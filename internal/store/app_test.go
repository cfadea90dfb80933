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

func testSaveApp(t *testing.T, s *store.Store) {
	other := im.AppRow{ID: testApp + 1, Name: "other", Keys: []im.AppKey{{ID: 1, Secret: "s"}}, Admins: []im.UserID{"root"}}
	must(t, s.CreateApp(t.Context(), other))
	for _, row := range []im.AppRow{
		{
			ID: testApp, Name: "new", Created: 5, Enabled: true,
			Keys:   []im.AppKey{{ID: 1, Secret: "one", NotAfter: 7}, {ID: 2, Secret: "two"}},
			Admins: []im.UserID{"zed", "Anna"}, Settings: map[string]string{"a": "1", "b": "2"},
		},
		{
			ID: testApp, Name: "changed", Created: 5,
			Keys:   []im.AppKey{{ID: 1, Secret: "one", NotBefore: 6, NotAfter: 8, Withdrawn: true}, {ID: 3, Secret: "three"}},
			Admins: []im.UserID{"Anna", "bob"}, Settings: map[string]string{"b": "3"},
		},
		{ID: testApp, Created: 5},
	} {
		must(t, s.SaveApp(t.Context(), row, im.AuditRow{Action: "app.change", Detail: row.Name}))
		apps, err := s.Apps(t.Context())
		must(t, err)
		equal(t, apps, []im.AppRow{row, other})
	}
	must(t, s.SaveApp(t.Context(), im.AppRow{ID: testApp, Created: 99}, im.AuditRow{}))
	apps, err := s.Apps(t.Context())
	must(t, err)
	equal(t, apps[0].Created, 5) // it was created when it was created
	equal(t, audit(t, s), []im.AuditRow{
		{App: testApp, Action: "app.change", Detail: "new"},
		{App: testApp, Action: "app.change", Detail: "changed"},
		{App: testApp, Action: "app.change"},
		{App: testApp},
	})
}

func testAppsAreApart(t *testing.T, s *store.Store) {
	other := im.UserKey{App: testApp + 1, User: alice.User}
	openSession(t, s, login(alice, 1, im.Web, 1000))
	must(t, s.SaveWatching(t.Context(), alice, []im.UserID{"bob"}, nil))
	equal(t, user(t, s, other), im.UserRow{})
	must(t, s.Revoke(t.Context(), im.Order{User: other, Before: 100}))
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
