package status

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/porchlight-im/porchlight/internal/im"
)

// durable holds what is to be kept for good and nobody waits for: the loss of
// sessions, the clearing of custom statuses and of stale lists. One entry a user and platform,
// the newest, so that a store that fails for long costs bounded memory.
type durable struct {
	mu      sync.Mutex // level 0
	marks   map[markKey]im.Mark
	customs map[im.UserKey]im.CustomRow
	closed  map[im.SessionID]im.SessionRow
	lists   map[im.UserKey]struct{} // to be emptied: their owners were away for too long
	wake    chan struct{}

	unwritten unwritten
}

type markKey struct {
	user     im.UserKey
	platform im.Platform
}

const (
	durableGather = 100 * time.Millisecond // what is lost by a crash, beside the commit itself
	durableBatch  = 1000                   // rows at a time, so that logins get their turn between them
	durableRetry  = time.Second
	durableLast   = 5 * time.Second
)

func (d *durable) mark(m im.Mark) {
	d.mu.Lock()
	d.markLocked(m)
	d.mu.Unlock()
	signal(d.wake)
}

func (d *durable) custom(c im.CustomRow) {
	d.mu.Lock()
	d.customLocked(c)
	d.mu.Unlock()
	signal(d.wake)
}

// ended keeps the end of sessions that could not be written in time.
func (d *durable) ended(key im.UserKey, rows []im.SessionRow, marks []im.Mark, customs []im.CustomRow) {
	d.mu.Lock()
	if d.closed == nil {
		d.closed = make(map[im.SessionID]im.SessionRow)
	}
	for _, r := range rows {
		d.closed[im.SessionID{UserKey: key, Inst: r.Inst}] = r
	}
	for _, m := range marks {
		d.markLocked(m)
	}
	for _, c := range customs {
		d.customLocked(c)
	}
	d.mu.Unlock()
	signal(d.wake)
}

func (d *durable) markLocked(m im.Mark) {
	k := markKey{m.User, m.Platform}
	if old, ok := d.marks[k]; ok && old.Rev > m.Rev {
		return
	}
	if d.marks == nil {
		d.marks = make(map[markKey]im.Mark)
	}
	d.marks[k] = m
}

func (d *durable) customLocked(c im.CustomRow) {
	if old, ok := d.customs[c.User]; ok && old.Rev > c.Rev {
		return
	}
	if d.customs == nil {
		d.customs = make(map[im.UserKey]im.CustomRow)
	}
	d.customs[c.User] = c
}

// forget drops what is kept of a user: there is nothing left to write it to, and
// the next account of that name has nothing to do with it.
func (d *durable) forget(key im.UserKey) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for p := range im.Platform(im.Platforms) {
		delete(d.marks, markKey{key, p})
	}
	delete(d.customs, key)
	delete(d.lists, key)
	for id := range d.closed {
		if id.UserKey == key {
			delete(d.closed, id)
		}
	}
}

// gathered gives copies of what waits, the ends of sessions in order. All of it
// stays until it is written: a
// user who is read meanwhile must not be found as they were before.
func (d *durable) gathered() (marks []im.Mark, customs []im.CustomRow, closed []endedRow) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for id, row := range d.closed {
		closed = append(closed, endedRow{id, row})
	}
	slices.SortFunc(closed, func(a, b endedRow) int { return compareIDs(a.id, b.id) })
	return slices.Collect(maps.Values(d.marks)), slices.Collect(maps.Values(d.customs)), closed
}

// endedRow is the end of a session that is not written yet.
type endedRow struct {
	id  im.SessionID
	row im.SessionRow
}

func compareIDs(a, b im.SessionID) int {
	return cmp.Or(cmp.Compare(a.App, b.App), cmp.Compare(a.User, b.User), cmp.Compare(a.Inst, b.Inst))
}

// written forgets marks and custom statuses, unless newer ones came meanwhile.
func (d *durable) written(marks []im.Mark, customs []im.CustomRow) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, m := range marks {
		if k := (markKey{m.User, m.Platform}); d.marks[k].Rev <= m.Rev {
			delete(d.marks, k)
		}
	}
	for _, c := range customs {
		if d.customs[c.User].Rev <= c.Rev {
			delete(d.customs, c.User)
		}
	}
}

