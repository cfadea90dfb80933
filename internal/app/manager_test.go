package app_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/porchlight-im/porchlight/internal/app"
	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/store"
)

// keeper is what the tests need of a store.
type keeper interface {
	app.Store
	app.ManagerStore
	Audit(ctx context.Context, app im.AppID, before int64, limit int) ([]im.AuditRow, error)
}

// shop is a store whose commits can be made to fail or to wait.
type shop struct {
	keeper
	save func() error // called before each commit, nil for nothing
}

func (s *shop) SaveApp(ctx context.Context, row im.AppRow, audit im.AuditRow) error {
	if s.save != nil {
		if err := s.save(); err != nil {
			return err
		}
	}
	return s.keeper.SaveApp(ctx, row, audit)
}

// told is one call of Changed.
type told struct{ before, after *app.App }

// rig is a manager with all that it needs.
type rig struct {
	*app.Manager
	t     testing.TB
	apps  *app.Registry
	store *shop
	now   time.Time
	told  []told // by Changed, which runs one at a time
}

// rigged makes a manager of applications that are there at the start.
func rigged(t testing.TB, list ...im.AppRow) *rig {
	t.Helper()
	st, err := store.Open(t.Context(), store.Config{Gather: time.Nanosecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	for _, row := range list {
		if err := st.CreateApp(t.Context(), row); err != nil {
			t.Fatal(err)
		}
	}
	return rigOn(t, st)
}

// rigOn is rigged on the applications of a store.
func rigOn(t testing.TB, st keeper) *rig {
	t.Helper()
	r := &rig{t: t, store: &shop{keeper: st}, now: time.Unix(1_800_000_000, 0)}
	r.apps = load(t, st)
	r.Manager = app.NewManager(app.ManagerConfig{
		Apps: r.apps, Store: r.store, Now: func() time.Time { return r.now },
		Changed: func(before, after *app.App) { r.told = append(r.told, told{before, after}) },
	})
	return r
}

// create makes an application that must be taken.
func (r *rig) create(n app.New) *app.App {
	r.t.Helper()
	a, err := r.Create(r.t.Context(), "operator", n)
	if err != nil {
		r.t.Fatal(err)
	}
	return a
}

// audit gives what the audit tells, oldest first, each row as its action, user
// and detail.
func (r *rig) audit() (rows []string) {
	r.t.Helper()
	list, err := r.store.Audit(r.t.Context(), 0, 0, 1000)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, row := range slices.Backward(list) {
		who := ""
		if row.User != "" {
			who = " (" + string(row.User) + ")"
		}
		rows = append(rows, row.Action+who+": "+row.Detail)
	}
	return rows
}

// sound checks that the registry, the store and what Changed told are one.
func (r *rig) sound() {
	r.t.Helper()
	stored := app.NewManager(app.ManagerConfig{Apps: load(r.t, r.store)})
	same(r.t, "the store and the registry", stored.Apps(), r.Apps())
	last := map[im.AppID]*app.App{}
	for _, c := range r.told {
		if before, known := last[c.after.ID]; known && c.before != before {
			r.t.Errorf("a change of application %d began with %+v, the one before ended with %+v", c.after.ID, c.before, before)
		}
		last[c.after.ID] = c.after
	}
	for id, a := range last {
		if now, err := r.App(id); err != nil || now != a {
			r.t.Errorf("the last that was told of application %d is %+v, and it is %+v, %v", id, a, now, err)
		}
	}
	if audit := r.audit(); len(audit) != len(r.told) {
		r.t.Errorf("%d changes were told, %d are in the audit: %q", len(r.told), len(audit), audit)
	}
}

func same[T any](t testing.TB, what string, want, got T) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%s (-want +got)\n%s", what, diff)
	}
}

// refused checks that an error is that refusal: a code or a sentinel, with a
// text that has those words.
func refused(t testing.TB, err, want error, words string) {
	t.Helper()
	if !errors.Is(err, want) || !strings.Contains(fmt.Sprint(err), words) {
		t.Errorf("got %v, want %v with the words %q", err, want, words)
	}
}

