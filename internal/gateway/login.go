package gateway

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"hash/maphash"
	"strconv"

	"github.com/gobwas/ws"

	"github.com/porchlight-im/porchlight/internal/app"
	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/status"
	"github.com/porchlight-im/porchlight/internal/usersig"
	"github.com/porchlight-im/porchlight/internal/wire"
)

// login serves the first login, by UserSig, and every return, by A2Key.
func login(ctx context.Context, k *call) ([]byte, error) {
	defer k.c.g.admit(k.c) // where it fails after the socket has left another session
	if k.req.Head.A2 != "" {
		return nil, k.comeBack(ctx)
	}
	err := k.logIn(ctx)
	result := "ok"
	if err != nil {
		refusal, _ := im.Refusal(err)
		result = refusal.Code.String()
	}
	k.c.g.metrics.logins.WithLabelValues(result).Inc()
	return nil, err
}

// logIn verifies a UserSig, opens a session and answers.
func (k *call) logIn(ctx context.Context) error {
	g, head := k.c.g, &k.req.Head
	if k.c.app == 0 {
		return im.Err(im.CodeNoAppID)
	}
	a, err := g.cfg.Apps.Get(k.c.app)
	if err != nil {
		return err
	}
	k.app = a
	user := im.UserKey{App: a.ID, User: im.UserID(head.Identifier)}
	switch {
	case head.AppID != int64(a.ID):
		return im.Err(im.CodeSigOtherApp)
	case !user.User.Valid():
		return im.Err(im.CodeInvalidUserID)
	}
	sig, err := k.verify(user)
	if err != nil {
		return err
	}
	request := loginRequest(user, k.c.instance, head.Seq)
	own := &opening{user: user, at: g.now(), done: make(chan struct{})}
	first, err := g.memory.login(ctx, request, own)
	switch {
	case err != nil:
		return err
	case first != own:
		return k.repeat(ctx, first.s)
	}
	defer close(own.done)
	if err := g.countLogin(user); err != nil {
		return err
	}
	return k.open(ctx, user, sig, own)
}

// repeat returns to the session that a first login opened which came before.
func (k *call) repeat(ctx context.Context, s *session) error {
	err := k.resume(ctx, s)
	if cause, over := endedCause(err); over && pushedOut(cause) {
		k.turnAway(s, cause)
		return nil
	}
	return err
}

// verify verifies the UserSig, unless too many have failed lately.
func (k *call) verify(user im.UserKey) (usersig.Sig, error) {
	g, a := k.c.g, k.app
	if err := k.c.mayVerify(user); err != nil {
		return usersig.Sig{}, err
	}
	sig, err := usersig.Verify(k.req.Head.UserSig, usersig.Want{
		App: a.ID, User: user.User, Keys: a.Keys, Now: g.cfg.Now(),
		Skew: g.lim.Skew, MaxLife: a.Settings.MaxTokenLife, MaxEncoded: g.lim.TokenBytes, MaxInflated: g.lim.TokenInflated,
	})
	if err != nil {
		return sig, k.c.countFailure(user, err)
	}
	return sig, nil
}

// open opens a session with a UserSig that was found good.
func (k *call) open(ctx context.Context, user im.UserKey, sig usersig.Sig, own *opening) error {
	g := k.c.g
	old, leaves := k.c.leaveFor(user)
	k.c.out.hold()
	defer k.c.out.release()
	platform := wire.PlatformOf(k.req.Head.Platform)
	_, err := g.cfg.Status.Login(k.c.caller(ctx, platform), status.Login{
		User: user, Platform: platform, KeyID: sig.KeyID,
		Issued: sig.Issued, Expires: min(sig.Expires, farAway), Policy: policyOf(k.app), Out: k.c, Leaves: leaves,
		Bound: func(at status.Attached) { k.opened(at, own) },
	}, newInst())
	if err != nil && old != nil { // where the engine has not come as far
		g.cfg.Status.Leave(user, old.Inst, leaves, im.CauseClose, k.c.told.Load())
	}
	return err
}

// opened remembers a session that was opened and answers.
func (k *call) opened(at status.Attached, own *opening) {
	g, user := k.c.g, at.Session.UserKey
	g.cfg.Accounts.Learn(user)
	s := g.memory.open(&session{Session: at.Session, a2: maphash.String(a2Seed, g.a2Key(at.Session))})
	own.s = s
	if k.c.settling.CompareAndSwap(0, g.now()) {
		k.c.out.hold() // until it has settled
	}
	k.bind(s, at)
}

// comeBack puts the socket beneath a session that stands. The client swallows
// any refusal but that of a session that is over; so if something else is wrong
// its socket is closed, and it comes again.
func (k *call) comeBack(ctx context.Context) error {
	g := k.c.g
	s, err := k.c.known(k.req.Head.A2)
	if err == nil {
		k.app, err = g.cfg.Apps.Get(s.App)
	}
	if err == nil {
		err = k.c.stands(ctx, s)
	}
	if err == nil {
		err = k.resume(ctx, s)
	}
	cause, over := endedCause(err)
	switch {
	case over && wire.KickType(cause) != 0:
		g.metrics.returns.WithLabelValues("kicked").Inc()
		k.turnAway(s, cause)
		return nil
	case over && s != nil && cause != im.CauseLogout:
		g.metrics.returns.WithLabelValues("over").Inc()
		k.turnAway(s, im.CauseExpiry)
		k.c.lingerUntil(g.now() + g.lim.KickLinger.Milliseconds()) // the next command tells it
		return nil
	case err == nil:
		g.metrics.returns.WithLabelValues("ok").Inc()
		return nil
	case over || errors.Is(err, im.Err(im.CodeSigExpired)):
		g.metrics.returns.WithLabelValues("over").Inc()
		return err
	}
	g.metrics.returns.WithLabelValues("error").Inc()
	if _, known := im.Refusal(err); !known {
		g.cfg.Log.Error("return to a session", "err", err, "app", k.c.app)
	}
	k.c.shut(im.CauseBreak, tryAgainLater, "the session cannot be looked up now; come again")
	return nil
}

