package status

import "github.com/porchlight-im/porchlight/internal/im"

// tellLocked hands the user's new status to their own devices and to everyone
// who watches them, encoded once.
func (e *Engine) tellLocked(u *user, prev im.Status) {
	e.stats.changes.Add(1)
	if u.own == nil && u.watchers.len() == 0 {
		return
	}
	n := e.noticeLocked(u, prev)
	if u.own != nil {
		for _, o := range u.own.outboxes() {
			o.Own(n)
			e.stats.own.Add(1)
		}
	}
	if e.muted.has(u.key.App) {
		return
	}
	told := 0
	u.watchers.each(func(r *receiver) {
		for _, o := range r.outboxes() {
			o.Others(n)
			told++
		}
	})
	e.stats.deliveries.Add(int64(told))
}

// noticeLocked makes the notice of the user's status of now.
func (e *Engine) noticeLocked(u *user, prev im.Status) *im.Notice {
	n := &im.Notice{Change: im.Change{
		User: u.key, Status: u.shown, Prev: prev,
		Version: im.Version{Epoch: e.cfg.Epoch, Seq: u.seq},
	}}
	e.cfg.Encode(n)
	return n
}
