package status_test

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/status"
)

// simEvent is one kind of thing that happens, and how often.
type simEvent struct {
	name   string
	weight int
	run    func(*sim) bool // reports whether it could happen now
}

// meanwhile happens during writes too; eventually only between commands. Both are
// filled by init, since what they call refers to them.
var meanwhile, eventually []simEvent

func init() {
	meanwhile = []simEvent{
		{"login", 12, (*sim).login},
		{"return", 14, (*sim).comeBack},
		{"leave", 12, (*sim).leave},
		{"leave late", 2, (*sim).leaveLate},
		{"logout", 4, func(s *sim) bool { return s.endOne(im.CauseLogout) }},
		{"expiry", 3, func(s *sim) bool { return s.endOne(im.CauseExpiry) }},
		{"kick", 1, func(s *sim) bool { return s.order("kick") }},
		{"ban", 1, func(s *sim) bool { return s.order("ban") }},
		{"unban", 2, func(s *sim) bool { return s.order("unban") }},
		{"subscribe", 12, (*sim).subscribe},
		{"unsubscribe", 4, (*sim).unsubscribe},
		{"unsubscribe all", 1, (*sim).unsubscribeAll},
		{"custom", 14, (*sim).custom},
		{"query", 4, (*sim).query},
		{"befriend", 3, func(s *sim) bool { return s.befriend(true) }},
		{"unfriend", 2, func(s *sim) bool { return s.befriend(false) }},
		{"block", 2, func(s *sim) bool { return s.block(true) }},
		{"unblock", 2, func(s *sim) bool { return s.block(false) }},
		{"deliver", 6, (*sim).deliver},
		{"pong", 4, (*sim).pong},
		{"moment", 10, func(s *sim) bool { s.advance(s.rng.Int64N(300)); return true }},
	}
	eventually = append(slices.Clone(meanwhile), []simEvent{
		{"seconds", 8, func(s *sim) bool { s.advance(s.rng.Int64N(21_000)); return true }},
		{"grace", 4, func(s *sim) bool { s.advance([]int64{5000, 4999, 15_000, 14_999}[s.rng.IntN(4)]); return true }},
		{"day", 1, func(s *sim) bool { s.moody = well; s.advance(23*3_600_000 + s.rng.Int64N(2*3_600_000)); return true }},
		{"week", 1, func(s *sim) bool { s.moody = well; s.advance(6*24*3_600_000 + s.rng.Int64N(26*3_600_000)); return true }},
		{"pause", 2, (*sim).pause},
		{"clock", 1, (*sim).setClock},
		{"mood", 4, (*sim).changeMood},
		{"mute", 1, (*sim).mute},
		{"unmute", 2, (*sim).unmute},
		{"switch", 2, (*sim).turn},
		{"restart", 1, (*sim).restart},
		{"kill", 1, func(*sim) bool { panic(crashed{}) }},
		{"arm", 3, (*sim).arm},
	}...)
}

// happen has one of some events happen.
func (s *sim) happen(from []simEvent) {
	total := 0
	for _, ev := range from {
		total += ev.weight
	}
	n := s.rng.IntN(total)
	for _, ev := range from {
		if n -= ev.weight; n >= 0 {
			continue
		}
		if ev.name == "kill" {
			s.counts[ev.name]++
		}
		if ev.run(s) {
			s.counts[ev.name]++
		}
		s.pay()
		s.check()
		return
	}
}

// anyone gives a user whose turn is free.
func (s *sim) anyone() (im.UserKey, *person, bool) {
	k := s.users[s.rng.IntN(len(s.users))]
	return k, s.m.person(k), !s.busy[k]
}

// anyClient gives a client for which cond holds, whose user's turn is free.
func (s *sim) anyClient(cond func(*simClient) bool) *simClient {
	var fit []*simClient
	for _, c := range s.clients {
		if !s.busy[c.key] && cond(c) {
			fit = append(fit, c)
		}
	}
	if len(fit) == 0 {
		return nil
	}
	return fit[s.rng.IntN(len(fit))]
}

// connected holds for a client whose connection stands.
func connected(c *simClient) bool { return c.conn != nil && c.conn.ended == 0 }

