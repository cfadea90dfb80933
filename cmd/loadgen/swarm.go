package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/porchlight-im/porchlight/internal/usersig"
)

// job is the share of a run that one worker carries out.
type job struct {
	Config   config
	Run      uint64 // random, the same for all workers of a run
	First    int    // number of its first session
	Count    int
	InFlight int
	Rate     float64
	Source   netip.Addr // address that its sockets start from; invalid for any
}

// swarm holds a worker's sessions and drives them from one goroutine: every
// field below belongs to [swarm.serve].
type swarm struct {
	job      job
	poll     *poller
	sessions []session
	begun    time.Time
	now      time.Duration // since begun, as of the event at hand
	swept    time.Duration
	tally    *tally // of this phase, or since the last one
	cpu      time.Duration

	// The phase under way; its name is empty between phases.
	phase    phase
	started  time.Duration
	next     int // the session to begin next
	inFlight int

	events  []ready
	input   []byte // what one read brings
	output  []byte // what is about to be written
	scratch []byte // a message before it is masked
}

const (
	pollEvery  = 10 * time.Millisecond // how long a wait for sockets lasts at most
	sweepEvery = 100 * time.Millisecond
)

func newSwarm(j job) (*swarm, error) {
	p, err := newPoller()
	if err != nil {
		return nil, err
	}
	w := &swarm{
		job: j, poll: p, sessions: make([]session, j.Count),
		begun: time.Now(), tally: newTally(), cpu: ownCPU(), input: make([]byte, 64<<10),
	}
	for i := range w.sessions {
		w.sessions[i].number = j.First + i
		w.sessions[i].user = j.Config.user(j.First + i)
	}
	return w, nil
}

// serve carries out the phases that come until there are no more, and reports on
// each when it has ended. Between them it goes on answering pings.
func (w *swarm) serve(ctx context.Context, phases <-chan phase, report func(*tally) error) error {
	defer w.close()
	for ctx.Err() == nil {
		if w.phase.Name == "" {
			if more, err := w.await(phases); err != nil || !more {
				return err
			}
		}
		if err := w.turn(); err != nil {
			return err
		}
		if w.phase.Name != "" && w.through() {
			if err := report(w.end()); err != nil {
				return err
			}
		}
	}
	return ctx.Err()
}

// await begins the next phase if it has come; more is false once none will.
func (w *swarm) await(phases <-chan phase) (more bool, err error) {
	select {
	case p, more := <-phases:
		if !more {
			return false, nil
		}
		return true, w.begin(p)
	default:
		return true, nil
	}
}

// turn begins what may begin, waits for sockets and deals with what came.
func (w *swarm) turn() error {
	w.now = time.Since(w.begun)
	if err := w.launch(); err != nil {
		return err
	}
	events, err := w.poll.wait(pollEvery, w.events)
	if err != nil {
		return err
	}
	w.events = events
	for _, e := range events {
		w.now = time.Since(w.begun)
		w.handle(&w.sessions[e.key], e)
	}
	w.now = time.Since(w.begun)
	if w.now-w.swept >= sweepEvery {
		w.swept = w.now
		w.greet()
	}
	return nil
}

func (w *swarm) begin(p phase) error {
	w.now = time.Since(w.begun)
	w.phase, w.started, w.next, w.inFlight = p, w.now, 0, 0
	switch {
	case p.Name == phasePrepare:
		w.next = len(w.sessions)
		return w.mint()
	case p.For > 0 || p.Name == phaseIdle:
		w.next = len(w.sessions)
	}
	return nil
}

// through reports whether the phase has ended, by its work or by its time.
func (w *swarm) through() bool {
	if w.phase.Name == phaseIdle {
		return w.now-w.started >= w.phase.For
	}
	if w.next == len(w.sessions) && w.inFlight == 0 {
		return true
	}
	return w.now-w.started >= w.job.Config.Timeout
}

// end closes the books of a phase. Who is still at work then has failed.
func (w *swarm) end() *tally {
	for i := range w.sessions {
		s := &w.sessions[i]
		if len(s.script) > 0 {
			w.fail(s, fmt.Errorf("no answer to %s in %s", s.asked(), w.job.Config.Timeout))
		} else if i >= w.next && s.state != ended {
			w.tally.Failed["its turn did not come in "+w.job.Config.Timeout.String()]++
		}
		if s.state == open {
			w.tally.Open++
		}
	}
	t, cpu := w.tally, ownCPU()
	t.Phase, t.Took, t.CPU = w.phase.Name, w.now-w.started, cpu-w.cpu
	w.tally, w.cpu, w.phase = newTally(), cpu, phase{}
	return t
}

// mint makes the UserSigs of all sessions, on all cores.
func (w *swarm) mint() error {
	const parts = 4
	var wg sync.WaitGroup
	errs := make([]error, parts)
	cfg, issued := &w.job.Config, time.Now()
	for part := range parts {
		wg.Go(func() {
			for i := part; i < len(w.sessions); i += parts {
				sig, err := usersig.Mint(cfg.App, w.sessions[i].user, cfg.Secret, issued, 25*time.Hour)
				if err != nil {
					errs[part] = fmt.Errorf("mint a UserSig for %s: %w", w.sessions[i].user, err)
					return
				}
				w.sessions[i].sig = sig
			}
		})
	}
	wg.Wait()
	w.tally.Done = len(w.sessions)
	return errors.Join(errs...)
}

// launch begins the part of as many sessions as may be at work at a time.
func (w *swarm) launch() error {
	if w.phase.Name == "" {
		return nil
	}
	allowed := len(w.sessions)
	if w.job.Rate > 0 {
		allowed = int(w.job.Rate * (w.now - w.started).Seconds())
	}
	for w.inFlight < w.job.InFlight && w.next < min(len(w.sessions), allowed) {
		s := &w.sessions[w.next]
		w.next++
		if s.state != open && (s.state != absent || w.phase.Name != phaseLogin) {
			continue // its end, or that it never came, is booked already
		}
		s.script = w.job.Config.script(w.phase.Name, s)
		w.inFlight++
		if s.state != absent {
			w.advance(s)
			continue
		}
		if err := w.dial(s); err != nil {
			return err
		}
	}
	return nil
}

// dial begins a session's connection. An error is one of this machine's limits,
// which the next session would meet as well.
func (w *swarm) dial(s *session) error {
	fd, err := dial(w.job.Source, w.job.Config.Server)
	if err != nil {
		return err
	}
	s.fd, s.state, s.dialled = fd, dialling, w.now
	return w.poll.add(fd, w.key(s))
}

// key is how the poller names a session: its place among this swarm's.
func (w *swarm) key(s *session) int32 { return int32(s.number - w.job.First) }

// fail ends a session that cannot go on, and books it under the reason.
func (w *swarm) fail(s *session, err error) {
	if s.state == ended {
		return
	}
	if len(s.script) > 0 {
		w.inFlight--
		w.tally.Failed[err.Error()]++
	} else {
		w.tally.Lost[err.Error()]++
	}
	w.hangUp(s)
}

func (w *swarm) hangUp(s *session) {
	if s.state != absent && s.state != ended {
		hangUp(s.fd) // takes it out of the poller too
	}
	s.state, s.script, s.in, s.out, s.sig = ended, nil, nil, nil, ""
}

func (w *swarm) close() {
	for i := range w.sessions {
		w.hangUp(&w.sessions[i])
	}
	_ = w.poll.close() // the process, or the run, ends with it
}

// verb is the second half of a command: what people call it by.
func verb(cmd string) string {
	_, name, _ := strings.Cut(cmd, ".")
	return name
}