var invalid = im.Err(im.CodeInvalid)

const good = "0123456789abcdef0123456789abcdef" // a secret of the least length

func TestCreateGivesAWholeApplication(t *testing.T) {
	r := rigged(t)
	a := r.create(app.New{
		ID: 7, Name: "shop", Secret: good, Admins: []im.UserID{"zed", "Anna", "zed"},
		Settings: map[string]string{"limit.query": "007", "status.on": "T", "login.policy": "multi"},
	})
	settings := app.DefaultSettings()
	settings.MaxQuery, settings.Login = 7, im.PolicyMulti
	same(t, "the application", &app.App{
		ID: 7, Name: "shop", Enabled: true, Created: r.now.UnixMilli(), Keys: []im.AppKey{{ID: 1, Secret: good}},
		Admins: map[im.UserID]bool{"Anna": true, "zed": true}, Settings: settings,
	}, a)
	wants(t, r.apps, 7, im.CodeOK)
	same(t, "the audit", r.audit(), []string{
		`app.create: name: "shop", login.policy: dual → multi, limit.query: 500 → 7, Anna is an administrator, zed is an administrator`,
	})
	rows, err := r.store.Apps(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	// What is as by default is not stored, so that it follows the default.
	same(t, "the stored settings", rows[0].Settings, map[string]string{"limit.query": "7", "login.policy": "multi"})
	if len(r.told) != 1 || r.told[0] != (told{nil, a}) {
		t.Errorf("Changed was told %+v", r.told)
	}
	r.sound()

	bare, other := r.create(app.New{}), r.create(app.New{})
	if bare.Name != "app-1400000002" || bare.Settings != app.DefaultSettings() || len(bare.Admins) > 0 {
		t.Errorf("an application of which nothing was said: %+v", bare)
	}
	secret := bare.Keys[0].Secret
	if len(secret) != 64 || strings.Trim(secret, "0123456789abcdef") != "" || secret == other.Keys[0].Secret {
		t.Errorf("random secrets: %q and %q", secret, other.Keys[0].Secret)
	}
}

func TestNumbersAreChosenAboveAll(t *testing.T) {
	for _, tt := range []struct {
		there []im.AppID
		want  im.AppID // 0 for none
	}{
		{nil, 1400000002},
		{[]im.AppID{1, 5}, 1400000002},
		{[]im.AppID{1400000001}, 1400000002},
		{[]im.AppID{1400000001, 1400000009}, 1400000010}, // 2 to 8 may have been
		{[]im.AppID{4294967294}, 4294967295},
		{[]im.AppID{5, 4294967295}, 0},
	} {
		var list []im.AppRow
		for _, id := range tt.there {
			list = append(list, im.AppRow{ID: id})
		}
		r := rigged(t, list...)
		a, err := r.Create(t.Context(), "operator", app.New{})
		if tt.want == 0 {
			refused(t, err, app.ErrConflict, "no number is left")
		} else if err != nil || a.ID != tt.want {
			t.Errorf("above %v comes %+v, %v, want %d", tt.there, a, err, tt.want)
		}
		r.create(app.New{ID: 77})
		_, err = r.Create(t.Context(), "operator", app.New{ID: 77, Name: "thief"})
		refused(t, err, app.ErrExists, "77")
		if a, err := r.App(77); err != nil || a.Name != "app-77" {
			t.Errorf("application 77 became %+v, %v", a, err)
		}
		r.sound()
	}
}

func TestWhatNoApplicationMayBe(t *testing.T) {
	r := rigged(t)
	eleven := make([]im.UserID, im.MaxAdmins+1)
	for i := range eleven {
		eleven[i] = im.UserID(fmt.Sprint(i))
	}
	for _, tt := range []struct {
		n     app.New
		words string
	}{
		{app.New{Name: strings.Repeat("ü", 101)}, "name: want 1 to 100"},
		{app.New{Name: "line\nbreak"}, "name"},
		{app.New{Name: "nul\x00"}, "name"},
		{app.New{Name: "bytes\xff"}, "name"},
		{app.New{Name: "turned\u202Earound"}, "name"},
		{app.New{Secret: good[1:]}, "secret: want 32 to 256"},
		{app.New{Secret: strings.Repeat("x", 257)}, "secret"},
		{app.New{Secret: good + " "}, "secret"},
		{app.New{Secret: good + "ü"}, "secret"},
		{app.New{Secret: good + "\x7f"}, "secret"},
		{app.New{Admins: []im.UserID{"ok", ""}}, `administrator ""`},
		{app.New{Admins: []im.UserID{"a b"}}, `administrator "a b"`},
		{app.New{Admins: eleven}, "at most 10"},
		{app.New{Settings: map[string]string{"limit.query": "0"}}, "limit.query"},
		{app.New{Settings: map[string]string{"no.such": ""}}, `"no.such"`},
	} {
		a, err := r.Create(t.Context(), "operator", tt.n)
		refused(t, err, invalid, tt.words)
		if a != nil {
			t.Errorf("%+v was made beside an error", a)
		}
	}
	if len(r.Apps()) > 0 {
		t.Errorf("there are %d applications", len(r.Apps()))
	}
	r.sound()
	for _, n := range []app.New{
		{Name: strings.Repeat("漢", 100)},
		{Name: "It's “Zoë’s”: <b>&amp;</b> 🕯"},
		{Secret: strings.Repeat("~", 256), Admins: append(eleven[1:], "1", "2")},
		{Secret: "!" + good},
	} {
		r.create(n)
	}
	r.sound()
}

// TestEachChangeIsTold makes each kind of change once: what it makes of the
// application and what the audit says.
func TestEachChangeIsTold(t *testing.T) {
	r := rigged(t, im.AppRow{ID: 5, Name: "old", Enabled: true, Created: 3, Keys: []im.AppKey{{ID: 1, Secret: "first"}}, Admins: []im.UserID{"root"}, Settings: map[string]string{"limit.query": "3"}})
	a, err := r.App(5)
	if err != nil {
		t.Fatal(err)
	}
	want := *a // a copy, made into what is wanted step by step
	want.Keys, want.Admins = slices.Clone(a.Keys), maps.Clone(a.Admins)
	text := func(s string) *string { return &s }
	yes, no := true, false
	change := func(c app.Change) func() error {
		return func() error { _, err := r.Change(t.Context(), "anna", 5, c); return err }
	}
	bound := func(key uint32, b app.KeyBounds) func() error {
		return func() error { _, err := r.BoundKey(t.Context(), "anna", 5, key, b); return err }
	}
	for _, step := range []struct {
		do   func() error
		want func()
		told string // "" for no change
	}{
		{change(app.Change{}), func() {}, ""},
		{change(app.Change{Name: text("new")}), func() { want.Name = "new" }, `app.change: name: "old" → "new"`},
		{change(app.Change{Name: text("new"), Enabled: &yes, Settings: map[string]*string{"limit.query": text("3"), "limit.calls": nil}}), func() {}, ""},
		{change(app.Change{Enabled: &no}), func() { want.Enabled = false }, "app.change: enabled: true → false"},
		{
			change(app.Change{Name: text(""), Enabled: &yes, Settings: map[string]*string{"limit.query": nil, "login.policy": text("multi"), "limit.window": text("90s"), "status.on": text("1")}}),
			func() {
				want.Name, want.Enabled, want.Settings = "app-5", true, app.DefaultSettings()
				want.Settings.Login, want.Settings.CallsWindow = im.PolicyMulti, 90*time.Second
			},
			`app.change: name: "new" → "app-5", enabled: false → true, login.policy: dual → multi, limit.query: 3 → 500, limit.window: 5s → 1m30s`,
		},
		{
			func() error {
				_, err := r.AddKey(t.Context(), "anna", 5, good, app.KeyBounds{NotBefore: 1_900_000_000})
				return err
			},
			func() {
				want.Keys = append(want.Keys, im.AppKey{ID: 2, Secret: good, NotBefore: 1_900_000_000})
			},
			"key.add: key 2: not before 2030-03-17T17:46:40Z, not after none",
		},
		{bound(2, app.KeyBounds{NotBefore: 1_900_000_000}), func() {}, ""},
		{
			bound(2, app.KeyBounds{NotAfter: 1_900_000_000}),
			func() { want.Keys[1].NotBefore, want.Keys[1].NotAfter = 0, 1_900_000_000 },
			"key.bound: key 2: not before 2030-03-17T17:46:40Z → none, key 2: not after none → 2030-03-17T17:46:40Z",
		},
		{
			func() error { _, err := r.WithdrawKey(t.Context(), "anna", 5, 1); return err },
			func() { want.Keys[0].Withdrawn = true },
			"key.withdraw: key 1",
		},
		{func() error { _, err := r.WithdrawKey(t.Context(), "anna", 5, 1); return err }, func() {}, ""},
		{
			func() error { _, err := r.AddAdmin(t.Context(), "anna", 5, "bob"); return err },
			func() { want.Admins["bob"] = true },
			"admin.add (bob): bob is an administrator",
		},
		{func() error { _, err := r.AddAdmin(t.Context(), "anna", 5, "bob"); return err }, func() {}, ""},
		{
			func() error { _, err := r.RemoveAdmin(t.Context(), "anna", 5, "root"); return err },
			func() { delete(want.Admins, "root") },
			"admin.remove (root): root is no administrator any more",
		},
		{func() error { _, err := r.RemoveAdmin(t.Context(), "anna", 5, "root"); return err }, func() {}, ""},
	} {
		before := r.audit()
		step.want()
		if err := step.do(); err != nil {
			t.Fatalf("%s: %v", step.told, err)
		}
		got, err := r.App(5)
		if err != nil {
			t.Fatal(err)
		}
		same(t, step.told, &want, got)
		if step.told != "" {
			before = append(before, step.told)
		}
		same(t, "the audit", before, r.audit())
		r.sound()
	}
	rows, err := r.store.Audit(t.Context(), 5, 0, 1)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "the last row", []im.AuditRow{{
		ID: rows[0].ID, At: r.now.UnixMilli(), Actor: "anna", App: 5, User: "root", Action: "admin.remove", Detail: "root is no administrator any more",
	}}, rows)
}

