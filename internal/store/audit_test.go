package store_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/store"
)

// audit gives all rows, oldest first, without their IDs, which must rise.
func audit(t testing.TB, s *store.Store) []im.AuditRow {
	t.Helper()
	var rows []im.AuditRow
	for before := int64(0); ; before = rows[len(rows)-1].ID {
		page, err := s.Audit(t.Context(), 0, before, 1000)
		must(t, err)
		if len(page) == 0 {
			break
		}
		rows = append(rows, page...)
	}
	slices.Reverse(rows)
	for i := range rows {
		if i > 0 && rows[i].ID <= rows[i-1].ID {
			t.Errorf("row %d comes after row %d", rows[i].ID, rows[i-1].ID)
		}
	}
	for i := range rows {
		rows[i].ID = 0
	}
	return rows
}

func ids(rows []im.AuditRow) (ids []int64) {
	for _, r := range rows {
		ids = append(ids, r.ID)
	}
	return ids
}

func testAudit(t *testing.T, s *store.Store) {
	rows, err := s.Audit(t.Context(), 0, 0, 10)
	must(t, err)
	equal(t, rows, []im.AuditRow{})
	const each = 5
	for i := range each { // 1, 3, 5, 7, 9 of one application and 2, 4, 6, 8, 10 of the other
		row := im.AuditRow{At: int64(i), Actor: "operator", User: "root", Action: "app.change", Detail: fmt.Sprint(i)}
		must(t, s.SaveApp(t.Context(), im.AppRow{ID: testApp}, row))
		must(t, s.Revoke(t.Context(), im.Order{User: im.UserKey{App: testApp + 1, User: "bob"}, Audit: row}))
	}
	for _, step := range []struct {
		app    im.AppID
		before int64
		limit  int
		want   []int64
	}{
		{0, 0, 100, []int64{10, 9, 8, 7, 6, 5, 4, 3, 2, 1}},
		{0, 0, 3, []int64{10, 9, 8}},
		{0, 8, 3, []int64{7, 6, 5}},
		{0, 1, 3, nil},
		{0, 99, 1, []int64{10}},
		{testApp, 0, 100, []int64{9, 7, 5, 3, 1}},
		{testApp, 7, 1, []int64{5}},
		{testApp + 1, 7, 100, []int64{6, 4, 2}},
		{testApp + 2, 0, 100, nil},
		{0, 0, 0, nil},
		{0, 0, -1, nil},
		{0, 0, 1 << 40, []int64{10, 9, 8, 7, 6, 5, 4, 3, 2, 1}},
	} {
		rows, err := s.Audit(t.Context(), step.app, step.before, step.limit)
		must(t, err)
		equal(t, ids(rows), step.want)
	}
	rows, err = s.Audit(t.Context(), 0, 0, 2)
	must(t, err)
	equal(t, rows, []im.AuditRow{ // each about what was changed, whatever it said itself
		{ID: 10, At: 4, Actor: "operator", App: testApp + 1, User: "bob", Action: "app.change", Detail: "4"},
		{ID: 9, At: 4, Actor: "operator", App: testApp, User: "root", Action: "app.change", Detail: "4"},
	})
}

func testAuditTakesAnyText(t *testing.T, s *store.Store) {
	for _, step := range []struct{ text, want string }{
		{"a → b, ü 漢字 🕯\n\t", "a → b, ü 漢字 🕯\n\t"},
		{"'; DROP TABLE audit; --", "'; DROP TABLE audit; --"},
		{"\x00nul\x00", "nul"}, // PostgreSQL refuses what is left out or replaced
		{"\xff\xfebytes", "\uFFFDbytes"},
	} {
		row := im.AuditRow{Actor: step.text, User: im.UserID(step.text), Action: step.text, Detail: step.text}
		must(t, s.SaveApp(t.Context(), im.AppRow{ID: testApp}, row))
		rows, err := s.Audit(t.Context(), 0, 0, 1)
		must(t, err)
		rows[0].ID = 0
		equal(t, rows, []im.AuditRow{
			{App: testApp, Actor: step.want, User: im.UserID(step.want), Action: step.want, Detail: step.want},
		})
	}
}

