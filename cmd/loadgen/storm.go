package main

import (
	"cmp"
	"slices"
	"time"
)

// Here a swarm's sockets are cut, and its sessions come back as the official
// client does: a new socket at once, on it what was not answered yet and wslogin
// with the a2 of the session. Also how they leave for good and begin anew.

// stormLead is how long a storm lets changes go on before it cuts.
const stormLead = 300 * time.Millisecond

// comeback says when a session that was cut returns.
type comeback struct {
	at      time.Duration
	session int32
}

// storm cuts sockets once it is time, and has those return whose time has come.
func (w *swarm) storm() error {
	w.keepPace()
	at := w.started + stormLead
	switch {
	case w.now < at:
		w.wakeAt(at)
		return nil
	case w.cutAt == 0:
		w.cutAll()
	}
	for range perTurn {
		if len(w.away) == 0 || w.away[0].at > w.now {
			break
		}
		s := &w.sessions[w.away[0].session]
		w.away = w.away[1:]
		if err := w.comeBack(s); err != nil {
			return err
		}
	}
	if len(w.away) > 0 {
		w.wakeAt(w.away[0].at)
	} else if w.inFlight == 0 {
		w.pace.end = min(w.pace.end, w.now) // all are back
	}
	return nil
}

// cutAll cuts the sockets that the storm befalls, all at this moment.
func (w *swarm) cutAll() {
	w.now = w.clock.now()
	w.cutAt = w.now
	for i := range w.sessions {
		s := &w.sessions[i]
		if s.state == open && w.phase.strikes(s.number, w.phase.Round, w.job.Config.Sessions) {
			w.cut(s)
			w.away = append(w.away, comeback{at: w.now + w.delay(), session: int32(i)})
		}
	}
	slices.SortFunc(w.away, sooner)
}

func sooner(a, b comeback) int { return cmp.Compare(a.at, b.at) }

// delay is how long a session stays away.
func (w *swarm) delay() time.Duration {
	if most := w.job.Config.ReturnDelay; most > 0 {
		return time.Duration(w.random.Int64N(int64(most)))
	}
	return 0
}

// cut takes a session's socket away without a word: every other one by a reset,
// the others by an end.
func (w *swarm) cut(s *session) {
	if s.number%2 == 0 {
		breakOff(s.fd)
	} else {
		hangUp(s.fd)
	}
	s.state, s.in, s.out, s.returning = absent, nil, nil, true
	w.ledger.reopen(s.number)
}

// comeBack begins a session's return.
func (w *swarm) comeBack(s *session) error {
	if s.returnAt == 0 {
		s.returnAt = w.now
	}
	s.script = w.job.Config.script(phaseStorm, s)
	w.inFlight++
	return w.dial(s)
}

// resend sends what was not answered on the socket before, as it was.
func (w *swarm) resend(s *session) {
	if s.returning && s.change != nil {
		w.request(s, s.change.request)
	}
}

// tryAgain has a session whose return failed try once more when the official
// client would: when it next sends wshello.
func (w *swarm) tryAgain(s *session, err error) {
	w.tally.Retried[err.Error()]++
	w.inFlight--
	hangUp(s.fd)
	s.state, s.script, s.in, s.out = absent, nil, nil, nil
	next := comeback{at: w.now, session: w.key(s)}
	next.at += time.Duration(w.random.Int64N(int64(max(s.helloEach, time.Second))))
	i, _ := slices.BinarySearchFunc(w.away, next, sooner)
	w.away = slices.Insert(w.away, i, next)
}

// isBack takes the answer to a session's return.
func (w *swarm) isBack(s *session, m *message) {
	w.tally.step("return", w.now-s.returnAt)
	w.tally.Back = w.now - w.cutAt
	s.returning, s.returnAt, s.since = false, 0, w.now
	s.helloAt = w.now + s.helloEach
	w.ledger.returned(s.number, m.Body.CustomStatus, &w.tally.Traffic)
}

// part closes a session's socket as a page does that is closed or left, and
// makes it one that has never logged in.
func (w *swarm) part(s *session) {
	s.state, s.identity, s.acked = closing, nil, 0
	s.page++
	w.closeWith(s, 1001)
}

// parted ends a socket whose close the server has answered.
func (w *swarm) parted(s *session) {
	hangUp(s.fd)
	s.state, s.in, s.out = absent, nil, nil
	w.inFlight--
	w.tally.Done++
}
