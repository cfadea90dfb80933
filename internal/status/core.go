package status

import (
	"slices"
	"time"

	"github.com/porchlight-im/porchlight/internal/im"
)

// Rules are the times by which statuses are judged. A zero value judges at
// once.
type Rules struct {
	// Grace is how long a user is still what they were after a session or its
	// socket ended, by cause. A return within it is seen by nobody.
	Grace [16]time.Duration
	// PushReachable is how long a user lost on a platform with push stays
	// Offline before becoming Unlogined.
	PushReachable time.Duration
}

// DefaultRules gives the specification's times.
func DefaultRules() Rules {
	r := Rules{PushReachable: im.PushReachable}
	r.Grace[im.CauseBreak] = im.GraceBreak
	r.Grace[im.CauseNode] = im.GraceNode
	return r
}

// user is what the core knows of one user, and what the shell hangs on it. The
// general status stands nowhere in it: it is computed.
type user struct {
	key      im.UserKey
	sessions []session // live, or within a grace
	marks    marks     // how the user stands on each platform
	custom   string    // shown only while Online
	shown    im.Status // what all have been told
	seq      uint64    // of the latest version
	changed  int64     // when shown last changed, steady ms
	shell              // the shell's own; the core never looks
}

// moment is one time by two clocks, in milliseconds. steady never jumps: it times
// graces and orders changes. wall is what people and the store read, may be set
// back or forward, and times what lasts for days.
type moment struct{ steady, wall int64 }

// session is one session that makes its user Online.
type session struct {
	inst     im.InstID // 0: one of a process that ended, or (final is MarkOut) one that ended for good
	platform im.Platform
	link     uint64       // the socket beneath it, 0 for none
	until    int64        // end of its grace, steady ms; 0 while its socket lives
	final    im.MarkState // what its platform's mark becomes if nobody returns
	cause    im.Cause     // why its socket ended, where it has none
	told     int64        // its lost socket had received all that changed before, steady ms
}

// mark is [im.Mark] without its names.
type mark struct {
	state im.MarkState
	at    int64 // Unix ms
}

// marks holds a mark for each platform, laid out to be small.
type marks struct {
	at    [im.Platforms]int64
	state [im.Platforms]im.MarkState
}

func (m *marks) get(p im.Platform) mark { return mark{m.state[p], m.at[p]} }

func (m *marks) set(p im.Platform, to mark) { m.state[p], m.at[p] = to.state, to.at }

// lostPush calls f for each mark that may make its user Offline.
func (m *marks) lostPush(f func(p im.Platform, at int64)) {
	for p, state := range m.state {
		if state == im.MarkLost && im.Platform(p).HasPush() {
			f(im.Platform(p), m.at[p])
		}
	}
}

// kind says what happened.
type kind uint8

const (
	evTick    kind = iota // time passed
	evAttach              // a session has a socket now
	evDetach              // a session's socket ended
	evEnd                 // a session ended for good
	evCustom              // the user set a custom status
	evRestore             // the store remembers the user from before the start
	evDelete              // the account was deleted
)

// event is one thing that happened to a user.
type event struct {
	kind     kind
	inst     im.InstID
	platform im.Platform
	link     uint64
	cause    im.Cause
	told     int64     // evDetach: the socket had received all that changed before
	custom   string    // evCustom, evRestore
	by       im.Caller // evAttach, evCustom, evEnd: who wants it; unknown where no back end is to be told
	others   bool      // evAttach, evEnd: sessions from before the start may yet return
	marks    []im.Mark
}

// effects is what a step asks of the shell.
type effects struct {
	changed bool      // shown is new, and so is the version
	prev    im.Status // what shown was before
	marks   []im.Mark // to be kept for good, without Rev
	cleared bool      // the custom status was cleared, for good too
	wake    moment    // when either clock alone may change something, 0 for never

	left  []session // are lost, their graces over
	came  bool      // evAttach: the session was not here
	ended bool      // evEnd: it was here
	noted bool      // the shell's own: a back end was told of the version
}

