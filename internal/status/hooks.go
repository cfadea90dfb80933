package status

import (
	"cmp"
	"context"
	"net/netip"
	"slices"

	"github.com/porchlight-im/porchlight/internal/im"
)

// Hooks tells an application's back end what becomes of its users. No method
// blocks or calls back; some are called under a stripe.
type Hooks interface {
	// Hears reports whether an application is told at all.
	Hears(app im.AppID) bool
	// Places takes n places in a row among what an application is told, and gives
	// the first, or 0 where events are not kept. Each is to be closed, by Tell or
	// Void: nothing later is told before.
	Places(app im.AppID, n int) int64
	// Void says that n places stay empty.
	Void(app im.AppID, first int64, n int)
	// Events makes the rows that tell of events, in order; it may put several into
	// one and close the places of the others.
	Events(events []im.StateEvent) []im.EventRow
	// Tell says that rows are true: committed, where they have places.
	Tell(rows []im.EventRow)
}

// Journal keeps changes together with the events that tell of them, under the
// promise of [Store].
type Journal interface {
	// SaveKept does what CloseSessions and SaveLive do, and keeps the events, in
	// one transaction.
	SaveKept(ctx context.Context, k im.Kept) error
}

// hooked is what an account needs for its application's back end, and does not
// have where nobody is told. Guarded by the stripe.
type hooked struct {
	seats  []seat
	hold   *hold           // a change is being committed that is applied afterwards
	events []im.StateEvent // of a step whose caller commits them
}

// seat says where a session was served whose connection is gone.
type seat struct {
	inst im.InstID
	addr netip.Addr
}

// Addressed is an [Outbox] that knows its client's address.
type Addressed interface {
	// Addr gives the address, the zero value where it is not known. It is asked
	// under a stripe.
	Addr() netip.Addr
}

// hold has the places and versions of events that are committed before the
// change that they tell of is applied. What happens to the user meanwhile gets
// earlier ones, so that the order told is the order in which it was applied.
type hold struct {
	place, end int64  // unused places for what happens meanwhile
	first      int64  // place of the first event, 0 where events are not kept
	n          int    // events
	seq        uint64 // version of the first event; the last one's is that of the applied change
	rows       []im.EventRow
	done       bool // committed
}

func (h *hold) last() uint64 { return h.seq + uint64(h.n) - 1 }

// hook gives what an account needs, made where it has nothing yet.
func (a *account) hook() *hooked {
	if a.hooked == nil {
		a.hooked = &hooked{}
	}
	return a.hooked
}

// held gives the hold of an account, nil for none, and for no account.
func (a *account) held() *hold {
	if a == nil || a.hooked == nil {
		return nil
	}
	return a.hooked.hold
}

// promise reserves places and versions for n events of an account. It gives nil
// where nobody is told. The account must have the turn; fulfil ends it.
func (e *Engine) promise(a *account, n int) *hold {
	if e.cfg.Hooks == nil || n == 0 || !e.cfg.Hooks.Hears(a.key.App) {
		return nil
	}
	s := e.stripe(a.key)
	s.mu.Lock()
	defer s.mu.Unlock()
	u := e.userLocked(s, a.key)
	gap := len(u.sessions) + 1 // each may be lost meanwhile, with one change of the status
	h := &hold{n: n, seq: u.seq + uint64(2*gap) + 1}
	if h.place = e.cfg.Hooks.Places(a.key.App, gap+n); h.place != 0 {
		h.end = h.place + int64(gap)
		h.first = h.end
	}
	a.hook().hold = h
	return h
}

// make gives the rows of the promised events, in order.
func (h *hold) make(hooks Hooks, epoch uint64, events ...im.StateEvent) []im.EventRow {
	if h == nil {
		return nil
	}
	for i := range events {
		events[i].Version = im.Version{Epoch: epoch, Seq: h.seq + uint64(i)}
		if h.first != 0 {
			events[i].Place = h.first + int64(i)
		}
	}
	h.rows = hooks.Events(events)
	return h.rows
}

// keep says that the promised events are committed.
func (h *hold) keep() {
	if h != nil {
		h.done = true
	}
}

// thrownOut gives the events of an order that ends sessions.
func thrownOut(ctx context.Context, key im.UserKey, ended []im.SessionRow) []im.StateEvent {
	by := im.Caller{Kind: im.CallerBackend, Addr: im.CallerOf(ctx).Addr}
	var events []im.StateEvent
	for _, row := range ended {
		events = append(events, im.StateEvent{User: key, Action: im.StateLogout, Cause: row.Cause, By: by, At: row.Closed})
	}
	return events
}

// fulfil ends a promise: its events are told if they were committed.
func (e *Engine) fulfil(a *account, h *hold) {
	if h == nil {
		return
	}
	s := e.stripe(a.key)
	s.mu.Lock()
	a.hook().hold = nil
	if u := s.users[a.key]; u != nil {
		e.dropIdleLocked(s, u)
	}
	s.mu.Unlock()
	e.cfg.Hooks.Void(a.key.App, h.place, int(h.end-h.place))
	if h.done {
		e.cfg.Hooks.Tell(h.rows)
		return
	}
	e.cfg.Hooks.Void(a.key.App, h.first, h.n)
}

