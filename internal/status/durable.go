package status

import (
	"context"
	"sync"
	"time"

	"github.com/porchlight-im/porchlight/internal/im"
)

// durable holds what is to be kept for good and nobody waits for: the loss of
// sessions and the clearing of custom statuses. One entry a user and platform,
// the newest, so that a store that fails for long costs bounded memory.
type durable struct {
	mu      sync.Mutex // level 0
	marks   map[markKey]im.Mark
	customs map[im.UserKey]im.CustomRow
	closed  map[im.SessionID]im.SessionRow
	wake    chan struct{}
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

// take empties it.
func (d *durable) take() (marks []im.Mark, customs []im.CustomRow, closed map[im.SessionID]im.SessionRow) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, m := range d.marks {
		marks = append(marks, m)
	}
	for _, c := range d.customs {
		customs = append(customs, c)
	}
	closed = d.closed
	d.marks, d.customs, d.closed = nil, nil, nil
	return marks, customs, closed
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

// saveDurable writes what has gathered; what cannot be written is put back.
func (e *Engine) saveDurable(ctx context.Context) bool {
	marks, customs, closed := e.durable.take()
	var err error
	for err == nil && len(marks)+len(customs) > 0 {
		m, c := min(durableBatch, len(marks)), min(durableBatch, len(customs))
		if err = e.cfg.Store.SaveLive(ctx, marks[:m], customs[:c]); err == nil {
			marks, customs = marks[m:], customs[c:]
		}
	}
	if err != nil {
		e.durable.ended(im.UserKey{}, nil, marks, customs)
	}
	for id, row := range closed {
		if err == nil {
			err = e.cfg.Store.CloseSessions(ctx, id.UserKey, []im.SessionRow{row}, nil)
		}
		if err != nil {
			e.durable.ended(id.UserKey, []im.SessionRow{row}, nil, nil)
		}
	}
	if err != nil {
		e.stats.unsaved.Add(1)
		e.cfg.Log.Error("save the ends of sessions; will try again", "err", err,
			"marks", len(marks), "customs", len(customs), "sessions", len(closed))
	}
	return err == nil
}
