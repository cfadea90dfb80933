package status_test

import (
	"math"
	"slices"

	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/status"
)

// model is what spec/status.md and spec/session.md say of the users of one server,
// read naively: it keeps the times in which something made a user ONLINE, and works
// out the rest from them whenever it is asked. Beside that it keeps books of what
// may be on disk, for a crash to be judged by. It knows nothing of the engine.
type model struct {
	grace     [16]int64 // ms, by cause
	reachable int64     // ms for which one lost on a platform with push stays OFFLINE
	retention int64     // ms for which a list outlives its owner's presence
	limit     int       // of a list
	steady    int64     // ms, by a clock that never jumps
	wall      int64     // Unix ms, by one that is set now and then
	order     int64     // of what happens; rises
	people    map[im.UserKey]*person
	muted     map[im.AppID]bool
	on        map[im.AppID]status.Switches
}

// person is one user.
type person struct {
	sessions []*sitting
	visits   []*visit
	stands   [im.Platforms]stand // as of the latest tick
	custom   string
	list     []im.UserID
	friends  []im.UserID
	blocked  []im.UserID
	unsure   bool // a change of the list failed: who reads it anew may find it done
	vague    int  // of these changes of whom the user hears the engine does not know yet
	missed   bool // it could not read one: it will at the next login or return
	account  bool
	banned   bool
	revoked  int64 // UserSigs of this Unix second and earlier are dead
	seen     int64 // when the user was last there, by the wall clock
	latest   int64 // when the user was last ONLINE, at the latest: the clock is set back at times
	touched  int64 // when something was last done to the user, who was away
	clearing bool  // the list is empty, and the disk is to learn of it
	lifting  bool  // a ban is being lifted

	disk disk // what of it may be there
}

// visit is a time in which something keeps its user ONLINE: until, but not at, to.
type visit struct {
	platform im.Platform
	to       int64
	gone     int64 // when, in order, the user left the platform; 0 for not yet
	how      im.MarkState
	at       int64 // when that was, by the wall clock
	before   bool  // it stands for the sessions from before the start
}

// push are the platforms on which a push reaches a user who was lost.
var push = []im.Platform{im.Android, im.IPhone, im.IPad, im.Mac}

const forever = math.MaxInt64

// stand is how a user stands on a platform, as far as anybody can ever see: live
// there, lost where push reaches them, or neither.
type stand struct {
	state im.MarkState
	at    int64 // of a loss, by the wall clock
}

// sitting is one session.
type sitting struct {
	status.Session
	closed im.Cause // 0 while it is open
	link   uint64   // 0 while it has no connection
	before bool     // it was open when the process started, and was not seen since
	visit  *visit   // its latest, nil for none since the start
	disk   book[im.Cause]
}

func newModel(r status.Rules, retention int64, limit int) *model {
	m := &model{
		reachable: r.PushReachable.Milliseconds(), retention: retention, limit: limit,
		people: map[im.UserKey]*person{}, muted: map[im.AppID]bool{}, on: map[im.AppID]status.Switches{},
	}
	for c, g := range r.Grace {
		m.grace[c] = g.Milliseconds()
	}
	return m
}

func (m *model) person(k im.UserKey) *person {
	p := m.people[k]
	if p == nil {
		p = &person{}
		m.people[k] = p
	}
	return p
}

func (m *model) next() int64 { m.order++; return m.order }

// status is what everyone must see of a user [ST1].
func (m *model) status(k im.UserKey) im.Status {
	p := m.people[k]
	switch {
	case p == nil:
	case m.online(p):
		return im.Status{General: im.Online, Custom: p.custom}
	case slices.ContainsFunc(p.stands[:], func(s stand) bool { return s.state == im.MarkLost }):
		return im.Status{General: im.Offline}
	}
	return im.Status{General: im.Unlogined}
}

// seen is what one user must see of another [ST16].
func (m *model) seen(by im.UserKey, u im.UserID) im.Status {
	if m.hides(u, by) {
		return im.Status{General: im.Unlogined}
	}
	return m.status(im.UserKey{App: by.App, User: u})
}

func (m *model) hides(u im.UserID, from im.UserKey) bool {
	return m.on[from.App].HideFromBlocked && slices.Contains(m.person(im.UserKey{App: from.App, User: u}).blocked, from.User)
}

// hears gives those of whom a user is told [ST14, ST15].
func (m *model) hears(k im.UserKey) []im.UserID {
	p := m.person(k)
	if !m.on[k.App].FriendNotices {
		return p.list
	}
	return append(slices.Clone(p.list), without(p.friends, p.list)...)
}

func (m *model) online(p *person) bool {
	return slices.ContainsFunc(p.visits, func(v *visit) bool { return v.to > m.steady })
}

// stand says how a user stands on a platform: by the last session that went, once
// none is there [ST1].
func (m *model) stand(p *person, platform im.Platform) stand {
	var last *visit
	for _, v := range p.visits {
		switch {
		case v.platform != platform:
		case v.gone == 0:
			return stand{state: im.MarkLive}
		case last == nil || v.gone > last.gone:
			last = v
		}
	}
	if last == nil || last.how != im.MarkLost || !slices.Contains(push, platform) {
		return stand{}
	}
	if m.wall >= last.at+m.reachable {
		last.how = im.MarkOut // for good, whatever the clock says later
		return stand{}
	}
	return stand{im.MarkLost, last.at}
}