// reachLocked raises the version of a user to what was promised: less one before
// the promised change is applied, so that the change itself gets it.
func (a *account) reachLocked(u *user, ev event, less uint64) {
	if h := a.held(); h != nil && (ev.kind == evAttach || ev.kind == evEnd || ev.kind == evDelete) {
		u.seq = max(u.seq, h.last()-less)
	}
}

// client gives who comes on a platform.
func client(ctx context.Context, p im.Platform) im.Caller {
	return im.Caller{Kind: im.CallerClient, Platform: p, Addr: im.CallerOf(ctx).Addr}
}

// sitLocked remembers where a session was served whose connection goes, where
// anybody is told of it. Those that are connected take no memory for it.
func (e *Engine) sitLocked(a *account, l link) {
	out, is := l.out.(Addressed)
	if !is || e.cfg.Hooks == nil || !e.cfg.Hooks.Hears(a.key.App) {
		return
	}
	a.leaveSeat(l.row.Inst)
	h := a.hook()
	h.seats = append(h.seats, seat{l.row.Inst, out.Addr()})
}

// vacate forgets where sessions were served that are connected again or gone for
// good.
func (a *account) vacate(ev event, lost []session) {
	if a == nil || a.hooked == nil {
		return
	}
	for _, x := range lost {
		a.leaveSeat(x.inst)
	}
	if ev.kind == evAttach || ev.kind == evEnd {
		a.leaveSeat(ev.inst)
	}
}

// seatOf gives where a session was served last, as far as that is known.
func (a *account) seatOf(inst im.InstID, p im.Platform) im.Caller {
	by := im.Caller{Kind: im.CallerClient, Platform: p}
	if a != nil && a.hooked != nil {
		for _, s := range a.hooked.seats {
			if s.inst == inst {
				by.Addr = s.addr
			}
		}
	}
	return by
}

func (a *account) leaveSeat(inst im.InstID) {
	if h := a.hooked; h != nil {
		if h.seats = slices.DeleteFunc(h.seats, func(s seat) bool { return s.inst == inst }); len(h.seats) == 0 {
			h.seats = nil
		}
	}
}

