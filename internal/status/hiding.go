package status

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/porchlight-im/porchlight/internal/im"
)

// Who is on a user's blocklist sees, where the application says so, the user as
// one who has never logged in: the same status, the same version, and no notice.
// So a watcher from whom a user hides does not stand with the user at all, and
// what is told of a hidden user has the version that a user unknown to this
// process would have. That version, the floor of the stripe, is kept above all
// that was told of the user before; and the user's own, from when hiding ends,
// above all that was told meanwhile.

// StatusFor is [Engine.Status] as one user may see it.
func (e *Engine) StatusFor(ctx context.Context, viewer im.UserKey, users []im.UserID) ([]im.Found, []im.Failed, error) {
	hidden, err := e.hiding(ctx, viewer, users)
	if err != nil {
		return nil, nil, err
	}
	found, failed, err := e.Status(ctx, viewer.App, users)
	for i := range found {
		if hidden[found[i].User] {
			found[i] = e.unseen(im.UserKey{App: viewer.App, User: found[i].User})
		}
	}
	return found, failed, err
}

// unseen gives a user as one who was never there.
func (e *Engine) unseen(key im.UserKey) im.Found {
	s := e.stripe(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	return im.Found{User: key.User, Status: im.Status{General: im.Unlogined}, Version: im.Version{Epoch: e.cfg.Epoch, Seq: s.floor}}
}

// hiding gives those of the users who hide from one, nil where the application
// has nobody hide.
func (e *Engine) hiding(ctx context.Context, from im.UserKey, users []im.UserID) (map[im.UserID]bool, error) {
	if !e.switches.of(from.App).HideFromBlocked || e.cfg.Blocks == nil || len(users) == 0 {
		return nil, nil
	}
	asked := make([]im.UserID, 0, len(users))
	for _, u := range unique(users) {
		if u != from.User && u.Valid() {
			asked = append(asked, u)
		}
	}
	blocked, err := e.cfg.Blocks.BlockedBy(ctx, from, asked)
	if err != nil {
		return nil, fmt.Errorf("look up who has blocked %s: %w", from.User, err)
	}
	hidden := make(map[im.UserID]bool)
	for i, u := range asked {
		if blocked[i] {
			hidden[u] = true
		}
	}
	return hidden, nil
}

// BlocksChanged says that owner has blocked or unblocked these users. Those who
// are connected and would hear of owner are told before it returns what they see
// from now on. Call it after the commit, from whatever order of calls: whether
// they are blocked is read. It gives the errors of reading; such an account
// follows at its next login or return.
func (e *Engine) BlocksChanged(ctx context.Context, owner im.UserKey, users ...im.UserID) error {
	if e.switches.of(owner.App).HideFromBlocked {
		e.levelVersion(owner) // for who is away, and hears of it on another connection
	}
	var failed []error
	for _, u := range users {
		key := im.UserKey{App: owner.App, User: u}
		if !e.switches.of(owner.App).HideFromBlocked || !e.serves(key) {
			continue
		}
		failed = append(failed, e.inTurn(ctx, key, func(ctx context.Context, a *account) error {
			return e.rejudge(ctx, a, owner.User)
		}))
	}
	return errors.Join(failed...)
}

// rejudge asks anew whether a user hides from an account, and tells it where
// that is new.
func (e *Engine) rejudge(ctx context.Context, a *account, u im.UserID) error {
	if a.circle == nil || !a.targeted(u) {
		return nil // it will be read
	}
	hidden, err := e.hiding(ctx, a.key, []im.UserID{u})
	if err != nil {
		a.circle.stale = true
		return err
	}
	if hidden[u] == a.circle.hidden[u] {
		return nil
	}
	next := *a.circle
	next.hidden = maps.Clone(next.hidden)
	next.judge(u, hidden)
	e.replace(a, &next)
	return nil
}

// judge notes whether a user hides, as a set says.
func (c *circle) judge(u im.UserID, hidden map[im.UserID]bool) {
	if !hidden[u] {
		delete(c.hidden, u)
		return
	}
	if c.hidden == nil {
		c.hidden = make(map[im.UserID]bool)
	}
	c.hidden[u] = true
}

// turn makes an account hear of a user who no longer hides from it, or no more
// of one who does now, and tells its connections how they see the user.
func (e *Engine) turn(a *account, target im.UserID) {
	key := im.UserKey{App: a.key.App, User: target}
	if c := a.circle; c != nil && a.met {
		if c.turned == nil {
			c.turned = make(map[im.UserID]int64)
		}
		c.turned[target] = e.Now()
	}
	s := e.stripe(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	u := e.userLocked(s, key)
	hidden := a.hidden(target)
	if hidden {
		raiseFloorLocked(s, u)
		if u.watchers.remove(&a.receiver) {
			e.stats.watches.Add(-1)
		}
	} else {
		raiseUserLocked(s, u)
		if a.registered && u.watchers.add(&a.receiver) {
			e.stats.watches.Add(1)
		}
	}
	if a.registered && u.shown != (im.Status{General: im.Unlogined}) {
		for _, o := range a.receiver.outboxes() {
			if hidden {
				o.Forget([]im.UserID{target}) // while muted too: it may wait since before
			}
			switch {
			case e.muted.has(key.App):
			case hidden:
				o.Others(e.unseenNoticeLocked(s, key))
			default:
				o.Others(e.noticeLocked(u, im.Status{}))
			}
		}
	}
	e.dropIdleLocked(s, u)
}

// tellUnseen tells a connection of a user who hides from it.
func (e *Engine) tellUnseen(key im.UserKey, out Outbox) {
	s := e.stripe(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if !e.muted.has(key.App) {
		out.Others(e.unseenNoticeLocked(s, key))
	}
}

// unseenNoticeLocked makes the notice of a user as one who was never there.
func (e *Engine) unseenNoticeLocked(s *stripe, key im.UserKey) *im.Notice {
	n := &im.Notice{Change: im.Change{
		User: key, Status: im.Status{General: im.Unlogined},
		Version: im.Version{Epoch: e.cfg.Epoch, Seq: s.floor},
	}}
	e.cfg.Encode(n)
	return n
}

// raiseFloorLocked brings the version of who is unseen above a user's: a client
// drops what has the version that it knows.
func raiseFloorLocked(s *stripe, u *user) { s.floor = max(s.floor, u.seq+1) }

// raiseUserLocked brings a user's version above that of who is unseen.
func raiseUserLocked(s *stripe, u *user) { u.seq = max(u.seq, s.floor) + 1 }

// levelVersions does one of them for all users of an application, before hiding
// begins or when it has ended.
func (e *Engine) levelVersions(app im.AppID, level func(*stripe, *user)) {
	for i := range e.stripes {
		s := &e.stripes[i]
		s.mu.Lock()
		for key, u := range s.users {
			if key.App == app {
				level(s, u)
			}
		}
		s.mu.Unlock()
	}
}

// levelVersion puts the version of who is unseen above all that was told of a user,
// and the user's own above that.
func (e *Engine) levelVersion(key im.UserKey) {
	s := e.stripe(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if u := s.users[key]; u != nil {
		raiseFloorLocked(s, u)
		raiseUserLocked(s, u)
	}
}

// targeted reports whether the account would hear of a user if that one did not
// hide.
func (a *account) targeted(u im.UserID) bool {
	if a.befriends(u) {
		return true
	}
	for _, w := range a.row.Watching {
		if w == u {
			return true
		}
	}
	return false
}

// judge notes which of the users hide from the account.
func (a *account) judge(users []im.UserID, hidden map[im.UserID]bool) {
	if a.circle == nil {
		return
	}
	for _, u := range users {
		a.circle.judge(u, hidden)
	}
}
