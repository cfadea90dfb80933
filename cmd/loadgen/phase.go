package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/porchlight-im/porchlight/internal/im"
)

// phase is one part of a run, the same for every worker: a script that each
// session goes through, as many at a time as the job allows, or a time to idle.
type phase struct {
	Name string
	For  time.Duration // how long to idle; without it the phase ends when all sessions are through
}

// The phases there are.
const (
	phasePrepare = "prepare" // mint the UserSigs, so that the logins are not slowed by it
	phaseLogin   = "login"   // connect, upgrade, wslogin
	phaseWatch   = "watch"   // subscribe to others
	phaseIdle    = "idle"    // answer pings
	phaseLeave   = "leave"   // wslogout, and close as the official client does
)

// phases gives the parts of the run that a configuration asks for.
func (c *config) phases() []phase {
	run := []phase{{Name: phasePrepare}, {Name: phaseLogin}}
	if c.Watch > 0 {
		run = append(run, phase{Name: phaseWatch})
	}
	return append(run, phase{Name: phaseIdle, For: c.Hold}, phase{Name: phaseLeave})
}

// script gives what a session sends in a phase, one request after the answer to
// the one before.
func (c *config) script(name string, s *session) []request {
	switch name {
	case phaseLogin:
		return []request{{cmdLogin, `{"State":"Online","is_web_uniapp":0,"InstType":0,"CustomInfo":""}`}}
	case phaseWatch:
		return c.subscribeScript(s.number)
	case phaseLeave:
		return []request{{cmdLogout, `{"wslogout_type":0,"is_web_uniapp":0}`}}
	default:
		return nil
	}
}

// subscribeScript watches the next sessions by number, the last one the first.
func (c *config) subscribeScript(number int) []request {
	var script []request
	for from := 1; from <= c.Watch; from += im.MaxSubscribe {
		var ids []string
		for k := from; k <= min(c.Watch, from+im.MaxSubscribe-1); k++ {
			ids = append(ids, fmt.Sprintf("%q", c.user((number+k)%c.Sessions)))
		}
		script = append(script, request{cmdSubscribe, `{"To_Account":[` + strings.Join(ids, ",") + `]}`})
	}
	return script
}

// tally is what a worker counted in one phase, and since the phase before. It
// travels as JSON and merges with those of the other workers.
type tally struct {
	Phase  string
	Done   int                   // sessions that came through
	Open   int                   // sessions with a socket, at the end
	Took   time.Duration         // until the last one came through
	Steps  map[string]*histogram // how long each step took
	Failed map[string]int        // sessions that did not come through, by reason
	Lost   map[string]int        // sessions that ended between their parts, by reason
	Denied map[string]int        // entries of answers' lists of failures, by code
	Pings  int                   // pings answered
	Hellos int                   // wshello answered
	Pushes int                   // status pushes received
	Kicks  int                   // sessions told that they were thrown out
	CPU    time.Duration         // processor time of the worker itself
}

func newTally() *tally {
	return &tally{Steps: map[string]*histogram{}, Failed: map[string]int{}, Lost: map[string]int{}, Denied: map[string]int{}}
}

// step adds one duration to a step's histogram.
func (t *tally) step(name string, d time.Duration) {
	h := t.Steps[name]
	if h == nil {
		h = &histogram{}
		t.Steps[name] = h
	}
	h.add(d)
}

// merge adds another worker's tally of the same phase.
func (t *tally) merge(other *tally) {
	t.Phase = other.Phase
	t.Done += other.Done
	t.Open += other.Open
	t.Took = max(t.Took, other.Took)
	for name, h := range other.Steps {
		if t.Steps[name] == nil {
			t.Steps[name] = &histogram{}
		}
		t.Steps[name].merge(*h)
	}
	addCounts(t.Failed, other.Failed)
	addCounts(t.Lost, other.Lost)
	addCounts(t.Denied, other.Denied)
	t.Pings += other.Pings
	t.Hellos += other.Hellos
	t.Pushes += other.Pushes
	t.Kicks += other.Kicks
	t.CPU += other.CPU
}

func addCounts(into, from map[string]int) {
	for reason, n := range from {
		into[reason] += n
	}
}
