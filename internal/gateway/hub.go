package gateway

import (
	"context"
	"encoding/binary"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gobwas/ws"

	"github.com/porchlight-im/porchlight/internal/im"
)

// hub holds all connections, for the sweeper and the drain.
type hub struct {
	count  atomic.Int64 // places taken: by connections, and by handshakes under way
	shards [hubShards]hubShard
}

const hubShards = 16

type hubShard struct {
	mu    sync.Mutex // level 0
	conns map[*conn]struct{}
	done  bool
}

func (h *hub) init() {
	for i := range h.shards {
		h.shards[i].conns = make(map[*conn]struct{})
	}
}

func (h *hub) shard(c *conn) *hubShard { return &h.shards[uint64(c.opened)%hubShards] }

// seat takes one of so many places; false says that all are taken. Places are
// taken before the handshake, so that many at once do not pass the last one.
func (h *hub) seat(places int) bool {
	if h.count.Add(1) <= int64(places) {
		return true
	}
	h.leave()
	return false
}

// leave gives a place back.
func (h *hub) leave() { h.count.Add(-1) }

// add takes in a connection that has a place; false says that the gateway is
// closing.
func (h *hub) add(c *conn) bool {
	s := h.shard(c)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.done {
		return false
	}
	s.conns[c] = struct{}{}
	return true
}

func (h *hub) remove(c *conn) {
	s := h.shard(c)
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.conns[c]; ok {
		delete(s.conns, c)
		h.leave()
	}
}

// close takes nobody in any more and gives all who are there.
func (h *hub) close() []*conn {
	var all []*conn
	for i := range h.shards {
		s := &h.shards[i]
		s.mu.Lock()
		s.done = true
		for c := range s.conns {
			all = append(all, c)
		}
		s.mu.Unlock()
	}
	return all
}

// pick gives the connections for which cond holds.
func (h *hub) pick(into []*conn, cond func(*conn) bool) []*conn {
	for i := range h.shards {
		s := &h.shards[i]
		s.mu.Lock()
		for c := range s.conns {
			if cond(c) {
				into = append(into, c)
			}
		}
		s.mu.Unlock()
	}
	return into
}

// forgetEvery is how often, in ms, old sessions are forgotten.
const forgetEvery = 10_000

// sweep looks at every connection once a second: one timer for all deadlines.
func (g *Gateway) sweep(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	var due []*conn
	forgot := g.now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := g.now()
		wall := g.cfg.Now().Unix()
		due = g.hub.pick(due[:0], func(c *conn) bool { return c.due(now) || c.expired(wall) != nil })
		var expired []*session
		for i, c := range due {
			if s := c.expired(wall); s != nil {
				expired = append(expired, s)
			}
			c.tend(now)
			due[i] = nil
		}
		g.endAll(expired, im.CauseExpiry)
		if now-forgot >= forgetEvery {
			g.memory.forget(now)
			g.counts.forget(now)
			forgot = now
		}
	}
}

// due reports whether tend has something to do.
func (c *conn) due(now int64) bool {
	until := c.until.Load()
	return until != 0 && until <= now || now >= c.deadAt() || now >= c.pinged.Load()+c.g.lim.Ping.Milliseconds() ||
		!c.good.Load() && now >= c.opened+c.g.lim.PreLogin.Milliseconds() || c.settling.Load() != 0
}

// deadAt gives when the client is lost if nothing more is heard.
func (c *conn) deadAt() int64 {
	dead := c.g.lim.DeadWeb
	if s := c.session.Load(); s != nil && s.Platform != im.Web {
		dead = c.g.lim.DeadNative
	}
	return c.heard.Load() + dead.Milliseconds()
}

// expired gives the session if it still stands and its UserSig is over at a Unix
// second of the wall clock.
func (c *conn) expired(wall int64) *session {
	if s := c.session.Load(); s != nil && s.cause() == im.CauseNone && wall > s.Expires {
		return s
	}
	return nil
}

// settleMost is how long, in ms, a client that has logged in is waited for.
const settleMost = 1000

// tend does what is due to a connection.
func (c *conn) tend(now int64) {
	if since := c.settling.Load(); since != 0 && now-since >= settleMost {
		c.settled()
	}
	switch until := c.until.Load(); {
	case until != 0 && until <= now && c.endCause() != im.CauseNone:
		_ = c.nc.Close() // it was sent a close and has not answered
	case until != 0 && until <= now:
		c.putOut()
	case now >= c.deadAt():
		c.setCause(im.CauseSilence)
		c.g.metrics.dropped.WithLabelValues("silence").Inc()
		_ = c.nc.Close()
	case !c.good.Load() && now >= c.opened+c.g.lim.PreLogin.Milliseconds():
		c.g.metrics.dropped.WithLabelValues("prelogin").Inc()
		c.shut(im.CauseBreak, ws.StatusPolicyViolation, "no good frame in time")
	case now >= c.pinged.Load()+c.g.lim.Ping.Milliseconds():
		c.ping(now)
	}
}

// slack is how much later, in ms, than a status changed its notice may come to
// an outbox: a crowd is told one by one.
const slack = 1000

// ping asks whether the client is there. Where no status waits for it, the ping
// carries the time before which nothing changed that is not written by now: the
// client has received it all when that comes back. That it was heard proves no
// such thing.
func (c *conn) ping(now int64) {
	c.pinged.Store(now)
	var proof []byte
	if c.out.statusless() {
		proof = binary.BigEndian.AppendUint64(nil, uint64(now-slack))
	}
	c.out.control(ws.OpPing, proof)
}

// ponged takes what a ping carried. A client that makes something up deceives
// itself alone.
func (c *conn) ponged(proof []byte) {
	if len(proof) != 8 {
		return
	}
	told := int64(binary.BigEndian.Uint64(proof))
	if told > c.told.Load() && told < c.g.now() {
		c.told.Store(told)
	}
}

// putOut closes the socket of a session that is over.
func (c *conn) putOut() {
	cause := im.CauseNone
	if s := c.session.Load(); s != nil {
		cause = s.cause()
	}
	switch cause {
	case im.CauseExpiry:
		c.shut(im.CauseBreak, ws.StatusPolicyViolation, "the UserSig has expired or its key was withdrawn; log in with a new one")
	case im.CauseKickAdmin:
		c.shut(im.CauseBreak, ws.StatusPolicyViolation, "an administrator ended the session")
		_ = c.nc.Close() // whether it answers the close or not
	default:
		c.shut(im.CauseBreak, ws.StatusPolicyViolation, "the session was ended and no logout came")
	}
}

// Connections gives how many sockets are open.
func (g *Gateway) Connections() int { return int(g.hub.count.Load()) }
