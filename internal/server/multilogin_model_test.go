package server_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/porchlight-im/porchlight/internal/testkit"
)

// The head's numbers of the platforms.
const (
	windows = 1
	android = 2
	iPhone  = 3
	mac     = 4
	linux   = 6
	web     = 7
	iPad    = 13
)

var platforms = []int{windows, android, iPhone, mac, linux, web, iPad}

// reachable are the platforms on which push still reaches a device that was
// lost.
var reachable = []int{android, iPhone, iPad, mac}

// rooms is the vendor's table of policies: of the platforms in one room only
// one may be logged in. Linux stands where Windows does.
var rooms = map[string][][]int{
	"single": {{windows, android, iPhone, mac, linux, web, iPad}},
	"dual":   {{windows, android, iPhone, mac, linux, iPad}, {web}},
	"triple": {{android, iPhone, iPad}, {windows, mac, linux}, {web}},
	"multi":  {{windows}, {android}, {iPhone}, {mac}, {linux}, {web}, {iPad}},
}

// policy is an application's policy with its limits.
type policy struct {
	name        string
	native, web int // sessions on one platform
}

// limit gives how many sessions there may be on a platform: more than one
// native one under the multi policy alone.
func (p policy) limit(platform int) int {
	switch {
	case platform == web:
		return p.web
	case p.name == "multi":
		return p.native
	default:
		return 1
	}
}

// apart reports whether the policy lets two different platforms be logged in.
func (p policy) apart(a, b int) bool {
	return !slices.ContainsFunc(rooms[p.name], func(room []int) bool {
		return slices.Contains(room, a) && slices.Contains(room, b)
	})
}

// The ways in which a session has ended for good. The first two are the
// KickTypes.
const (
	stands = iota
	kickedSame
	kickedOther
	loggedOut
)

// state is how one session stands.
type state struct {
	ended int
	on    *socket   // the socket beneath it, nil while it is away
	grace time.Time // its user is still what they were; zero when that is over
}

func (s state) present() bool { return s.on != nil || !s.grace.IsZero() }

// model is what is true of one user with many devices, by the words of the
// specification: SE6, SE7 and SE8, ST1, ST2 and ST4, WI2, WI4 and WI19.
type model struct {
	policy  policy
	open    []*login // the sessions that stand, by when they were opened
	at      map[*login]state
	before  map[*login]bool   // opened before the latest restart of the server
	awaited map[int]time.Time // platforms of those who were there then, with the end of the grace
	lost    map[int]bool      // whether the last session on a platform was lost
	custom  string
	now     string // the status

	// What the actions of one moment bring about.
	moment time.Time
	shown  []string           // the statuses that the user has had, in order
	codes  map[*action]int    // of the answers
	opens  map[*action]*login // the session that an answer is to name
	kicks  map[*socket][]int  // who is told, with the KickTypes
	told   map[*login]*socket // where, who was pushed out now
	cut    map[*socket]bool   // broken or closed by the client: what it was told may be lost
	closed map[*socket]bool   // closed by the server
}

func newModel(p policy) *model {
	return (&model{policy: p, at: map[*login]state{}, before: map[*login]bool{}, awaited: map[int]time.Time{}, lost: map[int]bool{}, now: bob + " UNLOGINED"}).next(time.Time{})
}

// next gives a copy for the actions of a moment.
func (m *model) next(at time.Time) *model {
	return &model{
		policy: m.policy, open: slices.Clone(m.open), at: maps.Clone(m.at), before: m.before, awaited: maps.Clone(m.awaited), lost: maps.Clone(m.lost), custom: m.custom, now: m.now,
		moment: at, codes: map[*action]int{}, opens: map[*action]*login{},
		kicks: map[*socket][]int{}, told: map[*login]*socket{}, cut: map[*socket]bool{}, closed: map[*socket]bool{},
	}
}

// key tells apart what may become of models.
func (m *model) key() string {
	var b strings.Builder
	for _, l := range m.open {
		fmt.Fprintf(&b, "%s %p %s, ", l, m.at[l].on, m.at[l].grace)
	}
	for _, l := range slices.SortedFunc(maps.Keys(m.at), func(a, b *login) int { return strings.Compare(a.name, b.name) }) {
		fmt.Fprint(&b, m.at[l].ended)
	}
	fmt.Fprint(&b, m.awaited, m.lost, m.custom, m.now)
	return b.String()
}

