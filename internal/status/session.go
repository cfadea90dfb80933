package status

import (
	"context"
	"fmt"
	"slices"

	"github.com/porchlight-im/porchlight/internal/im"
)

// Session is a session as its A2Key tells it, once its seal was found good.
type Session struct {
	im.SessionID
	Platform im.Platform
	KeyID    uint32 // the application's key that signed its UserSig
	Issued   int64  // its UserSig's time, Unix seconds
	Opened   int64  // Unix ms
	Expires  int64  // Unix seconds
}

// Ended is the error of a session that is over, with the cause where it is
// known. Its code is that of an expired UserSig, which makes a client forget
// the session.
type Ended struct {
	Cause im.Cause
}

// Error says that the session is over.
func (e *Ended) Error() string { return "session ended by " + e.Cause.String() }

// Unwrap gives the refusal.
func (e *Ended) Unwrap() error { return im.Err(im.CodeSigExpired) }

// Login asks for a new session.
type Login struct {
	User     im.UserKey
	Platform im.Platform
	KeyID    uint32
	Issued   int64 // the UserSig's time, Unix seconds
	Expires  int64 // Unix seconds
	Policy   Policy
	Out      Outbox
	Leaves   uint64 // the user's connection that the login takes over, 0 for none

	// Bound, unless nil, is called once the session is open, before anything
	// can happen to it. It must not block or call back.
	Bound func(Attached)
}

// Attached is what a login or a return gives.
type Attached struct {
	Session Session
	Link    uint64 // names the connection; give it to [Engine.Leave]
	TinyID  int64
	Custom  string
	Since   int64 // by [Engine.Now]; the outbox is told of all that changed later, and of nothing else
}

// Login opens a session and commits it, with the account where it is new and
// the end of the sessions that it pushes out. The outbox hears of what follows
// from then on. The newcomer's inst must be chosen at random by the caller; a
// collision is an error, to be tried again with another.
func (e *Engine) Login(ctx context.Context, l Login, inst im.InstID) (Attached, error) {
	a, err := e.acquire(ctx, l.User)
	if err != nil {
		return Attached{}, fmt.Errorf("load user %s: %w", l.User.User, err)
	}
	defer e.release(a)
	if err := e.follow(ctx, a); err != nil {
		return Attached{}, err
	}
	now, since := e.wall(), e.Now()
	forget := e.stale(a, now) || e.durable.clears(l.User)
	promised := e.promise(a, 1)
	defer e.fulfil(a, promised)
	defer e.leaveFor(a, l)()
	row := im.SessionRow{Inst: inst, Platform: l.Platform, KeyID: l.KeyID, Opened: now, Expires: l.Expires * 1000}
	losers := l.Policy.Losers(a.row.Sessions, l.Platform, a.linked)
	for i := range losers {
		losers[i].Closed = now
	}
	by := client(ctx, l.Platform)
	came := im.StateEvent{User: l.User, Action: im.StateLogin, By: by, Kicked: e.present(l.User, losers), At: now}
	opening := im.Opening{
		User: l.User, Session: row, Ended: losers, Forget: forget,
		Mark:   im.Mark{User: l.User, Platform: l.Platform, State: im.MarkLive, At: now, Rev: e.nextRev()},
		Events: promised.make(e.cfg.Hooks, e.cfg.Epoch, came),
	}
	tiny, err := e.cfg.Store.OpenSession(ctx, opening, l.Issued)
	if err != nil {
		return Attached{}, fmt.Errorf("open session of %s: %w", l.User.User, err)
	}
	e.figures.of(l.User.App).logins.Add(1)
	promised.keep()
	a.row.Found, a.row.TinyID, a.row.LastPresence = true, tiny, now
	a.remember(row)
	if opening.Forget {
		a.row.Watching = nil
		e.durable.cleared(l.User)
	}
	link := link{id: e.links.Add(1), row: row, out: l.Out}
	e.attach(a, link)
	e.register(a, nil, since)
	s := Session{
		SessionID: im.SessionID{UserKey: l.User, Inst: inst},
		Platform:  l.Platform, KeyID: l.KeyID, Issued: l.Issued, Opened: now, Expires: l.Expires,
	}
	e.step(l.User, event{kind: evAttach, inst: inst, platform: l.Platform, link: link.id, others: a.mayReturn(row), by: by})
	at := Attached{Session: s, Link: link.id, TinyID: tiny, Custom: e.custom(l.User), Since: since}
	if l.Bound != nil {
		l.Bound(at)
	}
	for _, row := range losers {
		e.endLocal(ctx, a, row)
		marks, customs := e.kept(l.User, row.Platform)
		e.durable.ended(l.User, nil, marks, customs)
	}
	return at, nil
}

