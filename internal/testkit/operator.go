package testkit

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/porchlight-im/porchlight/internal/admin"
	"github.com/porchlight-im/porchlight/internal/app"
	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/store"
	"github.com/porchlight-im/porchlight/internal/webhook"
)

// OperatorToken is the token of every [Operator].
const OperatorToken = "a token that only these tests know"

// Operator is the operator's side over a memory: the real rules of
// applications, and users as the test wants them.
type Operator struct {
	Config admin.Config // for the test to change before Handler
	*Memory

	log *logBuffer
}

// NewOperator makes one with the application of DevApp, whose one user is
// alice.
func NewOperator(t testing.TB) *Operator {
	t.Helper()
	m, log := &Memory{users: map[im.UserKey]im.UserView{}}, &logBuffer{}
	apps, err := app.Load(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	m.SetUser(im.UserView{
		User: im.UserKey{App: DevApp(nil).ID, User: "alice"}, TinyID: 144115188075855873, Status: im.Status{General: im.Unlogined},
	})
	return &Operator{Memory: m, log: log, Config: admin.Config{
		Token: OperatorToken, Metrics: prometheus.NewRegistry(), Ready: func() error { return nil }, Version: "v1.2.3",
		Log:  slog.New(slog.NewTextHandler(log, nil)),
		Apps: app.NewManager(app.ManagerConfig{Apps: apps, Store: m}), Users: m, Audit: m,
		Webhooks: newWebhooks(t), WebhookCommands: webhook.Commands(),
	}}
}

// newWebhooks makes real webhooks that may go to loopback.
func newWebhooks(t testing.TB) *webhook.Dispatcher {
	t.Helper()
	s, err := store.Open(t.Context(), store.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	allow, err := webhook.ParseNets([]string{"127.0.0.0/8"})
	if err != nil {
		t.Fatal(err)
	}
	d, err := webhook.New(t.Context(), webhook.Config{Store: s, Epoch: 1, Allow: allow, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// Handler gives the handler of the clients' port, with the API. Call it once.
func (o *Operator) Handler() http.Handler {
	mux, h := http.NewServeMux(), admin.New(o.Config)
	h.Public(mux)
	h.API(mux)
	return mux
}

// Log gives what was logged.
func (o *Operator) Log() string { return o.log.String() }

// Memory keeps what an [Operator] needs kept.
type Memory struct {
	mu    sync.Mutex // level 0; guards what follows
	err   error
	audit []im.AuditRow // the oldest first
	users map[im.UserKey]im.UserView
}

// Fail makes everything fail with an error from now on, or nothing for nil.
func (m *Memory) Fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.err = err
}

// SetUser says how a user is.
func (m *Memory) SetUser(v im.UserView) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.users[v.User] = v
}

// Apps gives the application of DevApp.
func (m *Memory) Apps(context.Context) ([]im.AppRow, error) {
	return []im.AppRow{DevApp(nil)}, nil
}

// SaveApp keeps the audit row alone: the registry has the application.
func (m *Memory) SaveApp(_ context.Context, _ im.AppRow, audit im.AuditRow) error {
	return m.keep(audit)
}

// Audit gives what was kept.
func (m *Memory) Audit(_ context.Context, app im.AppID, before int64, limit int) ([]im.AuditRow, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var rows []im.AuditRow
	for _, r := range slices.Backward(m.audit) {
		if (app == 0 || r.App == app) && (before == 0 || r.ID < before) && len(rows) < limit {
			rows = append(rows, r)
		}
	}
	return rows, m.err
}

// Show gives a user.
func (m *Memory) Show(_ context.Context, key im.UserKey) (im.UserView, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	v, ok := m.users[key]
	if !ok && m.err == nil {
		return v, im.Err(im.CodeNoAccount)
	}
	return v, m.err
}

// Kick keeps the order.
func (m *Memory) Kick(ctx context.Context, key im.UserKey, actor string) error {
	return m.order(ctx, key, im.AuditRow{Actor: actor, Action: "user.kick"}, func(*im.UserView) {})
}

// Ban keeps the order and bans.
func (m *Memory) Ban(ctx context.Context, key im.UserKey, actor string) error {
	return m.order(ctx, key, im.AuditRow{Actor: actor, Action: "user.ban"}, func(v *im.UserView) { v.Banned = true })
}

// Unban keeps the order and lifts the ban.
func (m *Memory) Unban(ctx context.Context, key im.UserKey, actor string) error {
	return m.order(ctx, key, im.AuditRow{Actor: actor, Action: "user.unban"}, func(v *im.UserView) { v.Banned = false })
}

func (m *Memory) order(ctx context.Context, key im.UserKey, row im.AuditRow, change func(*im.UserView)) error {
	v, err := m.Show(ctx, key)
	if err != nil {
		return err
	}
	change(&v)
	m.SetUser(v)
	row.App, row.User = key.App, key.User
	return m.keep(row)
}

func (m *Memory) keep(row im.AuditRow) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err == nil {
		row.ID = int64(len(m.audit) + 1)
		m.audit = append(m.audit, row)
	}
	return m.err
}
