package status

import (
	"context"
	"fmt"
	"slices"

	"github.com/porchlight-im/porchlight/internal/im"
)

// Status gives the statuses of some users of an application, in their order,
// duplicates collapsed, and the refusals of those who have none.
func (e *Engine) Status(ctx context.Context, app im.AppID, users []im.UserID) ([]im.Found, []im.Failed, error) {
	users = unique(users)
	all := make([]im.Found, len(users))
	failed, err := e.without(ctx, app, users, func(i int, key im.UserKey) (known bool) {
		all[i], known = e.lookup(key)
		return known
	})
	if err != nil {
		return nil, nil, err
	}
	return withoutFailed(all, users, failed), failed, nil
}

// Presence gives where some users of an application are, as [Engine.Status]
// does.
func (e *Engine) Presence(ctx context.Context, app im.AppID, users []im.UserID) ([]im.Presence, []im.Failed, error) {
	users = unique(users)
	all := make([]im.Presence, len(users))
	failed, err := e.without(ctx, app, users, func(i int, key im.UserKey) (known bool) {
		all[i], known = e.presence(key)
		return known
	})
	if err != nil {
		return nil, nil, err
	}
	return withoutFailed(all, users, failed), failed, nil
}

// without looks each user up and gives the refusals of those who have no status,
// in order. What look says of a user who is not known there must be right if
// there is an account.
func (e *Engine) without(
	ctx context.Context, app im.AppID, users []im.UserID, look func(i int, key im.UserKey) (known bool),
) ([]im.Failed, error) {
	var unsure []im.UserID
	sure := true
	for i, id := range users {
		valid := id.Valid()
		sure = sure && valid
		if valid && !look(i, im.UserKey{App: app, User: id}) {
			unsure = append(unsure, id)
		}
	}
	missing, err := e.missing(ctx, app, unsure)
	if err != nil || sure && len(missing) == 0 { // as nearly always
		return nil, err
	}
	var failed []im.Failed
	for _, id := range users {
		switch {
		case !id.Valid():
			failed = append(failed, im.Failed{User: id, Refusal: im.Err(im.CodeInvalidUserID)})
		case missing[id]:
			failed = append(failed, im.Failed{User: id, Refusal: im.Err(im.CodeNoAccount)})
		}
	}
	return failed, nil
}

// withoutFailed leaves out what was found of users who have failed. Both lists
// are in the order of the users.
func withoutFailed[T any](all []T, users []im.UserID, failed []im.Failed) []T {
	if len(failed) == 0 {
		return all
	}
	found := make([]T, 0, len(all)-len(failed))
	for i, id := range users {
		if len(failed) > 0 && failed[0].User == id {
			failed = failed[1:]
			continue
		}
		found = append(found, all[i])
	}
	return found
}

