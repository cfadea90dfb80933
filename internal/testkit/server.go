package testkit

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/server"
	"github.com/porchlight-im/porchlight/internal/store"
	"github.com/porchlight-im/porchlight/internal/usersig"
)

// Server is a server in the test's process, with the application of -dev.
type Server struct {
	t      testing.TB
	memory *Listener // nil on loopback
	data   string
	dsn    string // of its own schema, "" for SQLite in data
	sets   []string
	apps   []im.AppRow
	stop   context.CancelFunc
	done   chan struct{}
	log    *logBuffer
	proxy  http.Header // of every handshake
	circle *Circle     // friends and blocklists, nil for none

	Dev *server.Dev
}

// Start starts a server on a listener in memory, with settings of the form
// path=value, and stops it with the test.
func Start(t testing.TB, sets ...string) *Server {
	t.Helper()
	return start(&Server{t: t, memory: NewListener(), sets: sets})
}

// StartTCP is Start on loopback.
func StartTCP(t testing.TB, sets ...string) *Server {
	t.Helper()
	return start(&Server{t: t, sets: sets})
}

// StartApps is StartTCP with applications of the test's own. One of them may be
// the one that -dev would make.
func StartApps(t testing.TB, apps ...im.AppRow) *Server {
	t.Helper()
	return start(&Server{t: t, apps: apps})
}

// StartApp is Start with an application of the test's own, which may be the one
// that -dev would make.
func StartApp(t testing.TB, app im.AppRow, sets ...string) *Server {
	t.Helper()
	return start(&Server{t: t, memory: NewListener(), apps: []im.AppRow{app}, sets: sets})
}

// StartCircle is Start with friend lists and blocklists of the test's own.
func StartCircle(t testing.TB, c *Circle, sets ...string) *Server {
	t.Helper()
	return start(&Server{t: t, memory: NewListener(), circle: c, sets: sets})
}

func start(s *Server) *Server {
	s.t.Helper()
	s.data, s.log = s.t.TempDir(), &logBuffer{}
	if OnPostgres() {
		s.dsn = Postgres(s.t)
		s.sets = append([]string{"store.dsn=" + s.dsn}, s.sets...)
	}
	s.makeApps()
	s.up()
	s.t.Cleanup(s.Stop)
	return s
}

// DevApp gives the application that -dev makes, with settings of the test's
// own.
func DevApp(settings map[string]string) im.AppRow {
	return im.AppRow{
		ID: 1400000001, Name: "dev", Enabled: true, Settings: settings,
		Keys: []im.AppKey{{ID: 1, Secret: "a key that only this test knows"}},
	}
}

func (s *Server) makeApps() {
	s.t.Helper()
	if len(s.apps) == 0 {
		return
	}
	s.OnStore(func(ctx context.Context, st *store.Store) error {
		for _, row := range s.apps {
			if err := st.CreateApp(ctx, row); err != nil {
				return err
			}
		}
		return nil
	})
}

// OnStore reads or changes the data while no server runs.
func (s *Server) OnStore(change func(context.Context, *store.Store) error) {
	s.t.Helper()
	ctx := context.Background()
	st, err := store.Open(ctx, store.Config{DSN: s.dsn, Path: filepath.Join(s.data, "porchlight.db")})
	if err != nil {
		s.t.Fatal(err)
	}
	if err := errors.Join(change(ctx, st), st.Close()); err != nil {
		s.t.Fatal(err)
	}
}