// turnAway lets in a session that ended while it was away, so that it can be told
// as it would have been on the spot: to any refusal of its login the client would
// add an error that the application cannot catch.
func (k *call) turnAway(s *session, cause im.Cause) {
	told := k.c.session.Load() == s // on the socket on which it comes again
	k.c.unbind(im.CauseClose)
	s.end(cause)
	k.bind(s, status.Attached{})
	if cause != im.CauseExpiry && !told {
		k.c.End(cause)
	}
}

// resume binds the socket to a session that it returns to, and answers.
func (k *call) resume(ctx context.Context, s *session) error {
	g := k.c.g
	if k.c.session.Load() != s {
		k.c.unbind(im.CauseClose)
	}
	k.c.out.hold()
	defer k.c.out.release()
	_, err := g.cfg.Status.Return(k.c.caller(ctx, s.Platform), s.Session, k.c, func(at status.Attached) { k.bind(g.memory.open(s), at) })
	return err
}

// bind makes the socket its session's, and answers the login. Where the session
// stands it is called in its account's turn, so that nothing can end it before.
func (k *call) bind(s *session, at status.Attached) {
	k.c.link = at.Link
	k.c.told.Store(at.Since)
	if s.cause() == im.CauseNone && k.c.endCause() == im.CauseNone {
		k.c.until.Store(0) // the end of the session before it is no end of this one
	}
	k.c.g.lobby.leave(k.c)
	k.c.session.Store(s)
	s.joined(k.c)
	lim := &k.c.g.lim
	k.c.reply(wire.AppendAnswer(nil, wire.CmdLogin, k.req.Head.Seq, k.now, wire.LoggedIn{
		Answer:        wire.OK(),
		A2Key:         k.c.g.a2Key(s.Session),
		TinyID:        strconv.FormatInt(at.TinyID, 10),
		InstID:        uint32(s.Inst),
		HelloInterval: int(lim.Hello.Seconds()),
		ExpireTime:    s.Expires - k.now,
		TimeStamp:     k.now,
		CustomStatus:  []byte(at.Custom),
		PurchaseBits:  abilities(k.app),
	}))
}

// leaveFor takes the socket from its session, since one that logs in anew on a
// socket has left what it was there. Where that was of the same user, it is
// given with its link, for the engine to take away as the newcomer comes.
func (c *conn) leaveFor(user im.UserKey) (old *session, link uint64) {
	old = c.session.Load()
	if old == nil || old.UserKey != user {
		c.unbind(im.CauseClose)
		return nil, 0
	}
	c.forget(old)
	return old, c.link
}

// known gives the session of an a2 whose seal is good and which is of the
// socket's application. It may be over.
func (c *conn) known(a2 string) (*session, error) {
	a, err := c.g.cfg.Sealer.Open(a2)
	if err != nil {
		return nil, err
	}
	if a.App != c.app {
		return nil, im.Err(im.CodeSigExpired)
	}
	s := fromA2(a, a2)
	if old := c.g.memory.find(s.SessionID); old != nil && old.Session == s.Session {
		return old, nil
	}
	return s, nil
}

// logout ends the session and commits that. With a session that is over it is
// answered as done, since it is: any other answer would tell the client of an
// end it has not asked for.
func logout(ctx context.Context, k *call) ([]byte, error) {
	ok := wire.AppendOK(nil, k.req.Head.Command, k.req.Head.Seq, k.now)
	if k.req.Head.A2 == "" {
		return ok, nil
	}
	s, err := k.c.known(k.req.Head.A2)
	if err != nil {
		return ok, nil //nolint:nilerr // no such session: it is over
	}
	if bound := k.c.session.Load(); bound == s {
		defer k.c.forget(s)
		if k.c.endCause() == im.CauseNone {
			defer k.c.until.Store(0) // a kicked session's socket stays, logged out
		}
	}
	k.c.g.countLogout(s)
	s.end(im.CauseLogout)
	// Also where it is over: OK says that it is so for good, and whoever ended it
	// may not have committed that yet.
	if err := k.c.g.cfg.Status.End(k.c.caller(ctx, s.Platform), s.Session, im.CauseLogout); err != nil {
		return nil, err
	}
	k.c.g.metrics.logouts.Inc()
	return ok, nil
}

// forget takes a session that is over from its socket, which stays.
func (c *conn) forget(s *session) {
	if c.session.CompareAndSwap(s, nil) {
		s.left(c, c.g.now())
		c.g.admit(c)
	}
}

func policyOf(a *app.App) status.Policy {
	s := &a.Settings
	return status.Policy{Policy: s.Login, PerNative: s.NativeSessions, PerWeb: s.WebSessions}
}

// tryAgainLater is the close code of RFC 6455's registry for an overload.
const tryAgainLater ws.StatusCode = 1013

// farAway bounds the expiry that is kept of a UserSig, Unix seconds.
const farAway = 1 << 40

// newInst gives a number for a session, at random and never 0. Clients hold it
// in 31 bits.
func newInst() im.InstID {
	var b [4]byte
	_, _ = rand.Read(b[:]) // it never fails
	return im.InstID(binary.LittleEndian.Uint32(b[:])&0x7fff_ffff | 1)
}
