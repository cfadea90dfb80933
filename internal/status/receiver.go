package status

import (
	"context"
	"slices"
	"sync/atomic"

	"github.com/porchlight-im/porchlight/internal/im"
)

// account is an account being served: one with a connection, or one whose
// command is being carried out. Its sessions, list and connections are changed
// in turns, so that a closing cannot race a subscribe; no lock is held
// meanwhile. It is forgotten when nobody needs it.
type account struct {
	key im.UserKey

	// Guarded by the stripe.
	refs   int
	taken  bool            // somebody has the turn
	queue  []chan struct{} // who waits for it, each on a channel that is closed when it is theirs
	hooked *hooked         // nil while there is nothing for a back end

	// Owned by whoever has the turn.
	loaded     bool
	row        im.UserRow  // Watching is kept current, oldest first
	away       []im.InstID // open when row was read, and neither back nor ended since
	links      []link      // the connections
	doubt      bool        // a change of the list failed: the store may hold another
	registered bool        // receiver stands with everyone in row.Watching
	receiver   receiver
	circle     *circle // friends and who hides, nil while the switches for it have never been on
	met        bool    // circle has been asked for
}

// link is one connection of an account.
type link struct {
	id  uint64
	row im.SessionRow
	out Outbox
}

// receiver is an account as those it watches see it: the outboxes of its
// connections, in a slice that is replaced as a whole, so that telling it needs
// no lock.
type receiver struct {
	outs atomic.Pointer[[]Outbox]
}

func (r *receiver) outboxes() []Outbox {
	if p := r.outs.Load(); p != nil {
		return *p
	}
	return nil
}

// acquire takes the account's turn, and reads what the store knows of it where
// that is not known yet. Whoever gets the account must release it.
func (e *Engine) acquire(ctx context.Context, key im.UserKey) (*account, error) {
	s := e.stripe(key)
	s.mu.Lock()
	a := s.accounts[key]
	if a == nil {
		a = &account{key: key}
		s.accounts[key] = a
		e.stats.accounts.Add(1)
	}
	a.refs++
	if a.taken {
		if err := s.waitUnlock(ctx, a); err != nil {
			e.unref(a)
			return nil, err
		}
	} else {
		a.taken = true
		s.mu.Unlock()
	}
	if a.loaded {
		return a, nil
	}
	row, err := e.read(ctx, key)
	if err != nil {
		e.release(a)
		return nil, err
	}
	a.row, a.loaded = row, true
	for _, r := range row.Sessions {
		if r.Closed == 0 {
			a.away = append(a.away, r.Inst)
		}
	}
	return a, nil
}

// seen notes that a session is back or has ended.
func (a *account) seen(inst im.InstID) {
	if a.away = slices.DeleteFunc(a.away, func(i im.InstID) bool { return i == inst }); len(a.away) == 0 {
		a.away = nil
	}
}

// read gives what the store knows of a user, and what it is to know as soon as
// it can be written.
func (e *Engine) read(ctx context.Context, key im.UserKey) (im.UserRow, error) {
	row, err := e.cfg.Store.User(ctx, key)
	if err != nil {
		return row, err
	}
	e.durable.overlay(key, row.Sessions)
	if e.durable.clears(key) {
		row.Watching = nil
	}
	return row, nil
}

