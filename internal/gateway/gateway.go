// Package gateway speaks the official client's protocol on WebSockets: it
// accepts sockets, logs their users in, serves their commands through the rule
// packages, and writes what they are told.
//
// A socket costs one goroutine with a shallow stack and no buffers while it is
// at rest. A socket is not a session: sessions are their A2Key, and sockets come
// and go beneath them. Whatever a client sends is refused with a code or a
// close, never trusted, and never delays another client; a slow reader costs
// bounded memory and is dropped.
package gateway

import (
	"context"
	"fmt"
	"hash/maphash"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gobwas/ws"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/porchlight-im/porchlight/internal/account"
	"github.com/porchlight-im/porchlight/internal/app"
	"github.com/porchlight-im/porchlight/internal/friend"
	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/profile"
	"github.com/porchlight-im/porchlight/internal/status"
	"github.com/porchlight-im/porchlight/internal/usersig"
)

// Limits are the times and sizes of connections. Zero values mean the
// defaults.
type Limits struct {
	PreLogin       time.Duration // to send a first good frame
	DeadWeb        time.Duration // silence after which a web client is lost
	DeadNative     time.Duration // the same for native clients
	Ping           time.Duration // between WebSocket pings
	Hello          time.Duration // what clients are told to say hello by
	KickLinger     time.Duration // a kicked session's socket waits for its logout
	Write          time.Duration // to write to a stalled reader
	Tick           time.Duration // between frames about others, after Burst
	Skew           time.Duration // how far ahead a UserSig may be dated
	Burst          int           // frames about others at once
	TokenBytes     int           // a UserSig as it is sent
	TokenInflated  int           // the same, inflated
	FrameBytes     int           // a message from a client
	FrameDepth     int           // nesting of its JSON
	QueueBytes     int           // what may wait for one connection
	QueueFrames    int           // the same in frames
	PushItems      int           // statuses in one frame
	Sockets        int           // connections in all
	CommandRate    float64       // commands a second of one connection
	CommandBurst   int           // commands at once
	CommandTimeout time.Duration // to carry a command out
	DrainFor       time.Duration // to close all connections at the end
	Refusals       int           // commands of a connection that are refused for its rate

	PreLoginSockets    int           // sockets without a session in all
	PreLoginAddress    int           // the same of one address
	VerifyFailures     int           // failed verifications of one user from one address in a VerifyWindow
	VerifyFailuresPeer int           // the same of all users of an application
	VerifyWindow       time.Duration // from the first failure on
	UserLogins         int           // logins and logouts of one user in a LoginsWindow
	LoginsWindow       time.Duration // from the first one on
}

// Config is what a Gateway is made from.
type Config struct {
	Apps     *app.Registry
	Accounts *account.Directory
	Status   *status.Engine
	Profiles *profile.Service
	Friends  *friend.Service
	Sealer   *usersig.Sealer
	Limits   Limits
	Origins  []string // exact Origin values that are let in; none = all
	Proxies  Proxies  // reverse proxies that are believed
	Metrics  prometheus.Registerer
	Now      func() time.Time // the wall clock; unless set, time.Now
	Log      *slog.Logger
}

// Gateway serves the WebSocket endpoints. Make one with [New], keep
// [Gateway.Run] running while it serves, and end with [Gateway.Drain].
type Gateway struct {
	cfg     Config
	lim     Limits
	metrics *metrics
	flush   *flusher
	work    *workers
	hub     hub
	lobby   lobby
	memory  memory
	counts  counts
	readers sync.WaitGroup
	tasks   sync.WaitGroup // ends of sessions and the like, beside the connections
	drains  atomic.Bool
}

// New makes a gateway.
func New(cfg Config) *Gateway {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	cfg.Limits.fill()
	g := &Gateway{cfg: cfg, lim: cfg.Limits}
	g.metrics = newMetrics(cfg.Metrics, g)
	g.flush = newFlusher(g)
	g.work = newWorkers()
	g.hub.init()
	g.lobby.init()
	g.memory.init()
	return g
}

// fill puts the defaults in the place of zeros.
func (l *Limits) fill() {
	for _, d := range []struct {
		field *time.Duration
		def   time.Duration
	}{
		{&l.PreLogin, im.PreLogin},
		{&l.DeadWeb, im.DeadWeb},
		{&l.DeadNative, im.DeadNative},
		{&l.Ping, im.PingInterval},
		{&l.Hello, im.HelloInterval},
		{&l.KickLinger, im.KickLinger},
		{&l.Write, im.WriteDeadline},
		{&l.Tick, im.PushTick},
		{&l.Skew, im.TokenSkew},
		{&l.CommandTimeout, im.CommandTimeout},
		{&l.DrainFor, im.DrainFor},
		{&l.VerifyWindow, im.VerifyWindow},
		{&l.LoginsWindow, im.LoginsWindow},
	} {
		if *d.field <= 0 {
			*d.field = d.def
		}
	}
	for _, d := range []struct {
		field *int
		def   int
	}{
		{&l.Burst, im.PushBurst},
		{&l.FrameBytes, im.MaxFrameBytes},
		{&l.FrameDepth, im.MaxFrameDepth},
		{&l.QueueBytes, im.MaxQueueBytes},
		{&l.QueueFrames, im.MaxQueueFrames},
		{&l.PushItems, im.MaxPushItems},
		{&l.Sockets, im.MaxSockets},
		{&l.CommandBurst, im.CommandBurst},
		{&l.Refusals, im.MaxRefusals},
		{&l.PreLoginSockets, im.MaxPreLogin},
		{&l.PreLoginAddress, im.MaxPreLoginAddress},
		{&l.VerifyFailures, im.MaxVerifyFailures},
		{&l.VerifyFailuresPeer, im.MaxVerifyFailuresPeer},
		{&l.UserLogins, im.MaxUserLogins},
	} {
		if *d.field <= 0 {
			*d.field = d.def
		}
	}
	if l.CommandRate <= 0 {
		l.CommandRate = im.CommandRate
	}
}

