// Package app knows the applications of the server: their secret keys,
// administrators, switches, policies and limits. An application is an immutable
// snapshot; a change replaces it as a whole, so that a request sees one state
// of it from beginning to end. Nothing of one application is ever visible to
// another.
package app

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"

	"github.com/porchlight-im/porchlight/internal/im"
)

// App is one application.
type App struct {
	ID       im.AppID
	Name     string
	Enabled  bool
	Created  int64       // Unix milliseconds
	Keys     []im.AppKey // with the withdrawn ones; usersig judges which are active
	Admins   map[im.UserID]bool
	Settings Settings
}

// Key reports whether the key of that number is still there and not withdrawn.
func (a *App) Key(id uint32) bool {
	for _, k := range a.Keys {
		if k.ID == id {
			return !k.Withdrawn
		}
	}
	return false
}

// Store reads applications.
type Store interface {
	// Apps gives all of them.
	Apps(ctx context.Context) ([]im.AppRow, error)
}

// Registry gives the applications by their IDs.
type Registry struct {
	apps atomic.Pointer[map[im.AppID]*App]
}

// Load reads all applications.
func Load(ctx context.Context, s Store) (*Registry, error) {
	rows, err := s.Apps(ctx)
	if err != nil {
		return nil, fmt.Errorf("load applications: %w", err)
	}
	apps := make(map[im.AppID]*App, len(rows))
	for _, row := range rows {
		a, err := fromRow(row)
		if err != nil {
			return nil, fmt.Errorf("application %d: %w", row.ID, err)
		}
		apps[row.ID] = a
	}
	r := &Registry{}
	r.apps.Store(&apps)
	return r, nil
}

func fromRow(row im.AppRow) (*App, error) {
	settings, err := ParseSettings(row.Settings)
	if err != nil {
		return nil, err
	}
	a := &App{
		ID: row.ID, Name: row.Name, Enabled: row.Enabled, Created: row.Created,
		Keys: slices.Clone(row.Keys), Settings: settings,
	}
	a.Admins = make(map[im.UserID]bool, len(row.Admins))
	for _, u := range row.Admins {
		a.Admins[u] = true
	}
	return a, nil
}

// row gives the application as the store keeps it, its administrators by name.
// It shares nothing with the snapshot.
func (a *App) row() im.AppRow {
	return im.AppRow{
		ID: a.ID, Name: a.Name, Enabled: a.Enabled, Created: a.Created,
		Keys: slices.Clone(a.Keys), Admins: slices.Sorted(maps.Keys(a.Admins)), Settings: a.Settings.Changed(),
	}
}

// Get gives an application. It refuses with CodeNoApp one that does not exist
// and with CodeAppDisabled one that is disabled.
func (r *Registry) Get(id im.AppID) (*App, error) {
	a := (*r.apps.Load())[id]
	switch {
	case a == nil:
		return nil, im.Err(im.CodeNoApp)
	case !a.Enabled:
		return nil, im.Err(im.CodeAppDisabled)
	}
	return a, nil
}

// Put adds an application or replaces it.
func (r *Registry) Put(row im.AppRow) error {
	a, err := fromRow(row)
	if err != nil {
		return err
	}
	r.put(a)
	return nil
}

func (r *Registry) put(a *App) {
	for {
		old := r.apps.Load()
		apps := maps.Clone(*old)
		apps[a.ID] = a
		if r.apps.CompareAndSwap(old, &apps) {
			return
		}
	}
}
