package main

import (
	"fmt"
	"math"
	"time"
)

// Here a swarm has its sessions change their statuses, evenly or in bursts.

// change is one that a session has made and that is not answered yet.
type change struct {
	number  uint32
	request request
	sent    time.Duration
}

// pace deals changes out evenly over time and over the sessions.
type pace struct {
	first  time.Duration // when the first change was due
	dealt  int           // changes so far
	gap    float64       // from one to the next, nanoseconds
	end    time.Duration // none is due from then on
	stuck  bool          // there is nobody left to make any
	place  int           // in the order of the sessions
	stride int           // from one session to the next in that order
}

// due says when the next change is.
func (p *pace) due() time.Duration { return p.first + time.Duration(float64(p.dealt)*p.gap) }

// postponed is a change that waits for its session to have none under way.
type postponed struct {
	session int32
	at      time.Duration
}

// perTurn is how much is begun before what arrived is looked at again.
const perTurn = 128

// stride goes round n sessions in steps that spread them: neighbours by number,
// which have the same watchers, are far apart in time.
func stride(n int) int {
	step := max(1, int(float64(n)*0.618))
	for common(step, n) != 1 {
		step++
	}
	return step
}

// common is the greatest common divisor.
func common(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// beginLoad makes ready for a load, or for none.
func (w *swarm) beginLoad() {
	p := &w.phase
	w.round, w.waiting, w.cutAt, w.away = 0, nil, 0, nil
	w.pace.dealt, w.pace.end, w.pace.stuck = 0, 0, false
	if p.Rate == 0 {
		return
	}
	all := w.job.Config.Sessions
	share := p.Rate * float64(len(w.sessions)) / float64(all)
	w.pace.gap = float64(time.Second) / share
	// Workers take turns.
	w.pace.first = w.started + time.Duration(w.pace.gap*float64(w.job.First)/float64(all))
	w.pace.end = w.started + p.For
	if p.Name == phaseStorm {
		w.pace.end = w.started + p.For + w.job.Config.Timeout // until all are back
	}
}

// keepPace makes the changes that are due. A session that waits for an answer is
// passed over; where all do, the due time stands, so that waiting counts.
func (w *swarm) keepPace() {
	for range perTurn {
		at := w.pace.due()
		if at > w.now || at >= w.pace.end {
			break
		}
		s := w.idle()
		if s == nil {
			w.pace.stuck = w.changing == 0
			return
		}
		w.make(s, at)
		w.pace.dealt++
	}
	if next := min(w.pace.due(), w.pace.end); next < w.pace.end || next > w.now {
		w.wakeAt(next)
	}
}

// idle gives the next session that may change its status, nil where none of the
// next few may; where no change is under way, where none of all may.
func (w *swarm) idle() *session {
	tries := len(w.sessions)
	if w.changing > 0 {
		tries = min(tries, perTurn)
	}
	for range tries {
		w.pace.place = (w.pace.place + w.pace.stride) % len(w.sessions)
		if s := &w.sessions[w.pace.place]; mayChange(s) {
			return s
		}
	}
	return nil
}

func mayChange(s *session) bool { return s.state == open && !s.returning && s.change == nil }

// burst makes all of a burst's changes at its moment. Who has one under way makes
// it right after that.
func (w *swarm) burst() {
	at := w.started + time.Duration(w.round)*w.job.Config.BurstPause
	if w.round < w.phase.Rounds {
		if w.now < at {
			w.wakeAt(at)
		} else {
			w.waiting = append(w.waiting, w.struck(w.round, at)...)
			w.round++
		}
	}
	begun := 0
	kept := w.waiting[:0]
	for _, d := range w.waiting {
		s := &w.sessions[d.session]
		switch {
		case s.state != open: // its end is booked
		case begun < perTurn && mayChange(s):
			w.make(s, d.at)
			begun++
		default:
			kept = append(kept, d)
		}
	}
	w.waiting = kept
	if begun == perTurn {
		w.wakeAt(w.now)
	}
}

// struck gives the changes that one burst asks of this worker's sessions.
func (w *swarm) struck(round int, at time.Duration) []postponed {
	var changes []postponed
	for i := range w.sessions {
		if s := &w.sessions[i]; w.phase.strikes(s.number, round, w.job.Config.Sessions) {
			changes = append(changes, postponed{session: int32(i), at: at})
		}
	}
	return changes
}

// make changes a session's status. The time of sending stands in it, so it is
// taken right before the frame is made.
func (w *swarm) make(s *session, at time.Duration) {
	s.made++
	c := &change{number: s.made, sent: w.clock.now()}
	body := append([]byte(nil), `{"CustomStatus":"`...)
	body = appendStamp(body, stamp{user: s.number, number: s.made, due: at, sent: c.sent})
	c.request = request{cmd: cmdSet, body: string(append(body, `"}`...))}
	s.change = c
	w.changing++
	w.tally.Traffic.Changes++
	w.request(s, c.request)
	c.request.seq = s.seq
}

// changed takes the answer to a session's change.
func (w *swarm) changed(s *session, m *message) {
	w.tally.step(verb(cmdSet), w.now-s.change.sent)
	if m.Body.ErrorCode != 0 {
		s.returning = false
		w.fail(s, fmt.Errorf("%s: code %d", verb(cmdSet), m.Body.ErrorCode))
		return
	}
	s.acked, s.change = s.change.number, nil
	w.changing--
	if w.phase.Name != phaseStorm {
		w.tally.Done++
	}
}

// endLoad books what a load left undone.
func (w *swarm) endLoad() {
	if late := min(w.pace.end, w.now) - w.pace.due(); w.phase.Rate > 0 && late > 0 {
		w.tally.Traffic.Unsent += int(math.Ceil(float64(late) / w.pace.gap))
	}
	w.tally.Traffic.Unsent += len(w.waiting)
	w.waiting = nil
	for i := range w.sessions {
		s := &w.sessions[i]
		switch {
		case s.returning:
			s.returning = false
			w.tally.Failed["not back in "+w.job.Config.Timeout.String()]++
			if s.atWork() {
				w.inFlight--
			}
			w.hangUp(s)
		case s.change != nil:
			w.tally.Failed[fmt.Sprintf("no answer to %s in %s", verb(cmdSet), w.job.Config.Timeout)]++
			w.hangUp(s)
		}
	}
	w.away = nil
}

// acknowledged gives the last change of each session that was acknowledged, and
// unsure for who is not there any more.
func (w *swarm) acknowledged() []uint32 {
	last := make([]uint32, len(w.sessions))
	for i := range w.sessions {
		last[i] = unsure
		if s := &w.sessions[i]; s.state == open {
			last[i] = s.acked
		}
	}
	return last
}
