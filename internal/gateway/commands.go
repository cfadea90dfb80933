package gateway

import (
	"context"
	"errors"

	"github.com/gobwas/ws"

	"github.com/porchlight-im/porchlight/internal/app"
	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/wire"
)

// call is one command being carried out.
type call struct {
	c    *conn
	req  *wire.Request
	app  *app.App
	sess *session // nil where the command needs none
	now  int64    // Unix seconds, for the answer's head
}

// need says who may give a command.
type need uint8

const (
	anyone  need = iota // logged in or not
	member              // a session that stands
	statusy             // the same, where the application has user status
)

// command is a row of the table: what must hold, and who serves it.
type command struct {
	need     need
	window   int  // which limited kind it is, or unlimited
	changing bool // a repeat gets the first answer
	itself   bool // the client gives it by itself, and takes no error well
	own      bool // about oneself alone it needs no switch and is not counted [ST34]
	serve    func(context.Context, *call) ([]byte, error)
}

// commands is the table of all that is served. What is not in it is answered
// with CodeNoResource.
var commands = map[string]command{
	wire.CmdHeartbeat: {need: anyone, window: unlimited, serve: heartbeat},
	wire.CmdTelemetry: {need: anyone, window: unlimited, serve: acknowledge},
	wire.CmdPushAck:   {need: anyone, window: unlimited, serve: acknowledge},
	wire.CmdLogin:     {need: anyone, window: unlimited, serve: login},
	wire.CmdLogout:    {need: anyone, window: unlimited, serve: logout},
	wire.CmdHello:     {need: member, window: unlimited, itself: true, serve: acknowledge},

	wire.CmdSetStatus:   {need: member, window: unlimited, changing: true, serve: setStatus},
	wire.CmdGetStatus:   {need: statusy, window: windowQuery, own: true, serve: getStatus},
	wire.CmdSubscribe:   {need: statusy, window: windowSubscribe, changing: true, serve: subscribe},
	wire.CmdUnsubscribe: {need: statusy, window: windowUnsubscribe, changing: true, serve: unsubscribe},

	wire.CmdProfileGet:     start(getProfiles),
	wire.CmdFriendGet:      start(getFriends),
	wire.CmdFriendGroupGet: start(getFriendGroups),
	wire.CmdPendencyGet:    start(getApplications),
	wire.CmdBlacklistGet:   start(getBlacklist),

	wire.CmdProfileSet:       alters(setProfile),
	wire.CmdFriendSome:       {need: member, window: unlimited, serve: getSomeFriends},
	wire.CmdFriendCheck:      {need: member, window: unlimited, serve: checkFriends},
	wire.CmdFriendAdd:        alters(addFriends),
	wire.CmdFriendUpdate:     alters(updateFriends),
	wire.CmdFriendDelete:     alters(deleteFriends),
	wire.CmdFriendRespond:    alters(respond),
	wire.CmdPendencyDelete:   alters(dropApplications),
	wire.CmdPendencyReport:   alters(seeApplications),
	wire.CmdFriendGroupAdd:   alters(makeFriendGroups),
	wire.CmdFriendGroupDrop:  alters(dropFriendGroups),
	wire.CmdFriendGroupAlter: alters(alterFriendGroup),
	wire.CmdBlacklistAdd:     alters(block),
	wire.CmdBlacklistDelete:  alters(unblock),
	wire.CmdBlacklistCheck:   {need: member, window: unlimited, serve: checkBlacklist},

	wire.CmdConversations: start(fixed(wire.Conversations{Answer: wire.OK(), CompleteFlag: 1})),
	wire.CmdContactGroups: start(fixed(wire.ContactGroups{Answer: wire.OK(), CompleteFlag: 1})),
	wire.CmdGroups:        start(fixed(wire.Groups{Answer: wire.OK()})),
	wire.CmdCommunities:   start(fixed(wire.Groups{Answer: wire.OK()})),
	wire.CmdMessages:      start(fixed(wire.Messages{Answer: wire.OK(), SyncFlag: 2})),
	wire.CmdConfig:        start(getConfig),
	wire.CmdAbilities:     start(getAbilities),
}

