package app_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/porchlight-im/porchlight/internal/app"
	"github.com/porchlight-im/porchlight/internal/im"
)

// TestReaderSeesOneWholeApplication reads while one application is changed in
// several things at once, by several hands.
func TestReaderSeesOneWholeApplication(t *testing.T) {
	const rounds = 50
	state := func(n int) app.Change {
		name, query, subscribe := fmt.Sprint("state ", n), fmt.Sprint(n), fmt.Sprint(n+1)
		return app.Change{Name: &name, Settings: map[string]*string{"limit.query": &query, "limit.subscribe": &subscribe}}
	}
	apps := load(t, rows{{ID: 1, Enabled: true, Name: "state 500", Settings: map[string]string{"limit.subscribe": "501"}}})
	m := app.NewManager(app.ManagerConfig{Apps: apps, Store: saver(runtime.Gosched)})
	var calls sync.WaitGroup
	for w := range 4 {
		user := im.UserID(fmt.Sprint(w))
		calls.Go(func() {
			for n := range rounds {
				_, err := m.Change(t.Context(), "operator", 1, state(1+n+w*rounds))
				_, err2 := m.AddAdmin(t.Context(), "operator", 1, user)
				k, err3 := m.AddKey(t.Context(), "operator", 1, "", app.KeyBounds{})
				if err3 == nil {
					_, err3 = m.WithdrawKey(t.Context(), "operator", 1, k.ID)
				} else if errors.Is(err3, app.ErrConflict) { // two others have theirs
					err3 = nil
				}
				_, err4 := m.RemoveAdmin(t.Context(), "operator", 1, user)
				if err := errors.Join(err, err2, err3, err4); err != nil {
					t.Error(err)
				}
			}
		})
		calls.Go(func() {
			for range rounds * 10 {
				a, err := apps.Get(1)
				if err != nil {
					t.Error(err)
					return
				}
				n := a.Settings.MaxQuery
				whole := a.Name == fmt.Sprint("state ", n) && a.Settings.MaxSubscribe == n+1
				for i, k := range a.Keys { // also for the race detector: what is given out is never written to
					whole = whole && k.ID == uint32(i+1) && a.Key(k.ID) == !k.Withdrawn
				}
				if !whole || len(a.Admins) > 4 {
					t.Errorf("a mixture of states: %+v", a)
				}
				runtime.Gosched()
			}
		})
	}
	calls.Wait()
	if a, err := m.App(1); err != nil || len(a.Admins) != 0 {
		t.Errorf("at the end it is %+v, %v", a, err)
	}
}

func TestConcurrentCreatesHaveNumbersOfTheirOwn(t *testing.T) {
	const n = 50
	r := rigged(t)
	var calls sync.WaitGroup
	for range n {
		calls.Go(func() { r.create(app.New{}) })
	}
	calls.Wait()
	for i, a := range r.Apps() {
		if want := 1400000002 + im.AppID(i); a.ID != want || r.told[i].after != a {
			t.Errorf("application %d is where %d should be, and %d was told then", a.ID, want, r.told[i].after.ID)
		}
	}
	if len(r.Apps()) != n {
		t.Errorf("there are %d applications, want %d", len(r.Apps()), n)
	}
	r.sound()
}