// present gives the platforms of those of the sessions that make their user
// Online.
func (e *Engine) present(key im.UserKey, rows []im.SessionRow) (platforms []im.Platform) {
	if e.cfg.Hooks == nil || len(rows) == 0 {
		return nil
	}
	s := e.stripe(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.users[key]
	for _, r := range rows {
		if u != nil && (u.find(r.Inst) >= 0 || u.standsFor(r.Platform)) {
			platforms = append(platforms, r.Platform)
		}
	}
	return platforms
}

// noteLocked makes the events of a step: those that nobody waits for are handed
// on, those whose caller commits them are left with the account.
// custom is the custom status from before.
func (e *Engine) noteLocked(s *stripe, u *user, ev event, fx *effects, custom string) {
	if e.cfg.Hooks == nil || len(fx.left) == 0 && !fx.came && !ev.tells() || !e.cfg.Hooks.Hears(u.key.App) {
		return
	}
	a := s.accounts[u.key]
	for _, x := range fx.left {
		e.passLocked(e.eventLocked(a, u, fx, im.StateEvent{Action: im.StateLost, Cause: x.cause, By: a.seatOf(x.inst, x.platform)}))
	}
	switch {
	case fx.came && a != nil && a.held() == nil:
		e.passLocked(e.eventLocked(a, u, fx, im.StateEvent{Action: im.StateLogin, By: ev.by}))
	case a == nil || !ev.tells():
	case ev.kind == evCustom:
		if u.custom != custom {
			h := a.hook()
			h.events = append(h.events, e.eventLocked(a, u, fx, im.StateEvent{Action: im.StateCustom, Custom: u.custom, By: ev.by}))
		}
	case ev.cause == im.CauseLogout || fx.ended:
		by := ev.by
		if by.Kind == im.CallerUnknown {
			by = a.seatOf(ev.inst, ev.platform)
		}
		h := a.hook()
		h.events = append(h.events, e.eventLocked(a, u, fx, im.StateEvent{Action: im.StateLogout, Cause: ev.cause, By: by}))
	}
}

// tells reports whether the caller of a step commits the event that tells of it.
func (ev event) tells() bool {
	return ev.kind == evCustom && ev.by.Kind != im.CallerUnknown ||
		ev.kind == evEnd && (ev.cause == im.CauseLogout || ev.cause == im.CauseExpiry)
}

// eventLocked gives an event its version and its place. The first event of a
// step that changed the status has the version of that.
func (e *Engine) eventLocked(a *account, u *user, fx *effects, ev im.StateEvent) im.StateEvent {
	if fx.changed && !fx.noted {
		fx.noted = true
	} else {
		u.seq++
	}
	ev.User, ev.At, ev.Version = u.key, e.wall(), im.Version{Epoch: e.cfg.Epoch, Seq: u.seq}
	if h := a.held(); h != nil && h.place < h.end {
		ev.Place = h.place
		h.place++
		return ev
	}
	ev.Place = e.cfg.Hooks.Places(u.key.App, 1)
	return ev
}

// passLocked hands on an event that nobody waits for.
func (e *Engine) passLocked(ev im.StateEvent) {
	if ev.Place == 0 {
		e.cfg.Hooks.Tell(e.cfg.Hooks.Events([]im.StateEvent{ev}))
		return
	}
	e.loseEvents(e.durable.event(ev))
}

// takeEvents takes the events of the account's steps, as rows to be committed.
func (e *Engine) takeEvents(a *account) []im.EventRow {
	s := e.stripe(a.key)
	s.mu.Lock()
	var events []im.StateEvent
	if h := a.hooked; h != nil {
		events, h.events = h.events, nil
	}
	s.mu.Unlock()
	if len(events) == 0 {
		return nil
	}
	return e.cfg.Hooks.Events(events)
}

// keep commits a change with the rows that tell of it, and then tells them.
func (e *Engine) keep(ctx context.Context, k im.Kept) error {
	var err error
	switch {
	case slices.ContainsFunc(k.Events, func(r im.EventRow) bool { return r.Kept() }):
		err = e.cfg.Journal.SaveKept(ctx, k)
	case len(k.Ended) > 0:
		err = e.cfg.Store.CloseSessions(ctx, k.User, k.Ended, k.Marks, k.Customs...)
	default:
		err = e.cfg.Store.SaveLive(ctx, k.Marks, k.Customs)
	}
	if err == nil && len(k.Events) > 0 {
		e.cfg.Hooks.Tell(k.Events)
	}
	return err
}

// forsake says that rows will never be true.
func (e *Engine) forsake(rows []im.EventRow) {
	for _, r := range rows {
		if r.Kept() {
			e.cfg.Hooks.Void(r.App, r.ID, 1)
		}
	}
}

// loseEvents gives up events that could not be written for too long.
func (e *Engine) loseEvents(rows []im.EventRow) {
	e.stats.untold.Add(int64(len(rows)))
	e.forsake(rows)
}

// unwritten holds the events that nobody waits for until they are written.
type unwritten struct {
	events []im.StateEvent
	rows   []im.EventRow // made of events once, and not written yet
}

// maxUnwritten bounds them, in case the store fails for long.
const maxUnwritten = 20_000

// event keeps an event to be written soon, and gives what there is no more room
// for.
func (d *durable) event(ev im.StateEvent) (lost []im.EventRow) {
	d.mu.Lock()
	d.unwritten.events = append(d.unwritten.events, ev)
	if n := len(d.unwritten.events) + len(d.unwritten.rows) - maxUnwritten; n > 0 {
		lost = d.unwritten.dropLocked(n)
	}
	d.mu.Unlock()
	signal(d.wake)
	return lost
}

// retryEvents keeps the rows of a change that stands although it could not be
// written, to be tried again, and tells those that need not be.
func (e *Engine) retryEvents(rows []im.EventRow) {
	for i := range rows {
		if !rows[i].Kept() {
			e.cfg.Hooks.Tell(rows[i : i+1])
		}
	}
	kept := slices.DeleteFunc(slices.Clone(rows), func(r im.EventRow) bool { return !r.Kept() })
	if len(kept) == 0 {
		return
	}
	d := &e.durable
	d.mu.Lock()
	d.unwritten.rows = append(d.unwritten.rows, kept...)
	d.mu.Unlock()
	signal(d.wake)
}

// dropLocked gives up the oldest n.
func (u *unwritten) dropLocked(n int) (lost []im.EventRow) {
	rows := min(n, len(u.rows))
	lost = slices.Clone(u.rows[:rows])
	u.rows = slices.Delete(u.rows, 0, rows)
	for _, ev := range u.events[:n-rows] {
		lost = append(lost, im.EventRow{App: ev.User.App, ID: ev.Place})
	}
	u.events = slices.Delete(u.events, 0, n-rows)
	return lost
}

// takeRows empties it and gives rows by their places.
func (e *Engine) takeRows() []im.EventRow {
	d := &e.durable
	d.mu.Lock()
	u := d.unwritten
	d.unwritten = unwritten{}
	d.mu.Unlock()
	if len(u.events) > 0 {
		slices.SortFunc(u.events, func(x, y im.StateEvent) int {
			return cmp.Or(cmp.Compare(x.User.App, y.User.App), cmp.Compare(x.Place, y.Place))
		})
		u.rows = append(u.rows, e.cfg.Hooks.Events(u.events)...)
	}
	return u.rows
}