// clear keeps that a list is to be emptied.
func (d *durable) clear(key im.UserKey) {
	d.mu.Lock()
	if d.lists == nil {
		d.lists = make(map[im.UserKey]struct{})
	}
	d.lists[key] = struct{}{}
	d.mu.Unlock()
	signal(d.wake)
}

// clears reports whether a list is still to be emptied.
func (d *durable) clears(key im.UserKey) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, ok := d.lists[key]
	return ok
}

// cleared forgets that a list is to be emptied: it is.
func (d *durable) cleared(key im.UserKey) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.lists, key)
}

// toClear gives whose lists are to be emptied.
func (d *durable) toClear() []im.UserKey {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.SortedFunc(maps.Keys(d.lists), func(a, b im.UserKey) int {
		return compareIDs(im.SessionID{UserKey: a}, im.SessionID{UserKey: b})
	})
}

// closedFor forgets the end of a session, which is written.
func (d *durable) closedFor(id im.SessionID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.closed, id)
}

// marksOf gives the marks of a user that are not written yet.
func (d *durable) marksOf(key im.UserKey) (marks []im.Mark) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for p := range im.Platform(im.Platforms) {
		if m, ok := d.marks[markKey{key, p}]; ok {
			marks = append(marks, m)
		}
	}
	return marks
}

// overlay ends those of a user's sessions whose end is not written yet.
func (d *durable) overlay(key im.UserKey, rows []im.SessionRow) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.closed) == 0 {
		return
	}
	for i, r := range rows {
		if ended, ok := d.closed[im.SessionID{UserKey: key, Inst: r.Inst}]; ok && r.Closed == 0 {
			rows[i] = ended
		}
	}
}

// runDurable writes what gathers until ctx ends, then the rest.
func (e *Engine) runDurable(ctx context.Context) {
	pause := durableGather
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), durableLast)
			defer cancel()
			e.saveDurable(last)
			return
		case <-e.durable.wake:
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
		pause = durableGather
		if !e.saveDurable(ctx) {
			pause = durableRetry
		}
	}
}

// saveDurable writes what has gathered; what cannot be written waits on.
func (e *Engine) saveDurable(ctx context.Context) bool {
	marks, customs, closed := e.durable.gathered()
	rows := e.takeRows() // after the marks: no loss is written before what tells of it
	var err error
	for err == nil && len(rows)+len(marks)+len(customs) > 0 {
		r, m, c := min(durableBatch, len(rows)), 0, 0
		if r == len(rows) {
			m, c = min(durableBatch, len(marks)), min(durableBatch, len(customs))
		}
		if err = e.keep(ctx, im.Kept{Marks: marks[:m], Customs: customs[:c], Events: rows[:r]}); err == nil {
			e.durable.written(marks[:m], customs[:c])
			rows, marks, customs = rows[r:], marks[m:], customs[c:]
		}
	}
	e.retryEvents(rows)
	for _, c := range closed {
		if err != nil {
			break
		}
		if err = e.cfg.Store.CloseSessions(ctx, c.id.UserKey, []im.SessionRow{c.row}, nil); err == nil {
			e.durable.closedFor(c.id)
		}
	}
	if err == nil {
		err = e.clearLists(ctx) // last: it may wait for an account's turn
	}
	if err != nil {
		signal(e.durable.wake)
		e.stats.unsaved.Add(1)
		e.cfg.Log.Error("save what nobody waits for; will try again", "err", err,
			"marks", len(marks), "customs", len(customs), "sessions", len(closed))
	}
	return err == nil
}

// clearLists empties the lists that are to be empty, each in its account's turn, so
// that nothing that is subscribed meanwhile goes with it.
func (e *Engine) clearLists(ctx context.Context) error {
	for _, key := range e.durable.toClear() {
		a, err := e.acquire(ctx, key)
		if err != nil {
			return err
		}
		err = e.clearList(ctx, a)
		e.release(a)
		if err != nil {
			return err
		}
	}
	return nil
}

// clearList empties an account's list in the store if it is to be empty.
func (e *Engine) clearList(ctx context.Context, a *account) error {
	if !e.durable.clears(a.key) {
		return nil
	}
	if err := e.cfg.Lists.ClearWatching(ctx, a.key); err != nil {
		return fmt.Errorf("clear subscriptions of %s: %w", a.key.User, err)
	}
	e.durable.cleared(a.key)
	return nil
}