func TestChangeDoesAllOrNothing(t *testing.T) {
	r := rigged(t, im.AppRow{ID: 5, Name: "old", Enabled: true, Settings: map[string]string{"limit.query": "3"}})
	text := func(s string) *string { return &s }
	no := false
	for _, tt := range []struct {
		c     app.Change
		words string
	}{
		{app.Change{Name: text("bad\n"), Enabled: &no}, "name"},
		{app.Change{Name: text("new"), Enabled: &no, Settings: map[string]*string{"limit.query": text("4"), "limit.calls": text("-1")}}, "limit.calls"},
		{app.Change{Name: text("new"), Settings: map[string]*string{"no.such": text("1")}}, "no.such"},
		{app.Change{Name: text("new"), Settings: map[string]*string{"no.such": nil}}, "no.such"},
	} {
		before := r.Apps()
		_, err := r.Change(t.Context(), "operator", 5, tt.c)
		refused(t, err, invalid, tt.words)
		if after := r.Apps(); after[0] != before[0] {
			t.Errorf("%+v was refused and made %+v", tt.c, after[0])
		}
	}
	r.sound()
}

func TestAdministratorsAreTenAtMost(t *testing.T) {
	r := rigged(t, im.AppRow{ID: 5})
	for i := range im.MaxAdmins {
		if _, err := r.AddAdmin(t.Context(), "operator", 5, im.UserID(fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	_, err := r.AddAdmin(t.Context(), "operator", 5, "eleventh")
	refused(t, err, app.ErrConflict, "remove one first")
	a, err := r.AddAdmin(t.Context(), "operator", 5, "3") // who is one already
	if err != nil || len(a.Admins) != im.MaxAdmins {
		t.Errorf("%v, %v", a, err)
	}
	if _, err := r.RemoveAdmin(t.Context(), "operator", 5, "3"); err != nil {
		t.Fatal(err)
	}
	_, err = r.AddAdmin(t.Context(), "operator", 5, "a b")
	refused(t, err, invalid, `"a b"`)
	if _, err := r.AddAdmin(t.Context(), "operator", 5, "eleventh"); err != nil {
		t.Error(err)
	}
	r.sound()
}

func TestManagerGivesDisabledApplicationsByNumber(t *testing.T) {
	r := rigged(t, im.AppRow{ID: 9, Enabled: true}, im.AppRow{ID: 4294967295}, im.AppRow{ID: 1})
	var ids []im.AppID
	for _, a := range r.Apps() {
		ids = append(ids, a.ID)
	}
	same(t, "the numbers", []im.AppID{1, 9, 4294967295}, ids)
	wants(t, r.apps, 1, im.CodeAppDisabled)
	if a, err := r.App(1); err != nil || a.ID != 1 {
		t.Errorf("application 1: %v, %v", a, err)
	}
}

// changes calls each method that changes something of an application.
func (r *rig) changes(id im.AppID) map[string]error {
	name := "changed"
	errs := map[string]error{}
	_, errs["Change"] = r.Change(r.t.Context(), "operator", id, app.Change{Name: &name})
	_, errs["AddKey"] = r.AddKey(r.t.Context(), "operator", id, "", app.KeyBounds{})
	_, errs["BoundKey"] = r.BoundKey(r.t.Context(), "operator", id, 1, app.KeyBounds{NotAfter: 7})
	_, errs["WithdrawKey"] = r.WithdrawKey(r.t.Context(), "operator", id, 1)
	_, errs["AddAdmin"] = r.AddAdmin(r.t.Context(), "operator", id, "bob")
	_, errs["RemoveAdmin"] = r.RemoveAdmin(r.t.Context(), "operator", id, "root")
	return errs
}

func TestUnknownApplicationsAndKeysAreRefused(t *testing.T) {
	r := rigged(t, im.AppRow{ID: 5, Keys: []im.AppKey{{ID: 1, Secret: good}}})
	for name, err := range r.changes(6) {
		if !errors.Is(err, im.Err(im.CodeNoApp)) {
			t.Errorf("%s of an unknown application: %v", name, err)
		}
	}
	if a, err := r.App(6); a != nil || !errors.Is(err, im.Err(im.CodeNoApp)) {
		t.Errorf("an unknown application: %v, %v", a, err)
	}
	for _, key := range []uint32{0, 2} {
		_, err := r.BoundKey(t.Context(), "operator", 5, key, app.KeyBounds{})
		refused(t, err, app.ErrNoKey, fmt.Sprintf("application 5 has no key %d", key))
		_, err = r.WithdrawKey(t.Context(), "operator", 5, key)
		refused(t, err, app.ErrNoKey, "no key")
	}
	r.sound()
}

func TestFailedCommitChangesNothing(t *testing.T) {
	r := rigged(t, im.AppRow{ID: 5, Enabled: true, Keys: []im.AppKey{{ID: 1, Secret: good}}, Admins: []im.UserID{"root"}})
	before := r.Apps()[0]
	full := errors.New("the disk is full")
	r.store.save = func() error { return full }
	errs := r.changes(5)
	_, errs["Create"] = r.Create(t.Context(), "operator", app.New{})
	for name, err := range errs {
		if !errors.Is(err, full) {
			t.Errorf("%s gives %v, want the store's error", name, err)
		}
	}
	if now := r.Apps(); len(now) != 1 || now[0] != before || len(r.told) != 0 {
		t.Errorf("after errors there are %+v, and %d changes were told", now, len(r.told))
	}
	r.sound()
	r.store.save = nil
	for name, err := range r.changes(5) {
		if err != nil {
			t.Errorf("%s after the failure: %v", name, err)
		}
	}
	r.sound()
}