func (s *sim) sitting(c *simClient) *sitting {
	p := s.m.person(c.key)
	return p.sessions[slices.IndexFunc(p.sessions, func(x *sitting) bool { return x.Inst == c.session.Inst })]
}

// excused fails on an error that the store's mood does not explain.
func (s *sim) excused(what string, err error) bool {
	if err != nil && !errors.Is(err, errDisk) {
		s.fail("D3", "%s: %v", what, err)
	}
	return true
}

var simPolicies = []status.Policy{
	{Policy: im.PolicyMulti, PerNative: 2, PerWeb: 3},
	{Policy: im.PolicyMulti, PerNative: 2, PerWeb: 3},
	{Policy: im.PolicySingle},
	{Policy: im.PolicyDual, PerWeb: 1},
	{Policy: im.PolicyTriple, PerWeb: 2},
}

func (s *sim) login() bool {
	k, _, free := s.anyone()
	if !free {
		return false
	}
	pol := simPolicies[s.rng.IntN(len(simPolicies))]
	return s.loginAs(k, pol, status.Session{
		Platform: im.Platform(s.rng.IntN(im.Platforms)),
		Issued:   s.m.wall/1000 - []int64{0, 0, 1, 60}[s.rng.IntN(4)],
		Expires:  s.m.wall/1000 + []int64{1, 60, 3600, 30 * 86400, 30 * 86400}[s.rng.IntN(5)],
	})
}

// loginAs has a user log in with a UserSig, on a platform.
func (s *sim) loginAs(k im.UserKey, pol status.Policy, want status.Session) bool {
	s.insts++
	p, c, x := s.m.person(k), &simClient{key: k, believes: map[im.UserID]im.Status{}}, &sitting{Session: want}
	x.SessionID, x.Opened = im.SessionID{UserKey: k, Inst: s.insts}, s.m.wall
	conn := s.connect(c)
	losers := s.m.losers(p, pol, x.Platform)
	must, may := s.m.stale(p)
	s.logf("%v logs in on %v as %d, policy %v, stale %v %v", k, x.Platform, x.Inst, pol.Policy, must, may)
	mark := s.m.next()
	p.disk.onDisk[x.Platform].add(stand{state: im.MarkLive}, mark)
	if may {
		p.disk.lists.add("", mark)
	}
	for y, c := range losers {
		y.disk.add(c, mark)
	}
	var at status.Attached
	_, err := s.op(k, func() (err error) {
		at, err = s.e.Login(context.Background(), status.Login{
			User: k, Platform: x.Platform, Issued: x.Issued, Expires: x.Expires, Policy: pol, Out: conn,
		}, x.Inst)
		return err
	})
	dead := p.revoked > 0 && p.revoked >= x.Issued
	switch {
	case dead && errors.Is(err, im.Err(im.CodeSigExpired)), p.banned && errors.Is(err, im.Err(im.CodeBanned)):
		return true
	case err != nil:
		return s.excused("login", err)
	case dead || p.banned:
		s.fail("C3", "%v logged in by a UserSig that is dead", k)
	}
	p.disk.onDisk[x.Platform].sure(mark)
	x.disk.only(0)
	x.Session, p.account = at.Session, true
	p.sessions = append(p.sessions, x)
	s.m.attach(p, x, at.Link)
	for y, c := range losers {
		y.disk.sure(mark)
		s.finished(p, y, c)
	}
	if kept := s.store.rows[k].Watching; must || may && len(kept) == 0 {
		s.emptied(k, mark)
	}
	s.clients = append(s.clients, c)
	s.welcome(c, conn, at)
	return true
}

// emptied notes that a list is gone: in memory, and on disk in a moment or from an
// order on.
func (s *sim) emptied(k im.UserKey, order int64) {
	p := s.m.person(k)
	p.list = nil
	s.settle(k)
	p.disk.lists.sure(order)
	p.unsure, p.clearing = false, false
}

// welcome is a login's or a return's answer: a client asks how those stand of whom
// it knows nothing.
func (s *sim) welcome(c *simClient, conn *simConn, at status.Attached) {
	c.session, c.conn, conn.link, conn.catching, conn.proof = at.Session, conn, at.Link, false, at.Since
	conn.own = im.Status{General: im.Online, Custom: at.Custom}
	s.m.person(c.key).missed = false
	s.settle(c.key)
}

