package main

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Here a swarm deals with what passes between its sessions and the server. What
// is counted of it goes into the tally of the phase at hand.

// handle deals with a socket on which something can be done.
func (w *swarm) handle(s *session, e ready) {
	if s.state == dialling && e.writable {
		if err := connected(s.fd); err != nil {
			w.fail(s, err)
			return
		}
		s.state = upgrading
		w.output = s.appendHandshake(w.output[:0], &w.job.Config, w.job.Run)
		s.out = append([]byte(nil), w.output...)
	}
	if e.writable && s.hasSocket() {
		w.flush(s)
	}
	if e.readable && s.hasSocket() {
		w.read(s)
	}
}

// read takes in what one read brings and every whole frame of it.
func (w *swarm) read(s *session) {
	n, err := receive(s.fd, w.input)
	w.now = w.clock.now()
	if err != nil {
		w.broken(s, err)
		return
	}
	data := w.input[:n]
	if len(s.in) > 0 {
		data = append(s.in, data...)
	}
	if s.state == upgrading {
		rest, ok, err := takeHandshake(data)
		if err != nil {
			w.fail(s, err)
			return
		}
		if data = rest; ok {
			s.state = open
			w.tally.step("connect", w.now-s.dialled)
			w.resend(s)
			if s.state == open {
				w.advance(s)
			}
		}
	}
	for s.state == open || s.state == closing {
		f, rest, ok, err := nextFrame(data)
		if err != nil {
			w.fail(s, err)
			return
		}
		if !ok {
			break
		}
		data = rest
		w.take(s, f)
	}
	s.in = nil
	if len(data) > 0 && s.hasSocket() {
		s.in = append([]byte(nil), data...)
	}
}

// broken deals with a socket that has ended without a close frame.
func (w *swarm) broken(s *session, err error) {
	switch {
	case s.state == closing:
		w.parted(s)
	case errors.Is(err, io.EOF):
		w.fail(s, errors.New("closed without a close frame"))
	default:
		w.fail(s, err)
	}
}

// take deals with one frame.
func (w *swarm) take(s *session, f wsFrame) {
	switch f.op {
	case opBinary:
		w.message(s, f.payload)
	case opPing:
		w.tally.Pings++
		w.write(s, appendFrame(w.output[:0], opPong, s.mask(), f.payload))
	case opPong:
	case opClose:
		if s.state == closing {
			w.parted(s)
			return
		}
		w.write(s, appendFrame(w.output[:0], opClose, s.mask(), f.payload))
		w.fail(s, errors.New(closeReason(f.payload)))
	default:
		w.fail(s, fmt.Errorf("the server sent a frame with opcode %d", f.op))
	}
}

// message deals with one message of the server's.
func (w *swarm) message(s *session, payload []byte) {
	switch serverSent(payload) {
	case cmdPush:
		w.pushed(s, payload)
		return
	case cmdKick:
		w.tally.Kicks++
		return
	}
	var m message
	if err := json.Unmarshal(payload, &m); err != nil {
		w.fail(s, fmt.Errorf("the server sent what is no answer: %w", err))
		return
	}
	if s.change != nil && m.Head.ServCmd == cmdSet && m.Head.Seq == s.change.request.seq {
		w.changed(s, &m)
		return
	}
	if !s.answers(&m) {
		if m.Head.ServCmd == cmdHello && m.Body.ErrorCode == 0 {
			w.tally.Hellos++
		}
		return
	}
	w.answered(s, &m)
}

// pushed deals with a push of statuses.
func (w *swarm) pushed(s *session, payload []byte) {
	w.tally.Pushes++
	to := listener{number: s.number, since: s.since, now: w.now}
	err := scanPush(payload, func(item statusItem) { w.ledger.told(to, item, &w.tally.Traffic) })
	if err != nil {
		w.fail(s, err)
	}
}

// answered deals with the answer that a session's script waits for.
func (w *swarm) answered(s *session, m *message) {
	name := verb(m.Head.ServCmd)
	w.tally.step(name, w.now-s.sent)
	if m.Body.ErrorCode != 0 {
		s.returning = false
		w.fail(s, fmt.Errorf("%s: code %d", name, m.Body.ErrorCode))
		return
	}
	switch {
	case m.Head.ServCmd == cmdLogin && s.returning:
		w.isBack(s, m)
	case m.Head.ServCmd == cmdLogin:
		if err := s.loggedIn(m); err != nil {
			w.fail(s, err)
			return
		}
		s.since, s.helloAt = w.now, w.now+s.helloEach
	case m.Head.ServCmd == cmdQuery:
		w.queried(s, m)
	}
	for _, item := range m.Body.ErrorList {
		w.tally.Denied[fmt.Sprintf("%s: code %d", name, item.Code)]++
	}
	s.script = s.script[1:]
	w.advance(s)
}

// advance sends the next request of a session's script, or ends its part.
func (w *swarm) advance(s *session) {
	if len(s.script) > 0 {
		s.sent = w.now
		w.request(s, s.script[0])
		return
	}
	s.script = nil
	w.inFlight--
	w.tally.Done++
	if w.phase.Name == phaseLeave {
		w.closeWith(s, 4000) // on purpose
		w.hangUp(s)
	}
}

// closeWith sends a close frame.
func (w *swarm) closeWith(s *session, code uint16) {
	var reason [2]byte
	binary.BigEndian.PutUint16(reason[:], code)
	w.write(s, appendFrame(w.output[:0], opClose, s.mask(), reason[:]))
}

// greet sends wshello for each session whose turn it is.
func (w *swarm) greet() {
	if !w.job.Config.Hello {
		return
	}
	for i := range w.sessions {
		s := &w.sessions[i]
		if s.state == open && s.helloEach > 0 && len(s.script) == 0 && s.helloAt <= w.now {
			s.helloAt = w.now + s.helloEach
			w.request(s, request{cmd: cmdHello, body: `{"is_web_uniapp":0}`})
		}
	}
}

func (w *swarm) request(s *session, r request) {
	frame, scratch := s.appendRequest(w.output[:0], w.scratch, w.job.Config.App, r)
	w.scratch = scratch
	w.write(s, frame)
}

// write sends b, which is built in w.output; what the socket does not take now
// is kept until it does.
func (w *swarm) write(s *session, b []byte) {
	w.output = b
	if !s.hasSocket() {
		return
	}
	if len(s.out) > 0 {
		s.out = append(s.out, b...)
		return
	}
	n, err := send(s.fd, b)
	if err != nil {
		w.fail(s, err)
		return
	}
	if n < len(b) {
		s.out = append([]byte(nil), b[n:]...)
		if err := w.poll.awaitWritable(s.fd, w.key(s)); err != nil {
			w.fail(s, err)
		}
	}
}

// flush sends what was kept, and stops asking for writability once it is gone.
func (w *swarm) flush(s *session) {
	n, err := send(s.fd, s.out)
	if err != nil {
		w.fail(s, err)
		return
	}
	if s.out = s.out[n:]; len(s.out) > 0 {
		return
	}
	s.out = nil
	if err := w.poll.quiet(s.fd, w.key(s)); err != nil {
		w.fail(s, err)
	}
}
