package status

import (
	"context"
	"fmt"
	"slices"

	"github.com/porchlight-im/porchlight/internal/im"
)

// Orders keeps what is ordered about users, under the promise of [Store].
type Orders interface {
	// Revoke writes an order as a whole.
	Revoke(ctx context.Context, o im.Order) error
}

// Kick ends all sessions of a user and makes every UserSig of this second and
// before dead for good. nil says that it is committed; an error that nothing was
// done. It refuses with CodeNoAccount who does not exist. actor is who orders it.
func (e *Engine) Kick(ctx context.Context, key im.UserKey, actor string) error {
	return e.throwOut(ctx, key, im.BanKeep, im.AuditRow{Actor: actor, Action: "user.kick"})
}

// Ban is [Engine.Kick], and refuses every login until [Engine.Unban].
func (e *Engine) Ban(ctx context.Context, key im.UserKey, actor string) error {
	return e.throwOut(ctx, key, im.BanSet, im.AuditRow{Actor: actor, Action: "user.ban"})
}

// Unban lets a user log in again, with a UserSig from after the ban.
func (e *Engine) Unban(ctx context.Context, key im.UserKey, actor string) error {
	a, err := e.acquireKnown(ctx, key)
	if err != nil {
		return err
	}
	defer e.release(a)
	order := im.Order{User: key, Ban: im.BanLift, Audit: im.AuditRow{Actor: actor, Action: "user.unban"}}
	if err := e.commit(ctx, order); err != nil {
		return err
	}
	a.row.Banned = false
	return nil
}

// Delete removes an account: its sessions end as by [Engine.Kick], whoever
// watches it is told that it is Unlogined, and nothing is kept of it but the
// revocation. A place that it has on a subscription list stays its watcher's. The
// promise and the refusal are those of Kick.
func (e *Engine) Delete(ctx context.Context, key im.UserKey, actor string) error {
	a, err := e.acquireKnown(ctx, key)
	if err != nil {
		return err
	}
	defer e.release(a)
	now := e.cfg.Now()
	order := im.Order{User: key, Before: now.Unix(), Delete: true, Audit: im.AuditRow{Actor: actor, Action: "user.delete"}}
	events := thrownOut(ctx, key, openOnes(a.row.Sessions, now.UnixMilli()))
	promised := e.promise(a, len(events))
	defer e.fulfil(a, promised)
	order.Events = promised.make(e.cfg.Hooks, e.cfg.Epoch, events...)
	if err := e.commit(ctx, order); err != nil {
		return err
	}
	promised.keep()
	var outs []Outbox
	for _, row := range a.row.Sessions {
		if out := e.cut(a, row); out != nil {
			outs = append(outs, out)
		}
	}
	e.durable.forget(key)
	e.step(key, event{kind: evDelete})
	for _, out := range outs {
		out.End(im.CauseKickAdmin)
	}
	// Who has the next turn reads what has become of it.
	a.row, a.loaded, a.away, a.circle, a.met = im.UserRow{}, false, nil, nil, false
	return nil
}

// acquireKnown is acquire for a user who must exist.
func (e *Engine) acquireKnown(ctx context.Context, key im.UserKey) (*account, error) {
	a, err := e.acquire(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("load user %s: %w", key.User, err)
	}
	if !a.row.Found {
		e.release(a)
		return nil, im.Err(im.CodeNoAccount)
	}
	return a, nil
}

// commit writes an order.
func (e *Engine) commit(ctx context.Context, o im.Order) error {
	o.Audit.At, o.Audit.App, o.Audit.User = e.wall(), o.User.App, o.User.User
	if err := e.cfg.Orders.Revoke(ctx, o); err != nil {
		return fmt.Errorf("%s %s: %w", o.Audit.Action, o.User.User, err)
	}
	return nil
}