// Return puts a connection beneath a session that has not ended. It writes
// nothing that it waits for. The outbox is told what changed while the session
// had no connection. bound is as in [Login].
func (e *Engine) Return(ctx context.Context, s Session, out Outbox, bound func(Attached)) (Attached, error) {
	a, err := e.acquire(ctx, s.UserKey)
	if err != nil {
		return Attached{}, fmt.Errorf("load user %s: %w", s.User, err)
	}
	defer e.release(a)
	row, err := e.alive(ctx, a, s)
	if err != nil {
		return Attached{}, err
	}
	if err := e.follow(ctx, a); err != nil {
		return Attached{}, err
	}
	since := e.told(a, s)
	if e.stale(a, e.wall()) {
		e.unregister(a)
		a.row.Watching = nil
		e.durable.clear(s.UserKey)
	}
	if since <= e.muted.until(s.App) {
		since = -1 // it may have missed more than came after its connection was lost
	}
	l := link{id: e.links.Add(1), row: row, out: out}
	e.attach(a, l)
	e.step(s.UserKey, event{
		kind: evAttach, inst: s.Inst, platform: s.Platform, link: l.id, others: a.mayReturn(row), by: client(ctx, s.Platform),
	})
	e.register(a, out, since)
	at := Attached{Session: s, Link: l.id, TinyID: a.row.TinyID, Custom: e.custom(s.UserKey), Since: since}
	if bound != nil {
		bound(at)
	}
	return at, nil
}

// Check reports, by an [Ended] or another error, whether a session that has no
// connection may still be served.
func (e *Engine) Check(ctx context.Context, s Session) error {
	a, err := e.acquire(ctx, s.UserKey)
	if err != nil {
		return fmt.Errorf("load user %s: %w", s.User, err)
	}
	defer e.release(a)
	_, err = e.alive(ctx, a, s)
	return err
}

// Leave says that a connection ended, by a cause that does not end its session,
// having received all that changed before told, by [Engine.Now].
func (e *Engine) Leave(key im.UserKey, inst im.InstID, linkID uint64, c im.Cause, told int64) {
	a, err := e.acquire(context.Background(), key)
	if err != nil { // only the store can fail, and a connected account is loaded
		e.cfg.Log.Error("leave", "err", err, "user", key.User)
		return
	}
	defer e.release(a)
	if e.detach(a, linkID) {
		e.step(key, event{kind: evDetach, inst: inst, link: linkID, cause: c, told: told})
	}
}

// leaveFor takes away the connection that a login takes over. The session that
// it was beneath is away from then on, but its user leaves only with what is
// returned: when the newcomer is there, or cannot come.
func (e *Engine) leaveFor(a *account, l Login) (left func()) {
	i := slices.IndexFunc(a.links, func(old link) bool { return old.id == l.Leaves })
	if i < 0 {
		return func() {}
	}
	old := a.links[i]
	e.detach(a, old.id)
	return func() {
		e.step(a.key, event{kind: evDetach, inst: old.row.Inst, link: old.id, cause: im.CauseClose, told: old.out.Told()})
	}
}

// End ends a session for good. It is told at once; nil says that it is
// committed. Ending one that has ended is no error. An end that could not be
// written is written later, and stands meanwhile.
func (e *Engine) End(ctx context.Context, s Session, c im.Cause) error {
	a, err := e.acquire(ctx, s.UserKey)
	if err != nil {
		return fmt.Errorf("load user %s: %w", s.User, err)
	}
	defer e.release(a)
	i := a.find(s.Inst)
	if i < 0 || a.row.Sessions[i].Opened != s.Opened {
		return nil
	}
	row := a.row.Sessions[i]
	if row.Closed == 0 {
		row.Closed, row.Cause = e.wall(), c
		e.endLocal(ctx, a, row)
	}
	// One that had ended is written again: what ended it may have failed to.
	marks, customs := e.kept(s.UserKey, row.Platform)
	k := im.Kept{User: s.UserKey, Ended: []im.SessionRow{row}, Marks: marks, Customs: customs, Events: e.takeEvents(a)}
	if err := e.keep(ctx, k); err != nil {
		e.durable.ended(s.UserKey, k.Ended, marks, customs)
		e.retryEvents(k.Events)
		return fmt.Errorf("close session of %s: %w", s.User, err)
	}
	return nil
}

// cut ends a session in memory and gives its connection, nil for none, which is
// not told of what follows.
func (e *Engine) cut(a *account, row im.SessionRow) Outbox {
	if i := a.find(row.Inst); i >= 0 {
		a.row.Sessions[i] = row
	}
	a.seen(row.Inst)
	for _, l := range a.links {
		if l.row.Inst == row.Inst {
			e.detach(a, l.id)
			return l.out
		}
	}
	return nil
}

// endLocal ends a session in memory and tells its connection.
func (e *Engine) endLocal(ctx context.Context, a *account, row im.SessionRow) {
	out := e.cut(a, row) // first: who leaves is not told of it
	e.step(a.key, event{
		kind: evEnd, inst: row.Inst, platform: row.Platform, cause: row.Cause, others: a.mayReturn(row), by: im.CallerOf(ctx),
	})
	if out != nil {
		out.End(row.Cause)
	}
}