// Run flushes, pings and sweeps until ctx ends.
func (g *Gateway) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	wg.Go(func() { g.flush.run(ctx) })
	wg.Go(func() { g.sweep(ctx) })
	wg.Wait()
	g.tasks.Wait()
	return nil
}

// ServeHTTP upgrades a request for /binfo or /info and serves its socket.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch origin := r.Header.Get("Origin"); {
	case g.drains.Load():
		http.Error(w, "the server is shutting down; try again", http.StatusServiceUnavailable)
		return
	case len(g.cfg.Origins) > 0 && origin != "" && !slices.Contains(g.cfg.Origins, origin):
		g.metrics.refused.WithLabelValues("origin").Inc()
		http.Error(w, "this Origin is not on the server's list (gateway.origins)", http.StatusForbidden)
		return
	case !g.hub.seat(g.lim.Sockets):
		g.metrics.refused.WithLabelValues("sockets").Inc()
		http.Error(w, "too many connections (limits.sockets)", http.StatusServiceUnavailable)
		return
	}
	nc, buffered, _, err := ws.HTTPUpgrader{}.Upgrade(r, w)
	if err != nil {
		g.hub.leave()
		g.metrics.refused.WithLabelValues("handshake").Inc()
		return // the upgrader has answered
	}
	if err := nc.SetDeadline(time.Time{}); err != nil {
		g.hub.leave()
		_ = nc.Close() // it is gone already
		return
	}
	var early []byte
	if n := buffered.Reader.Buffered(); n > 0 {
		early = make([]byte, n)
		_, _ = buffered.Read(early) // from memory: cannot fail
	}
	c := g.newConn(nc, r)
	if !g.hub.add(c) {
		g.hub.leave()
		_ = nc.Close()
		return
	}
	g.admit(c)
	// A goroutine of its own, so that the handler returns and net/http frees its
	// buffers.
	g.readers.Go(func() { c.run(early) })
}

// newConn reads what the handshake tells of a socket.
func (g *Gateway) newConn(nc net.Conn, r *http.Request) *conn {
	q := r.URL.Query()
	id, err := strconv.ParseUint(q.Get("sdkappid"), 10, 32)
	if err != nil {
		id = 0 // which is refused at login
	}
	c := &conn{g: g, nc: nc, app: im.AppID(id), opcode: ws.OpBinary, opened: g.now()}
	if id := q.Get("instanceid"); id != "" {
		c.instance = maphash.String(bodySeed, id) | 1
	}
	if r.URL.Path == "/info" {
		c.opcode = ws.OpText
	}
	c.addr = g.cfg.Proxies.Client(r)
	c.heard.Store(c.opened)
	c.pinged.Store(c.opened)
	c.initIO()
	return c
}

// When clients come back that do as they are told, after the server has stopped.
const (
	firstReturn   = 250 * time.Millisecond
	leastSpread   = 500 * time.Millisecond
	mostSpread    = 8 * time.Second        // with the first well within the grace for a restart
	spreadAClient = 500 * time.Microsecond // 2,000 a second
)

// restarting gives the reason of a close as the server stops: with a time for
// this one of so many clients to come back at. Our SDKs heed it, the official
// one comes at once.
func restarting(clients int) string {
	spread := min(max(time.Duration(clients)*spreadAClient, leastSpread), mostSpread)
	after := firstReturn + rand.N(spread) //nolint:gosec // G404: to spread, not to hide
	return fmt.Sprintf("the server is restarting; retry-after-ms=%d", after.Milliseconds())
}

// Drain closes all connections, spread out so that their clients do not come
// back in one instant, and waits until they are gone. Their sessions go on: who
// is back within the grace for it was never seen to leave.
func (g *Gateway) Drain(ctx context.Context) {
	g.drains.Store(true)
	conns := g.hub.close()
	if len(conns) > 0 {
		pace := min(time.Millisecond, g.lim.DrainFor/time.Duration(len(conns)))
		tick := time.NewTicker(max(pace, time.Microsecond))
		defer tick.Stop()
		for _, c := range conns {
			c.shut(im.CauseNode, ws.StatusGoingAway, restarting(len(conns)))
			select {
			case <-tick.C:
			case <-ctx.Done():
			}
		}
	}
	gone := make(chan struct{})
	go func() { g.readers.Wait(); close(gone) }()
	timer := time.NewTimer(g.lim.DrainFor)
	defer timer.Stop()
	select {
	case <-gone:
	case <-timer.C:
	case <-ctx.Done():
	}
	for _, c := range conns {
		_ = c.nc.Close() // what has not answered the close by now
	}
	<-gone
	g.work.stop()
}

// now gives the time in milliseconds by the engine's clock, which is never set: all
// that lasts is measured by it.
func (g *Gateway) now() int64 { return g.cfg.Status.Now() }

// nanos gives the same clock's time in nanoseconds, from a beginning of its own.
func (g *Gateway) nanos() int64 { return int64(g.cfg.Status.Steady()) }