// waitUnlock waits for an account's turn. It is called with the lock held and
// unlocks.
func (s *stripe) waitUnlock(ctx context.Context, a *account) error {
	mine := make(chan struct{})
	a.queue = append(a.queue, mine)
	s.mu.Unlock()
	select {
	case <-mine:
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.Index(a.queue, mine); i >= 0 {
		a.queue = slices.Delete(a.queue, i, i+1)
	} else {
		a.passLocked() // it came just now
	}
	return im.Err(im.CodeServerTimeout)
}

// passLocked gives the turn to whoever has waited longest.
func (a *account) passLocked() {
	if len(a.queue) == 0 {
		a.taken, a.queue = false, nil
		return
	}
	next := a.queue[0]
	a.queue = slices.Delete(a.queue, 0, 1)
	close(next)
}

// release gives the turn back.
func (e *Engine) release(a *account) {
	s := e.stripe(a.key)
	s.mu.Lock()
	defer s.mu.Unlock()
	a.passLocked()
	e.unrefLocked(s, a)
}

func (e *Engine) unref(a *account) {
	s := e.stripe(a.key)
	s.mu.Lock()
	defer s.mu.Unlock()
	e.unrefLocked(s, a)
}

func (e *Engine) unrefLocked(s *stripe, a *account) {
	a.refs--
	e.dropUnusedLocked(s, a.key)
}

// dropUnusedLocked forgets the account if nobody needs it. One whose sessions
// may return stays: in a storm of broken sockets all would be read again at once.
func (e *Engine) dropUnusedLocked(s *stripe, key im.UserKey) {
	a, u := s.accounts[key], s.users[key]
	if a == nil || a.refs > 0 || u != nil && len(u.sessions) > 0 {
		return
	}
	delete(s.accounts, key)
	e.stats.accounts.Add(-1)
}

// attach puts a connection among the account's, in the place of an older one
// of the same session. Its account must have the turn. A link holds a reference
// of its own.
func (e *Engine) attach(a *account, l link) {
	a.seen(l.row.Inst)
	for i, old := range a.links {
		if old.row.Inst == l.row.Inst {
			a.links[i] = l
			a.publish()
			if old.out != l.out { // a return may come again on its socket
				old.out.End(im.CauseBreak)
			}
			return
		}
	}
	a.links = append(a.links, l)
	a.publish()
	s := e.stripe(a.key)
	s.mu.Lock()
	a.refs++
	e.userLocked(s, a.key).own = &a.receiver
	s.mu.Unlock()
}

// detach takes a connection away and reports whether it was still there.
func (e *Engine) detach(a *account, id uint64) bool {
	i := slices.IndexFunc(a.links, func(l link) bool { return l.id == id })
	if i < 0 {
		return false
	}
	l := a.links[i]
	a.links = slices.Delete(a.links, i, i+1)
	a.row.LastPresence = e.wall()
	a.publish()
	s := e.stripe(a.key)
	s.mu.Lock()
	e.sitLocked(a, l)
	a.refs--
	if u := s.users[a.key]; u != nil && len(a.links) == 0 {
		u.own = nil
		e.dropIdleLocked(s, u)
	}
	s.mu.Unlock()
	if len(a.links) == 0 {
		e.unregister(a)
	}
	return true
}

// publish lets those who tell the account know its connections.
func (a *account) publish() {
	if len(a.links) == 0 {
		a.receiver.outs.Store(nil)
		return
	}
	outs := make([]Outbox, len(a.links))
	for i, l := range a.links {
		outs[i] = l.out
	}
	a.receiver.outs.Store(&outs)
}

// register makes the account hear of everyone in its list, and of its friends
// where they are known, and tells one of its connections, where given, who
// changed from a time on, by [Engine.Now].
func (e *Engine) register(a *account, out Outbox, since int64) {
	if a.registered && out == nil {
		return
	}
	for i, target := range a.row.Watching {
		a.row.Watching[i] = e.join(a, target, out, since)
	}
	if len(a.friends()) > 0 {
		subscribed := oneOf(a.row.Watching)
		for i, friend := range a.friends() {
			if !subscribed(friend) {
				a.circle.friends[i] = e.join(a, friend, out, since)
			}
		}
	}
	a.registered = true
}

// join is watch, unless target hides from the account.
func (e *Engine) join(a *account, target im.UserID, out Outbox, since int64) im.UserID {
	turned := out != nil && a.turned(target, since)
	if turned {
		since = -1
	}
	if !a.hidden(target) {
		return e.watch(a, target, out, since)
	}
	if out != nil && since < 0 {
		e.tellUnseen(im.UserKey{App: a.key.App, User: target}, out)
	}
	return target
}

// watch makes the account hear of target. If the target's status changed at
// since or later, out is told at once. It gives the target's ID as the target has it, so
// that all the lists it stands in share one text.
func (e *Engine) watch(a *account, target im.UserID, out Outbox, since int64) im.UserID {
	key := im.UserKey{App: a.key.App, User: target}
	s := e.stripe(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	u := e.userLocked(s, key)
	if u.watchers.add(&a.receiver) {
		e.stats.watches.Add(1)
	}
	if out != nil && u.changed >= since && !e.muted.has(a.key.App) {
		out.Others(e.noticeLocked(u, im.Status{}))
	}
	return u.key.User
}

// unwatch undoes watch.
func (e *Engine) unwatch(a *account, target im.UserID) {
	key := im.UserKey{App: a.key.App, User: target}
	s := e.stripe(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.users[key]
	if u == nil {
		return
	}
	if !u.watchers.remove(&a.receiver) {
		return
	}
	e.stats.watches.Add(-1)
	e.dropIdleLocked(s, u)
}

func (e *Engine) unregister(a *account) {
	if !a.registered {
		return
	}
	for _, target := range a.row.Watching {
		e.unwatch(a, target)
	}
	for _, friend := range a.friends() {
		e.unwatch(a, friend)
	}
	a.registered = false
}
