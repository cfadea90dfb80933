package status

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/porchlight-im/porchlight/internal/im"
)

// Friends knows who has whom as a friend.
type Friends interface {
	// Friends gives the users on an account's friend list, in any order. It sees
	// all that was committed before [Engine.FriendsChanged] was called.
	Friends(ctx context.Context, key im.UserKey) ([]im.UserID, error)
}

// Blocks knows who has blocked whom.
type Blocks interface {
	// BlockedBy reports, for each of the users, whether who is on that user's
	// blocklist. It sees all that was committed before [Engine.BlocksChanged] was
	// called.
	BlockedBy(ctx context.Context, who im.UserKey, users []im.UserID) ([]bool, error)
}

// Switches are an application's choices about who is told of whom, beside the
// subscriptions.
type Switches struct {
	FriendNotices   bool // users are told of their friends without a subscription
	HideFromBlocked bool // who is on a user's blocklist sees the user as Unlogined
}

// switches holds those of each application that has any on.
type switches struct {
	mu   sync.Mutex // level 0; taken to change the map, which is replaced as a whole
	apps atomic.Pointer[map[im.AppID]Switches]
}

func (s *switches) of(app im.AppID) Switches {
	if p := s.apps.Load(); p != nil {
		return (*p)[app]
	}
	return Switches{}
}

// set gives what they were before.
func (s *switches) set(app im.AppID, to Switches) (before Switches) {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := map[im.AppID]Switches{}
	if p := s.apps.Load(); p != nil {
		next = maps.Clone(*p)
	}
	before = next[app]
	if next[app] = to; to == (Switches{}) {
		delete(next, app)
	}
	s.apps.Store(&next)
	return before
}

// Switch sets an application's switches. Queries and whoever logs in from now
// on go by them; for those who are connected call [Engine.Follow].
func (e *Engine) Switch(app im.AppID, to Switches) {
	hid := e.switches.of(app).HideFromBlocked
	if to.HideFromBlocked && !hid {
		e.levelVersions(app, raiseFloorLocked)
	}
	e.switches.set(app, to)
	if hid && !to.HideFromBlocked {
		e.levelVersions(app, raiseUserLocked)
	}
}

// Follow makes everyone who is connected follow the switches of their
// application as they are now. It gives the errors of reading the lists, and goes
// on with the others; it ends early with ctx.
func (e *Engine) Follow(ctx context.Context, app im.AppID) error {
	var failed []error
	for _, key := range e.served(app) {
		if err := e.inTurn(ctx, key, e.follow); err != nil {
			failed = append(failed, err)
		}
		if ctx.Err() != nil {
			break
		}
	}
	return errors.Join(failed...)
}

// FriendsChanged says that the friend lists of these accounts are not what they
// were: who is connected hears of their friends of now before it returns, and of
// nobody else as a friend. Call it after the commit, from whatever order of
// calls: the lists are read anew. It gives the errors of reading them; such an
// account follows at its next login or return.
func (e *Engine) FriendsChanged(ctx context.Context, keys ...im.UserKey) error {
	var failed []error
	for _, key := range keys {
		if !e.switches.of(key.App).FriendNotices || !e.serves(key) {
			continue
		}
		failed = append(failed, e.inTurn(ctx, key, func(ctx context.Context, a *account) error {
			if a.circle == nil {
				return nil // it will be read
			}
			return e.reread(ctx, a, e.switches.of(key.App))
		}))
	}
	return errors.Join(failed...)
}

// inTurn does something in an account's turn.
func (e *Engine) inTurn(ctx context.Context, key im.UserKey, do func(context.Context, *account) error) error {
	a, err := e.acquire(ctx, key)
	if err != nil {
		return fmt.Errorf("load user %s: %w", key.User, err)
	}
	defer e.release(a)
	return do(ctx, a)
}

