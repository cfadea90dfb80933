package testkit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/porchlight-im/porchlight/internal/account"
	"github.com/porchlight-im/porchlight/internal/app"
	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/server"
	"github.com/porchlight-im/porchlight/internal/status"
	"github.com/porchlight-im/porchlight/internal/store"
	"github.com/porchlight-im/porchlight/internal/wire"
)

// engineStage plays a scenario on the status engine and a store, without
// sockets: what the gateway would do when nothing is heard or a UserSig expires,
// it does itself.
type engineStage struct {
	t      *testing.T
	cfg    server.Config
	circle *Circle
	set    app.Settings
	rows   map[string]string // the settings that were set
	store  *mortalStore
	engine *status.Engine
	run    uint64 // how many engines there have been
	stop   func()
	actors map[*actor]bool
}

const engineApp im.AppID = 1400000001

// engineEnd is a session of a device on the engine, and its connection as the
// engine sees it.
type engineEnd struct {
	session status.Session
	link    uint64 // 0 while it has no connection
	run     uint64 // of which engine

	mu    sync.Mutex // level 0; guards all below
	got   []toldStatus
	ended im.Cause
}

// Others takes a notice about someone else.
func (o *engineEnd) Others(n *im.Notice) { o.take(n) }

// Own takes a notice about the device's own user.
func (o *engineEnd) Own(n *im.Notice) { o.take(n) }

func (o *engineEnd) take(n *im.Notice) {
	o.mu.Lock()
	defer o.mu.Unlock()
	text := strings.TrimSpace(n.Status.General.String() + " " + n.Status.Custom)
	o.got = append(o.got, toldStatus{user: string(n.User.User), text: text, version: n.Version})
}

// Forget has nothing to do: what was taken was received.
func (o *engineEnd) Forget([]im.UserID) {}

// Told gives the time of now, for the same reason.
func (o *engineEnd) Told() int64 { return time.Now().UnixMilli() }

// End keeps why the session ended.
func (o *engineEnd) End(c im.Cause) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ended = c
}

func (o *engineEnd) cause() im.Cause {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.ended
}

// mortalStore is a store whose process can die: it writes nothing then.
type mortalStore struct {
	*store.Store
	dead atomic.Bool
}

var errDead = errors.New("the process has ended")

// SaveLive writes unless the process has ended.
func (s *mortalStore) SaveLive(ctx context.Context, marks []im.Mark, customs []im.CustomRow) error {
	if s.dead.Load() {
		return errDead
	}
	return s.Store.SaveLive(ctx, marks, customs)
}

// CloseSessions writes unless the process has ended.
func (s *mortalStore) CloseSessions(
	ctx context.Context, key im.UserKey, ended []im.SessionRow, marks []im.Mark, customs ...im.CustomRow,
) error {
	if s.dead.Load() {
		return errDead
	}
	return s.Store.CloseSessions(ctx, key, ended, marks, customs...)
}

func newEngineStage(t *testing.T, given []string) stage {
	t.Helper()
	cfg, err := server.LoadConfig("", nil, given)
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	st, err := store.Open(ctx, store.Config{Path: filepath.Join(t.TempDir(), "porchlight.db"), Gather: cfg.Store.Gather})
	if err != nil {
		t.Fatal(err)
	}
	g := &engineStage{
		t: t, cfg: cfg, circle: NewCircle(), store: &mortalStore{Store: st}, actors: make(map[*actor]bool),
		rows: map[string]string{"login.policy": "multi", "login.native_sessions": "3", "login.web_sessions": "10"},
	}
	if err := st.CreateApp(ctx, DevApp(g.rows)); err != nil {
		t.Fatal(err)
	}
	g.start()
	return g
}

// start starts an engine on what the store holds.
func (g *engineStage) start() {
	g.t.Helper()
	ctx := context.Background()
	epoch, err := g.store.NextEpoch(ctx, time.Now())
	if err != nil {
		g.t.Fatal(err)
	}
	rev, err := g.store.LastRev(ctx)
	if err != nil {
		g.t.Fatal(err)
	}
	g.engine = status.New(status.Config{
		Store: g.store, Lists: g.store, Orders: g.store, Accounts: account.New(g.store), Encode: wire.Encode,
		Friends: g.circle, Blocks: g.circle,
		Rules: g.cfg.Rules(), Retention: g.cfg.Status.WatchRetention, Epoch: epoch, Rev: rev, Log: slog.New(slog.DiscardHandler),
	})
	g.run++
	g.circle.Serve(g.engine, engineApp)
	if err := g.engine.Restore(ctx); err != nil {
		g.t.Fatal(err)
	}
	g.settle(nil)
	running, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() { defer close(done); _ = g.engine.Run(running) }() // it has no error to give
	g.stop = func() { cancel(); <-done }
}

