package status

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/porchlight-im/porchlight/internal/im"
)

// fakeStore is a store in memory that can fail.
type fakeStore struct {
	mu      sync.Mutex
	rows    map[im.UserKey]im.UserRow
	marks   map[markKey]im.Mark
	customs map[im.UserKey]im.CustomRow
	fail    bool
	slow    time.Duration // a login takes
	opened  int
	orders  []im.Order
}

var errDisk = errors.New("disk full")

func newFakeStore() *fakeStore {
	return &fakeStore{
		rows: map[im.UserKey]im.UserRow{}, marks: map[markKey]im.Mark{}, customs: map[im.UserKey]im.CustomRow{},
	}
}

func (f *fakeStore) setFailing(fail bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fail = fail
}

func (f *fakeStore) User(_ context.Context, key im.UserKey) (im.UserRow, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	row := f.rows[key]
	row.Sessions, row.Watching = slices.Clone(row.Sessions), slices.Clone(row.Watching)
	for p := range im.Platform(im.Platforms) {
		m := f.marks[markKey{key, p}]
		row.Live = row.Live || m.State == im.MarkLive
		row.LastPresence = max(row.LastPresence, m.At)
	}
	return row, nil
}

func (f *fakeStore) OpenSession(_ context.Context, o im.Opening, _ int64) (int64, error) {
	time.Sleep(f.slow)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fail {
		return 0, errDisk
	}
	f.opened++
	row := f.rows[o.User]
	row.Found, row.TinyID = true, 7
	f.closeLocked(&row, o.Ended)
	row.Sessions = append(row.Sessions, o.Session)
	if o.Forget {
		row.Watching = nil
	}
	f.rows[o.User] = row
	f.markLocked(o.Mark)
	return 7, nil
}

func (f *fakeStore) closeLocked(row *im.UserRow, ended []im.SessionRow) {
	for _, e := range ended {
		for i := range row.Sessions {
			if row.Sessions[i].Inst == e.Inst && row.Sessions[i].Closed == 0 {
				row.Sessions[i].Closed, row.Sessions[i].Cause = e.Closed, e.Cause
			}
		}
	}
}

func (f *fakeStore) markLocked(m im.Mark) {
	if k := (markKey{m.User, m.Platform}); m.Rev > f.marks[k].Rev {
		f.marks[k] = m
	}
}

func (f *fakeStore) CloseSessions(ctx context.Context, key im.UserKey, ended []im.SessionRow, marks []im.Mark, customs ...im.CustomRow) error {
	if err := f.SaveLive(ctx, marks, customs); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	row := f.rows[key]
	f.closeLocked(&row, ended)
	f.rows[key] = row
	return nil
}

func (f *fakeStore) Revoke(ctx context.Context, o im.Order) error {
	if err := f.CloseSessions(ctx, o.User, o.Ended, o.Marks, o.Customs...); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	row := f.rows[o.User]
	row.RevokedBefore, row.Banned = max(row.RevokedBefore, o.Before), o.Ban == im.BanSet || row.Banned && o.Ban == im.BanKeep
	f.rows[o.User] = row
	f.orders = append(f.orders, o)
	return nil
}

func (f *fakeStore) SaveLive(_ context.Context, marks []im.Mark, customs []im.CustomRow) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fail {
		return errDisk
	}
	for _, m := range marks {
		f.markLocked(m)
	}
	for _, c := range customs {
		if c.Rev > f.customs[c.User].Rev {
			f.customs[c.User] = c
		}
	}
	return nil
}

func (f *fakeStore) ClearCustoms(_ context.Context, rev int64) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fail {
		return errDisk
	}
	live := map[im.UserKey]bool{}
	for k, m := range f.marks {
		live[k.user] = live[k.user] || m.State == im.MarkLive
	}
	for key, c := range f.customs {
		if c.Text != "" && !live[key] {
			f.customs[key] = im.CustomRow{User: key, Rev: rev}
		}
	}
	return nil
}

func (f *fakeStore) Live(_ context.Context, lostSince int64, each func(im.LiveRow) error) error {
	f.mu.Lock()
	rows := map[im.UserKey]im.LiveRow{}
	keep := map[im.UserKey]bool{}
	for k, m := range f.marks {
		row := rows[k.user]
		row.User, row.Custom = k.user, f.customs[k.user].Text
		row.Marks = append(row.Marks, m)
		rows[k.user] = row
		keep[k.user] = keep[k.user] || m.State == im.MarkLive || m.State == im.MarkLost && m.At >= lostSince
	}
	f.mu.Unlock()
	for u, row := range rows {
		if keep[u] {
			if err := each(row); err != nil {
				return err
			}
		}
	}
	return nil
}

