// Package server puts the parts together: it reads the configuration, opens the
// store, builds every package on it, serves, and stops it all in reverse. It is
// the only place where packages that do not know each other meet.
package server

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/porchlight-im/porchlight/internal/account"
	"github.com/porchlight-im/porchlight/internal/admin"
	"github.com/porchlight-im/porchlight/internal/app"
	"github.com/porchlight-im/porchlight/internal/console/demo"
	"github.com/porchlight-im/porchlight/internal/gateway"
	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/rest"
	"github.com/porchlight-im/porchlight/internal/status"
	"github.com/porchlight-im/porchlight/internal/store"
	"github.com/porchlight-im/porchlight/internal/usersig"
	"github.com/porchlight-im/porchlight/internal/webhook"
	"github.com/porchlight-im/porchlight/internal/wire"
)

// Server is a server that is about to serve. Make one with [Open], serve with
// [Server.Run], and [Server.Close] it whether it has run or not.
type Server struct {
	cfg      Config
	version  string
	log      *slog.Logger
	lock     *os.File
	store    *store.Store
	apps     *app.Manager
	status   *status.Engine
	gateway  *gateway.Gateway
	rest     *rest.API
	days     *app.Days
	webhooks *webhook.Dispatcher
	proxies  gateway.Proxies
	registry *prometheus.Registry
	listener net.Listener
	private  net.Listener // nil for none
	token    string
	dev      *Dev // nil without -dev
	serving  atomic.Bool
}

// Options are what the command line says beside the configuration.
type Options struct {
	Dev     bool   // make an application to try things with
	Version string // of the program
	Log     *slog.Logger

	Listener net.Listener   // to serve on, instead of the configuration's address; for tests
	Friends  status.Friends // who has whom as a friend, nil for nobody; for tests
	Blocks   status.Blocks  // who has blocked whom, nil for nobody; for tests
}

// Open takes the data directory, opens the store, restores what is live and
// begins to listen. Nobody is answered before Run.
func Open(ctx context.Context, cfg Config, opt Options) (s *Server, err error) {
	s = &Server{cfg: cfg, version: opt.Version, log: opt.Log, registry: prometheus.NewRegistry()}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	if err := os.MkdirAll(cfg.Data, 0o700); err != nil {
		return s, fmt.Errorf("make data directory: %w", err)
	}
	if s.lock, err = lockDir(cfg.Data); err != nil {
		return s, err
	}
	s.store, err = store.Open(ctx, store.Config{
		DSN: cfg.Store.DSN, Path: filepath.Join(cfg.Data, "porchlight.db"), Gather: cfg.Store.Gather, Log: s.log,
	})
	if err != nil {
		return s, err
	}
	if opt.Dev {
		if s.dev, err = openDev(ctx, s.store, time.Now()); err != nil {
			return s, err
		}
	}
	if s.token, err = operatorToken(cfg.Data); err != nil {
		return s, err
	}
	if err := s.build(ctx, opt); err != nil {
		return s, err
	}
	s.listener = opt.Listener
	return s, s.listen(ctx)
}

// ownFiles is how many descriptors are kept for the store, the listeners, and
// handshakes that are refused because there are too many connections.
const ownFiles = 128

// build makes the parts that serve.
func (s *Server) build(ctx context.Context, opt Options) error {
	secret, err := s.store.ServerSecret(ctx)
	if err != nil {
		return err
	}
	epoch, err := s.store.NextEpoch(ctx, time.Now())
	if err != nil {
		return err
	}
	rev, err := s.store.LastRev(ctx)
	if err != nil {
		return err
	}
	apps, err := app.Load(ctx, s.store)
	if err != nil {
		return err
	}
	if err := s.openWebhooks(ctx, epoch); err != nil {
		return err
	}
	accounts := account.New(s.store)
	s.status = status.New(status.Config{
		Store: s.store, Lists: s.store, Orders: accounts, Accounts: accounts, Encode: wire.Encode,
		Friends: opt.friends(s.store), Blocks: opt.blocks(s.store),
		Hooks: s.webhooks, Journal: s.store,
		Rules: s.cfg.Rules(), Retention: s.cfg.Status.WatchRetention, Epoch: epoch, Rev: rev, Log: s.log,
	})
	if err := s.status.Restore(ctx); err != nil {
		return err
	}
	s.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	register(s.registry, s.version, s.status, s.store)
	s.proxies, err = gateway.ParseProxies(s.cfg.Gateway.Proxies)
	if err != nil {
		return fmt.Errorf("gateway.proxies: %w", err)
	}
	limits := s.cfg.limits()
	if most := maxFiles() - ownFiles; most > 0 && most < cmp.Or(limits.Sockets, im.MaxSockets) {
		s.log.Info("the limit on open files bounds the connections", "connections", most, "setting", limits.Sockets)
		limits = bounded(limits, most)
	}
	profiles, friends := s.newProfiles(), s.newFriends()
	s.gateway = gateway.New(gateway.Config{
		Apps: apps, Accounts: accounts, Status: s.status, Profiles: profiles, Friends: friends,
		Sealer: usersig.NewSealer(secret),
		Limits: limits, Origins: s.cfg.Gateway.Origins, Proxies: s.proxies, Metrics: s.registry, Log: s.log,
	})
	s.days = app.NewDays(s.status, s.store, s.log)
	s.rest = rest.New(rest.Config{
		Apps: apps, Accounts: accounts, Status: s.status, Profiles: profiles, Friends: friends,
		Days: s.days, Addresses: s.addresses, Allowed: s.cfg.callers(s.proxies),
		Settings: s.cfg.restSettings(), Metrics: s.registry, Log: s.log,
	})
	s.apps = app.NewManager(app.ManagerConfig{Apps: apps, Store: s.store, Changed: s.gateway.AppChanged})
	for _, a := range s.apps.Apps() {
		s.gateway.AppChanged(nil, a)
	}
	return nil
}

