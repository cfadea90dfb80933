package gateway

import (
	"bytes"
	"context"
	"errors"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/status"
	"github.com/porchlight-im/porchlight/internal/usersig"
)

// session is what the gateway remembers of a session across its sockets: what
// was answered, so that a repeat gets the same answer, and how often it called.
// It is forgotten a while after its last socket; nothing that must be kept is
// here.
type session struct {
	status.Session        // set at start
	a2             uint64 // a hash of its A2Key, which is made of the above; set at start

	ended atomic.Uint32 // the im.Cause by which it is over, 0 while it stands
	gone  atomic.Int64  // when its last socket left, Unix ms, 0 while it has one
	conn  atomic.Pointer[conn]

	mu      sync.Mutex // level 0; guards all below
	windows [windows]window
	answers []answer

	latest atomic.Int64 // when the last of answers was given, Unix ms, 0 for none
}

func (s *session) cause() im.Cause { return im.Cause(s.ended.Load()) }

func (s *session) end(c im.Cause) { s.ended.CompareAndSwap(0, uint32(c)) }

func (s *session) joined(c *conn) {
	s.conn.Store(c)
	s.gone.Store(0)
}

func (s *session) left(c *conn, now int64) {
	if s.conn.CompareAndSwap(c, nil) {
		s.gone.Store(now)
	}
}

// a2Seed is of a hash that nobody outside can compute. That is enough to know an
// A2Key again on the very socket that has proved it.
var a2Seed = maphash.MakeSeed()

// a2Key gives a session's A2Key. It is not kept: it is as long as all else that is.
func (g *Gateway) a2Key(s status.Session) string {
	return g.cfg.Sealer.Seal(usersig.A2{
		App: s.App, User: s.User, Inst: s.Inst, Platform: s.Platform,
		KeyID: s.KeyID, Issued: s.Issued, Opened: s.Opened, Expires: s.Expires,
	})
}

// window counts calls from the first on; it does not slide, as the client's own
// does not.
type window struct {
	start int64 // Unix ms
	calls int
}

// The kinds of calls that are counted.
const (
	windowQuery = iota
	windowSubscribe
	windowUnsubscribe
	windows
	unlimited = -1
)

// count counts a call and reports whether it may pass.
func (s *session) count(kind int, now int64, length time.Duration, most int) bool {
	if kind == unlimited || most == 0 {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	w := &s.windows[kind]
	if now-w.start >= length.Milliseconds() || now < w.start {
		*w = window{start: now}
	}
	w.calls++
	return w.calls <= most
}

// answer is one that was given to a command that changes something or is
// counted; of the latter the payload is nil.
type answer struct {
	command, seq string
	body         uint64 // a hash of what was asked
	payload      []byte
}

var bodySeed = maphash.MakeSeed()

// The last few answers are remembered, unless one is very long.
const (
	answersKept = 8
	answerBytes = 4 << 10
)

// answered gives the answer to a command that has come before, word for word:
// a client that numbers all its commands alike must not be told of the last.
func (s *session) answered(command, seq string, body []byte) (payload []byte, again bool) {
	sum := maphash.Bytes(bodySeed, body)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.answers {
		if a.seq == seq && a.body == sum && a.command == command {
			return a.payload, true
		}
	}
	return nil, false
}

// remember keeps an answer that was given now, for a while.
func (s *session) remember(command, seq string, body, payload []byte, now int64) {
	if len(payload) > answerBytes || seq == "" {
		return
	}
	s.latest.Store(now)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.answers) >= answersKept {
		s.answers = append(s.answers[:0], s.answers[1:]...)
	}
	s.answers = append(s.answers, answer{command, seq, maphash.Bytes(bodySeed, body), bytes.Clone(payload)})
}

// forget drops the answers if they are old: a client repeats what it waits for,
// and it does not wait that long.
func (s *session) forget(now int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now-s.latest.Load() > memoryFor {
		s.answers = nil
		s.latest.Store(0)
	}
}

// memory holds the sessions that have or lately had a socket.
type memory struct {
	mu       sync.Mutex // level 0
	sessions map[im.SessionID]*session
	logins   map[uint64]*opening // by a hash of the request
}

// opening is a first login, under way or done.
type opening struct {
	user im.UserKey
	at   int64         // Unix ms
	done chan struct{} // closed when it is done
	s    *session      // set before that; nil where it failed
}

// void reports whether a repeat is a login in its own right: the first came to
// nothing, or its session ended otherwise than by another login.
func (o *opening) void() bool {
	return o.s == nil || o.s.cause() != im.CauseNone && !pushedOut(o.s.cause())
}

// pushedOut reports whether another login ended a session.
func pushedOut(c im.Cause) bool { return c == im.CauseKickSame || c == im.CauseKickOther }