// start gives the row of a command that the client asks by itself as it starts.
func start(serve func(context.Context, *call) ([]byte, error)) command {
	return command{need: member, window: unlimited, itself: true, serve: serve}
}

// alters gives the row of a command that changes something of its session's user.
func alters(serve func(context.Context, *call) ([]byte, error)) command {
	return command{need: member, window: unlimited, changing: true, serve: serve}
}

// dispatch carries a request out and answers it. An error ends the connection.
func (c *conn) dispatch(ctx context.Context, req *wire.Request) error {
	name := req.Head.Command
	cmd, served := commands[name]
	if !c.withinRate(name) {
		return c.slowDown(req)
	}
	if req.Head.A2 == "" && (!served || cmd.need != anyone) {
		// Not by the code that ends a session: a client whose session has just ended
		// may still be starting, and takes that for the end of the next one.
		c.refuse(req, im.Errorf(im.CodeNotLoggedIn, "log in before any other command"))
		return nil
	}
	if !served {
		cmd = command{need: member, window: unlimited, serve: unserved}
	}
	k := &call{c: c, req: req, now: c.g.cfg.Now().Unix()}
	c.good.Store(true)
	payload, err := c.carryOut(ctx, cmd, k)
	defer c.settle(name, cmd)
	if err != nil {
		c.answerError(k, err)
		return nil
	}
	c.g.metrics.commands.WithLabelValues(label(name)).Inc()
	if payload != nil {
		c.reply(payload)
	}
	return nil
}

// withinRate reports whether the connection may give one more command. A
// heartbeat has twice the room, so that a busy client is not taken for dead.
func (c *conn) withinRate(name string) bool {
	burst := c.g.lim.CommandBurst
	if name == wire.CmdHeartbeat {
		burst *= 2
	}
	return c.rate.allow(c.g.nanos(), int64(1e9/c.g.lim.CommandRate), burst)
}

// slowDown refuses a command over the rate. A client that does not heed that
// loses its socket.
func (c *conn) slowDown(req *wire.Request) error {
	c.g.metrics.limited.WithLabelValues("connection").Inc()
	if c.over++; int(c.over) > c.g.lim.Refusals {
		c.g.metrics.dropped.WithLabelValues("commands").Inc()
		c.shut(im.CauseBreak, ws.StatusPolicyViolation, "too many requests on this connection")
		return c.leaveUnread()
	}
	c.refuse(req, im.Err(im.CodeUserRate))
	return nil
}

// label gives the command's name for a metric: clients must not make up new
// ones.
func label(name string) string {
	if _, served := commands[name]; served {
		return name
	}
	return "unserved"
}

// carryOut checks a command's preconditions and serves it. A nil payload says
// that it has been answered already.
func (c *conn) carryOut(ctx context.Context, cmd command, k *call) ([]byte, error) {
	if cmd.need == anyone {
		return cmd.serve(ctx, k)
	}
	s, err := c.authenticate(ctx, k.req.Head.A2)
	if cause, over := endedCause(err); over && s != nil {
		err = afterEnd(k.req.Head.Command, cmd, cause)
	}
	if err != nil {
		return nil, c.later(cmd, err)
	}
	k.sess = s
	if k.app, err = c.g.cfg.Apps.Get(s.App); err != nil {
		return nil, c.later(cmd, err)
	}
	name, seq := k.req.Head.Command, string(k.req.Head.Seq)
	before, again := s.answered(name, seq, k.req.Body)
	if again && cmd.changing {
		return before, nil
	}
	if cmd.own && k.aboutOneself() {
		return cmd.serve(ctx, k)
	}
	set := &k.app.Settings
	if cmd.need == statusy && (!set.StatusEdition || !set.StatusOn) {
		if !set.StatusEdition {
			return nil, im.Err(im.CodeEdition)
		}
		return nil, im.Err(im.CodeStatusOff)
	}
	if !again && !s.count(cmd.window, c.g.now(), set.CallsWindow, set.CallsPerWindow) {
		c.g.metrics.limited.WithLabelValues("calls").Inc()
		return nil, im.Errorf(im.CodeTooOften, "at most %d calls in %s; slow down", set.CallsPerWindow, set.CallsWindow)
	}
	if cmd.changing {
		ctx = c.caller(ctx, s.Platform)
	}
	payload, err := cmd.serve(ctx, k)
	switch {
	case err != nil:
		return nil, err
	case cmd.changing:
		s.remember(name, seq, k.req.Body, payload, c.g.now())
	case cmd.window != unlimited:
		s.remember(name, seq, k.req.Body, nil, c.g.now()) // not to be counted again
	}
	return payload, nil
}

