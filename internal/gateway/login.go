package gateway

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
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
	if s := g.memory.repeated(request, user); s != nil {
		return k.resume(ctx, s)
	}
	if err := g.countLogin(user); err != nil {
		return err
	}
	return k.open(ctx, user, sig, request)
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
func (k *call) open(ctx context.Context, user im.UserKey, sig usersig.Sig, request uint64) error {
	g := k.c.g
	k.c.unbind(im.CauseClose) // one that logs in anew on a socket has left what it was there
	k.c.out.hold()
	defer k.c.out.release()
	at, err := g.cfg.Status.Login(ctx, status.Login{
		User: user, Platform: wire.PlatformOf(k.req.Head.Platform), KeyID: sig.KeyID,
		Issued: sig.Issued, Expires: min(sig.Expires, farAway), Policy: policyOf(k.app), Out: k.c,
	}, newInst())
	if err != nil {
		return err
	}
	g.cfg.Accounts.Learn(user)
	ses := at.Session
	s := g.memory.open(&session{Session: ses, a2: g.cfg.Sealer.Seal(usersig.A2{
		App: user.App, User: user.User, Inst: ses.Inst, Platform: ses.Platform,
		KeyID: ses.KeyID, Issued: ses.Issued, Opened: ses.Opened, Expires: ses.Expires,
	})})
	g.memory.login(request, s)
	if k.c.settling.CompareAndSwap(false, true) {
		k.c.out.hold() // until it has settled
	}
	k.bind(s, at)
	return nil
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
		k.c.End(cause)
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
	k.c.unbind(im.CauseClose)
	s.end(cause)
	k.bind(s, status.Attached{})
}

// resume binds the socket to a session that it returns to, and answers.
func (k *call) resume(ctx context.Context, s *session) error {
	g := k.c.g
	if k.c.session.Load() != s {
		k.c.unbind(im.CauseClose)
	}
	k.c.out.hold()
	defer k.c.out.release()
	at, err := g.cfg.Status.Return(ctx, s.Session, k.c)
	if err != nil {
		return err
	}
	k.bind(g.memory.open(s), at)
	return nil
}

// bind makes the socket its session's, and answers the login.
func (k *call) bind(s *session, at status.Attached) {
	k.c.link = at.Link
	k.c.told.Store(at.Since)
	if k.c.endCause() == im.CauseNone {
		k.c.until.Store(0) // the end of the session before it is no end of this one
	}
	k.c.g.lobby.leave(k.c)
	k.c.session.Store(s)
	s.joined(k.c)
	lim := &k.c.g.lim
	k.c.reply(wire.AppendAnswer(nil, wire.CmdLogin, k.req.Head.Seq, k.now, wire.LoggedIn{
		Answer:        wire.OK(),
		A2Key:         s.a2,
		TinyID:        strconv.FormatInt(at.TinyID, 10),
		InstID:        uint32(s.Inst),
		HelloInterval: int(lim.Hello.Seconds()),
		ExpireTime:    s.Expires - k.now,
		TimeStamp:     k.now,
		CustomStatus:  []byte(at.Custom),
		PurchaseBits:  abilities(k.app),
	}))
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
	if old := c.g.memory.find(s.SessionID); old != nil && old.a2 == a2 {
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
	if err := k.c.g.cfg.Status.End(ctx, s.Session, im.CauseLogout); err != nil {
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
