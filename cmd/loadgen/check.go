package main

import "time"

// settleFor is how long what is under way when a load ends may take.
const settleFor = 2 * time.Second

// lookEvery is how often it is looked whether it has come.
const lookEvery = 20 * time.Millisecond

// settle waits until every session was told the last of everyone it hears of, or
// for as long as that may take. Then the books are closed, and all may query.
func (w *swarm) settle() {
	if !w.settling {
		return
	}
	ran := w.now - w.started
	if w.behind() && ran < settleFor {
		w.alarm = w.now + lookEvery
		return
	}
	for i := range w.sessions {
		if s := &w.sessions[i]; s.state == open {
			w.ledger.close(s.number, w.phase.Expect, &w.tally.Traffic)
		}
	}
	w.tally.Traffic.Settled = ran
	w.settling, w.next = false, 0
	w.ledger.rule = strict
}

// behind reports whether any session was not told of something yet.
func (w *swarm) behind() bool {
	for i := range w.sessions {
		if s := &w.sessions[i]; s.state == open && w.ledger.behind(s.number, w.phase.Expect) {
			return true
		}
	}
	return false
}

// queried judges the answer to a query.
func (w *swarm) queried(s *session, m *message) {
	items := make([]statusItem, len(m.Body.Statuses))
	for i, g := range m.Body.Statuses {
		items[i] = statusItem{user: []byte(g.Account), general: g.General, custom: []byte(g.Custom)}
	}
	w.ledger.viewed(s.number, items, w.phase.Expect, &w.tally.Traffic)
}