// finished ends a session in the model and looks whether its connection knows.
func (s *sim) finished(p *person, x *sitting, cause im.Cause) {
	link := x.link
	s.m.end(p, x, cause)
	for _, c := range s.clients {
		if link != 0 && c.session.SessionID == x.SessionID && (c.conn == nil || c.conn.link != link || c.conn.ended != cause) {
			s.fail("C4", "session %v ended by %v, and its connection was told otherwise", x.SessionID, cause)
		}
	}
}

func (s *sim) comeBack() bool {
	c := s.anyClient(func(c *simClient) bool { return c.conn == nil || s.rng.IntN(8) == 0 })
	if c == nil {
		return false
	}
	conn := s.connect(c)
	if c.conn != nil && c.conn.ended == 0 && s.rng.IntN(2) == 0 {
		conn = c.conn // it says again that it is back
		conn.catching = true
	}
	return s.returnOn(c, conn)
}

// returnOn has a client return on a connection.
func (s *sim) returnOn(c *simClient, conn *simConn) bool {
	p, x, old := s.m.person(c.key), s.sitting(c), c.conn
	want := x.closed
	switch {
	case want != 0:
	case p.revoked > 0 && x.Issued <= p.revoked, p.banned:
		want = im.CauseKickAdmin
	case s.m.wall/1000 > x.Expires:
		want = im.CauseExpiry
	}
	must, may := s.m.stale(p)
	s.logf("%v returns to %d, closed by %v, stale %v %v", c.key, x.Inst, want, must, may)
	list := p.list
	if must {
		p.list = nil
	}
	var at status.Attached
	wasUnsure := p.unsure
	p.unsure = p.unsure || may
	order, err := s.op(c.key, func() (err error) { at, err = s.e.Return(context.Background(), x.Session, conn, nil); return err })
	p.unsure = wasUnsure
	conn.catching = false
	var ended *status.Ended
	switch {
	case errors.As(err, &ended):
		if p.list = list; want == 0 || ended.Cause != want && !x.disk.allows(ended.Cause) {
			s.fail("SE7 SE8", "%v returns to %d, which is ended by %v, and is told %v", c.key, x.Inst, want, ended.Cause)
		}
		return true
	case err != nil:
		p.list = list
		return s.excused("return", err)
	case want != 0:
		s.fail("SE8 C3", "%v returned to %d, which is ended by %v", c.key, x.Inst, want)
	case old != nil && old != conn && x.link == old.link && old.ended != im.CauseBreak:
		s.fail("C4", "the connection that %v replaced was told %v", c.key, old.ended)
	}
	switch {
	case must:
		p.disk.lists.later("", order)
		p.clearing, p.unsure = true, false
	case may:
		p.disk.lists.later("", order)
		p.unsure = true
	}
	s.m.attach(p, x, at.Link)
	s.welcome(c, conn, at)
	return true
}

func (s *sim) leave() bool {
	c := s.anyClient(func(c *simClient) bool { return c.conn != nil })
	if c == nil {
		return false
	}
	causes := []im.Cause{im.CauseClose, im.CauseBreak, im.CauseBreak, im.CauseSilence}
	s.leaveBy(c, causes[s.rng.IntN(len(causes))])
	return true
}

// leaveBy ends a connection; some of what waits may have come through.
func (s *sim) leaveBy(c *simClient, cause im.Cause) {
	c.conn.deliver(s.rng.IntN(len(c.conn.waits) + 1))
	s.lose(c, cause)
}

// lose ends a connection, with what waits.
func (s *sim) lose(c *simClient, cause im.Cause) {
	conn, x := c.conn, s.sitting(c)
	s.logf("%v %d leaves by %v", c.key, x.Inst, cause)
	c.conn, conn.gone = nil, true
	s.m.leave(x, conn.link, cause)
	leave := func() { s.e.Leave(c.key, x.Inst, conn.link, cause, conn.proof) }
	s.late = append(s.late, leave)
	deaf := s.store.deaf
	s.store.deaf = false // a connected account is in memory; one that ended need not be
	leave()
	s.store.deaf = deaf
}

