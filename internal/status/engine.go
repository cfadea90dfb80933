// Package status holds who is logged in where, what others see of them, and who
// is told when that changes. Its heart is a pure function, step in core.go:
// (user, event, now) → effects; around it a thin shell locks the user's stripe,
// steps, and hands the new status to everyone entitled.
//
// It promises that a user's general status is computed from their sessions,
// marks and graces, never assigned; that versions of one user only rise; that a
// change and its notices are one step and so in order; and that what it
// acknowledges is committed. It never waits for a slow reader, takes two locks
// at once only downwards (stripe, then outbox), and does no I/O under either.
package status

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/porchlight-im/porchlight/internal/im"
)

// Store keeps what must survive the process. A method that returns nil has
// committed; one that returns an error has changed nothing, or says so.
type Store interface {
	// User reads what is known of a user who logs in or returns.
	User(ctx context.Context, key im.UserKey) (im.UserRow, error)
	// OpenSession writes a login and registers its account; issued is the
	// UserSig's time in Unix seconds. It refuses with CodeSigExpired or
	// CodeBanned who was revoked or banned meanwhile.
	OpenSession(ctx context.Context, o im.Opening, issued int64) (tinyID int64, err error)
	// CloseSessions writes the end of sessions and what follows from it; one
	// that is closed keeps its time and cause.
	CloseSessions(ctx context.Context, key im.UserKey, ended []im.SessionRow, marks []im.Mark, customs ...im.CustomRow) error
	// SaveLive writes marks and custom statuses; none undoes a newer one.
	SaveLive(ctx context.Context, marks []im.Mark, customs []im.CustomRow) error
	// ClearCustoms removes the custom status of everyone who is live nowhere.
	ClearCustoms(ctx context.Context, rev int64) error
	// Live calls each for every user who was live, or lost since a time in
	// Unix milliseconds.
	Live(ctx context.Context, lostSince int64, each func(im.LiveRow) error) error
}

// Lists keeps the subscription lists, under the promise of [Store].
type Lists interface {
	// SaveWatching removes some users from a list and then appends others, in
	// order; one already in it moves to its end.
	SaveWatching(ctx context.Context, key im.UserKey, add, remove []im.UserID) error
	// ClearWatching empties a list.
	ClearWatching(ctx context.Context, key im.UserKey) error
}

// Accounts knows who exists.
type Accounts interface {
	// Exist reports, for each ID, whether the account exists.
	Exist(ctx context.Context, app im.AppID, ids []im.UserID) ([]bool, error)
}

// Outbox is a connection as the engine sees it. No method blocks or calls back.
type Outbox interface {
	// Others takes a notice about someone else; Own takes one about the user.
	// Both are called under the stripe of the notice's user, in order of its
	// versions.
	Others(n *im.Notice)
	Own(n *im.Notice)
	// Forget drops what rests on having watched these users and is not
	// written yet.
	Forget(users []im.UserID)
	// Told gives the time, by [Engine.Now], before which nothing changed that
	// the client has not surely received.
	Told() int64
	// End says that the session has ended by c, or, with CauseBreak, that
	// another socket of the session took this one's place.
	End(c im.Cause)
}

// Config is what an Engine is made from.
type Config struct {
	Store     Store
	Lists     Lists
	Orders    Orders
	Accounts  Accounts
	Hooks     Hooks            // nil for none
	Journal   Journal          // where there are Hooks
	Friends   Friends          // nil for none: nobody has friends
	Blocks    Blocks           // nil for none: nobody is blocked
	Encode    func(*im.Notice) // fills Item and Push; pure and quick
	Rules     Rules
	Retention time.Duration // a list outlives its owner's presence by this
	Epoch     uint64        // of the live state that begins
	Rev       int64         // the highest in the store, or what is new might be taken for old
	Log       *slog.Logger

	Now    func() time.Time     // the wall clock; unless set, time.Now
	Steady func() time.Duration // a clock that is never set; unless set, what Now has as its monotonic reading
}

// Engine is the status engine. Make one with [New], fill it with
// [Engine.Restore], and keep [Engine.Run] running while it is used.
type Engine struct {
	cfg      Config
	began    time.Time // set by New
	links    atomic.Uint64
	rev      atomic.Int64
	stripes  [stripes]stripe
	timers   timers
	durable  durable
	muted    muted
	switches switches
	figures  figures
	stats    stats
}

// New makes an engine in which everyone is Unlogined.
func New(cfg Config) *Engine {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	began := cfg.Now()
	if cfg.Steady == nil {
		cfg.Steady = func() time.Duration { return cfg.Now().Sub(began) }
	}
	if cfg.Retention == 0 {
		cfg.Retention = im.WatchRetention
	}
	e := &Engine{cfg: cfg, began: began}
	e.rev.Store(cfg.Rev)
	for i := range e.stripes {
		e.stripes[i].users = make(map[im.UserKey]*user)
		e.stripes[i].accounts = make(map[im.UserKey]*account)
	}
	e.timers.wake = make(chan struct{}, 1)
	e.durable.wake = make(chan struct{}, 1)
	return e
}

