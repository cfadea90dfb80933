package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/porchlight-im/porchlight/internal/im"
)

// phase is one part of a run, the same for every worker: a script that each
// session goes through, as many at a time as the job allows, or a load, or a
// time to idle.
type phase struct {
	Name   string
	Round  int           // of the phases of that name, from 1; 0 for the only one
	Start  time.Duration // on the run's clock, the same for all workers; 0 for at once
	For    time.Duration // how long it lasts by itself, beside waiting for answers
	Rate   float64       // changes a second, of all sessions
	Size   int           // sessions that a burst or a storm befalls
	Rounds int           // bursts
	Expect []uint32      // the last change of each session that was acknowledged, or unsure
}

// The phases there are.
const (
	phasePrepare = "prepare" // mint the UserSigs, so that the logins are not slowed by it
	phaseLogin   = "login"   // connect, upgrade, wslogin
	phaseWatch   = "watch"   // subscribe to others
	phaseClose   = "close"   // close every socket as a page does that is left
	phaseRelogin = "relogin" // log in anew
	phaseIdle    = "idle"    // answer pings
	phaseChanges = "changes" // change statuses, paced evenly
	phaseBurst   = "burst"   // change many statuses at one moment
	phaseStorm   = "storm"   // cut sockets and return
	phaseCheck   = "check"   // compare what each session knows with what is so; the tail of the phase before
	phaseLeave   = "leave"   // wslogout, and close as the official client does
)

// phases gives the parts of the run that a configuration asks for.
func (c *config) phases() []phase {
	run := []phase{{Name: phasePrepare}, {Name: phaseLogin}}
	if c.Watch > 0 || c.loaded() {
		run = append(run, phase{Name: phaseWatch})
	}
	if c.Relogin {
		run = append(run, phase{Name: phaseClose}, phase{Name: phaseRelogin})
	}
	if c.Hold > 0 {
		run = append(run, phase{Name: phaseIdle, For: c.Hold})
	}
	if c.Changes > 0 && c.For > 0 {
		run = append(run, phase{Name: phaseChanges, For: c.For, Rate: c.Changes})
	}
	if c.Burst > 0 {
		run = append(run, phase{Name: phaseBurst, For: time.Duration(c.Bursts) * c.BurstPause, Size: c.Burst, Rounds: c.Bursts})
	}
	if c.Storm > 0 {
		run = append(run, c.storms()...)
	}
	return append(run, phase{Name: phaseLeave})
}

func (c *config) storms() []phase {
	storms := make([]phase, c.Storms)
	for i := range storms {
		storms[i] = phase{Name: phaseStorm, For: stormLead + c.ReturnDelay, Size: c.Storm}
		if c.Storms > 1 {
			storms[i].Round = i + 1
		}
		if c.StormChanges {
			storms[i].Rate = c.Changes
		}
	}
	return storms
}

// title names the phase in a report.
func (p *phase) title() string {
	if p.Round == 0 {
		return p.Name
	}
	return fmt.Sprintf("%s %d", p.Name, p.Round)
}

// logsIn reports whether sessions without a socket get one.
func (p *phase) logsIn() bool { return p.Name == phaseLogin || p.Name == phaseRelogin }

// checked reports whether a check follows.
func (p *phase) checked() bool {
	switch p.Name {
	case phaseRelogin, phaseChanges, phaseBurst, phaseStorm:
		return true
	}
	return false
}

// strikes reports whether a burst or a storm befalls the session of a number:
// as many of them as the phase says, spread evenly, others in each round.
func (p *phase) strikes(number, round, sessions int) bool {
	place := (number + round*7919) % sessions
	return place*p.Size/sessions != (place+1)*p.Size/sessions
}

// script gives what a session sends in a phase, one request after the answer to
// the one before.
func (c *config) script(name string, s *session) []request {
	switch name {
	case phaseLogin, phaseRelogin, phaseStorm:
		return []request{{cmd: cmdLogin, body: `{"State":"Online","is_web_uniapp":0,"InstType":0,"CustomInfo":""}`}}
	case phaseWatch:
		return c.subscribeScript(s.number)
	case phaseCheck:
		return []request{{cmd: cmdQuery, body: c.accounts(s.number, 0, c.Watch)}}
	case phaseLeave:
		return []request{{cmd: cmdLogout, body: `{"wslogout_type":0,"is_web_uniapp":0}`}}
	default:
		return nil
	}
}

// subscribeScript watches the next sessions by number, the last one the first.
// What the account has on its list from an earlier run is taken off.
func (c *config) subscribeScript(number int) []request {
	script := []request{{cmd: cmdUnsubscribe, body: `{"UnsubscribeAll":1}`}}
	for from := 1; from <= c.Watch; from += im.MaxSubscribe {
		body := c.accounts(number, from, min(c.Watch, from+im.MaxSubscribe-1))
		script = append(script, request{cmd: cmdSubscribe, body: body})
	}
	return script
}

// accounts names the sessions that come so many after a number.
func (c *config) accounts(number, from, to int) string {
	var ids []string
	for k := from; k <= to; k++ {
		ids = append(ids, fmt.Sprintf("%q", c.user((number+k)%c.Sessions)))
	}
	return `{"To_Account":[` + strings.Join(ids, ",") + `]}`
}