// later closes the socket where a client asks something by itself of an
// application that is disabled: any answer would be a lie, or an error that
// nobody can catch [WI18]. Every other error it gives back.
func (c *conn) later(cmd command, err error) error {
	if !cmd.itself || !errors.Is(err, im.Err(im.CodeAppDisabled)) {
		return err
	}
	c.shut(im.CauseBreak, tryAgainLater, im.CodeAppDisabled.Text())
	return nil
}

// afterEnd says how a command of a session that is over is answered. What the
// client asks by itself as it starts is served: it takes an error there for a
// fault of the application. A kick has been told, and a logout is known; of
// anything else the next command tells, by the code that ends a session.
func afterEnd(name string, cmd command, cause im.Cause) error {
	told := wire.KickType(cause) != 0 || cause == im.CauseLogout
	switch {
	case cmd.itself && (told || name != wire.CmdHello):
		return nil
	case told:
		return im.Err(im.CodeNotLoggedIn)
	default:
		return im.Err(im.CodeSigExpired)
	}
}

// answerError is the one place where an error becomes an answer, and where what
// a caller cannot act on is logged.
func (c *conn) answerError(k *call, err error) {
	refusal, known := im.Refusal(err)
	if !known {
		c.g.cfg.Log.Error("serve a command", "command", k.req.Head.Command, "app", c.app, "err", err)
	}
	c.refuse(k.req, refusal)
}

// settle lets the first statuses out once a client that has just logged in shows
// that it is ready to hear of them: by a command that is not of its start, or by
// the last one that is. In a browser that comes some time after the login's
// answer, and an application expects no event before.
func (c *conn) settle(name string, cmd command) {
	if c.settling.Load() != 0 && name != wire.CmdLogin && (cmd.need != anyone && !cmd.itself || name == wire.CmdCommunities) {
		c.settled()
	}
}

func (c *conn) settled() {
	if c.settling.Swap(0) != 0 {
		c.out.release()
	}
}

// refuse answers a request with a refusal.
func (c *conn) refuse(req *wire.Request, refusal *im.Error) {
	c.g.metrics.failures.WithLabelValues(refusal.Code.String()).Inc()
	c.reply(wire.AppendFailure(nil, req.Head.Command, req.Head.Seq, c.g.cfg.Now().Unix(), refusal))
}

// acknowledge answers that a command came. Nothing more is asked of it:
// heartbeats and hellos are only to be heard, and telemetry is not kept.
func acknowledge(_ context.Context, k *call) ([]byte, error) {
	return wire.AppendOK(nil, k.req.Head.Command, k.req.Head.Seq, k.now), nil
}

// heartbeat is acknowledge, but tells of a UserSig that is over: it is what a
// client sends first on a socket, and the one command that it takes a refusal of
// without a complaint.
func heartbeat(ctx context.Context, k *call) ([]byte, error) {
	if s := k.c.session.Load(); s != nil && s.cause() == im.CauseExpiry {
		return nil, im.Err(im.CodeSigExpired)
	}
	return acknowledge(ctx, k)
}

// unserved refuses a command that is not in the table.
func unserved(_ context.Context, k *call) ([]byte, error) {
	k.c.g.metrics.unserved.Inc()
	return nil, im.Err(im.CodeNoResource)
}

// fixed answers with the same body always. The lists it is used for are of
// capabilities that the server has not got: nobody has any groups, conversations
// or messages here, so an empty list is the whole truth.
func fixed(body any) func(context.Context, *call) ([]byte, error) {
	return func(_ context.Context, k *call) ([]byte, error) {
		return wire.AppendAnswer(nil, k.req.Head.Command, k.req.Head.Seq, k.now, body), nil
	}
}
