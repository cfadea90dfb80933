package status_test

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/status"
)

// simClient is the client of one session, with what it believes of others.
type simClient struct {
	key      im.UserKey
	session  status.Session
	conn     *simConn // nil while it has none
	believes map[im.UserID]im.Status
}

// simConn is the server's end of a client's connection: what it takes waits until it
// is delivered, or dies with the connection.
type simConn struct {
	s        *sim
	client   *simClient
	link     uint64
	proof    int64 // all that changed before has surely been received, by the engine's clock
	ended    im.Cause
	gone     bool // the engine knows that it ended
	catching bool // what is told now may be known already
	waits    []*im.Notice
	told     map[im.UserID]im.Status  // what the client believes once it has received all
	versions map[im.UserID]im.Version // the highest that was told or answered
	said     map[im.UserID]im.Status  // with it
	own      im.Status
}

// connect makes a connection for a client.
func (s *sim) connect(c *simClient) *simConn {
	return &simConn{
		s: s, client: c, proof: s.e.Now(), catching: true,
		told: maps.Clone(c.believes), versions: map[im.UserID]im.Version{}, said: map[im.UserID]im.Status{},
	}
}

func (c *simConn) Told() int64 { return c.proof }

func (c *simConn) End(cause im.Cause) { c.ended = cause }

func (c *simConn) Forget(users []im.UserID) {
	c.waits = slices.DeleteFunc(c.waits, func(n *im.Notice) bool { return slices.Contains(users, n.User.User) })
}

// Others checks what it is told and keeps it [ST13, ST14].
func (c *simConn) Others(n *im.Notice) {
	s, who, u := c.s, c.client.key, n.User.User
	p := s.m.person(who)
	sure := !p.unsure && p.vague == 0 && !p.missed
	switch {
	case c.gone || c.ended != 0:
		s.fail("B4", "%v is told %s on a connection that ended", who, said(n))
	case n.User.App != who.App:
		s.fail("B5", "%v is told %s of another application", who, said(n))
	case s.m.muted[who.App]:
		s.fail("ST10", "%v is told %s while muted", who, said(n))
	case n.Version.Less(c.versions[u]) || n.Version == c.versions[u] && !c.catching:
		s.fail("A3", "%v is told %s after one of %v", who, said(n), c.versions[u])
	case n.Version == c.versions[u] && n.Status != c.said[u]:
		s.fail("A3", "%v is told %s after %v of the same version", who, said(n), c.said[u])
	case !sure: // of whom it hears
	case !slices.Contains(s.m.hears(who), u):
		s.fail("B1 B5", "%v is told %s and hears of %v", who, said(n), s.m.hears(who))
	case c.told[u] == n.Status && !c.catching:
		s.fail("A5", "%v is told %s again", who, said(n))
	case n.Prev != c.told[u] && !c.catching:
		s.fail("A5", "%v is told %s, as if it had known %v and not %v", who, said(n), n.Prev, c.told[u])
	}
	c.told[u], c.said[u], c.versions[u] = n.Status, n.Status, n.Version
	c.waits = append(c.waits, n)
}

// Own is Others for the user's own status.
func (c *simConn) Own(n *im.Notice) {
	switch {
	case c.gone || c.ended != 0:
		c.s.fail("B4", "%v is told %s on a connection that ended", c.client.key, said(n))
	case n.User != c.client.key:
		c.s.fail("B5", "%v is told %s as of itself", c.client.key, said(n))
	case n.Status == c.own:
		c.s.fail("A5", "%v is told %s again", c.client.key, said(n))
	}
	c.own = n.Status
}

// deliver hands the client the oldest of what waits.
func (c *simConn) deliver(n int) {
	for _, w := range c.waits[:n] {
		c.client.believes[w.User.User] = w.Status
	}
	c.waits = c.waits[n:]
}

// prove is a ping that is answered: all that was told has been received.
func (c *simConn) prove() {
	c.deliver(len(c.waits))
	c.proof = c.s.e.Now()
}

// learn has a client ask how some users stand whom it knows nothing of.
func (c *simConn) learn(users []im.UserID) {
	for _, u := range users {
		if _, known := c.told[u]; !known {
			c.told[u] = c.s.m.seen(c.client.key, u)
			c.client.believes[u] = c.told[u]
		}
	}
}

// unlearn has a user's clients forget whom they do not watch any more.
func (s *sim) unlearn(k im.UserKey, users []im.UserID) {
	for _, c := range s.clients {
		if c.key != k {
			continue
		}
		for _, u := range users {
			delete(c.believes, u)
			if c.conn != nil {
				delete(c.conn.told, u)
			}
		}
	}
}

// check holds what a connection was told against the truth: the user's own status
// and, where the application is not muted, that of everyone watched.
func (c *simConn) check() {
	s, who := c.s, c.client.key
	p := s.m.person(who)
	if want := s.m.status(who); c.own != want {
		s.fail("A10", "%v was told %v of itself, and is %v", who, c.own, want)
	}
	if p.unsure || p.vague > 0 || p.missed {
		return
	}
	hears := s.m.hears(who)
	newest := map[im.UserID]*im.Notice{}
	for _, n := range c.waits {
		newest[n.User.User] = n
	}
	for u, n := range newest {
		if !slices.Contains(hears, u) || n.Status.General != im.Unlogined && s.m.hides(u, who) {
			s.fail("B1 B5", "%v is yet to be told %s and hears of %v", who, said(n), hears)
		}
	}
	if s.m.muted[who.App] {
		return
	}
	for _, u := range hears {
		if want := s.m.seen(who, u); c.told[u] != want {
			s.fail("A2 A4", "%v was told %v of %s, who is %v", who, c.told[u], u, want)
		}
	}
}

func said(n *im.Notice) string { return fmt.Sprintf("%v %v at %v", n.User, n.Status, n.Version) }

func compareKeys(a, b im.UserKey) int {
	return cmp.Or(cmp.Compare(a.App, b.App), cmp.Compare(a.User, b.User))
}