// loginRequest gives a hash of what a first login and its repeat have in common:
// the user, the client's page or process, and the seq. It is 0, which is never a
// repeat, for a client that does not say which page it is.
func loginRequest(user im.UserKey, instance uint64, seq []byte) uint64 {
	if instance == 0 {
		return 0
	}
	return maphash.Comparable(bodySeed, struct {
		user          im.UserKey
		instance, seq uint64
	}{user, instance, maphash.Bytes(bodySeed, seq)}) | 1
}

// memoryFor is how long, in ms, a session without a socket is remembered, and an
// answer of one that has.
const memoryFor = 60_000

func (m *memory) init() {
	m.sessions = make(map[im.SessionID]*session)
	m.logins = make(map[uint64]*opening)
}

// open remembers a session, or gives the one that is remembered.
func (m *memory) open(s *session) *session {
	m.mu.Lock()
	defer m.mu.Unlock()
	if old := m.sessions[s.SessionID]; old != nil && old.Session == s.Session {
		return old
	}
	m.sessions[s.SessionID] = s
	return s
}

func (m *memory) find(id im.SessionID) *session {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.sessions[id]
}

// login gives the opening of the login that a request repeats, which it waits
// for, or own, which its caller then has to finish.
func (m *memory) login(ctx context.Context, k uint64, own *opening) (*opening, error) {
	for k != 0 {
		m.mu.Lock()
		first := m.logins[k]
		if first == nil || first.user != own.user {
			m.logins[k] = own
			first = own
		}
		m.mu.Unlock()
		if first == own {
			break
		}
		select {
		case <-first.done:
		case <-ctx.Done():
			return nil, im.Err(im.CodeServerTimeout)
		}
		if !first.void() {
			return first, nil
		}
		m.forgetLogin(k, first)
	}
	return own, nil
}

func (m *memory) forgetLogin(k uint64, o *opening) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.logins[k] == o {
		delete(m.logins, k)
	}
}

// forget drops the sessions that have had no socket for long, and old answers of
// the others.
func (m *memory) forget(now int64) {
	for _, s := range m.sift(now) {
		s.forget(now)
	}
}

// sift gives the sessions that have answers to forget.
func (m *memory) sift(now int64) (old []*session) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for id, s := range m.sessions {
		if gone := s.gone.Load(); gone != 0 && now-gone > memoryFor {
			delete(m.sessions, id)
		} else if latest := s.latest.Load(); latest != 0 && now-latest > memoryFor {
			old = append(old, s)
		}
	}
	for k, o := range m.logins {
		if now-o.at > memoryFor {
			delete(m.logins, k)
		}
	}
	return old
}

// count gives how many sessions have a socket.
func (m *memory) count() (live int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range m.sessions {
		if s.gone.Load() == 0 && s.cause() == im.CauseNone {
			live++
		}
	}
	return live
}

// authenticate gives the session of an a2, or says why there is none. Whatever
// the socket, the session must be of its application.
func (c *conn) authenticate(ctx context.Context, a2 string) (*session, error) {
	if s := c.session.Load(); s != nil && s.a2 == maphash.String(a2Seed, a2) {
		return s, c.stands(ctx, s)
	}
	s, err := c.known(a2)
	if err != nil {
		return nil, err
	}
	if err := c.stands(ctx, s); err != nil {
		return s, err
	}
	return s, c.g.cfg.Status.Check(ctx, s.Session)
}

// stands refuses a session that is known to be over, or whose UserSig or key
// is.
func (c *conn) stands(ctx context.Context, s *session) error {
	if cause := s.cause(); cause != im.CauseNone {
		return &status.Ended{Cause: cause}
	}
	a, err := c.g.cfg.Apps.Get(s.App)
	if err != nil {
		return err
	}
	if c.g.cfg.Now().Unix() > s.Expires || !a.Key(s.KeyID) {
		c.g.endSession(ctx, s, im.CauseExpiry)
		return &status.Ended{Cause: im.CauseExpiry}
	}
	return nil
}

// endSession ends a session by a cause that needs no answer.
func (g *Gateway) endSession(ctx context.Context, s *session, cause im.Cause) {
	s.end(cause)
	if err := g.cfg.Status.End(ctx, s.Session, cause); err != nil {
		g.cfg.Log.Error("end a session", "err", err, "user", s.User, "cause", cause.String())
	}
}

func fromA2(a usersig.A2, a2 string) *session {
	return &session{a2: maphash.String(a2Seed, a2), Session: status.Session{
		SessionID: im.SessionID{UserKey: im.UserKey{App: a.App, User: a.User}, Inst: a.Inst},
		Platform:  a.Platform, KeyID: a.KeyID, Issued: a.Issued, Opened: a.Opened, Expires: a.Expires,
	}}
}

// endedCause gives the cause where err says that a session is over.
func endedCause(err error) (im.Cause, bool) {
	var ended *status.Ended
	if errors.As(err, &ended) {
		return ended.Cause, true
	}
	return im.CauseNone, false
}