// kept gives what is to be kept of a user after a session on a platform ended:
// as they stand, so that writing it twice does no harm.
func (e *Engine) kept(key im.UserKey, p im.Platform) (marks []im.Mark, customs []im.CustomRow) {
	s := e.stripe(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	m := mark{state: im.MarkOut, at: e.wall()}
	u := s.users[key]
	// One who was forgotten and is watched is in memory without marks.
	if u != nil && u.marks.get(p).state != im.MarkNone {
		m = u.marks.get(p)
	}
	marks = []im.Mark{{User: key, Platform: p, State: m.state, At: m.at, Rev: e.nextRev()}}
	if u == nil || u.shown.General != im.Online {
		customs = []im.CustomRow{{User: key, Rev: e.nextRev()}}
	}
	return marks, customs
}

// mayReturn reports whether other sessions on the platform of one were open when
// the account was read and have not been seen since. While anything stands for the
// sessions from before the start the account stays in memory, so that they are
// among these.
func (a *account) mayReturn(one im.SessionRow) bool {
	return slices.ContainsFunc(a.row.Sessions, func(r im.SessionRow) bool {
		return r.Closed == 0 && r.Platform == one.Platform && r.Inst != one.Inst && slices.Contains(a.away, r.Inst)
	})
}

// alive gives the row of a session that has not ended.
func (e *Engine) alive(ctx context.Context, a *account, s Session) (im.SessionRow, error) {
	now := e.cfg.Now()
	i := a.find(s.Inst)
	switch {
	case i < 0:
		return im.SessionRow{}, e.forgotten(ctx, s)
	case a.row.Sessions[i].Opened != s.Opened:
		return im.SessionRow{}, &Ended{}
	case a.row.Sessions[i].Closed != 0:
		return im.SessionRow{}, &Ended{Cause: a.row.Sessions[i].Cause}
	case a.row.RevokedBefore > 0 && s.Issued <= a.row.RevokedBefore || a.row.Banned:
		return im.SessionRow{}, &Ended{Cause: im.CauseKickAdmin}
	case now.Unix() > s.Expires:
		return im.SessionRow{}, &Ended{Cause: im.CauseExpiry}
	}
	return a.row.Sessions[i], nil
}

// forgotten says of a session that is not in memory why it ended, as the store
// knows for longer.
func (e *Engine) forgotten(ctx context.Context, s Session) error {
	row, err := e.read(ctx, s.UserKey)
	if err != nil {
		return fmt.Errorf("load user %s: %w", s.User, err)
	}
	for _, r := range row.Sessions {
		if r.Inst == s.Inst && r.Opened == s.Opened {
			return &Ended{Cause: r.Cause}
		}
	}
	if s.Issued <= row.RevokedBefore { // its account was deleted
		return &Ended{Cause: im.CauseKickAdmin}
	}
	return &Ended{}
}

// remember adds a session and forgets the oldest of too many that ended.
func (a *account) remember(row im.SessionRow) {
	ended := 0
	for i := len(a.row.Sessions) - 1; i >= 0; i-- {
		if a.row.Sessions[i].Closed == 0 {
			continue
		}
		if ended++; ended > endedKept {
			a.row.Sessions = slices.Delete(a.row.Sessions, i, i+1)
		}
	}
	a.row.Sessions = append(a.row.Sessions, row)
}

func (a *account) find(inst im.InstID) int {
	return slices.IndexFunc(a.row.Sessions, func(r im.SessionRow) bool { return r.Inst == inst })
}

// linked reports whether a session has a connection.
func (a *account) linked(inst im.InstID) bool {
	return slices.ContainsFunc(a.links, func(l link) bool { return l.row.Inst == inst })
}

// stale reports whether the account was away for longer than its list lives. Who
// is within a grace is not away, whatever happened to the wall clock.
func (e *Engine) stale(a *account, now int64) bool {
	if len(a.row.Watching) == 0 || len(a.links) > 0 || a.row.Live || now-a.row.LastPresence <= e.cfg.Retention.Milliseconds() {
		return false
	}
	s := e.stripe(a.key)
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.users[a.key]
	return u == nil || len(u.sessions) == 0
}

// told says since when a session may have missed notices: since what its lost
// connection had surely received. -1 is for one that has been away for longer than
// is remembered, from before the start too: what it missed then nobody knows.
func (e *Engine) told(a *account, s Session) int64 {
	for _, l := range a.links {
		if l.row.Inst == s.Inst {
			return l.out.Told()
		}
	}
	st := e.stripe(s.UserKey)
	st.mu.Lock()
	defer st.mu.Unlock()
	u := st.users[s.UserKey]
	if u == nil {
		return -1
	}
	if i := u.find(s.Inst); i >= 0 {
		return u.sessions[i].told
	}
	return -1
}

// custom gives a user's custom status.
func (e *Engine) custom(key im.UserKey) string {
	s := e.stripe(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if u := s.users[key]; u != nil {
		return u.shown.Custom
	}
	return ""
}

// endedKept is how many ended sessions of a connected account stay in memory, to
// tell them why they ended. Of the others the store tells.
const endedKept = 16
