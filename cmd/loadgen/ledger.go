package main

import (
	"strconv"
	"strings"
	"time"
)

// ledger holds what each of a worker's sessions was last told of everyone it
// hears of, itself among them, and judges what it is told next. It is one array
// of numbers, since there may be millions of such pairs.
type ledger struct {
	users    string // the prefix of the user IDs
	first    int    // number of the worker's first session
	sessions int    // of the whole run
	watch    int
	rule     rule
	heard    []uint32 // by session, then by how far the user's number is past its own
}

// rule says what counts as a fault at the moment.
type rule uint8

const (
	anything rule = iota // lists of an earlier run may still stand
	comings              // users come and go as they should
	strict               // nobody leaves
)

// An entry of the ledger is the number of the last change, above it the general
// status, and one bit for what was heard on an earlier socket only: after a return
// it may be told again.
const (
	numberBits        = 29
	numberMask uint32 = 1<<numberBits - 1
	stale      uint32 = 1 << 31
	online            = 1
)

// unsure stands for the last change of a session that did not come through.
const unsure = ^uint32(0)

func entry(general int, number uint32) uint32 {
	return uint32(general&3)<<numberBits | number&numberMask
}

func generalOf(e uint32) int { return int(e >> numberBits & 3) }

func newLedger(j job) *ledger {
	l := &ledger{users: j.Config.Users, first: j.First, sessions: j.Config.Sessions, watch: j.Config.Watch}
	l.heard = make([]uint32, j.Count*(l.watch+1))
	l.forget()
	return l
}

// forget makes all sessions know nothing.
func (l *ledger) forget() {
	for i := range l.heard {
		l.heard[i] = stale
	}
}

// of gives the entries of a session; the first is its own.
func (l *ledger) of(number int) []uint32 {
	at := (number - l.first) * (l.watch + 1)
	return l.heard[at : at+l.watch+1]
}

// reopen notes that a session has a new socket.
func (l *ledger) reopen(number int) {
	entries := l.of(number)
	for i := range entries {
		entries[i] |= stale
	}
}

// number gives the number of the session whose user ID that is, -1 for nobody's.
func (l *ledger) number(user []byte) int {
	digits, ok := strings.CutPrefix(string(user), l.users)
	n, err := strconv.Atoi(digits)
	if !ok || err != nil || n < 0 || n >= l.sessions {
		return -1
	}
	return n
}

// distance says how far a user's number is past a session's; ok is false if the
// session does not watch that user.
func (l *ledger) distance(number, user int) (d int, ok bool) {
	d = (user - number + l.sessions) % l.sessions
	return d, d <= l.watch
}

// listener is a session that is being told something.
type listener struct {
	number int
	since  time.Duration // when its socket became its session's
	now    time.Duration
}

// told judges and books one status that a session was pushed.
func (l *ledger) told(to listener, item statusItem, t *traffic) {
	t.Items++
	user := l.number(item.user)
	d, ok := 0, user >= 0
	if ok {
		d, ok = l.distance(to.number, user)
	}
	if !ok {
		if l.rule != anything {
			t.fault(&t.Faults.Foreign, "foreign: session %d was told of %.40q", to.number, item.user)
		}
		return
	}
	st, ok := readStamp(item.custom)
	if !ok || st.number > numberMask || st.number > 0 && st.user != user {
		if l.rule == strict {
			t.fault(&t.Faults.Garbled, "garbled: session %d was told of user %d: %.140q", to.number, user, item.custom)
		}
		return
	}
	was := l.of(to.number)[d]
	l.of(to.number)[d] = entry(item.general, st.number)
	if l.rule != strict {
		return
	}
	if item.general != online {
		t.fault(&t.Faults.FalseEdges, "false edge: session %d was told at %v that user %d is %d", to.number, to.now, user, item.general)
		return
	}
	l.judge(to, heardOf{user: user, own: d == 0, was: was, stamp: st}, t)
}

// heardOf is a change of a user who is online, and what was known before.
type heardOf struct {
	user  int
	own   bool
	was   uint32
	stamp stamp
}

func (l *ledger) judge(to listener, h heardOf, t *traffic) {
	before, number := h.was&numberMask, h.stamp.number
	switch {
	case number < before:
		t.fault(&t.Faults.Order, "order: session %d was told of change %d of user %d after %d", to.number, number, h.user, before)
	case h.was == entry(online, number):
		t.fault(&t.Faults.Repeats, "repeat: session %d was told twice of change %d of user %d", to.number, number, h.user)
	case h.was == entry(online, number)|stale:
		t.Retold++
	case number > before:
		t.Overtaken += int(number - before - 1)
		l.time(to, h, t)
	}
}

// time books how long a change took.
func (l *ledger) time(to listener, h heardOf, t *traffic) {
	switch {
	case h.stamp.due < to.since:
		t.CaughtUp++
	case h.own:
		t.Own.add(to.now - h.stamp.due)
	default:
		t.delivered(h.stamp, to.now)
	}
}

// returned takes a session's own custom status from the answer to its return.
func (l *ledger) returned(number int, custom string, t *traffic) {
	st, ok := readStamp([]byte(custom))
	if !ok || st.number > 0 && st.user != number {
		t.fault(&t.Faults.Garbled, "garbled: session %d returned to %.140q", number, custom)
		return
	}
	own := &l.of(number)[0]
	if st.number < *own&numberMask {
		t.fault(&t.Faults.Order, "order: session %d returned to its change %d after %d", number, st.number, *own&numberMask)
	}
	*own = entry(online, st.number) | stale
}

// behind reports whether a session was not told of something, given the last
// change of everyone.
func (l *ledger) behind(number int, expect []uint32) bool {
	for d, e := range l.of(number) {
		if !right(e, expect[(number+d)%l.sessions]) {
			return true
		}
	}
	return false
}

// right reports whether an entry is what it must be after a user's last change.
// Of who never changed nothing need have been told.
func right(e, last uint32) bool {
	general := generalOf(e)
	return last == unsure || e&numberMask == last && (general == online || general == 0 && last == 0)
}

// close books what a session was never told of.
func (l *ledger) close(number int, expect []uint32, t *traffic) {
	for d, e := range l.of(number) {
		user := (number + d) % l.sessions
		if !right(e, expect[user]) {
			t.fault(&t.Faults.Lost, "lost: session %d knows change %d (status %d) of user %d, whose last is %d",
				number, e&numberMask, generalOf(e), user, expect[user])
		}
	}
}

// viewed judges the answer to a session's query about everyone it hears of.
func (l *ledger) viewed(number int, answer []statusItem, expect []uint32, t *traffic) {
	seen := make([]bool, l.watch+1)
	for _, item := range answer {
		user := l.number(item.user)
		d, ok := 0, user >= 0
		if ok {
			d, ok = l.distance(number, user)
		}
		st, readable := readStamp(item.custom)
		if !ok || !readable || !right(entry(item.general, st.number), expect[user]) || st.number > 0 && st.user != user {
			t.fault(&t.Faults.Views, "view: session %d was answered %.40q is %d with %.140q", number, item.user, item.general, item.custom)
		}
		if ok {
			seen[d] = true
		}
	}
	for d, ok := range seen {
		if !ok && expect[(number+d)%l.sessions] != unsure {
			t.fault(&t.Faults.Views, "view: session %d was not answered about user %d", number, (number+d)%l.sessions)
		}
	}
}