// serves reports whether an account is in memory.
func (e *Engine) serves(key im.UserKey) bool {
	s := e.stripe(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.accounts[key] != nil
}

// circle is whom an account hears of beside its subscriptions, and of whom it
// does not hear at all. An account has none where its application's switches have
// been off since it was read; where they were turned off it keeps an empty one, which
// knows who turned. It is replaced as a whole.
type circle struct {
	on      Switches            // it was read for these
	stale   bool                // it could not be read anew
	friends []im.UserID         // sorted
	hidden  map[im.UserID]bool  // those of its subscriptions and friends who hide from it
	turned  map[im.UserID]int64 // when one of them last began or ceased to hide, by [Engine.Now]
}

func (a *account) friends() []im.UserID {
	if a.circle == nil {
		return nil
	}
	return a.circle.friends
}

func (a *account) befriends(u im.UserID) bool {
	_, found := slices.BinarySearch(a.friends(), u)
	return found
}

func (a *account) hidden(u im.UserID) bool { return a.circle != nil && a.circle.hidden[u] }

// turned reports whether a user began or ceased to hide from the account at a
// time or later.
func (a *account) turned(u im.UserID, since int64) bool {
	if a.circle == nil {
		return false
	}
	at, ok := a.circle.turned[u]
	return ok && at >= since
}

// targets gives everyone whom the account would hear of, each once.
func (a *account) targets() []im.UserID {
	all := slices.Clone(a.row.Watching)
	if len(a.friends()) == 0 {
		return all
	}
	subscribed := oneOf(a.row.Watching)
	for _, u := range a.friends() {
		if !subscribed(u) {
			all = append(all, u)
		}
	}
	return all
}

// follow makes an account's circle what its application's switches ask for. Its
// account must have the turn.
func (e *Engine) follow(ctx context.Context, a *account) error {
	on := e.switches.of(a.key.App)
	if a.circle == nil && on == (Switches{}) || a.circle != nil && a.circle.on == on && !a.circle.stale {
		a.met = true
		return nil
	}
	return e.reread(ctx, a, on)
}

// reread reads an account's circle anew and makes it hear of whom it should.
func (e *Engine) reread(ctx context.Context, a *account, on Switches) error {
	next := &circle{on: on}
	err := e.fill(ctx, a, next)
	if err != nil {
		if a.circle != nil {
			a.circle.stale = true
		}
		return fmt.Errorf("read the circle of %s: %w", a.key.User, err)
	}
	e.replace(a, next)
	a.met = true
	return nil
}

// fill reads a circle.
func (e *Engine) fill(ctx context.Context, a *account, next *circle) error {
	if next.on.FriendNotices && e.cfg.Friends != nil {
		friends, err := e.cfg.Friends.Friends(ctx, a.key)
		if err != nil {
			return err
		}
		friends = slices.DeleteFunc(slices.Clone(friends), func(u im.UserID) bool { return u == a.key.User })
		slices.Sort(friends)
		next.friends = slices.Clip(slices.Compact(friends))
	}
	hidden, err := e.hiding(ctx, a.key, append(slices.Clone(a.row.Watching), next.friends...))
	next.hidden = hidden
	return err
}

// replace gives an account another circle. Where it hears of others already,
// it does so of the right ones afterwards.
func (e *Engine) replace(a *account, next *circle) {
	was := a.targets()
	hid := a.circle
	a.circle = next
	if hid != nil {
		next.turned = hid.turned
	}
	now := a.targets()
	before, still := oneOf(was), oneOf(now)
	for _, u := range now {
		switch hides, hidden := hid != nil && hid.hidden[u], a.hidden(u); {
		case !before(u) && !hidden && a.registered:
			e.watch(a, u, nil, 0)
		case before(u) && hides != hidden:
			e.turn(a, u)
		}
	}
	var lost []im.UserID
	for _, u := range was {
		if !still(u) {
			lost = append(lost, u)
			delete(next.turned, u)
		}
	}
	e.quit(a, lost)
}