func (s *Server) up() {
	s.t.Helper()
	cfg, err := server.LoadConfig("", nil, append([]string{"listen=127.0.0.1:0", "data=" + s.data, "store.purge_interval=0s"}, s.sets...))
	if err != nil {
		s.t.Fatal(err)
	}
	opt := server.Options{Dev: true, Version: "test", Log: slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	if s.memory != nil {
		opt.Listener = s.memory
	}
	if s.circle != nil {
		opt.Friends, opt.Blocks = s.circle, s.circle
	}
	ctx, cancel := context.WithCancel(context.Background())
	srv, err := server.Open(ctx, cfg, opt)
	if err != nil {
		cancel()
		s.t.Fatal(err)
	}
	s.Dev, s.stop, s.done = srv.Dev(), cancel, make(chan struct{})
	if s.circle != nil {
		s.circle.Serve(srv.StatusForTest(), s.Dev.SDKAppID)
	}
	go func() {
		defer close(s.done)
		defer srv.Close()
		if err := srv.Run(ctx); err != nil {
			s.t.Error(err)
		}
	}()
}

// Stop drains the server as SIGTERM does.
func (s *Server) Stop() {
	s.stop()
	<-s.done
	if log := s.Log(); strings.Contains(log, "stack=") {
		s.t.Errorf("the server panicked: %s", log)
	}
}

// Restart drains the server and starts another on its data.
func (s *Server) Restart() {
	s.t.Helper()
	s.RestartWith(nil)
}

// RestartWith is Restart with a change to the data in between.
func (s *Server) RestartWith(change func(context.Context, *store.Store) error) {
	s.t.Helper()
	s.Stop()
	if change != nil {
		s.OnStore(change)
	}
	s.again()
}

// RestartAfter is Restart with a while in between in which nobody serves.
func (s *Server) RestartAfter(down time.Duration) {
	s.t.Helper()
	s.Stop()
	time.Sleep(down)
	s.again()
}

// CrashFor ends the server as kill -9 does, and starts another on the data as
// they were in that moment, after a while. It works in fake time alone.
func (s *Server) CrashFor(down time.Duration) {
	s.t.Helper()
	synctest.Wait() // no write is under way
	data := s.t.TempDir()
	for _, name := range []string{"porchlight.db", "porchlight.db-wal", "operator.token"} {
		text, err := os.ReadFile(filepath.Join(s.data, name)) //nolint:gosec // G304: in the test's own directory
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			s.t.Fatal(err)
		}
		err = os.WriteFile(filepath.Join(data, name), text, 0o600) //nolint:gosec // G703: the same
		if err != nil {
			s.t.Fatal(err)
		}
	}
	if s.dsn != "" {
		s.dsn = copyPostgres(s.t, s.dsn)
		s.sets = append(s.sets, "store.dsn="+s.dsn)
	}
	s.Stop() // what it still writes is not seen again
	s.data = data
	time.Sleep(down)
	s.again()
}

func (s *Server) again() {
	s.t.Helper()
	if s.memory != nil {
		s.memory = NewListener()
	}
	s.up()
}

// Behind gives the server as it is now, seen through a proxy: these lines of
// X-Forwarded-For come with each handshake.
func (s *Server) Behind(lines ...string) *Server {
	through := *s
	through.proxy = http.Header{"X-Forwarded-For": lines}
	return &through
}

// Log gives what the server has logged.
func (s *Server) Log() string { return s.log.String() }

// UserSig mints a token that is good for half a year.
func (s *Server) UserSig(user im.UserID) string {
	s.t.Helper()
	return s.UserSigFor(user, time.Now(), 180*24*time.Hour)
}

// UserSigFor mints a token of a time that is good for a while from then.
func (s *Server) UserSigFor(user im.UserID, issued time.Time, expire time.Duration) string {
	s.t.Helper()
	sig, err := usersig.Mint(s.Dev.SDKAppID, user, s.Dev.SecretKey, issued, expire)
	if err != nil {
		s.t.Fatal(err)
	}
	return sig
}

// HTTP gives a client whose connections all go to the server.
func (s *Server) HTTP() *http.Client {
	return &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext:       func(ctx context.Context, _, _ string) (net.Conn, error) { return s.Dial(ctx) },
	}}
}

// Dial opens a connection to the server.
func (s *Server) Dial(ctx context.Context) (net.Conn, error) {
	if s.memory != nil {
		return s.memory.Dial(ctx)
	}
	var d net.Dialer
	return d.DialContext(ctx, "tcp", strings.TrimPrefix(s.Dev.URL, "http://"))
}

// Metric gives the value of a metric, "" where there is none of that name and
// labels, which are written as Prometheus does.
func (s *Server) Metric(name string) string {
	s.t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, s.Dev.URL+"/metrics", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.Dev.OperatorToken)
	resp, err := s.HTTP().Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }() // read to its end
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// logBuffer keeps a log for tests that look for what must not be in it.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write appends.
func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

// String gives all of it.
func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