// step applies an event to a user and says what follows. It is pure: its
// outcome depends on its arguments alone.
func step(u *user, ev event, now moment, r *Rules) effects {
	var fx effects
	u.expire(now, r, &fx)
	switch ev.kind {
	case evTick:
	case evAttach:
		u.attach(ev, now, &fx)
	case evDetach:
		u.detach(ev, now, r, &fx)
	case evEnd:
		u.end(ev, now, r, &fx)
	case evCustom:
		u.custom = ev.custom
	case evRestore:
		u.restore(ev, now, r, &fx)
	case evDelete:
		u.sessions, u.marks = nil, marks{}
	}
	u.show(ev.kind, now, r, &fx)
	fx.wake = u.nextWake(now, r)
	return fx
}

// expire drops the sessions whose grace is over, and forgets for good who was lost
// for too long: the clock may be set back.
func (u *user) expire(now moment, r *Rules, fx *effects) {
	for i := 0; i < len(u.sessions); {
		s := u.sessions[i]
		if s.until == 0 || s.until > now.steady {
			i++
			continue
		}
		u.remove(i)
		if s.final != im.MarkOut { // or it was marked when it ended
			u.leave(s.platform, s.final, now, fx)
			fx.left = append(fx.left, s)
		}
	}
	u.unreach(now, r, fx)
}

// unreach forgets for good on which platforms the user was lost for too long.
func (u *user) unreach(now moment, r *Rules, fx *effects) {
	u.marks.lostPush(func(p im.Platform, at int64) {
		if now.wall >= at+r.PushReachable.Milliseconds() {
			u.mark(p, im.MarkOut, at, fx)
		}
	})
}

func (u *user) attach(ev event, now moment, fx *effects) {
	i := u.find(ev.inst)
	if i < 0 {
		fx.came = !u.standsFor(ev.platform)
		u.sessions = append(u.sessions, session{inst: ev.inst, platform: ev.platform})
		i = len(u.sessions) - 1
	}
	s := &u.sessions[i]
	s.link, s.until, s.told = ev.link, 0, 0
	u.mark(ev.platform, im.MarkLive, now.wall, fx)
	u.awaitNone(ev)
}

// awaitNone drops what stands for the sessions on a platform from before the
// start, where none of them may return any more, and reports whether it was there.
func (u *user) awaitNone(ev event) (there bool) {
	for i := 0; i < len(u.sessions); {
		if s := u.sessions[i]; s.inst == 0 && s.platform == ev.platform && s.final == im.MarkLost && !ev.others {
			u.remove(i)
			there = true
			continue
		}
		i++
	}
	return there
}

// standsFor reports whether something stands for the sessions on a platform from
// before the start.
func (u *user) standsFor(p im.Platform) bool {
	return slices.ContainsFunc(u.sessions, func(s session) bool {
		return s.inst == 0 && s.platform == p && s.final == im.MarkLost
	})
}

// detach begins the grace of a session whose socket ended. A socket that was
// replaced before it ended says nothing about its session.
func (u *user) detach(ev event, now moment, r *Rules, fx *effects) {
	i := u.find(ev.inst)
	if i < 0 || u.sessions[i].link != ev.link {
		return
	}
	s := &u.sessions[i]
	s.link, s.told, s.final, s.cause = 0, ev.told, im.MarkLost, ev.cause
	if g := r.Grace[ev.cause].Milliseconds(); g > 0 {
		s.until = now.steady + g
		return
	}
	lost := *s
	u.remove(i)
	u.leave(lost.platform, im.MarkLost, now, fx)
	fx.left = append(fx.left, lost)
}

// end takes a session away for good. Where it was the only one that could have
// been there before the process started, so is what stands for that. Who was not
// there any more gets no grace.
func (u *user) end(ev event, now moment, r *Rules, fx *effects) {
	i := u.find(ev.inst)
	there := i >= 0
	fx.ended = there || u.standsFor(ev.platform)
	if there {
		u.remove(i)
	}
	there = u.awaitNone(ev) || there
	u.leave(ev.platform, im.MarkOut, now, fx)
	if g := r.Grace[ev.cause].Milliseconds(); g > 0 && there {
		u.sessions = append(u.sessions, session{platform: ev.platform, until: now.steady + g, final: im.MarkOut})
	}
}