// leaveLate tells the engine again of a connection that ended or was replaced.
func (s *sim) leaveLate() bool {
	if len(s.late) == 0 || s.depth > 0 {
		return false
	}
	i := s.rng.IntN(len(s.late))
	s.late[i]()
	s.late = slices.Delete(s.late, i, i+1)
	return true
}

// endOne ends a session, which may be away, or over already.
func (s *sim) endOne(cause im.Cause) bool {
	c := s.anyClient(func(c *simClient) bool {
		return cause == im.CauseLogout || c.conn != nil && s.m.wall/1000 > c.session.Expires
	})
	if c == nil {
		return false
	}
	return s.end(c, cause)
}

// end ends a client's session.
func (s *sim) end(c *simClient, cause im.Cause) bool {
	p, x := s.m.person(c.key), s.sitting(c)
	s.logf("%v of %v %d, closed by %v", cause, c.key, x.Inst, x.closed)
	conn, again := c.conn, x.closed != 0
	before := s.m.next()
	if s.m.touch(p); !again {
		s.m.end(p, x, cause)
		x.disk.add(cause, before)
	}
	p.disk.onDisk[x.Platform].await(before) // what this writes it waits for
	p.disk.words.await(before)
	began, online := s.m.next(), s.m.online(p)
	p.disk.onDisk[x.Platform].add(p.stands[x.Platform], began)
	if !online {
		p.disk.words.add("", began)
	}
	deaf := s.store.deaf
	s.store.deaf = false // or it would be refused, and nothing would happen
	_, err := s.op(c.key, func() error { return s.e.End(context.Background(), x.Session, cause) })
	s.store.deaf = deaf
	if err == nil {
		p.disk.onDisk[x.Platform].sure(began)
		x.disk.drop(0)
		if !online {
			p.disk.words.sure(began)
		}
	} else {
		s.excused("end", err)
		p.disk.onDisk[x.Platform].postpone(before, began)
		p.disk.words.postpone(before, began)
		x.disk.postpone(before, began)
	}
	if conn != nil && conn.ended == 0 {
		s.fail("C4", "session %d of %v ended and its connection was not told", x.Inst, c.key)
	}
	if cause == im.CauseLogout {
		c.conn = nil
	}
	return true
}

// order is an operator's about a user.
func (s *sim) order(how string) bool {
	k, p, free := s.anyone()
	if !free {
		return false
	}
	s.logf("%s of %v", how, k)
	run := map[string]func(context.Context, im.UserKey, string) error{"kick": s.e.Kick, "ban": s.e.Ban, "unban": s.e.Unban}[how]
	at, began := s.m.wall, s.m.next()
	var open []*sitting
	if how != "unban" {
		for _, x := range p.sessions {
			if x.closed == 0 {
				open = append(open, x)
				x.disk.add(im.CauseKickAdmin, began)
			}
		}
		for i := range p.disk.onDisk {
			p.disk.onDisk[i].add(stand{}, began)
		}
		p.disk.words.add("", began)
	}
	p.lifting = how == "unban"
	done := sync.OnceFunc(func() {
		if how != "unban" {
			p.revoked, p.banned = max(p.revoked, at/1000), p.banned || how == "ban"
			s.m.touch(p)
			s.thrown(p, open, began)
		}
	})
	s.orders = append(s.orders, pending{s.depth + 1, done})
	_, err := s.op(k, func() error { return run(context.Background(), k, "operator") })
	s.orders = s.orders[:len(s.orders)-1]
	p.lifting = false
	switch {
	case errors.Is(err, im.Err(im.CodeNoAccount)) && !p.account:
		return true
	case err != nil:
		return s.excused(how, err)
	case how == "unban":
		p.banned = false
		return true
	}
	done()
	return true
}

// thrown has an order end what a user has.
func (s *sim) thrown(p *person, open []*sitting, began int64) {
	s.m.throwOut(p)
	for _, x := range open {
		s.finished(p, x, im.CauseKickAdmin)
		x.disk.sure(began)
	}
	for i := range p.disk.onDisk {
		unread := p.disk.unread[i]
		kept := p.disk.onDisk[i].allows(unread)
		if p.disk.onDisk[i].only(stand{}); kept { // nothing that ended meanwhile stands against it
			p.disk.onDisk[i].add(unread, began)
		}
	}
	if !s.m.online(p) {
		p.disk.words.sure(began)
	}
}