// throwOut commits the end of all that a user has and then carries it out, in
// the account's turn, so that no login comes in between.
func (e *Engine) throwOut(ctx context.Context, key im.UserKey, ban im.Ban, audit im.AuditRow) error {
	a, err := e.acquireKnown(ctx, key)
	if err != nil {
		return err
	}
	defer e.release(a)
	now := e.cfg.Now()
	order := im.Order{User: key, Before: now.Unix(), Ban: ban, Audit: audit, Ended: openOnes(a.row.Sessions, now.UnixMilli())}
	here, before := e.platforms(key, order.Ended)
	for _, p := range here {
		order.Marks = append(order.Marks, im.Mark{User: key, Platform: p, State: im.MarkOut, At: now.UnixMilli(), Rev: e.nextRev()})
	}
	if e.cfg.Rules.Grace[im.CauseKickAdmin] == 0 {
		order.Customs = []im.CustomRow{{User: key, Rev: e.nextRev()}}
	}
	promised := e.promise(a, len(order.Ended))
	defer e.fulfil(a, promised)
	order.Events = promised.make(e.cfg.Hooks, e.cfg.Epoch, thrownOut(ctx, key, order.Ended)...)
	if err := e.commit(ctx, order); err != nil {
		return err
	}
	promised.keep()
	_, after := e.platforms(key, order.Ended)
	a.row.RevokedBefore = max(a.row.RevokedBefore, order.Before)
	a.row.Banned = a.row.Banned || ban == im.BanSet
	// Where they were lost before where they are, so that a page's end does not
	// show that of a phone.
	for _, p := range here {
		e.step(key, event{kind: evEnd, inst: noInst, platform: p, cause: im.CauseKickAdmin})
	}
	for _, row := range order.Ended {
		e.endLocal(ctx, a, row)
	}
	if after != before { // a grace that ended during the commit has said otherwise meanwhile
		e.keepAgain(ctx, key, here)
	}
	return nil
}

// openOnes gives those of the sessions that are open, as an order ends them.
func openOnes(rows []im.SessionRow, at int64) (ended []im.SessionRow) {
	for _, row := range rows {
		if row.Closed == 0 {
			row.Closed, row.Cause = at, im.CauseKickAdmin
			ended = append(ended, row)
		}
	}
	return ended
}

// keepAgain writes how a user stands on some platforms, now or as soon as it can.
func (e *Engine) keepAgain(ctx context.Context, key im.UserKey, platforms []im.Platform) {
	for _, p := range platforms {
		marks, customs := e.kept(key, p)
		if err := e.cfg.Store.SaveLive(ctx, marks, customs); err != nil {
			e.durable.ended(key, nil, marks, customs)
		}
	}
}

// noInst is the number of no session: they have 31 bits.
const noInst im.InstID = 1<<32 - 1

// platforms gives where a user is or was lost, or had one of these sessions, or is
// so as far as the store knows, and the marks of now.
func (e *Engine) platforms(key im.UserKey, rows []im.SessionRow) (here []im.Platform, now marks) {
	waiting := e.durable.marksOf(key)
	s := e.stripe(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if u := s.users[key]; u != nil {
		now = u.marks
	}
	for p := range im.Platform(im.Platforms) {
		state := now.get(p).state
		if state == im.MarkLive || state == im.MarkLost ||
			slices.ContainsFunc(rows, func(r im.SessionRow) bool { return r.Platform == p }) ||
			slices.ContainsFunc(waiting, func(m im.Mark) bool { return m.Platform == p }) {
			here = append(here, p)
		}
	}
	return here, now
}

// Show gives what is known of a user, for an operator. It refuses with
// CodeNoAccount who does not exist.
func (e *Engine) Show(ctx context.Context, key im.UserKey) (im.UserView, error) {
	a, err := e.acquireKnown(ctx, key)
	if err != nil {
		return im.UserView{}, err
	}
	defer e.release(a)
	v := im.UserView{
		User: key, TinyID: a.row.TinyID, Banned: a.row.Banned, RevokedBefore: a.row.RevokedBefore,
		Watching: len(a.row.Watching),
	}
	now := e.moment()
	found, _ := e.lookup(key)
	v.Status, v.Version = found.Status, found.Version
	for _, row := range a.row.Sessions {
		v.Sessions = append(v.Sessions, im.SessionView{SessionRow: row, Connected: a.linked(row.Inst)})
	}
	slices.SortStableFunc(v.Sessions, func(x, y im.SessionView) int {
		if xOpen, yOpen := x.Closed == 0, y.Closed == 0; xOpen != yOpen {
			if xOpen {
				return -1
			}
			return 1
		}
		return int(min(1, max(-1, y.Opened-x.Opened)))
	})
	s := e.stripe(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if u := s.users[key]; u != nil {
		v.Watchers = u.watchers.len()
		for i := range v.Sessions {
			if j := u.find(v.Sessions[i].Inst); j >= 0 {
				if until := u.sessions[j].until; until != 0 {
					v.Sessions[i].Until = until - now.steady + now.wall
				}
			}
		}
	}
	return v, nil
}