// Rows are in the order of what they tell of, and of each application the last
// one tells of what is there.
func testAuditConcurrently(t *testing.T, s *store.Store) {
	const callers, rounds, apps = 8, 20, 2
	var calls sync.WaitGroup
	for c := range callers {
		calls.Go(func() {
			for n := range rounds {
				row := im.AppRow{ID: testApp + im.AppID(c%apps), Name: fmt.Sprintf("%d.%d", c, n)}
				row.Keys = []im.AppKey{{ID: uint32(n), Secret: row.Name}}
				row.Admins, row.Settings = []im.UserID{im.UserID(row.Name)}, map[string]string{row.Name: ""}
				err := s.SaveApp(t.Context(), row, im.AuditRow{Action: "app.change", Detail: row.Name})
				order := im.Order{User: im.UserKey{App: 7, User: im.UserID(row.Name)}, Audit: im.AuditRow{Action: "user.kick"}}
				if err := errors.Join(err, s.Revoke(t.Context(), order)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	calls.Wait()
	last, told := map[im.AppID]string{}, map[int]int{}
	for _, row := range audit(t, s) {
		if row.Action != "app.change" {
			continue
		}
		var c, n int
		_, err := fmt.Sscanf(row.Detail, "%d.%d", &c, &n)
		must(t, err)
		if n != told[c] {
			t.Errorf("caller %d's change %d is told as change %d", c, n, told[c])
		}
		told[c]++
		last[row.App] = row.Detail
	}
	equal(t, len(audit(t, s)), 2*callers*rounds)
	rows, err := s.Apps(t.Context())
	must(t, err)
	equal(t, len(rows), apps)
	for _, row := range rows {
		name := last[row.ID]
		if row.Name != name || row.Keys[0].Secret != name || row.Admins[0] != im.UserID(name) || len(row.Settings) != 1 {
			t.Errorf("application %d is %+v, and the last row tells of %s", row.ID, row, name)
		}
	}
}

// testAllOrNothing breaks the last step of each change.
func testAllOrNothing(t *testing.T, s *store.Store) {
	openSession(t, s, login(alice, 1, im.Web, 1000))
	app := im.AppRow{ID: testApp, Name: "old", Keys: []im.AppKey{{ID: 1, Secret: "s"}}, Admins: []im.UserID{"root"}}
	must(t, s.CreateApp(t.Context(), app))
	before := user(t, s, alice)
	order := im.Order{
		User: alice, Before: 100, Ban: im.BanSet,
		Ended:   []im.SessionRow{{Inst: 1, Closed: 2000, Cause: im.CauseKickAdmin}},
		Marks:   []im.Mark{{User: alice, Platform: im.Web, State: im.MarkOut, At: 2000, Rev: 2_000_000}},
		Customs: []im.CustomRow{{User: alice, Text: "x", Rev: 1}},
		Audit:   im.AuditRow{Action: "user.ban"},
	}
	changed := app
	changed.Name, changed.Keys, changed.Admins = "new", nil, nil
	execSQL(t, s.WritingForTest(), "ALTER TABLE audit RENAME TO away")
	if s.Revoke(t.Context(), order) == nil || s.SaveApp(t.Context(), changed, im.AuditRow{Action: "app.change"}) == nil {
		t.Error("a change passed whose audit row cannot be kept")
	}
	execSQL(t, s.WritingForTest(), "ALTER TABLE away RENAME TO audit")
	equal(t, user(t, s, alice), before)
	equal(t, live(t, s, 0)[alice].Custom, "")
	apps, err := s.Apps(t.Context())
	must(t, err)
	equal(t, apps, []im.AppRow{app})

	bad := badApp // two of its keys have one number
	bad.ID = testApp
	if s.SaveApp(t.Context(), bad, im.AuditRow{Action: "app.change"}) == nil {
		t.Error("the bad application was taken")
	}
	apps, err = s.Apps(t.Context())
	must(t, err)
	equal(t, apps, []im.AppRow{app})
	equal(t, audit(t, s), []im.AuditRow{})
}
