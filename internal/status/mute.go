package status

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/porchlight-im/porchlight/internal/im"
)

// muted are the applications whose users are told of nobody but themselves.
type muted struct {
	mu   sync.Mutex // level 0; taken to change the set, which is replaced as a whole
	apps atomic.Pointer[map[im.AppID]int64]
}

// stillMuted stands in the set for an application that is muted. For one that was,
// there stands when that ended, by [Engine.Now].
const stillMuted int64 = -1

func (m *muted) has(app im.AppID) bool {
	p := m.apps.Load()
	return p != nil && (*p)[app] == stillMuted
}

// until gives when an application was muted last, 0 for never.
func (m *muted) until(app im.AppID) int64 {
	if p := m.apps.Load(); p != nil {
		return (*p)[app]
	}
	return 0
}

// set puts a changed copy in the place of the set, and reports whether the
// application was muted. Ending what is none changes nothing.
func (m *muted) set(app im.AppID, to int64) (was bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	next := map[im.AppID]int64{}
	if p := m.apps.Load(); p != nil {
		next = maps.Clone(*p)
	}
	was = next[app] == stillMuted
	if was || to == stillMuted {
		next[app] = to
	}
	m.apps.Store(&next)
	return was
}

// Mute makes the users of an application hear of nobody but themselves, until
// [Engine.Unmute]. Their subscription lists stay.
func (e *Engine) Mute(app im.AppID) {
	e.muted.set(app, stillMuted)
}

// Unmute undoes Mute, and reports whether there was something to undo: then
// [Engine.Retell] is to follow, for what everybody was told last may be long ago.
func (e *Engine) Unmute(app im.AppID) (was bool) {
	return e.muted.set(app, e.Now())
}

// Retell tells everyone connected how those stand whom they watch. It returns
// early with an error when ctx ends.
func (e *Engine) Retell(ctx context.Context, app im.AppID) error {
	for _, key := range e.served(app) {
		if err := e.retell(ctx, key); err != nil {
			return err
		}
	}
	return nil
}

// served gives the users of an application whose accounts are being served, in an
// order that does not depend on the process, so that a run can be had again.
func (e *Engine) served(app im.AppID) (keys []im.UserKey) {
	for i := range e.stripes {
		s := &e.stripes[i]
		s.mu.Lock()
		for key := range s.accounts {
			if key.App == app {
				keys = append(keys, key)
			}
		}
		s.mu.Unlock()
	}
	slices.SortFunc(keys, func(a, b im.UserKey) int { return cmp.Compare(a.User, b.User) })
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