// Restore makes everyone what they were when the last process ended. Whoever
// was live then stays so until the grace for it is over. Call it before anyone
// is served.
func (e *Engine) Restore(ctx context.Context) error {
	// A process that ended within the grace of who was out for good, or before it
	// wrote a loss, left a text that would return with a later session.
	if err := e.cfg.Store.ClearCustoms(ctx, e.nextRev()); err != nil {
		return fmt.Errorf("restore statuses: %w", err)
	}
	since := e.wall() - e.cfg.Rules.PushReachable.Milliseconds()
	err := e.cfg.Store.Live(ctx, since, func(row im.LiveRow) error {
		e.step(row.User, event{kind: evRestore, marks: row.Marks, custom: row.Custom})
		return ctx.Err()
	})
	if err != nil {
		return fmt.Errorf("restore statuses: %w", err)
	}
	return nil
}

// Run keeps the time of graces and writes what need not be waited for, until
// ctx ends; then it writes the rest, for at most five seconds.
func (e *Engine) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	wg.Go(func() { e.runTimers(ctx) })
	wg.Go(func() { e.runDurable(ctx) })
	wg.Wait()
	return nil
}

// SetCustom sets a user's custom status. It is told at once and nil returned
// once it is committed; if that fails the old one returns, as a new change. Who
// is not Online has none.
func (e *Engine) SetCustom(ctx context.Context, key im.UserKey, text string) error {
	a, err := e.acquire(ctx, key) // so that a repeat is not answered before the first is committed
	if err != nil {
		return fmt.Errorf("load user %s: %w", key.User, err)
	}
	defer e.release(a)
	var row im.CustomRow
	var old string
	e.stepThen(key, event{kind: evCustom, custom: text, by: im.CallerOf(ctx)}, func(before, after string) {
		old, row = before, im.CustomRow{User: key, Text: after, Rev: e.nextRev()}
	})
	// With the marks that wait, or a crash could leave the words of someone who is
	// not known to be there. A repeat is written too: the one before may have failed.
	k := im.Kept{Marks: e.durable.marksOf(key), Customs: []im.CustomRow{row}, Events: e.takeEvents(a)}
	if err := e.keep(ctx, k); err != nil {
		e.forsake(k.Events)
		e.revertCustom(key, text, old)
		return fmt.Errorf("save custom status of %s: %w", key.User, err)
	}
	return nil
}

// revertCustom returns to the old custom status after the new one could not be
// kept, unless it changed meanwhile. What the user has then is written later.
func (e *Engine) revertCustom(key im.UserKey, failed, old string) {
	s := e.stripe(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	now := im.CustomRow{User: key}
	if u := s.users[key]; u != nil {
		if u.custom == failed {
			e.applyLocked(s, u, event{kind: evCustom, custom: old}, nil)
		}
		now.Text = u.custom
	}
	now.Rev = e.nextRev()
	e.durable.custom(now)
}

// Now gives the time, in milliseconds, by which the engine times graces and orders
// changes: Unix time as it was when the engine was made, and what has passed since.
// It never jumps, whatever happens to the wall clock.
func (e *Engine) Now() int64 { return e.began.UnixMilli() + e.cfg.Steady().Milliseconds() }

// Steady gives the time since the engine was made, by a clock that is never set.
func (e *Engine) Steady() time.Duration { return e.cfg.Steady() }

// wall gives the wall clock's time in Unix milliseconds.
func (e *Engine) wall() int64 { return e.cfg.Now().UnixMilli() }

func (e *Engine) moment() moment { return moment{steady: e.Now(), wall: e.wall()} }

// nextRev gives a number higher than any given before, by this process or an
// earlier one. It follows the clock in microseconds, where that has not been set back.
func (e *Engine) nextRev() int64 {
	for {
		last := e.rev.Load()
		next := max(last+1, e.cfg.Now().UnixMicro())
		if e.rev.CompareAndSwap(last, next) {
			return next
		}
	}
}

// stats counts what the engine did.
type stats struct {
	changes, deliveries, own atomic.Int64
	users, watches, accounts atomic.Int64
	unsaved, untold          atomic.Int64
}

// Stats is what the engine did and holds.
type Stats struct {
	Changes    int64 // statuses that changed
	Deliveries int64 // notices handed to connections about others
	Own        int64 // notices handed to connections about their own user
	Users      int64 // users in memory
	Watches    int64 // pairs of a watched user and a watching account
	Accounts   int64 // accounts with a live connection, or being served
	Unsaved    int64 // writes of marks that failed and are tried again
	Untold     int64 // events for back ends that were given up, as they could not be written for long
}

// Stats gives the figures of now.
func (e *Engine) Stats() Stats {
	s := &e.stats
	return Stats{
		Changes: s.changes.Load(), Deliveries: s.deliveries.Load(), Own: s.own.Load(),
		Users: s.users.Load(), Watches: s.watches.Load(), Accounts: s.accounts.Load(),
		Unsaved: s.unsaved.Load(), Untold: s.untold.Load(),
	}
}