// logIn opens a session on a socket. What the socket's own session was loses
// it.
func (m *model) logIn(l *login, k *socket) {
	if old := m.under(k); old != nil {
		m.leave(old, state{})
	}
	var same []*login
	for _, other := range slices.Clone(m.open) {
		switch {
		case other.platform == l.platform:
			same = append(same, other)
		case !m.policy.apart(other.platform, l.platform):
			m.kick(other, kickedOther)
		}
	}
	slices.SortStableFunc(same, func(a, b *login) int { // who is away goes first
		switch away := m.at[a].on == nil; {
		case away == (m.at[b].on == nil):
			return 0
		case away:
			return -1
		default:
			return 1
		}
	})
	m.open = append(m.open, l)
	m.attach(l, k)
	for _, loser := range same[:max(0, len(same)+1-m.policy.limit(l.platform))] {
		m.kick(loser, kickedSame)
	}
	m.show()
}

// kick ends a session that a newcomer pushes out, and tells it if it is there.
func (m *model) kick(l *login, kind int) {
	if k := m.at[l].on; k != nil {
		m.told[l] = k
		m.kicks[k] = append(m.kicks[k], kind)
	}
	m.leave(l, state{ended: kind})
}

// comeBack puts a socket beneath a session and gives the code of the answer.
func (m *model) comeBack(l *login, k *socket) int {
	st := m.at[l]
	switch st.ended {
	case loggedOut:
		return 70001
	case stands:
		if st.on != nil && st.on != k {
			m.closed[st.on] = true
		}
		m.attach(l, k)
		m.show()
	default:
		if m.told[l] != k {
			m.kicks[k] = append(m.kicks[k], st.ended) // it is told now
		}
	}
	return 0
}

// repeat is a first login that comes again: a return to the session that it
// opened, unless that has logged out.
func (m *model) repeat(a *action, l, fresh *login, k *socket) {
	m.opens[a] = l
	if m.at[l].ended == loggedOut {
		m.opens[a] = fresh
		m.logIn(fresh, k)
		return
	}
	m.comeBack(l, k)
}

func (m *model) logOut(l *login) {
	if m.at[l].ended == stands {
		m.leave(l, state{ended: loggedOut})
		m.show()
	}
}

// part takes the socket from beneath its session, for a grace.
func (m *model) part(k *socket, grace time.Duration) {
	l := m.under(k)
	if l == nil {
		return
	}
	if grace > 0 {
		m.at[l] = state{grace: m.moment.Add(grace)}
		return
	}
	m.leave(l, state{})
	m.show()
}

// expire ends a grace, if it is still running.
func (m *model) expire(l *login, at time.Time) {
	if m.at[l].grace.Equal(at) {
		m.leave(l, state{})
		m.show()
	}
}

// restart breaks all sockets. The platforms on which somebody was have a grace.
func (m *model) restart() {
	m.before = map[*login]bool{}
	end := m.moment.Add(graceNode - late/2)
	for _, p := range platforms {
		if m.there(p) {
			m.awaited[p] = end
		}
	}
	for _, l := range m.open {
		m.before[l] = true
		m.at[l] = state{}
	}
}

// ends gives what ends the graces that are running.
func (m *model) ends() []*action {
	var all []*action
	for _, l := range m.open {
		if at := m.at[l].grace; !at.IsZero() {
			all = append(all, &action{name: fmt.Sprintf("the grace of %s ends", l), at: at, apply: func(m *model) { m.expire(l, at) }})
		}
	}
	for p, at := range m.awaited {
		all = append(all, &action{name: fmt.Sprintf("the grace of platform %d ends", p), at: at, apply: func(m *model) { m.give(p, at) }})
	}
	return all
}

// give ends the grace that a platform has after a restart, if it is still
// running.
func (m *model) give(platform int, at time.Time) {
	if m.awaited[platform].Equal(at) {
		delete(m.awaited, platform)
		m.lost[platform] = !m.there(platform)
		m.show()
	}
}

// say sets the custom status and gives the code of the answer.
func (m *model) say(l *login, text string) int {
	if m.at[l].ended != stands {
		return 6014
	}
	m.custom = text
	m.show()
	return 0
}