func (f *fakeStore) SaveWatching(_ context.Context, key im.UserKey, add, remove []im.UserID) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fail {
		return errDisk
	}
	row := f.rows[key]
	row.Watching = slices.DeleteFunc(slices.Clone(row.Watching), func(u im.UserID) bool {
		return slices.Contains(add, u) || slices.Contains(remove, u)
	})
	row.Watching = append(row.Watching, add...)
	f.rows[key] = row
	return nil
}

func (f *fakeStore) ClearWatching(_ context.Context, key im.UserKey) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fail {
		return errDisk
	}
	row := f.rows[key]
	row.Watching = nil
	f.rows[key] = row
	return nil
}

// markOn gives a user's mark on a platform.
func (f *fakeStore) markOn(u im.UserID, p im.Platform) im.Mark {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.marks[markKey{key(u), p}]
}

// mark gives the state of a user's mark on the web, custom the custom status.
func (f *fakeStore) mark(u im.UserID) im.MarkState {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.marks[markKey{key(u), im.Web}].State
}

func (f *fakeStore) custom(u im.UserID) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.customs[key(u)].Text
}

// Exist says that everyone exists but "ghost".
func (f *fakeStore) Exist(_ context.Context, _ im.AppID, ids []im.UserID) ([]bool, error) {
	out := make([]bool, len(ids))
	for i, id := range ids {
		out[i] = id != "ghost"
	}
	return out, nil
}

// fakeOut is a connection that keeps all it is told.
type fakeOut struct {
	mu     sync.Mutex
	others []*im.Notice
	own    []*im.Notice
	ended  im.Cause
	addr   netip.Addr
}

func (o *fakeOut) Addr() netip.Addr { return o.addr }

func (o *fakeOut) Others(n *im.Notice) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.others = append(o.others, n)
}

func (o *fakeOut) Own(n *im.Notice) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.own = append(o.own, n)
}

func (o *fakeOut) Forget([]im.UserID) {}

func (o *fakeOut) Told() int64 { return time.Now().UnixMilli() }

func (o *fakeOut) End(c im.Cause) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ended = c
}

// heard gives what the connection was told about others since it was last
// asked, as "bob ONLINE busy".
func (o *fakeOut) heard() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	var out []string
	for _, n := range o.others {
		out = append(out, said(n))
	}
	o.others = nil
	return out
}

func said(n *im.Notice) string {
	s := string(n.User.User) + " " + n.Status.General.String()
	if n.Status.Custom != "" {
		s += " " + n.Status.Custom
	}
	return s
}

func newEngine(f *fakeStore) *Engine { return newEngineWith(f, func(*Config) {}) }

func newEngineWith(f *fakeStore, change func(*Config)) *Engine {
	cfg := Config{
		Store: f, Lists: f, Orders: f, Accounts: f, Encode: func(*im.Notice) {}, Rules: DefaultRules(),
		Epoch: 1, Log: slog.New(slog.DiscardHandler),
	}
	change(&cfg)
	return New(cfg)
}

// world runs a test on an engine in fake time.
func world(t *testing.T, test func(t *testing.T, f *fakeStore, e *Engine)) {
	t.Helper()
	worldWith(t, func(*fakeStore, *Config) {}, test)
}

// worldWith is world with another configuration.
func worldWith(t *testing.T, change func(*fakeStore, *Config), test func(t *testing.T, f *fakeStore, e *Engine)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f := newFakeStore()
		e := newEngineWith(f, func(cfg *Config) { change(f, cfg) })
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { _ = e.Run(ctx); close(done) }()
		test(t, f, e)
		stop()
		<-done
	})
}

func key(u im.UserID) im.UserKey { return im.UserKey{App: 1, User: u} }

var multi = Policy{Policy: im.PolicyMulti, PerNative: 3, PerWeb: 10}

// login opens a session, numbered as given.
func login(t *testing.T, e *Engine, u im.UserID, inst im.InstID, p im.Platform) (Attached, *fakeOut) {
	t.Helper()
	out := &fakeOut{}
	at, err := e.Login(t.Context(), Login{
		User: key(u), Platform: p, Expires: time.Now().Add(1000 * time.Hour).Unix(), Policy: multi, Out: out,
	}, inst)
	if err != nil {
		t.Fatal(err)
	}
	return at, out
}

func statusOf(t *testing.T, e *Engine, u im.UserID) string {
	t.Helper()
	found, failed, err := e.Status(t.Context(), 1, []im.UserID{u})
	if err != nil || len(failed) > 0 {
		t.Fatal(err, failed)
	}
	return said(&im.Notice{Change: im.Change{User: key(u), Status: found[0].Status}})
}
