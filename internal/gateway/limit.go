package gateway

import (
	"hash/maphash"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/porchlight-im/porchlight/internal/im"
)

// limit bounds how often something happens in a window of time. The window
// begins with the first time and does not slide.
type limit struct {
	subject
	most   int
	window time.Duration
}

// subject is what a limit counts for.
type subject struct {
	name string // of the limit, as the metric has it
	app  im.AppID
	user im.UserID
	peer netip.Addr
}

// failures gives the limits on failed verifications that a login of the user
// falls under: none where the address is not known.
func (c *conn) failures(user im.UserKey) []limit {
	if !c.peer().IsValid() {
		return nil
	}
	lim := &c.g.lim
	return []limit{
		{subject{"verifications", user.App, user.User, c.peer()}, lim.VerifyFailures, lim.VerifyWindow},
		{subject{"verifications_peer", user.App, "", c.peer()}, lim.VerifyFailuresPeer, lim.VerifyWindow},
	}
}

// mayVerify refuses a login before its UserSig is looked at where too many have
// failed. [SE12]
func (c *conn) mayVerify(user im.UserKey) error {
	for _, l := range c.failures(user) {
		if c.g.counts.get(l, c.g.now()) >= l.most {
			return c.g.tooManyChecks(l)
		}
	}
	return nil
}

// countFailure counts a verification that failed and gives what to answer: err,
// unless others that failed meanwhile were the last that may be known.
func (c *conn) countFailure(user im.UserKey, err error) error {
	for _, l := range c.failures(user) {
		if c.g.counts.add(l, c.g.now()) > l.most {
			err = c.g.tooManyChecks(l)
		}
	}
	return err
}

func (g *Gateway) tooManyChecks(l limit) error {
	g.metrics.limited.WithLabelValues(l.name).Inc()
	return im.Errorf(im.CodeTooManyChecks, "%d failed verifications in %s; wait until that time is over", l.most, l.window)
}

func (g *Gateway) logins(user im.UserKey) limit {
	return limit{subject{name: "logins", app: user.App, user: user.User}, g.lim.UserLogins, g.lim.LoginsWindow}
}

// countLogin counts a login whose UserSig is good, and refuses one too many.
// [SE13]
func (g *Gateway) countLogin(user im.UserKey) error {
	l := g.logins(user)
	if g.counts.add(l, g.now()) <= l.most {
		return nil
	}
	g.metrics.limited.WithLabelValues(l.name).Inc()
	return im.Errorf(im.CodeLoginTooOften, "at most %d logins and logouts of one user in %s; wait a moment", l.most, l.window)
}

// countLogout counts the logout of a session that stands, as far as is
// remembered. Who holds one that is over must not be able to keep its user out.
func (g *Gateway) countLogout(s *session) {
	if s.cause() == im.CauseNone && g.memory.find(s.SessionID) == s {
		g.counts.add(g.logins(s.UserKey), g.now())
	}
}

// counts is how often what is limited has happened, by a hash of the subject
// whose seed no client knows. What is over is swept now and then: there is no
// timer. There are so many counts and no more; beyond that one of them is given
// up, for a limit must not keep out who is within it.
type counts struct {
	evicted atomic.Int64
	shards  [countShards]countShard
}

const (
	countShards = 64
	maxCounts   = 1 << 18 // in all
)

type countShard struct {
	mu     sync.Mutex // level 0; guards all below
	counts map[uint64]count
	swept  int64 // when there was last no room, Unix ms
}

// count is how often something happened in a window.
type count struct {
	end int64 // of the window, Unix ms
	n   int
}

// in gives the count if its window is under way. A window that ends later than
// one that begins now was begun before the clock was set back.
func (n count) in(window time.Duration, now int64) int {
	if now < n.end && n.end <= now+window.Milliseconds() {
		return n.n
	}
	return 0
}

func (c *counts) shard(s subject) (shard *countShard, key uint64) {
	key = maphash.Comparable(bodySeed, s)
	return &c.shards[key%countShards], key
}

// get gives how often it has happened in the window that is under way.
func (c *counts) get(l limit, now int64) int {
	s, key := c.shard(l.subject)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts[key].in(l.window, now)
}

// add counts once more, and gives how often that makes.
func (c *counts) add(l limit, now int64) int {
	s, key := c.shard(l.subject)
	s.mu.Lock()
	defer s.mu.Unlock()
	n, ok := s.counts[key]
	if !ok {
		c.makeRoomLocked(s, now)
	}
	if n.in(l.window, now) == 0 {
		n = count{end: now + l.window.Milliseconds()}
	}
	n.n++
	s.counts[key] = n
	return n.n
}

// makeRoomLocked makes room for one more count. A shard that stays full is
// swept once a second at most, so that a flood does not pay for it each time.
func (c *counts) makeRoomLocked(s *countShard, now int64) {
	if s.counts == nil {
		s.counts = make(map[uint64]count)
	}
	if len(s.counts) >= maxCounts/countShards && now/1000 != s.swept/1000 {
		s.swept = now
		s.sweepLocked(now)
	}
	for key := range s.counts {
		if len(s.counts) < maxCounts/countShards {
			return
		}
		delete(s.counts, key)
		c.evicted.Add(1)
	}
}

// forget drops the counts whose windows are over.
func (c *counts) forget(now int64) {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		s.sweepLocked(now)
		if len(s.counts) == 0 {
			s.counts = nil // a map keeps the memory of what was in it
		}
		s.mu.Unlock()
	}
}

func (s *countShard) sweepLocked(now int64) {
	for key, n := range s.counts {
		if n.end <= now {
			delete(s.counts, key)
		}
	}
}

// size gives how many counts there are.
func (c *counts) size() (n int) {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		n += len(s.counts)
		s.mu.Unlock()
	}
	return n
}