func (m *model) attach(l *login, k *socket) {
	m.at[l] = state{on: k}
	m.lost[l.platform] = false
	m.awaitNone(l.platform)
}

// awaitNone ends the grace of a platform once all are there again who may
// return to it. The store remembers platforms, not sessions: who was away
// already may return as well.
func (m *model) awaitNone(platform int) {
	if !slices.ContainsFunc(m.open, func(l *login) bool { return l.platform == platform && m.before[l] && m.at[l].on == nil }) {
		delete(m.awaited, platform)
	}
}

// there reports whether anything keeps the user online on a platform.
func (m *model) there(platform int) bool {
	_, awaited := m.awaited[platform]
	return awaited || slices.ContainsFunc(m.open, func(l *login) bool { return l.platform == platform && m.at[l].present() })
}

// leave makes a session what it is when it is not there any more. How the last
// session on a platform left decides whether push is thought to reach it.
func (m *model) leave(l *login, st state) {
	m.at[l] = st
	if st.ended != stands {
		m.open = slices.DeleteFunc(m.open, func(o *login) bool { return o == l })
		m.awaitNone(l.platform)
	}
	if !m.there(l.platform) {
		m.lost[l.platform] = st.ended == stands
	}
}

// under gives the session that a socket is beneath.
func (m *model) under(k *socket) *login {
	for l, st := range m.at {
		if st.on == k {
			return l
		}
	}
	return nil
}

// show computes the status, and notes it where it is new.
func (m *model) show() {
	st := testkit.Status{User: bob, General: 3}
	switch {
	case slices.ContainsFunc(platforms, m.there):
		st.General, st.Custom = 1, m.custom
	case slices.ContainsFunc(reachable, func(p int) bool { return m.lost[p] }):
		st.General = 2
	}
	if st.General != 1 && online(m.now) {
		m.custom = ""
	}
	if now := st.String(); now != m.now {
		m.now = now
		m.shown = append(m.shown, now)
	}
}

func online(status string) bool { return strings.HasPrefix(status, bob+" ONLINE") }

// seen is what was seen of a moment.
type seen struct {
	codes  map[*action]int
	opens  map[*action]string // A2Key of the answer
	kicks  map[*socket][]int
	probes map[*login]int // code of a command by the session's a2
	closed map[*socket]bool
	status string
}

// The codes of a command that is not served: in a session that stands, and in
// one that was pushed out or has logged out.
const (
	probeStands = 60009
	probeOver   = 6014
)

// differs says in what way what was seen is not what is true, "" where it is.
func (m *model) differs(s *seen) string {
	for a, want := range m.codes {
		if got := s.codes[a]; got != want {
			return fmt.Sprintf("%s was answered %d, want %d", a, got, want)
		}
	}
	for a, l := range m.opens {
		if got := s.opens[a]; got == "" || got != l.a2 {
			return fmt.Sprintf("never twice: %s does not give %s", a, l)
		}
	}
	for l, got := range s.probes {
		switch want := m.at[l].ended == stands; {
		case want && got != probeStands:
			return fmt.Sprintf("never none: %s is over (%d), and the policy lets it stand", l, got)
		case !want && got == probeStands:
			return fmt.Sprintf("never too many: %s stands, and the policy does not let it", l)
		case !want && got != probeOver:
			return fmt.Sprintf("%s was answered %d, want %d", l, got, probeOver)
		}
	}
	for k, got := range s.kicks {
		want, cut := m.kicks[k], m.cut[k]
		switch {
		case len(want) == 0 && len(got) > 0:
			return fmt.Sprintf("nobody else is told: %s was, with KickType %d", k, got)
		case len(got) < len(want) && !cut:
			return fmt.Sprintf("a loser is told: %s was told %d, want KickType %d", k, got, want)
		case len(got) > len(want):
			return fmt.Sprintf("a loser is told once: %s was told %d, want %d", k, got, want)
		case !slices.Equal(got, want[:len(got)]):
			return fmt.Sprintf("a loser is told why: %s was told %d, want %d", k, got, want)
		}
	}
	for k, was := range s.closed {
		if want := m.closed[k]; was != want && !m.cut[k] {
			return fmt.Sprintf("%s is closed by the server: %v, want %v", k, was, want)
		}
	}
	if s.status != m.now {
		return fmt.Sprintf("a query says %q, want %q", s.status, m.now)
	}
	return ""
}