// restore makes the user what they were when the last process ended: live
// where a mark says so, until the grace for that is over.
func (u *user) restore(ev event, now moment, r *Rules, fx *effects) {
	for _, m := range ev.marks {
		u.marks.set(m.Platform, mark{state: m.State, at: m.At})
		if m.State != im.MarkLive {
			continue
		}
		if g := r.Grace[im.CauseNode].Milliseconds(); g > 0 {
			u.sessions = append(u.sessions, session{
				platform: m.Platform, final: im.MarkLost, cause: im.CauseNode, until: now.steady + g,
			})
		} else {
			u.leave(m.Platform, im.MarkLost, now, fx)
			fx.left = append(fx.left, session{platform: m.Platform, cause: im.CauseNode})
		}
	}
	u.unreach(now, r, fx)
	if len(u.sessions) > 0 {
		u.custom = ev.custom
	} else if ev.custom != "" {
		fx.cleared = true // the process ended before it could
	}
}

// leave marks a platform as left, unless another session is still there. The grace
// of one that ended for good is none.
func (u *user) leave(p im.Platform, state im.MarkState, now moment, fx *effects) {
	for i := range u.sessions {
		if s := &u.sessions[i]; s.platform == p && s.final != im.MarkOut {
			return
		}
	}
	u.mark(p, state, now.wall, fx)
}

// mark sets a platform's mark; a mark that says nothing new is not written.
func (u *user) mark(p im.Platform, state im.MarkState, at int64, fx *effects) {
	if u.marks.get(p).state == state {
		return
	}
	u.marks.set(p, mark{state: state, at: at})
	fx.marks = append(fx.marks, im.Mark{User: u.key, Platform: p, State: state, At: at})
}

// show computes the status and, where it differs from what all were told,
// gives it the next version. What the store remembers is no news.
func (u *user) show(k kind, now moment, r *Rules, fx *effects) {
	s := im.Status{General: u.general(now, r)}
	switch {
	case s.General == im.Online:
		s.Custom = u.custom
	case u.custom != "":
		u.custom, fx.cleared = "", true
	}
	if s == u.shown {
		return
	}
	fx.prev, u.shown = u.shown, s
	if k == evRestore {
		return
	}
	fx.changed = true
	u.seq++
	u.changed = now.steady
}

// general computes the general status.
func (u *user) general(now moment, r *Rules) im.General {
	if len(u.sessions) > 0 {
		return im.Online
	}
	general := im.Unlogined
	u.marks.lostPush(func(_ im.Platform, at int64) {
		if now.wall < at+r.PushReachable.Milliseconds() {
			general = im.Offline
		}
	})
	return general
}

// nextWake says when time alone may change the status.
func (u *user) nextWake(now moment, r *Rules) (wake moment) {
	soonest := func(wake *int64, now, t int64) {
		if t > now && (*wake == 0 || t < *wake) {
			*wake = t
		}
	}
	for i := range u.sessions {
		soonest(&wake.steady, now.steady, u.sessions[i].until)
	}
	u.marks.lostPush(func(_ im.Platform, at int64) { soonest(&wake.wall, now.wall, at+r.PushReachable.Milliseconds()) })
	return wake
}

// exists reports whether what is known of the user proves that there is an
// account: one who is only watched may have been deleted.
func (u *user) exists() bool {
	return len(u.sessions) > 0 || u.marks.state != [im.Platforms]im.MarkState{}
}

// find gives the index of a session, -1 where there is none.
func (u *user) find(inst im.InstID) int {
	for i := range u.sessions {
		if u.sessions[i].inst == inst {
			return i
		}
	}
	return -1
}

func (u *user) remove(i int) {
	u.sessions = append(u.sessions[:i], u.sessions[i+1:]...)
	if len(u.sessions) == 0 {
		u.sessions = nil
	}
}

// idle reports whether nothing would be lost if the core forgot the user.
func (u *user) idle() bool {
	return len(u.sessions) == 0 && u.custom == "" && u.shown == im.Status{General: im.Unlogined}
}