// settle lays settings over those that were set, and has the engine follow.
func (g *engineStage) settle(rows map[string]any) {
	g.t.Helper()
	for name, value := range rows {
		g.rows[name] = fmt.Sprint(value)
	}
	set, err := app.ParseSettings(g.rows)
	if err != nil {
		g.t.Fatal(err)
	}
	g.set = set
	g.engine.Switch(engineApp, status.Switches{FriendNotices: set.FriendNotices, HideFromBlocked: set.HideFromBlocked})
	err = g.engine.Follow(context.Background(), engineApp)
	if !set.StatusOn || !set.StatusEdition {
		g.engine.Mute(engineApp)
	} else if g.engine.Unmute(engineApp) {
		err = errors.Join(err, g.engine.Retell(context.Background(), engineApp))
	}
	if err != nil {
		g.t.Fatal(err)
	}
}

func (g *engineStage) act(a *actor, step scenarioStep) string {
	switch a.name {
	case "server":
		return g.server(step)
	case "app":
		g.settle(settingsOf(step.args))
		return "ok"
	case "operator":
		return g.operator(step)
	}
	g.actors[a] = true
	switch step.verb {
	case "is":
		found, _, err := g.engine.Status(g.t.Context(), engineApp, []im.UserID{a.user})
		if err != nil || len(found) != 1 {
			return outcomeOf(err)
		}
		return same(strings.TrimSpace(found[0].Status.General.String()+" "+found[0].Status.Custom), strings.Join(step.args, " "))
	case "login":
		return g.login(a, step.args)
	case "return":
		return g.back(a)
	case "befriend", "unfriend", "block", "unblock":
		return outcomeOf(g.circle.order(g.t.Context(), step.verb, a.user, step.args))
	}
	if a.link == nil {
		return "not logged in"
	}
	return g.use(a, step)
}

// use has a session do something.
func (g *engineStage) use(a *actor, step scenarioStep) string {
	ctx, key := g.t.Context(), a.link.session.UserKey
	switch step.verb {
	case "logout":
		err := g.engine.End(ctx, a.link.session, im.CauseLogout)
		return outcomeOf(err)
	case "close":
		if closeCode(step.args) == 4001 {
			g.leave(a.link, im.CauseBreak)
			break
		}
		g.leave(a.link, im.CauseClose)
	case "break":
		g.leave(a.link, im.CauseBreak)
	case "silent":
		g.fallSilent(a.link)
	case "set":
		text := strings.Join(step.args, " ")
		if len(text) > g.set.MaxCustomBytes { // as the gateway does
			return strconv.Itoa(int(im.CodeInvalid))
		}
		return outcomeOf(g.engine.SetCustom(ctx, key, text))
	case "subscribe", "unsubscribe", "query":
		return g.list(key, step)
	case "kicked":
		return same("kicked "+strconv.Itoa(wire.KickType(a.link.cause())), "kicked "+strings.Join(step.args, ""))
	case "ended":
		if a.link.cause() == im.CauseNone {
			return "it is there"
		}
	default:
		return "no such verb"
	}
	return "ok"
}

// list gives a command on users, where the application has user status.
func (g *engineStage) list(key im.UserKey, step scenarioStep) string {
	switch { // as the gateway does
	case !g.set.StatusEdition:
		return strconv.Itoa(int(im.CodeEdition))
	case !g.set.StatusOn:
		return strconv.Itoa(int(im.CodeStatusOff))
	}
	users := make([]im.UserID, len(step.args))
	for i, name := range step.args {
		users[i] = im.UserID(name)
	}
	var found []im.Found
	var failed []im.Failed
	var err error
	switch ctx := g.t.Context(); {
	case step.verb == "query":
		found, failed, err = g.engine.StatusFor(ctx, key, users)
	case step.verb == "subscribe":
		failed, err = g.engine.Subscribe(ctx, key, users, g.set.MaxSubscribed)
	case len(users) == 1 && users[0] == "all":
		err = g.engine.UnsubscribeAll(ctx, key)
	default:
		failed, err = g.engine.Unsubscribe(ctx, key, users)
	}
	if err != nil {
		return outcomeOf(err)
	}
	var parts []string
	for _, f := range found {
		parts = append(parts, strings.TrimSpace(fmt.Sprintf("%s %s %s", f.User, f.Status.General, f.Status.Custom)))
	}
	for _, f := range failed {
		parts = append(parts, failure(string(f.User), int(f.Refusal.Code)))
	}
	return joined(parts)
}