// TestChangesWaitAndReadingDoesNot holds a commit up.
func TestChangesWaitAndReadingDoesNot(t *testing.T) {
	r := rigged(t, im.AppRow{ID: 1, Enabled: true})
	synctest.Test(t, func(t *testing.T) {
		disk, commits := make(chan struct{}), 0
		m := app.NewManager(app.ManagerConfig{Apps: r.apps, Store: saver(func() { commits++; <-disk })})
		var calls sync.WaitGroup
		calls.Go(func() {
			if _, err := m.AddAdmin(t.Context(), "operator", 1, "bob"); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := m.Create(ctx, "operator", app.New{}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("behind another change Create gives %v", err)
		}
		a, err := m.App(1)
		got, err2 := r.apps.Get(1)
		if err := errors.Join(err, err2); err != nil || len(m.Apps()) != 1 || len(a.Admins) != 0 || got != a {
			t.Errorf("while a change is committed there are %+v and %+v, %v", a, got, err)
		}
		calls.Go(func() {
			if _, err := m.RemoveAdmin(t.Context(), "operator", 1, "bob"); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		if commits != 1 {
			t.Errorf("%d commits are under way", commits)
		}
		close(disk)
		calls.Wait()
		if a, err := m.App(1); err != nil || len(a.Admins) != 0 || commits != 2 {
			t.Errorf("after %d commits it is %+v, %v", commits, a, err)
		}
	})
}

// saver is a store that keeps nothing.
type saver func()

func (s saver) SaveApp(context.Context, im.AppRow, im.AuditRow) error {
	s()
	return nil
}

// memory is a store for the many runs of a property.
type memory struct {
	apps  rows
	audit []im.AuditRow // newest first
}

func (m *memory) Apps(context.Context) ([]im.AppRow, error) { return m.apps, nil }

func (m *memory) SaveApp(_ context.Context, row im.AppRow, audit im.AuditRow) error {
	m.audit = append([]im.AuditRow{audit}, m.audit...)
	m.apps = append(slices.DeleteFunc(m.apps, func(r im.AppRow) bool { return r.ID == row.ID }), row)
	return nil
}

func (m *memory) Audit(context.Context, im.AppID, int64, int) ([]im.AuditRow, error) {
	return m.audit, nil
}

// TestRandomChangesKeepTheRules makes random changes, some of which the store
// fails, and holds all applications to the rules after each.
func TestRandomChangesKeepTheRules(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		r := rigOn(t, &memory{apps: rows{{ID: 1, Keys: []im.AppKey{{ID: 1, Secret: good}}}}})
		seen := map[string]uint32{} // secrets by application, with the number of their key
		for range rapid.IntRange(1, 30).Draw(rt, "steps") {
			r.now = r.now.Add(time.Duration(rapid.IntRange(0, 20).Draw(rt, "seconds")) * time.Second)
			full := errors.New("full")
			r.store.save = nil
			if rapid.IntRange(0, 4).Draw(rt, "fail") == 0 {
				r.store.save = func() error { return full }
			}
			before, told := r.Apps(), len(r.told)
			err := r.random(rt)
			after := r.Apps()
			changed := len(before) != len(after)
			for i := range before {
				changed = changed || before[i] != after[i]
			}
			switch {
			case err != nil && !errors.Is(err, full) && !known(err):
				t.Errorf("an error of neither the store nor the rules: %v", err)
			case changed != (len(r.told) > told) || len(r.told) > told+1:
				t.Errorf("changed: %v, told %d times", changed, len(r.told)-told)
			case changed && (err != nil || r.store.save != nil):
				t.Errorf("changed in spite of %v", err)
			}
			r.keepsTheRules(seen)
		}
		r.sound()
		if t.Failed() {
			rt.Fatal("see above")
		}
	})
}

// known reports whether the rules give an error.
func known(err error) bool {
	_, refusal := im.Refusal(err)
	return refusal || errors.Is(err, app.ErrExists) || errors.Is(err, app.ErrNoKey) || errors.Is(err, app.ErrConflict)
}

// random makes one change.
func (r *rig) random(rt *rapid.T) (err error) {
	ctx := r.t.Context()
	id := im.AppID(rapid.IntRange(0, 3).Draw(rt, "app"))
	key := uint32(rapid.IntRange(0, 5).Draw(rt, "key"))
	user := rapid.SampledFrom([]im.UserID{"a", "b", "c", "", "d e"}).Draw(rt, "user")
	secret := rapid.SampledFrom([]string{"", "", "", good, good + good, "short"}).Draw(rt, "secret")
	bound := func(name string) int64 {
		return rapid.SampledFrom([]int64{0, 0, 1, r.now.Unix() - 1, r.now.Unix() + 15, r.now.Unix() + 30, -1}).Draw(rt, name)
	}
	bounds := app.KeyBounds{NotBefore: bound("notBefore"), NotAfter: bound("notAfter")}
	name := rapid.SampledFrom([]string{"", "x", "y", "\n"}).Draw(rt, "name")
	value := rapid.SampledFrom([]string{"0", "1", "2", "500"}).Draw(rt, "value")
	enabled := rapid.Bool().Draw(rt, "enabled")
	switch rapid.IntRange(0, 6).Draw(rt, "method") {
	case 0:
		_, err = r.Create(ctx, "op", app.New{ID: id, Name: name, Secret: secret, Admins: []im.UserID{user}, Settings: map[string]string{"limit.query": value}})
	case 1:
		c := app.Change{Name: &name, Enabled: &enabled, Settings: map[string]*string{"limit.query": &value}}
		_, err = r.Change(ctx, "op", id, c)
	case 2, 3:
		_, err = r.AddKey(ctx, "op", id, secret, bounds)
	case 4:
		_, err = r.BoundKey(ctx, "op", id, key, bounds)
	case 5:
		_, err = r.WithdrawKey(ctx, "op", id, key)
	case 6:
		if enabled {
			_, err = r.AddAdmin(ctx, "op", id, user)
		} else {
			_, err = r.RemoveAdmin(ctx, "op", id, user)
		}
	}
	return err
}

// keepsTheRules looks at each application: at most two active keys, numbers that
// rise, secrets of their own for ever, names and administrators that are valid.
func (r *rig) keepsTheRules(seen map[string]uint32) {
	r.t.Helper()
	for _, a := range r.Apps() {
		active, last := 0, uint32(0)
		for _, k := range a.Keys {
			if !k.Withdrawn && (k.NotAfter == 0 || r.now.Unix() <= k.NotAfter) {
				active++
			}
			owner := a.ID.String() + " " + k.Secret
			if number, again := seen[owner]; k.ID <= last || again && number != k.ID || len(k.Secret) < 32 {
				r.t.Errorf("the keys of %+v", a)
			}
			seen[owner], last = k.ID, k.ID
		}
		if active > 2 || a.Name == "\n" || a.Settings.MaxQuery < 1 || strings.Contains(fmt.Sprint(a.Admins), " e") {
			r.t.Errorf("this should not be: %+v", a)
		}
	}
}