func (s *Server) listen(ctx context.Context) (err error) {
	var lc net.ListenConfig
	if s.listener == nil {
		if s.listener, err = lc.Listen(ctx, "tcp", s.cfg.Listen); err != nil {
			return fmt.Errorf("listen (setting listen): %w", err)
		}
	}
	if s.cfg.Operator.Listen == "" {
		return nil
	}
	if s.private, err = lc.Listen(ctx, "tcp", s.cfg.Operator.Listen); err != nil {
		return fmt.Errorf("listen (setting operator.listen): %w", err)
	}
	return nil
}

// Addr gives the address that clients reach.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// StatusForTest gives the status engine.
func (s *Server) StatusForTest() *status.Engine { return s.status }

// Dev gives what -dev made, with the addresses of this run; nil without it.
func (s *Server) Dev() *Dev {
	if s.dev == nil {
		return nil
	}
	d := *s.dev
	d.Ready, d.URL, d.WS = true, "http://"+s.Addr(), "ws://"+s.Addr()
	d.Console, d.OperatorToken = d.URL+"/console/", s.token
	return &d
}

// Run serves until ctx ends and then drains: no more handshakes, all sockets
// closed, spread out, and the last writes done.
func (s *Server) Run(ctx context.Context) error {
	parts, stop := context.WithCancel(context.WithoutCancel(ctx))
	stopWebhooks := s.runWebhooks(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	for _, run := range []func(context.Context) error{s.status.Run, s.gateway.Run, s.days.Run, s.purge} {
		wg.Go(func() { _ = run(parts) }) // they end with parts and have no error to give
	}
	failed := make(chan error, 2)
	servers := s.servers()
	s.serving.Store(true) // before the first request: it may ask
	for srv, ln := range servers {
		go func() { failed <- srv.Serve(ln) }()
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	s.serving.Store(false)
	s.log.Info("draining", "connections", s.gateway.Connections())
	for srv := range servers {
		closing, cancel := context.WithTimeout(parts, time.Second)
		_ = srv.Shutdown(closing) // what does not end in time is closed with the process
		cancel()
	}
	s.gateway.Drain(parts)
	stop()
	wg.Wait()
	stopWebhooks()
	if errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	return err
}

// servers gives the HTTP servers with their listeners.
func (s *Server) servers() map[*http.Server]net.Listener {
	operator := admin.New(admin.Config{
		Token: s.token, Metrics: s.registry, Ready: s.ready, Version: s.version, Log: s.log,
		Apps: s.apps, Users: s.status, Audit: s.store,
		Webhooks: s.webhooks, WebhookCommands: webhook.Commands(),
	})
	mux := http.NewServeMux()
	mux.Handle("GET /binfo", s.gateway)
	mux.Handle("GET /info", s.gateway)
	mux.HandleFunc("GET /{$}", s.front)
	mux.HandleFunc("GET /console/", s.front)
	if s.dev != nil {
		mux.Handle("/demo/", demo.New(demo.Config{App: s.dev.SDKAppID, Secret: s.dev.SecretKey, Log: s.log}))
	}
	operator.Public(mux)
	all := map[*http.Server]net.Listener{newHTTPServer(beside(byBackend(s.proxies, s.rest), mux), s.log): s.listener}
	api := http.NewServeMux()
	operator.API(api)
	if s.private == nil {
		mux.Handle("/admin/", byBackend(s.proxies, api))
		return all
	}
	private := http.NewServeMux()
	operator.Private(private)
	private.Handle("/admin/", byBackend(s.proxies, api))
	all[newHTTPServer(private, s.log)] = s.private
	return all
}

// newHTTPServer bounds what a slow or hostile peer may cost before a handshake.
func newHTTPServer(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler: h, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: 16 << 10, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

// front says what listens here to whoever opens it in a browser.
func (s *Server) front(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = fmt.Fprintf(w, `Porchlight %s is running.

Applications: TencentCloudChat.create({ SDKAppID, proxyServer: "ws://<this host and port>" })
Health:       /healthz and /readyz
Back ends:    POST /v4/service/command, as with the original; docs/rest.md has the commands
Metrics:      /metrics, with the operator's token as a bearer token
Operator:     porchlight app and porchlight user, over the API that /admin/v1/openapi.json describes

This version has no console yet; all its figures are in /metrics.
`, s.version)
}

// ready says why the server should be given no work, or nil.
func (s *Server) ready() error {
	if !s.serving.Load() {
		return errors.New("draining")
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := s.store.Ping(ctx); err != nil {
		s.log.Error("readiness", "err", err)
		return errors.New("the store does not answer; see the log")
	}
	return nil
}

// purge removes what is kept no longer, now and then.
func (s *Server) purge(ctx context.Context) error {
	if s.cfg.Store.PurgeEvery == 0 {
		return nil
	}
	tick := time.NewTicker(s.cfg.Store.PurgeEvery)
	defer tick.Stop()
	for {
		n, err := s.store.Purge(ctx, time.Now().Add(-s.cfg.Store.KeepClosedFor).UnixMilli())
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			s.log.Error("purge", "err", err)
		case n > 0:
			s.log.Info("purged", "rows", n)
		}
		if err := s.webhooks.Purge(ctx); err != nil && ctx.Err() == nil {
			s.log.Error("purge events", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Close frees what Open took. It may be called twice.
func (s *Server) Close() {
	for _, ln := range []net.Listener{s.listener, s.private} {
		if ln != nil {
			_ = ln.Close() // Run has closed it already
		}
	}
	if s.store != nil {
		if err := s.store.Close(); err != nil {
			s.log.Error("close store", "err", err)
		}
	}
	if s.lock != nil {
		_ = s.lock.Close() // which unlocks; the file stays
	}
}

// Rules gives the status engine's times.
func (c Config) Rules() status.Rules {
	r := status.Rules{PushReachable: c.Status.PushReachable}
	r.Grace[im.CauseBreak] = c.Grace.Close
	r.Grace[im.CauseClose] = c.Grace.Left
	r.Grace[im.CauseSilence] = c.Grace.Silence
	r.Grace[im.CauseLogout] = c.Grace.Logout
	r.Grace[im.CauseKickSame] = c.Grace.Kick
	r.Grace[im.CauseKickOther] = c.Grace.Kick
	r.Grace[im.CauseKickAdmin] = c.Grace.Kick
	r.Grace[im.CauseExpiry] = c.Grace.Expiry
	r.Grace[im.CauseNode] = c.Grace.Node
	return r
}

// limits gives the gateway's.
func (c Config) limits() gateway.Limits {
	l, g := c.Limits, c.Gateway
	return gateway.Limits{
		PreLogin: l.PreLogin, DeadWeb: l.DeadWeb, DeadNative: l.DeadNative, KickLinger: l.KickLinger,
		Write: l.Write, CommandTimeout: l.CommandTimeout, Skew: l.TokenSkew,
		TokenBytes: l.TokenBytes, TokenInflated: l.TokenInflated, FrameBytes: l.FrameBytes, FrameDepth: l.FrameDepth,
		QueueBytes: l.QueueBytes, QueueFrames: l.QueueFrames,
		PushItems: l.PushItems, Sockets: l.Sockets,
		CommandRate: l.CommandRate, CommandBurst: l.CommandBurst, DrainFor: l.DrainFor,
		Hello: g.Hello, Ping: g.Ping, Tick: g.Tick, Burst: g.Burst,
		Refusals: l.CommandRefusals, PreLoginSockets: l.PreLoginSockets, PreLoginAddress: l.PreLoginAddress,
		VerifyFailures: l.VerifyFailures, VerifyFailuresPeer: l.VerifyFailuresPeer, VerifyWindow: l.VerifyWindow,
		UserLogins: l.UserLogins, LoginsWindow: l.UserLoginsWindow,
	}
}

// bounded gives limits within so many connections. Sockets without a session
// must not take the places of all others, and yet all may come back at once: they
// get nine tenths of them.
func bounded(l gateway.Limits, connections int) gateway.Limits {
	l.Sockets = connections
	l.PreLoginSockets = min(cmp.Or(l.PreLoginSockets, im.MaxPreLogin), max(connections-connections/10, 1))
	return l
}

// operatorToken gives the operator's token, made at the first start.
func operatorToken(dir string) (string, error) {
	path := filepath.Join(dir, "operator.token")
	text, err := os.ReadFile(path) //nolint:gosec // G304: in our own directory
	token := strings.TrimSpace(string(text))
	switch {
	case err == nil && token != "":
		return token, nil
	case err != nil && !errors.Is(err, os.ErrNotExist):
		return "", fmt.Errorf("read the operator's token: %w", err)
	}
	token = rand.Text() + rand.Text()
	if err := writeSecret(path, []byte(token)); err != nil {
		return "", fmt.Errorf("write the operator's token: %w", err)
	}
	return token, nil
}
