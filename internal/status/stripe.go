package status

import (
	"hash/maphash"
	"sync"

	"github.com/porchlight-im/porchlight/internal/im"
)

// stripes is how many locks the users are spread over: enough that cores
// seldom meet, few enough to visit all of them.
const stripes = 64

// stripe holds the users whose keys hash to it, each with everyone watching
// them, and the accounts being served.
type stripe struct {
	mu       sync.Mutex // level 1; guards all below, and all they hold unless they say otherwise
	users    map[im.UserKey]*user
	accounts map[im.UserKey]*account
	floor    uint64 // no forgotten user had a higher seq
	floorAt  int64  // no forgotten user changed later, steady ms
}

// shell is what the shell hangs on a user. Guarded by the stripe.
type shell struct {
	watchers watchers  // who is told
	own      *receiver // the user's own devices, nil while none is connected
	timers   moment    // the soonest that are set for the user, 0 for none
}

var hashSeed = maphash.MakeSeed()

func (e *Engine) stripe(key im.UserKey) *stripe {
	return &e.stripes[maphash.Comparable(hashSeed, key)%stripes]
}

// userLocked gives the user, made where there was none.
func (e *Engine) userLocked(s *stripe, key im.UserKey) *user {
	u := s.users[key]
	if u == nil {
		u = &user{key: key, shown: im.Status{General: im.Unlogined}, seq: s.floor, changed: s.floorAt}
		s.users[key] = u
		e.stats.users.Add(1)
	}
	return u
}

// dropIdleLocked forgets the user if nothing is lost by it but the version,
// which the floor keeps rising.
func (e *Engine) dropIdleLocked(s *stripe, u *user) {
	if u.watchers.len() > 0 || u.own != nil || !u.idle() {
		return
	}
	if a := s.accounts[u.key]; a.held() != nil {
		return // its next version is promised
	}
	s.floor, s.floorAt = max(s.floor, u.seq), max(s.floorAt, u.changed)
	delete(s.users, u.key)
	e.stats.users.Add(-1)
}

// step locks the user's stripe, steps, tells whoever is to know, and hands the
// marks to be written.
func (e *Engine) step(key im.UserKey, ev event) { e.stepThen(key, ev, nil) }

// stepThen is step with a last word under the lock, which gets the custom status
// from before and from after.
func (e *Engine) stepThen(key im.UserKey, ev event, then func(before, after string)) {
	s := e.stripe(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	e.applyLocked(s, e.userLocked(s, key), ev, then)
}

func (e *Engine) applyLocked(s *stripe, u *user, ev event, then func(before, after string)) {
	custom, general := u.custom, u.shown.General
	a := s.accounts[u.key]
	a.reachLocked(u, ev, 1)
	fx := step(u, ev, e.moment(), &e.cfg.Rules)
	a.reachLocked(u, ev, 0)
	e.figures.turned(u.key.App, general, u.shown.General)
	if fx.changed {
		e.tellLocked(u, fx.prev)
	}
	e.noteLocked(s, u, ev, &fx, custom)
	a.vacate(ev, fx.left)
	e.remindLocked(u, fx.wake)
	if then != nil {
		then(custom, u.custom)
	}
	e.keepLocked(u, ev, fx)
	if len(u.sessions) == 0 {
		e.dropUnusedLocked(s, u.key)
	}
	e.dropIdleLocked(s, u)
}

// keepLocked hands what a step wants kept to the durable writer, save for what the
// end of a session means for its platform and the custom status: its caller writes
// that and waits. The writer's own lock is a leaf.
func (e *Engine) keepLocked(u *user, ev event, fx effects) {
	for _, m := range fx.marks {
		if ev.kind == evEnd && m.Platform == ev.platform {
			continue
		}
		m.Rev = e.nextRev()
		e.durable.mark(m)
	}
	if fx.cleared && ev.kind != evEnd {
		e.durable.custom(im.CustomRow{User: u.key, Rev: e.nextRev()})
	}
}