// lookup gives a user's status, and whether having one in memory proves that
// the user exists.
func (e *Engine) lookup(key im.UserKey) (im.Found, bool) {
	s := e.stripe(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.users[key]
	if u == nil {
		return im.Found{User: key.User, Status: im.Status{General: im.Unlogined}, Version: im.Version{Epoch: e.cfg.Epoch, Seq: s.floor}}, false
	}
	return im.Found{User: key.User, Status: u.shown, Version: im.Version{Epoch: e.cfg.Epoch, Seq: u.seq}}, u.exists()
}

// presence is lookup for where a user is: each session, and each platform on
// which one was lost and push still reaches it.
func (e *Engine) presence(key im.UserKey) (im.Presence, bool) {
	s := e.stripe(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.users[key]
	if u == nil {
		return im.Presence{User: key.User, Status: im.Status{General: im.Unlogined}}, false
	}
	found := im.Presence{User: key.User, Status: u.shown}
	for i := range u.sessions {
		found.On = append(found.On, im.Device{Platform: u.sessions[i].platform, General: im.Online, Inst: u.sessions[i].inst})
	}
	since := e.wall() - e.cfg.Rules.PushReachable.Milliseconds()
	for p, state := range u.marks.state {
		platform := im.Platform(p)
		if state == im.MarkLost && platform.HasPush() && u.marks.at[p] > since {
			found.On = append(found.On, im.Device{Platform: platform, General: im.Offline})
		}
	}
	return found, u.exists()
}

// missing gives those of the users who do not exist.
func (e *Engine) missing(ctx context.Context, app im.AppID, users []im.UserID) (map[im.UserID]bool, error) {
	if len(users) == 0 {
		return nil, nil
	}
	exist, err := e.cfg.Accounts.Exist(ctx, app, users)
	if err != nil {
		return nil, fmt.Errorf("look up accounts: %w", err)
	}
	missing := make(map[im.UserID]bool)
	for i, id := range users {
		if !exist[i] {
			missing[id] = true
		}
	}
	return missing, nil
}

// Subscribe puts users at the end of an account's list and commits it; beyond
// limit the oldest leave it. From the answer on all the account's connections
// hear of every change of theirs.
func (e *Engine) Subscribe(ctx context.Context, key im.UserKey, users []im.UserID, limit int) ([]im.Failed, error) {
	users = unique(users)
	a, err := e.acquire(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("load user %s: %w", key.User, err)
	}
	defer e.release(a)
	add, failed, err := e.watchable(ctx, key, users)
	if err != nil || len(add) == 0 {
		return failed, err
	}
	if err := e.settleList(ctx, a); err != nil {
		return nil, err
	}
	list := make([]im.UserID, 0, len(a.row.Watching)+len(add))
	list = slices.DeleteFunc(append(list, a.row.Watching...), oneOf(add))
	list = append(list, add...)
	var evicted []im.UserID
	if over := len(list) - limit; over > 0 {
		evicted = slices.Clone(list[:over])
		list = slices.Delete(list, 0, over)
		add = slices.DeleteFunc(add, oneOf(evicted))
	}
	evicted = slices.DeleteFunc(evicted, func(u im.UserID) bool { return !slices.Contains(a.row.Watching, u) })
	hidden, err := e.hiding(ctx, key, add)
	if err != nil {
		return nil, err
	}
	// The marks that wait go first: a crash must not leave a list whose owner seems
	// to be long gone.
	if marks := e.durable.marksOf(key); len(marks) > 0 {
		if err := e.cfg.Store.SaveLive(ctx, marks, nil); err != nil {
			return nil, fmt.Errorf("save presence of %s: %w", key.User, err)
		}
	}
	if err := e.cfg.Lists.SaveWatching(ctx, key, add, evicted); err != nil {
		a.doubt = true
		return nil, fmt.Errorf("save subscriptions of %s: %w", key.User, err)
	}
	a.row.Watching = list
	e.quit(a, evicted)
	a.judge(add, hidden)
	if a.registered {
		fresh := list[len(list)-len(add):]
		for i, u := range fresh {
			fresh[i] = e.join(a, u, nil, 0)
		}
	}
	return failed, nil
}

// watchable splits users into those an account may watch and the refusals of
// the others.
func (e *Engine) watchable(ctx context.Context, key im.UserKey, users []im.UserID) (add []im.UserID, failed []im.Failed, err error) {
	var unsure []im.UserID
	for _, u := range users {
		if u.Valid() && u != key.User {
			if _, known := e.lookup(im.UserKey{App: key.App, User: u}); !known {
				unsure = append(unsure, u)
			}
		}
	}
	missing, err := e.missing(ctx, key.App, unsure)
	if err != nil {
		return nil, nil, err
	}
	for _, u := range users {
		switch {
		case !u.Valid():
			failed = append(failed, im.Failed{User: u, Refusal: im.Err(im.CodeInvalidUserID)})
		case u == key.User:
			failed = append(failed, im.Failed{User: u, Refusal: im.Errorf(im.CodeInvalid, "own changes are told without a subscription")})
		case missing[u]:
			failed = append(failed, im.Failed{User: u, Refusal: im.Err(im.CodeNoAccount)})
		default:
			add = append(add, u)
		}
	}
	return add, failed, nil
}

// Unsubscribe takes users out of an account's list and commits it. After the
// answer nothing that rests on having watched them is written. Whoever is not
// in the list is no failure.
func (e *Engine) Unsubscribe(ctx context.Context, key im.UserKey, users []im.UserID) ([]im.Failed, error) {
	a, err := e.acquire(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("load user %s: %w", key.User, err)
	}
	defer e.release(a)
	if err := e.settleList(ctx, a); err != nil {
		return nil, err
	}
	var failed []im.Failed
	var remove []im.UserID
	for _, u := range unique(users) {
		switch {
		case !u.Valid():
			failed = append(failed, im.Failed{User: u, Refusal: im.Err(im.CodeInvalidUserID)})
		case slices.Contains(a.row.Watching, u):
			remove = append(remove, u)
		}
	}
	if len(remove) == 0 {
		return failed, nil
	}
	if err := e.cfg.Lists.SaveWatching(ctx, key, nil, remove); err != nil {
		a.doubt = true
		return nil, fmt.Errorf("save subscriptions of %s: %w", key.User, err)
	}
	a.row.Watching = slices.DeleteFunc(a.row.Watching, oneOf(remove))
	e.quit(a, remove)
	return failed, nil
}

// UnsubscribeAll empties an account's list and commits it.
func (e *Engine) UnsubscribeAll(ctx context.Context, key im.UserKey) error {
	a, err := e.acquire(ctx, key)
	if err != nil {
		return fmt.Errorf("load user %s: %w", key.User, err)
	}
	defer e.release(a)
	if len(a.row.Watching) == 0 && !a.doubt && !e.durable.clears(key) {
		return nil
	}
	if err := e.cfg.Lists.ClearWatching(ctx, key); err != nil {
		a.doubt = true
		return fmt.Errorf("clear subscriptions of %s: %w", key.User, err)
	}
	e.durable.cleared(key)
	all := a.row.Watching
	a.row.Watching, a.doubt = nil, false
	e.quit(a, all)
	return nil
}

// settleList makes an account's list in memory what it is in the store, where a
// change of it failed and may have been written all the same, or is yet to be.
func (e *Engine) settleList(ctx context.Context, a *account) error {
	if err := e.clearList(ctx, a); err != nil || !a.doubt {
		return err
	}
	row, err := e.read(ctx, a.key)
	if err != nil {
		return fmt.Errorf("load user %s: %w", a.key.User, err)
	}
	came := slices.DeleteFunc(slices.Clone(row.Watching), oneOf(a.row.Watching))
	hidden, err := e.hiding(ctx, a.key, came)
	if err != nil {
		return err
	}
	gone := slices.DeleteFunc(slices.Clone(a.row.Watching), oneOf(row.Watching))
	a.row.Watching, a.doubt = row.Watching, false
	e.quit(a, gone)
	a.judge(came, hidden)
	if a.registered {
		for i, u := range a.row.Watching {
			a.row.Watching[i] = e.join(a, u, nil, 0)
		}
	}
	return nil
}

// quit makes the account hear no more of users who left its list, unless they
// are its friends.
func (e *Engine) quit(a *account, users []im.UserID) {
	users = slices.DeleteFunc(slices.Clone(users), a.befriends)
	if len(users) == 0 {
		return
	}
	if a.registered {
		for _, u := range users {
			e.unwatch(a, u)
		}
	}
	for _, l := range a.links {
		l.out.Forget(users)
	}
}

// unique gives the users without repeats, in order of first occurrence.
func unique(users []im.UserID) []im.UserID {
	seen := make(map[im.UserID]struct{}, len(users))
	out := make([]im.UserID, 0, len(users))
	for _, u := range users {
		if _, ok := seen[u]; !ok {
			seen[u] = struct{}{}
			out = append(out, u)
		}
	}
	return out
}

func oneOf(users []im.UserID) func(im.UserID) bool {
	set := make(map[im.UserID]struct{}, len(users))
	for _, u := range users {
		set[u] = struct{}{}
	}
	return func(u im.UserID) bool { _, ok := set[u]; return ok }
}