// tick takes notice of what time did, and of what is to reach the disk.
func (m *model) tick() {
	for _, p := range m.people {
		for _, v := range p.visits {
			if v.gone == 0 && v.to <= m.steady {
				v.gone, v.at = m.next(), m.wall
			}
		}
		for platform := range im.Platform(im.Platforms) {
			if s := m.stand(p, platform); s != p.stands[platform] {
				if was := p.stands[platform]; was.state == im.MarkLost && s.state == im.MarkNone {
					p.disk.onDisk[platform].add(s, m.next()) // by time alone: it may be written, or be seen from the time
				} else {
					p.disk.onDisk[platform].later(s, m.next())
				}
				p.stands[platform] = s
			}
		}
		switch {
		case m.online(p):
			p.latest = max(p.latest, m.wall)
			if slices.ContainsFunc(p.visits, func(v *visit) bool { return v.to > m.steady && v.how != im.MarkOut }) {
				p.seen = m.wall // who is out for good, and is shown for a grace yet, was last there when it ended
			}
		case p.custom != "": // [ST4]
			p.custom = ""
			p.disk.words.later("", m.next())
		}
	}
}

// losers says whom a login pushes out, and why [SE6].
func (m *model) losers(p *person, pol status.Policy, from im.Platform) map[*sitting]im.Cause {
	out := map[*sitting]im.Cause{}
	var beside []*sitting
	mobile := []im.Platform{im.Android, im.IPhone, im.IPad}
	for _, s := range p.sessions {
		native := s.Platform != im.Web && from != im.Web
		together := slices.Contains(mobile, s.Platform) == slices.Contains(mobile, from)
		switch {
		case s.closed != 0:
		case s.Platform == from:
			beside = append(beside, s)
		case pol.Policy == im.PolicySingle, pol.Policy == im.PolicyDual && native,
			pol.Policy == im.PolicyTriple && native && together:
			out[s] = im.CauseKickOther
		}
	}
	most := 1
	if from == im.Web {
		most = max(1, pol.PerWeb)
	} else if pol.Policy == im.PolicyMulti {
		most = max(1, pol.PerNative)
	}
	for len(beside) >= most {
		first := slices.MinFunc(beside, func(a, b *sitting) int {
			if away, was := a.link == 0, b.link == 0; away != was {
				return map[bool]int{true: -1, false: 1}[away]
			}
			return int(a.Opened - b.Opened)
		})
		out[first] = im.CauseKickSame
		beside = slices.DeleteFunc(beside, func(s *sitting) bool { return s == first })
	}
	return out
}

// attach puts a connection beneath a session.
func (m *model) attach(p *person, s *sitting, link uint64) {
	s.link, s.before = link, false
	if s.visit == nil || s.visit.gone != 0 {
		s.visit = &visit{platform: s.Platform, how: im.MarkLost}
		p.visits = append(p.visits, s.visit)
	}
	s.visit.to = forever
	m.dismiss(p, s.Platform)
	m.tick()
}

// leave takes the connection away, unless another took its place [ST2].
func (m *model) leave(s *sitting, link uint64, c im.Cause) {
	if s.link == link {
		s.link, s.visit.to = 0, m.steady+m.grace[c]
	}
	m.tick()
}

// end ends a session for good [SE8].
func (m *model) end(p *person, s *sitting, c im.Cause) {
	s.closed, s.link, s.before = c, 0, false
	there := s.visit != nil && s.visit.gone == 0
	if there {
		s.visit.to, s.visit.gone = m.steady, m.next()
		s.visit.how = im.MarkOut
	}
	there = m.dismiss(p, s.Platform) || there
	m.out(p, s.Platform, c, there)
	m.tick()
}

// out notes that a user left a platform for good. Who was there is shown so for a
// grace.
func (m *model) out(p *person, platform im.Platform, c im.Cause, there bool) {
	v := &visit{platform: platform, to: m.steady, gone: m.next(), how: im.MarkOut}
	if there {
		v.to += m.grace[c]
	}
	p.visits = append(p.visits, v)
}

// throwOut has a user leave every platform for good, whatever stands for sessions
// from before the start [SE10].
func (m *model) throwOut(p *person) {
	for platform := range im.Platform(im.Platforms) {
		m.out(p, platform, im.CauseKickAdmin, p.forget(platform))
	}
	m.tick()
}

// dismiss ends what stands for the sessions on a platform from before the start,
// once none of them may come back, and reports whether there was something.
func (m *model) dismiss(p *person, platform im.Platform) bool {
	if slices.ContainsFunc(p.sessions, func(s *sitting) bool { return s.closed == 0 && s.before && s.Platform == platform }) {
		return false
	}
	return p.forget(platform)
}

// forget ends what stands for the sessions on a platform from before the start.
func (p *person) forget(platform im.Platform) bool {
	n := len(p.visits)
	p.visits = slices.DeleteFunc(p.visits, func(v *visit) bool { return v.before && v.gone == 0 && v.platform == platform })
	return len(p.visits) < n
}
