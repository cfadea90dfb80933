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
	if e.writable && s.state != ended {
		w.flush(s)
	}
	if e.readable && s.state != ended {
		w.read(s)
	}
}

// read takes in what one read brings and every whole frame of it.
func (w *swarm) read(s *session) {
	n, err := receive(s.fd, w.input)
	if err != nil {
		if errors.Is(err, io.EOF) {
			err = errors.New("closed without a close frame")
		}
		w.fail(s, err)
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
			w.advance(s)
		}
	}
	for s.state == open {
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
	if len(data) > 0 {
		s.in = append([]byte(nil), data...)
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
		w.tally.Pushes++
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
	if !s.answers(&m) {
		if m.Head.ServCmd == cmdHello && m.Body.ErrorCode == 0 {
			w.tally.Hellos++
		}
		return
	}
	name := verb(m.Head.ServCmd)
	w.tally.step(name, w.now-s.sent)
	if m.Body.ErrorCode != 0 {
		w.fail(s, fmt.Errorf("%s: code %d", name, m.Body.ErrorCode))
		return
	}
	if m.Head.ServCmd == cmdLogin {
		if err := s.loggedIn(&m); err != nil {
			w.fail(s, err)
			return
		}
		s.helloAt = w.now + s.helloEach
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
		var reason [2]byte
		binary.BigEndian.PutUint16(reason[:], 4000) // closed on purpose
		w.write(s, appendFrame(w.output[:0], opClose, s.mask(), reason[:]))
		w.hangUp(s)
	}
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
			w.request(s, request{cmdHello, `{"is_web_uniapp":0}`})
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
	if s.state == ended {
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
