package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/porchlight-im/porchlight/internal/usersig"
)

// job is the share of a run that one worker carries out.
type job struct {
	Config   config
	Run      uint64        // random, the same for all workers of a run
	Zero     time.Duration // when the run's clock began, on the machine's
	First    int           // number of its first session
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
	ledger   *ledger
	clock    clock
	now      time.Duration // on the run's clock, as of the event at hand
	alarm    time.Duration // when to look again, whatever comes
	swept    time.Duration
	tally    *tally // of this phase, or since the last one
	cpu      time.Duration
	random   *rand.Rand

	// The phase under way; its name is empty between phases.
	phase    phase
	started  time.Duration
	next     int // the session to begin next
	inFlight int
	changing int // changes that wait for their answers
	pace     pace
	round    int           // bursts so far
	waiting  []postponed   // changes of a burst whose sessions were busy
	cutAt    time.Duration // when the storm cut its sockets; 0 for not yet
	away     []comeback    // who was cut, by when they return
	settling bool          // a check waits for what is under way

	events  []ready
	input   []byte // what one read brings
	output  []byte // what is about to be written
	scratch []byte // a message before it is masked
}

const (
	pollEvery  = 10 * time.Millisecond // how long a wait for sockets lasts at most
	sweepEvery = 100 * time.Millisecond
)

// clock tells the time since a run began, the same in all its processes.
type clock struct {
	began time.Time
}

// newClock reads both clocks a few times, lest the process be put aside between
// them.
func newClock(zero time.Duration) clock {
	var c clock
	closest := time.Hour
	for range 10 {
		before := time.Now()
		at := monotonic()
		if gap := time.Since(before); gap < closest {
			closest, c.began = gap, before.Add(gap/2+zero-at)
		}
	}
	return c
}

func (c clock) now() time.Duration { return time.Since(c.began) }

func newSwarm(j job) (*swarm, error) {
	p, err := newPoller()
	if err != nil {
		return nil, err
	}
	w := &swarm{
		job: j, poll: p, sessions: make([]session, j.Count), ledger: newLedger(j), clock: newClock(j.Zero),
		tally: newTally(), cpu: ownCPU(), input: make([]byte, 64<<10),
		random: rand.New(rand.NewPCG(j.Run, uint64(j.First))), //nolint:gosec // G404: it spreads returns
	}
	w.pace.stride = stride(j.Count)
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
	w.now = w.clock.now()
	w.alarm = w.now + pollEvery
	if err := w.drive(); err != nil {
		return err
	}
	events, err := w.poll.wait(w.alarm-w.clock.now(), w.events)
	if err != nil {
		return err
	}
	w.events = events
	for _, e := range events {
		w.now = w.clock.now()
		w.handle(&w.sessions[e.key], e)
	}
	w.now = w.clock.now()
	if w.now-w.swept >= sweepEvery {
		w.swept = w.now
		w.greet()
	}
	return nil
}

// wakeAt makes the turn end by then.
func (w *swarm) wakeAt(t time.Duration) { w.alarm = min(w.alarm, t) }

func (w *swarm) begin(p phase) error {
	w.now = w.clock.now()
	w.phase, w.started, w.next, w.inFlight = p, max(p.Start, w.now), len(w.sessions), 0
	switch p.Name {
	case phasePrepare:
		return w.mint()
	case phaseLogin, phaseWatch:
		w.next = 0
	case phaseClose:
		w.ledger.rule = comings
		w.next = 0
		return w.mint()
	case phaseRelogin:
		w.ledger.forget()
		w.next = 0
	case phaseLeave:
		w.ledger.rule = comings
		w.next = 0
	case phaseCheck:
		w.settling = true
	default:
		w.ledger.rule = strict
		w.beginLoad()
	}
	return nil
}

// drive does what the phase wants done now.
func (w *swarm) drive() error {
	switch {
	case w.phase.Name == "":
		return nil
	case w.now < w.started:
		w.wakeAt(w.started)
		return nil
	}
	switch w.phase.Name {
	case phaseChanges:
		w.keepPace()
	case phaseBurst:
		w.burst()
	case phaseStorm:
		return w.storm()
	case phaseCheck:
		w.settle()
	}
	return w.launch()
}

// through reports whether the phase has ended, by its work or by its time.
func (w *swarm) through() bool {
	ran := w.now - w.started
	done := w.next == len(w.sessions) && w.inFlight == 0 && w.changing == 0 && !w.settling
	switch w.phase.Name {
	case phaseIdle:
		return ran >= w.phase.For
	case phaseChanges:
		done = done && w.now >= w.pace.end && (w.pace.due() >= w.pace.end || w.pace.stuck)
	case phaseBurst:
		done = done && w.round == w.phase.Rounds && len(w.waiting) == 0
	case phaseStorm:
		done = done && w.cutAt > 0 && len(w.away) == 0
	}
	return done || ran >= w.phase.For+w.job.Config.Timeout
}

// end closes the books of a phase. Who is still at work then has failed.
func (w *swarm) end() *tally {
	w.endLoad()
	for i := range w.sessions {
		s := &w.sessions[i]
		if s.atWork() {
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
	if w.phase.checked() {
		t.Acked = w.acknowledged()
	}
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
	if w.phase.Name == phasePrepare {
		w.tally.Done = len(w.sessions)
	}
	return errors.Join(errs...)
}

// launch begins the part of as many sessions as may be at work at a time.
func (w *swarm) launch() error {
	allowed := len(w.sessions)
	if w.job.Rate > 0 && w.phase.logsIn() {
		allowed = int(w.job.Rate * (w.now - w.started).Seconds())
	}
	for w.inFlight < w.job.InFlight && w.next < min(len(w.sessions), allowed) {
		s := &w.sessions[w.next]
		w.next++
		if err := w.start(s); err != nil {
			return err
		}
	}
	return nil
}

// start begins a session's part, unless it has ended or never came: that is
// booked already.
func (w *swarm) start(s *session) error {
	switch {
	case s.state == absent && w.phase.logsIn():
		w.inFlight++
		s.script = w.job.Config.script(w.phase.Name, s)
		return w.dial(s)
	case s.state != open:
	case w.phase.Name == phaseClose:
		w.inFlight++
		w.part(s)
	default:
		w.inFlight++
		s.script = w.job.Config.script(w.phase.Name, s)
		w.advance(s)
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
	switch {
	case s.state == ended:
		return
	case s.returning:
		w.tryAgain(s, err)
		return
	case s.atWork():
		w.inFlight--
		w.tally.Failed[err.Error()]++
	default:
		w.tally.Lost[err.Error()]++
	}
	w.hangUp(s)
}

func (w *swarm) hangUp(s *session) {
	if s.hasSocket() {
		hangUp(s.fd) // takes it out of the poller too
	}
	if s.change != nil {
		w.changing--
	}
	s.state, s.script, s.in, s.out, s.sig, s.change = ended, nil, nil, nil, "", nil
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