func (g *engineStage) login(a *actor, args []string) string {
	life := lifeOf(g.t, args)
	now := time.Now()
	end := &engineEnd{run: g.run}
	a.link = end
	at, err := g.engine.Login(g.t.Context(), status.Login{
		User: im.UserKey{App: engineApp, User: a.user}, Platform: wire.PlatformOf(int64(platformNumbers[args[0]])), KeyID: 1,
		Issued: now.Unix(), Expires: now.Add(life).Unix(), Out: end,
		Policy: status.Policy{Policy: g.set.Login, PerNative: g.set.NativeSessions, PerWeb: g.set.WebSessions},
	}, im.InstID(rand.Uint32()>>1|1)) //nolint:gosec // G404: no secret
	if err != nil {
		return outcomeOf(err)
	}
	end.session, end.link = at.Session, at.Link
	time.AfterFunc(life, func() {
		if g.run == end.run {
			_ = g.engine.End(context.Background(), end.session, im.CauseExpiry) // it may have ended
		}
	})
	return "ok"
}

// back brings a session back with another connection.
func (g *engineStage) back(a *actor) string {
	end := &engineEnd{run: g.run, session: a.link.session}
	at, err := g.engine.Return(g.t.Context(), a.link.session, end, nil)
	var over *status.Ended
	switch {
	case errors.As(err, &over):
		if kick := wire.KickType(over.Cause); kick != 0 {
			return "kicked " + strconv.Itoa(kick)
		}
		return "over"
	case err != nil:
		return outcomeOf(err)
	}
	end.link = at.Link
	a.link = end
	return "ok"
}

// leave ends the connection of a session.
func (g *engineStage) leave(o *engineEnd, c im.Cause) {
	if o.link != 0 && o.run == g.run {
		g.engine.Leave(o.session.UserKey, o.session.Inst, o.link, c, o.Told())
	}
	o.link = 0
}

// fallSilent ends the connection of a session when nothing was heard of it for
// too long.
func (g *engineStage) fallSilent(o *engineEnd) {
	dead := g.cfg.Limits.DeadNative
	if o.session.Platform == im.Web {
		dead = g.cfg.Limits.DeadWeb
	}
	time.AfterFunc(dead, func() { g.leave(o, im.CauseSilence) })
}

func (g *engineStage) server(step scenarioStep) string {
	if step.verb == "stop" {
		g.stop()
		if err := g.store.Close(); err != nil {
			g.t.Error(err)
		}
		return "ok"
	}
	g.store.dead.Store(step.verb == "crash")
	for a := range g.actors {
		if a.link != nil {
			g.leave(a.link, im.CauseNode)
		}
	}
	g.stop()
	g.run++ // nothing of the old one counts while nobody serves
	time.Sleep(downtime(g.t, step.args))
	g.store.dead.Store(false)
	g.start()
	return "ok"
}

func (g *engineStage) operator(step scenarioStep) string {
	key := im.UserKey{App: engineApp, User: im.UserID(step.args[0])}
	switch step.verb {
	case "kick":
		return outcomeOf(g.engine.Kick(g.t.Context(), key, "operator"))
	case "ban":
		return outcomeOf(g.engine.Ban(g.t.Context(), key, "operator"))
	case "unban":
		return outcomeOf(g.engine.Unban(g.t.Context(), key, "operator"))
	default:
		return "no such verb"
	}
}

func (g *engineStage) told(a *actor) []toldStatus {
	if a.link == nil {
		return nil
	}
	a.link.mu.Lock()
	defer a.link.mu.Unlock()
	got := a.link.got
	a.link.got = nil
	return got
}
