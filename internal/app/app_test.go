package app_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/porchlight-im/porchlight/internal/app"
	"github.com/porchlight-im/porchlight/internal/im"
)

// rows is a store of applications.
type rows []im.AppRow

func (r rows) Apps(context.Context) ([]im.AppRow, error) { return r, nil }

// broken is a store that fails.
type broken struct{ err error }

func (b broken) Apps(context.Context) ([]im.AppRow, error) { return nil, b.err }

func load(t testing.TB, s app.Store) *app.Registry {
	t.Helper()
	r, err := app.Load(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// wants checks what Get says of an application: 0 for nothing.
func wants(t *testing.T, r *app.Registry, id im.AppID, code im.Code) {
	t.Helper()
	a, err := r.Get(id)
	if code == im.CodeOK {
		if err != nil || a == nil || a.ID != id {
			t.Errorf("application %d: %+v, %v", id, a, err)
		}
		return
	}
	if refusal, known := im.Refusal(err); a != nil || !known || refusal.Code != code || refusal.Text != code.Text() {
		t.Errorf("application %d: %+v, %v; want %d", id, a, err, code)
	}
}

func TestWI16_UnknownAndDisabledApplicationsAreRefused(t *testing.T) {
	r := load(t, rows{{ID: 1, Enabled: true}, {ID: 2}})
	wants(t, r, 1, im.CodeOK)
	wants(t, r, 2, im.CodeAppDisabled)
	wants(t, r, 3, im.CodeNoApp)
	wants(t, r, 0, im.CodeNoApp)
	wants(t, load(t, rows{}), 1, im.CodeNoApp)
	if im.CodeNoApp != 70020 || im.CodeAppDisabled != 60016 {
		t.Errorf("the codes are %d and %d", im.CodeNoApp, im.CodeAppDisabled)
	}
}

func TestApplicationHasAllOfItsRow(t *testing.T) {
	keys := []im.AppKey{{ID: 1, Secret: "one", Withdrawn: true}, {ID: 2, Secret: "two", NotBefore: 5, NotAfter: 6}}
	r := load(t, rows{{
		ID: 1400000001, Name: "shop", Enabled: true, Created: 7, Keys: keys,
		Admins: []im.UserID{"root", "administrator"}, Settings: map[string]string{"limit.query": "3"},
	}})
	got, err := r.Get(1400000001)
	if err != nil {
		t.Fatal(err)
	}
	want := &app.App{
		ID: 1400000001, Name: "shop", Enabled: true, Created: 7, Keys: keys,
		Admins: map[im.UserID]bool{"root": true, "administrator": true}, Settings: app.DefaultSettings(),
	}
	want.Settings.MaxQuery = 3
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	for id, want := range map[uint32]bool{0: false, 1: false, 2: true, 3: false} {
		if got.Key(id) != want {
			t.Errorf("key %d is active: %v", id, !want)
		}
	}
}

func TestLoadPassesOnWhatIsWrong(t *testing.T) {
	gone := errors.New("the disk is gone")
	if _, err := app.Load(t.Context(), broken{gone}); !errors.Is(err, gone) {
		t.Errorf("the store's error became %v", err)
	}
	_, err := app.Load(t.Context(), rows{{ID: 1}, {ID: 77, Settings: map[string]string{"limit.query": "-1"}}})
	if err == nil || !strings.Contains(err.Error(), "77") || !strings.Contains(err.Error(), "limit.query") {
		t.Errorf("a bad setting: %v", err)
	}
}

func TestPutAddsAndReplaces(t *testing.T) {
	r := load(t, rows{{ID: 1, Enabled: true, Name: "old"}})
	before, err := r.Get(1)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []im.AppRow{{ID: 1, Enabled: true, Name: "new"}, {ID: 2, Enabled: true}} {
		if err := r.Put(row); err != nil {
			t.Fatal(err)
		}
	}
	wants(t, r, 2, im.CodeOK)
	after, err := r.Get(1)
	if err != nil || after.Name != "new" {
		t.Errorf("after Put: %+v, %v", after, err)
	}
	if before.Name != "old" {
		t.Errorf("a snapshot that was given out changed to %q", before.Name)
	}
	if err := r.Put(im.AppRow{ID: 1}); err != nil {
		t.Fatal(err)
	}
	wants(t, r, 1, im.CodeAppDisabled)
	if err := r.Put(im.AppRow{ID: 2, Enabled: true, Settings: map[string]string{"no.such": "1"}}); err == nil {
		t.Error("a row with an unknown setting was taken")
	}
	wants(t, r, 2, im.CodeOK)
}

// TestSnapshotDoesNotFollowItsRow: what was loaded stays as it was, whatever
// becomes of the row it was made from.
func TestSnapshotDoesNotFollowItsRow(t *testing.T) {
	row := im.AppRow{
		ID: 1, Enabled: true, Keys: []im.AppKey{{ID: 1, Secret: "one"}}, Admins: []im.UserID{"root"}, Settings: map[string]string{"limit.query": "3"},
	}
	r := load(t, rows{row})
	row.Keys[0].Withdrawn = true
	row.Admins[0] = "mallory"
	row.Settings["limit.query"] = "4"
	a, err := r.Get(1)
	if err != nil {
		t.Fatal(err)
	}
	if !a.Key(1) || a.Admins["mallory"] || !a.Admins["root"] || a.Settings.MaxQuery != 3 {
		t.Errorf("the snapshot became %+v", a)
	}
}

// TestPutReplacesAsAWhole: readers see one state of an application, and writers
// of different applications do not undo each other.
func TestPutReplacesAsAWhole(t *testing.T) {
	const writers, rounds, others = 4, 200, 400 // rounds are also values of limit.query
	r := load(t, rows{})
	for i := range others { // which make a Put slower, and so meet others
		if err := r.Put(im.AppRow{ID: im.AppID(1000 + i)}); err != nil {
			t.Fatal(err)
		}
	}
	state := func(w, n int) im.AppRow {
		text := fmt.Sprint(n)
		return im.AppRow{
			ID: im.AppID(w + 1), Enabled: true, Name: text, Admins: []im.UserID{im.UserID(text)},
			Keys: []im.AppKey{{ID: uint32(n), Secret: text}}, Settings: map[string]string{"limit.query": text},
		}
	}
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for n := 1; n <= rounds; n++ {
				if err := r.Put(state(w, n)); err != nil {
					t.Error(err)
				}
				if a, err := r.Get(im.AppID(w + 1)); err != nil || a.Settings.MaxQuery != n {
					t.Errorf("application %d is %+v, %v right after state %d", w+1, a, err, n)
				}
			}
		})
		wg.Go(func() {
			last := -1
			for range rounds {
				a, err := r.Get(im.AppID(w + 1))
				if err != nil {
					continue // not there yet
				}
				n := a.Settings.MaxQuery
				if text := fmt.Sprint(n); a.Name != text || !a.Admins[im.UserID(text)] || !a.Key(uint32(n)) || a.Keys[0].Secret != text {
					t.Errorf("a mixture of states: %+v", a)
				}
				if n < last {
					t.Errorf("state %d after %d", n, last)
				}
				last = n
			}
		})
	}
	wg.Wait()
	for w := range writers {
		if a, err := r.Get(im.AppID(w + 1)); err != nil || a.Settings.MaxQuery != rounds {
			t.Errorf("application %d ended as %+v, %v", w+1, a, err)
		}
	}
}
