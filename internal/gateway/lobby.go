package gateway

import (
	"net/netip"
	"sync"

	"github.com/porchlight-im/porchlight/internal/im"
)

// lobby holds the sockets that have no session: never logged in, or logged out.
// They may stay for as long as they are heard, but not too many of them: the
// oldest makes room for the newest. What it does takes the same time however
// many there are, and a socket that is logged in costs nothing here. [SE14]
type lobby struct {
	mu    sync.Mutex // level 0; guards all below and every conn's guest
	all   queue
	peers map[netip.Addr]*queue // those whose address is known; none is empty
}

// guest is one socket in the lobby.
type guest struct {
	c    *conn
	link [2]link // in the queue of all, and in that of its address
}

// Which link belongs to which queue.
const (
	linkAll = iota
	linkPeer
)

// link is a guest's place in a queue: its neighbours there.
type link struct{ older, newer *guest }

// queue is a list of guests in the order in which they came.
type queue struct {
	oldest, newest *guest
	n              int
}

func (q *queue) push(x *guest, which int) {
	x.link[which] = link{older: q.newest}
	if q.newest != nil {
		q.newest.link[which].newer = x
	} else {
		q.oldest = x
	}
	q.newest = x
	q.n++
}

func (q *queue) remove(x *guest, which int) {
	at := x.link[which]
	if at.older != nil {
		at.older.link[which].newer = at.newer
	} else {
		q.oldest = at.newer
	}
	if at.newer != nil {
		at.newer.link[which].older = at.older
	} else {
		q.newest = at.older
	}
	q.n--
}

func (l *lobby) init() { l.peers = make(map[netip.Addr]*queue) }

// enter takes a socket in, unless it is in. Where that is one too many of its
// address, or in all, another one is out, and the reason says why.
func (l *lobby) enter(c *conn) (out *conn, reason string) {
	lim := &c.g.lim
	l.mu.Lock()
	defer l.mu.Unlock()
	if c.guest != nil {
		return nil, ""
	}
	c.guest = &guest{c: c}
	l.all.push(c.guest, linkAll)
	if c.peer().IsValid() {
		q := l.peers[c.peer()]
		if q == nil {
			q = &queue{}
			l.peers[c.peer()] = q
		}
		q.push(c.guest, linkPeer)
		if q.n > lim.PreLoginAddress {
			out, reason = q.oldest.c, "prelogin_address"
		}
	}
	if out == nil && l.all.n > lim.PreLoginSockets {
		out, reason = l.all.oldest.c, "prelogin_sockets"
	}
	if out != nil {
		l.removeLocked(out)
	}
	return out, reason
}

// leave takes a socket out, if it is in.
func (l *lobby) leave(c *conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c.guest != nil {
		l.removeLocked(c)
	}
}

func (l *lobby) removeLocked(c *conn) {
	l.all.remove(c.guest, linkAll)
	if q := l.peers[c.peer()]; q != nil {
		q.remove(c.guest, linkPeer)
		if q.n == 0 {
			delete(l.peers, c.peer())
		}
	}
	c.guest = nil
}

func (l *lobby) sockets() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.n
}

func (l *lobby) addresses() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.peers)
}

// admit puts a socket that has no session in the lobby and closes the one that
// makes room for it.
func (g *Gateway) admit(c *conn) {
	if c.session.Load() != nil {
		return
	}
	if out, reason := g.lobby.enter(c); out != nil {
		g.metrics.dropped.WithLabelValues(reason).Inc()
		out.shut(im.CauseBreak, tryAgainLater, "too many sockets without a login; this was the oldest")
	}
}
