package status

import (
	"context"
	"maps"
	"sync"
	"sync/atomic"

	"github.com/porchlight-im/porchlight/internal/im"
)

// muted are the applications whose users are told of nobody but themselves.
type muted struct {
	mu   sync.Mutex // level 0; taken to change the set, which is replaced as a whole
	apps atomic.Pointer[map[im.AppID]bool]
}

func (m *muted) has(app im.AppID) bool {
	p := m.apps.Load()
	return p != nil && (*p)[app]
}

// change puts a changed copy in the place of the set, and reports whether the
// application was in it.
func (m *muted) change(app im.AppID, change func(map[im.AppID]bool)) (was bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	next := map[im.AppID]bool{}
	if p := m.apps.Load(); p != nil {
		next = maps.Clone(*p)
	}
	was = next[app]
	change(next)
	m.apps.Store(&next)
	return was
}

// Mute makes the users of an application hear of nobody but themselves, until
// [Engine.Unmute]. Their subscription lists stay.
func (e *Engine) Mute(app im.AppID) {
	e.muted.change(app, func(apps map[im.AppID]bool) { apps[app] = true })
}

// Unmute undoes Mute and tells everyone connected how those stand whom they
// watch: what they were told last may be long ago. It returns early with an
// error when ctx ends.
func (e *Engine) Unmute(ctx context.Context, app im.AppID) error {
	if !e.muted.change(app, func(apps map[im.AppID]bool) { delete(apps, app) }) {
		return nil
	}
	for i := range e.stripes {
		for _, key := range e.stripes[i].served(app) {
			if err := e.retell(ctx, key); err != nil {
				return err
			}
		}
	}
	return nil
}

// served gives the users of an application whose accounts are being served.
func (s *stripe) served(app im.AppID) (keys []im.UserKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key := range s.accounts {
		if key.App == app {
			keys = append(keys, key)
		}
	}
	return keys
}

// retell tells an account's connections of everyone it watches.
func (e *Engine) retell(ctx context.Context, key im.UserKey) error {
	a, err := e.acquire(ctx, key)
	if err != nil {
		return err
	}
	defer e.release(a)
	for _, l := range a.links {
		e.register(a, l.out, -1)
	}
	return nil
}
